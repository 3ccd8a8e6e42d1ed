// Goal: docs/settings.md is what the program prints. Method: compare the file with the function.
#include "common/config/settings_page.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace m2 {
namespace {

std::string printed() {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* stream = open_memstream(&text, &size);
  print_settings_markdown(stream);
  std::fclose(stream);
  const std::string page(text, size);
  std::free(text);
  return page;
}

TEST(SettingsPage, DocumentIsInStepWithTheTable) {
  std::ifstream file("docs/settings.md");
  ASSERT_TRUE(file) << "run the tests from the top of the tree";
  std::stringstream document;
  document << file.rdbuf();
  EXPECT_EQ(document.str(), printed()) << "write it anew: mongrel2 --settings > docs/settings.md";
}

TEST(SettingsPage, SaysWhatASettingIsAndWhatHasNoEffect) {
  const std::string page = printed();
  EXPECT_NE(page.find("| `limits.buffer_size` | 16384 | 64 to 16777216 bytes | Request line"),
            std::string::npos);
  EXPECT_NE(page.find("| `server.daemonize` | 1 | flag | "), std::string::npos);
  EXPECT_NE(page.find("| `control_port` | `ipc://run/control` | text | "), std::string::npos);
  const size_t without_effect = page.find("## Accepted without effect");
  ASSERT_NE(without_effect, std::string::npos);
  EXPECT_GT(page.find("`superpoll.hot_dividend`"), without_effect);
  EXPECT_LT(page.find("`superpoll.max_fd`"), without_effect);
}

}  // namespace
}  // namespace m2
