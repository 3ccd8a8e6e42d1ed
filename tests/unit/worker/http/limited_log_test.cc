// Goal: so many lines a second, then none, then how many were left out, then lines again. Method: a
// log in a file; the second ends by the same wheel as everything else.
#include "worker/http/limited_log.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "common/log.h"
#include "common/owned_fd.h"

namespace m2 {
namespace {

constexpr uint32_t kPerSecond = 20;

class LimitedLogTest : public testing::Test {
 protected:
  LimitedLogTest() : file_(::memfd_create("log", MFD_CLOEXEC)) {
    log_open("test", file_.get(), LogLevel::kInfo);
  }
  ~LimitedLogTest() override { log_redirect(STDERR_FILENO); }
  std::string logged() const {
    std::string text(65536, 0);
    const ssize_t size = ::pread(file_.get(), text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return text;
  }

  OwnedFd file_;
  Loop loop_;
  Deadlines deadlines_{loop_};
  LimitedLog notes_{deadlines_, "clients", {LogLevel::kInfo, kPerSecond}};
};

TEST_F(LimitedLogTest, LeavesOutWhatIsTooMuchAndSaysHowMuch) {
  for (int round = 0; round < 2; ++round) {
    uint32_t admitted = 0;
    for (uint32_t i = 0; i < kPerSecond + 7; ++i) admitted += notes_.admits() ? 1 : 0;
    EXPECT_EQ(admitted, kPerSecond);
    const std::string line = "7 more lines about clients left out within a second";
    const std::string before = logged();
    for (int turn = 0; turn < 1000 && logged() == before; ++turn) loop_.run_once();
    EXPECT_NE(logged().find(line, before.size()), std::string::npos) << logged();
  }
}

TEST_F(LimitedLogTest, SaysNothingWhenNothingWasLeftOut) {
  EXPECT_TRUE(notes_.admits());
  for (int turn = 0; turn < 15; ++turn) loop_.run_once();
  EXPECT_EQ(logged(), "");
}

TEST_F(LimitedLogTest, IsSilentBelowItsLevel) {
  log_set_level(LogLevel::kWarn);
  for (uint32_t i = 0; i < 2 * kPerSecond; ++i) EXPECT_FALSE(notes_.admits());
  for (int turn = 0; turn < 15; ++turn) loop_.run_once();
  EXPECT_EQ(logged(), "");
}

}  // namespace
}  // namespace m2
