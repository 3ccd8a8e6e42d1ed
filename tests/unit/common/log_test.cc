// Goal: whatever the text, one call is one line of printable text; kinds of lines that strangers
// cause are bounded, and those left out are said. Method: bytes that end lines and move cursors.
#include "common/log.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "common/log_limit.h"
#include "common/owned_fd.h"

namespace m2 {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() { log_open("test", file_.get(), LogLevel::kInfo); }
  ~LogTest() override { log_close(); }
  std::string text() const {
    std::string all(1 << 20, 0);
    const ssize_t size = ::pread(file_.get(), all.data(), all.size(), 0);
    all.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return all;
  }
  size_t lines() const {
    const std::string all = text();
    return static_cast<size_t>(std::count(all.begin(), all.end(), '\n'));
  }
  OwnedFd file_{::memfd_create("log", MFD_CLOEXEC)};
};

TEST_F(LogTest, EveryTextIsOneLine) {
  const std::string evil[] = {
      "a\nSun, 22 Nov 2026 06:12:10 GMT [ERROR] (master) forged",
      "a\r\nb",
      std::string("a\0b", 3),
      "a\x1b[2J\x1b]0;title\x07",
      "a\x7f\x80\xff\xc3(",
      "a\xc2\x85\xc2\x9b"
      "2J",  // controls of the upper half
      "a\xe2\x80\xa8"
      "b\xe2\x80\xae",  // a line end of Unicode, and a mark that turns the text
  };
  size_t count = 0;
  for (const std::string& each : evil) {
    log_info(each);
    EXPECT_EQ(lines(), ++count) << each;
  }
  for (const char c : text()) {
    EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7F)) << static_cast<int>(c);
  }
  EXPECT_NE(text().find("a\\x0aSun"), std::string::npos) << text();
}

TEST_F(LogTest, TextOfPeopleStaysAsItIs) {
  log_info(
      "Gr\xc3\xbc\xc3\x9f"
      "e \xe2\x82\xac \\x0a");
  EXPECT_NE(text().find("Gr\xc3\xbc\xc3\x9f"
                        "e \xe2\x82\xac \\x0a\n"),
            std::string::npos)
      << text();
}

TEST_F(LogTest, AKindOfLinesIsBoundedAndTheRestIsSaid) {
  static LogLimit limit("tests", LogLevel::kInfo, 5);
  for (int i = 0; i < 5000; ++i) limit.write("kind");
  // Within one second 5, and the loop may take more than one.
  EXPECT_LT(lines(), 1000u);
  const size_t before = lines();
  LogLimit::say_left_out(true);
  EXPECT_EQ(lines(), before + 1);
  EXPECT_NE(text().find("more lines about tests left out"), std::string::npos);
  LogLimit::say_left_out(true);
  EXPECT_EQ(lines(), before + 1);
}

}  // namespace
}  // namespace m2
