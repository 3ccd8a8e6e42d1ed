// Goal: the program of an upgrade is the one at the path that was typed, and only one that root may
// run. Method: this test's own program, and files that stand for others.
#include "master/program.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

Program remember(const std::string& name) {
  const char* words[] = {name.c_str(), "database"};
  return Program::remember(2, words);
}

TEST(Program, IsTheFileThatWasTypedOrFound) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_EQ(remember(self).path(), self);
  EXPECT_EQ(remember("unit").path(), self);     // found in the PATH
  EXPECT_EQ(remember("/bin/sh").path(), self);  // argv[0] can be anything
  const ScratchFolder folder;
  std::filesystem::create_symlink(self, folder / "link");
  EXPECT_EQ(remember(folder / "link").path(), folder / "link");
  EXPECT_TRUE(remember(self).check(false).ok());
}

TEST(Program, IsLookedAtBeforeItRuns) {
  const ScratchFolder folder;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string link = folder / "link";
  std::filesystem::create_symlink(self, link);
  const Program program = remember(link);
  ASSERT_EQ(program.path(), link);
  const auto becomes = [&](mode_t mode) {
    ::unlink(link.c_str());
    folder.write("link", "#!/bin/sh\n");
    EXPECT_EQ(::chmod(link.c_str(), mode), 0);
  };
  becomes(0755);
  EXPECT_TRUE(program.check(true).ok());
  becomes(0775);
  EXPECT_TRUE(program.check(false).ok());
  EXPECT_NE(program.check(true).message().find("others may write to it"), std::string::npos);
  becomes(0644);
  EXPECT_NE(program.check(false).message().find("no file that can be executed"), std::string::npos);
  ::unlink(link.c_str());
  EXPECT_NE(program.check(false).message().find("No such file"), std::string::npos);
  EXPECT_NE(program.execute().message().find("cannot execute"), std::string::npos);
}

}  // namespace
}  // namespace m2
