// Goal: what one table was told, the next one on the same memory finds, whatever the sizes, and
// garbage does no harm. Method: a plain set beside it.
#include "worker/link/told_table.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <random>
#include <set>

#include "common/sealed_memory.h"
#include "common/treaty/child.h"

namespace m2 {
namespace {

class ToldTableTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = shared_memory("test", kToldMemoryBytes);
    ASSERT_TRUE(made.ok()) << made.message();
    memory = std::move(made).value();
  }
  static std::set<std::pair<uint64_t, uint64_t>> as_set(const std::vector<ToldTable::Entry>& all) {
    std::set<std::pair<uint64_t, uint64_t>> found;
    for (const auto& entry : all) found.emplace(entry.id, entry.pair);
    return found;
  }
  OwnedFd memory;
};

TEST_F(ToldTableTest, NextOneFindsWhatWasLeft) {
  std::mt19937 random(7);
  std::set<std::pair<uint64_t, uint64_t>> wanted;
  {
    ToldTable table(memory);
    EXPECT_TRUE(table.take().empty());
    for (int round = 0; round < 200'000; ++round) {
      const bool grows = (round / 20'000) % 2 == 0;  // up to thousands, and down again
      const ToldTable::Entry entry{1 + random() % 5000, random() % 3};
      if (random() % 8 < (grows ? 7u : 1u)) {
        table.insert(entry);
        wanted.emplace(entry.id, entry.pair);
      } else {
        table.erase(entry);
        wanted.erase({entry.id, entry.pair});
      }
      ASSERT_EQ(table.size(), wanted.size());
    }
    table.erase_pair(1);
    std::erase_if(wanted, [](const auto& each) { return each.second == 1; });
  }
  EXPECT_FALSE(wanted.empty());
  ToldTable next(memory);
  EXPECT_EQ(as_set(next.take()), wanted);
  EXPECT_TRUE(next.take().empty());
  EXPECT_EQ(next.size(), 0u);
}

TEST_F(ToldTableTest, WithoutMemoryItRemembersNothing) {
  ToldTable table{OwnedFd()};
  table.insert({1, 2});
  table.erase({1, 2});
  table.erase_pair(2);
  EXPECT_TRUE(table.take().empty());
}

TEST_F(ToldTableTest, GarbageDoesNoHarm) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    uint32_t head[3];
    for (uint32_t& each : head) each = random() % (round < 25 ? 40 : UINT32_MAX);
    ASSERT_EQ(::pwrite(memory.get(), head, sizeof head, 0), ssize_t{sizeof head});
    ToldTable table(memory);
    table.take();
    table.insert({5, 6});
    EXPECT_EQ(table.size(), 1u);
  }
}

}  // namespace
}  // namespace m2
