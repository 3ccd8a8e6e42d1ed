// Files as they are now: found, refused, noticed when they change, never outside the base.
#include "worker/target/folder.h"

#include <cerrno>

#include "tests/unit/worker/target/folder_fixture.h"

namespace m2 {
namespace {

TEST_F(FolderTest, PreparesTheWholeAnswer) {
  const Folder::Look look = folder->find("a.txt", {});
  ASSERT_EQ(look.found, Folder::Found::kFile);
  const std::string& answer = look.file->answer;
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_NE(answer.find("\r\nContent-Type: text/x-test\r\nContent-Length: 5\r\n"),
            std::string::npos);
  EXPECT_NE(answer.find("\r\nETag: " + look.file->etag + "\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello"));
  EXPECT_EQ(folder->find("a.txt", {}).file, look.file);
}

TEST_F(FolderTest, KnowsIndexFoldersAndWhatIsMissing) {
  EXPECT_EQ(body(""), "front page");
  EXPECT_EQ(body("/"), "front page");
  EXPECT_EQ(folder->find("sub", {}).found, Folder::Found::kDirectory);
  EXPECT_EQ(error("sub/"), ENOENT);
  EXPECT_EQ(error("none"), ENOENT);
  EXPECT_EQ(error("a.txt/"), ENOTDIR);
}

// Goal: no spelling and no link leads out. Method: every trick against files that exist.
TEST_F(FolderTest, NothingOutsideTheBase) {
  EXPECT_EQ(body("sub/../a.txt"), "hello");
  EXPECT_EQ(body("%61.txt"), "hello");
  for (const char* path : {"../www-secret/s.txt", "%2e%2e/www-secret/s.txt",
                           "sub/../../www-secret/s.txt", "/../www-secret/s.txt"}) {
    EXPECT_EQ(error(path), EXDEV) << path;
  }
  for (const char* path : {"..%2fwww-secret%2fs.txt", "sub%2Fb.bin", "%2f", "a.txt%2f"}) {
    EXPECT_EQ(error(path), EINVAL) << path;  // a name never contains a slash
  }
  EXPECT_EQ(error("a.txt%00.html"), EINVAL);
  EXPECT_EQ(error("a%zz"), EINVAL);
  std::filesystem::create_symlink("../www-secret/s.txt", root + "/www/out");
  std::filesystem::create_symlink(root + "/www-secret/s.txt", root + "/www/out-absolute");
  std::filesystem::create_symlink("../www-secret", root + "/www/folder-out");
  EXPECT_NE(error("out"), 0);
  EXPECT_NE(error("out-absolute"), 0);
  EXPECT_NE(error("folder-out/s.txt"), 0);
  std::filesystem::create_symlink("sub/b.bin", root + "/www/in");
  std::filesystem::create_symlink(root + "/www/sub/b.bin", root + "/www/in-absolute");
  EXPECT_EQ(body("in"), "binary");
  EXPECT_EQ(body("in-absolute"), "binary");
}

TEST_F(FolderTest, NoticesEveryChangeInTheNextTurn) {
  EXPECT_EQ(body("a.txt"), "hello");
  write("www/a.txt", "HELLO");  // same size, perhaps the same tick of the file system's clock
  next_turn();
  EXPECT_EQ(body("a.txt"), "HELLO");
  write("new", "replaced by rename");
  std::filesystem::rename(root + "/new", root + "/www/a.txt");
  next_turn();
  EXPECT_EQ(body("a.txt"), "replaced by rename");
  std::filesystem::remove(root + "/www/a.txt");
  next_turn();
  EXPECT_EQ(error("a.txt"), ENOENT);
}

TEST_F(FolderTest, NoticesThatItsFolderWasReplaced) {
  EXPECT_EQ(body("a.txt"), "hello");
  std::filesystem::rename(root + "/www", root + "/old");
  std::filesystem::create_directories(root + "/www");
  write("www/a.txt", "new deployment");
  next_turn();
  EXPECT_EQ(body("a.txt"), "new deployment");
}

TEST_F(FolderTest, AFifoIsNotAFileAndNobodyWaitsForIt) {
  ASSERT_EQ(::mkfifo((root + "/www/fifo").c_str(), 0600), 0);
  EXPECT_EQ(error("fifo"), ENXIO);
}

}  // namespace
}  // namespace m2
