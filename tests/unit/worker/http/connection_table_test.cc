// Ids to connections: every id that is in is found, none that is out, through growth and erasure.
#include "worker/http/connection_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace m2 {
namespace {

Connection* fake(ConnectionId id) { return reinterpret_cast<Connection*>(id * 64); }

TEST(ConnectionTable, FindsWhatIsInAndNothingElse) {
  ConnectionTable table;
  EXPECT_EQ(table.find(7), nullptr);
  table.insert(7, fake(7));
  EXPECT_EQ(table.find(7), fake(7));
  EXPECT_EQ(table.find(8), nullptr);
  table.erase(8);
  table.erase(7);
  EXPECT_EQ(table.find(7), nullptr);
  EXPECT_EQ(table.size(), 0u);
}

// Goal: erasing keeps every run of neighbours reachable. Method: random work beside a std::map.
TEST(ConnectionTable, AgreesWithAMapThroughRandomWork) {
  ConnectionTable table;
  std::map<ConnectionId, Connection*> model;
  std::mt19937_64 random(42);
  ConnectionId next = first_connection_id(3, 1234567);
  for (int step = 0; step < 200'000; ++step) {
    if (model.empty() || random() % 5 < 3) {
      table.insert(next, fake(next));
      model[next] = fake(next);
      ++next;
    } else {
      auto victim = model.begin();
      std::advance(victim, static_cast<long>(random() % std::min<size_t>(model.size(), 50)));
      table.erase(victim->first);
      model.erase(victim);
    }
  }
  ASSERT_EQ(table.size(), model.size());
  for (const auto& [id, connection] : model) ASSERT_EQ(table.find(id), connection);
}

}  // namespace
}  // namespace m2
