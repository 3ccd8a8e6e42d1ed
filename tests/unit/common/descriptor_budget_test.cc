// Goal: each use of descriptors ends where the room of the next begins, whatever the limit, and
// nothing that is refused stays open. Method: limits of this process, lowered for the test.
#include "common/descriptor_budget.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <vector>

namespace m2 {
namespace {

class DescriptorBudgetTest : public testing::Test {
 protected:
  DescriptorBudgetTest() { ::getrlimit(RLIMIT_NOFILE, &before_); }
  ~DescriptorBudgetTest() override { ::setrlimit(RLIMIT_NOFILE, &before_); }
  void limit_to(rlim_t files) {
    const rlimit lower{files, before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lower), 0);
  }

 private:
  rlimit before_{};
};

TEST_F(DescriptorBudgetTest, EachUseLeavesRoomForTheNext) {
  for (const rlim_t files : {64, 256, 1000}) {
    limit_to(files);
    const int clients = descriptor_ceiling(DescriptorUse::kClients);
    const int work = descriptor_ceiling(DescriptorUse::kWork);
    const int handlers = descriptor_ceiling(DescriptorUse::kHandlers);
    EXPECT_GT(clients, 0) << files;
    EXPECT_GE(work - clients, 16) << files;
    EXPECT_GE(handlers - work, 12) << files;
    EXPECT_GE(static_cast<int>(files) - handlers, 4) << files;
  }
}

TEST_F(DescriptorBudgetTest, RefusesWhatIsBeyond) {
  limit_to(256);
  std::vector<OwnedFd> held;
  for (;;) {
    OwnedFd fd = within_budget(OwnedFd(::open("/dev/null", O_RDONLY)), DescriptorUse::kWork);
    if (!fd.valid()) break;
    EXPECT_LT(fd.get(), descriptor_ceiling(DescriptorUse::kWork));
    held.push_back(std::move(fd));
  }
  EXPECT_EQ(errno, EMFILE);
  const OwnedFd next(::open("/dev/null", O_RDONLY));
  EXPECT_EQ(next.get(), descriptor_ceiling(DescriptorUse::kWork));  // the refused one is closed
}

TEST_F(DescriptorBudgetTest, KeepsTheReasonOfAnother) {
  OwnedFd none(::open("/no/such/file", O_RDONLY));
  EXPECT_FALSE(within_budget(std::move(none), DescriptorUse::kWork).valid());
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace m2
