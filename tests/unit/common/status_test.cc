// Goal: an error keeps its sentence, gathers context from the inside out, and success stays silent.
#include "common/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace m2 {
namespace {

TEST(Status, SuccessHasNoMessage) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.message(), "");
}

TEST(Status, ContextIsAddedInFront) {
  Status status = Status::from_errno("open logs/error.log", EACCES);
  EXPECT_EQ(status.message(), "open logs/error.log: Permission denied");
  status = std::move(status).in("server test");
  EXPECT_EQ(status.message(), "server test: open logs/error.log: Permission denied");
}

TEST(Status, ContextLeavesSuccessAlone) { EXPECT_TRUE(Status().in("anything").ok()); }

Result<std::unique_ptr<int>> make(bool works) {
  if (!works) return Status::error("no int today");
  return std::make_unique<int>(7);
}

TEST(Result, IsAValueOrAReason) {
  Result<std::unique_ptr<int>> good = make(true);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good.message(), "");
  const std::unique_ptr<int> taken = std::move(good).value();
  EXPECT_EQ(*taken, 7);

  Result<std::unique_ptr<int>> bad = make(false);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.message(), "no int today");
  EXPECT_EQ(std::move(bad).status().in("start").message(), "start: no int today");
}

}  // namespace
}  // namespace m2
