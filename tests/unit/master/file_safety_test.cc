// Goal: who may put another file in the place of ours is found, and names are compared as the
// process that uses them sees them. Method: folders of a scratch folder with modes and links.
#include "master/file_safety.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

class FileSafety : public testing::Test {
 protected:
  FileSafety() {
    for (const char* name : {"a", "a/b", "a/b/c"}) ::mkdir((folder_ / name).c_str(), 0755);
    folder_.write("a/b/c/file", "");
    ::symlink("b/c/file", (folder_ / "a/link").c_str());
  }
  ScratchFolder folder_;
};

TEST_F(FileSafety, FoldersThatEverybodyMayWriteToAreFound) {
  const std::string file = folder_ / "a/b/c/file";
  EXPECT_EQ(open_folder_above(file), "");  // /tmp is everybody's, but sticky
  ::chmod((folder_ / "a").c_str(), 0777);
  EXPECT_EQ(open_folder_above(file), folder_ / "a");
  ::chmod((folder_ / "a").c_str(), 01777);
  EXPECT_EQ(open_folder_above(file), "");
  ::chmod((folder_ / "a/b/c").c_str(), 0777);
  EXPECT_EQ(open_folder_above(file), folder_ / "a/b/c");
  // By whatever name, and not the folder itself.
  EXPECT_EQ(open_folder_above(folder_ / "a/link"), folder_ / "a/b/c");
  EXPECT_EQ(open_folder_above(folder_ / "a/b/c/"), "");
  EXPECT_EQ(open_folder_above(folder_ / "nothing/at/all"), "");
}

TEST_F(FileSafety, NamesAreThoseOfTheProcessInTheChroot) {
  ::symlink("/a/b", (folder_ / "absolute").c_str());
  ::symlink("a/b", (folder_ / "relative").c_str());
  ::symlink("../../../../../../..", (folder_ / "up").c_str());
  const std::string root = folder_.path();
  EXPECT_EQ(real_name(root, "absolute"), folder_ / "a/b");
  EXPECT_EQ(real_name(root, "relative/"), folder_ / "a/b");
  EXPECT_EQ(real_name(root, "relative/not yet"), folder_ / "a/b/not yet");
  EXPECT_EQ(real_name(root, "up"), root);
  EXPECT_EQ(real_name("", folder_ / "relative"), folder_ / "a/b");
  EXPECT_EQ(real_name("", folder_ / "a/../a/b/./none"), folder_ / "a/b/none");
}

TEST_F(FileSafety, InsideIsByWholeNames) {
  EXPECT_TRUE(is_inside("/a/b", "/a/b"));
  EXPECT_TRUE(is_inside("/a/b/c", "/a/b"));
  EXPECT_FALSE(is_inside("/a/bc", "/a/b"));
  EXPECT_FALSE(is_inside("/a", "/a/b"));
  EXPECT_TRUE(is_inside("/a", "/"));
}

}  // namespace
}  // namespace m2
