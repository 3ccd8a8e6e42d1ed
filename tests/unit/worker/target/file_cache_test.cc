// Files as they are now: found, refused, noticed when they change, never outside the base.
#include "worker/target/file_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace m2 {
namespace {

class FileCacheTest : public testing::Test {
 protected:
  FileCacheTest() {
    char name[] = "/tmp/m2-files-XXXXXX";
    root = ::mkdtemp(name);
    std::filesystem::create_directories(root + "/www/sub");
    std::filesystem::create_directories(root + "/www-secret");
    write("www/a.txt", "hello");
    write("www/index.html", "front page");
    write("www/sub/b.bin", "binary");
    write("www-secret/s.txt", "secret");
    auto table = std::make_shared<MimeTable>();
    table->add(".txt", "text/x-test");
    mime = table;
    open_cache({});
  }
  ~FileCacheTest() override { std::filesystem::remove_all(root); }

  void open_cache(FileCacheLimits limits) {
    cache = std::make_unique<FileCache>(
        loop, FileSettings{root + "/www/", "index.html", "text/plain", 0}, limits, mime);
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root + "/" + name) << text;
  }
  std::string body(std::string_view path) {
    const FileCache::Look look = cache->find(path);
    if (look.found != FileCache::Found::kFile) return "not found";
    return look.file->answer.substr(look.file->head_bytes);
  }
  int error(std::string_view path) {
    const FileCache::Look look = cache->find(path);
    return look.found == FileCache::Found::kFailed ? look.error_number : 0;
  }
  void next_turn() {
    TimerWatcher soon;
    soon.start<&FileCacheTest::nothing>(loop, 0.0, 0.0, this);
    loop.run_once();
  }
  void nothing() {}

  std::string root;
  Loop loop;
  std::shared_ptr<const MimeTable> mime;
  std::unique_ptr<FileCache> cache;
};

TEST_F(FileCacheTest, PreparesTheWholeAnswer) {
  const FileCache::Look look = cache->find("a.txt");
  ASSERT_EQ(look.found, FileCache::Found::kFile);
  const std::string& answer = look.file->answer;
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_NE(answer.find("\r\nContent-Type: text/x-test\r\nContent-Length: 5\r\n"),
            std::string::npos);
  EXPECT_NE(answer.find("\r\nETag: " + look.file->etag + "\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello"));
  EXPECT_EQ(cache->find("a.txt").file, look.file);
}

TEST_F(FileCacheTest, KnowsIndexFoldersAndWhatIsMissing) {
  EXPECT_EQ(body(""), "front page");
  EXPECT_EQ(body("/"), "front page");
  EXPECT_EQ(cache->find("sub").found, FileCache::Found::kDirectory);
  EXPECT_EQ(error("sub/"), ENOENT);
  EXPECT_EQ(error("none"), ENOENT);
  EXPECT_EQ(error("a.txt/"), ENOTDIR);
}

// Goal: no spelling and no link leads out. Method: every trick against files that exist.
TEST_F(FileCacheTest, NothingOutsideTheBase) {
  EXPECT_EQ(body("sub/../a.txt"), "hello");
  EXPECT_EQ(body("%61.txt"), "hello");
  for (const char* path :
       {"../www-secret/s.txt", "%2e%2e/www-secret/s.txt", "sub/../../www-secret/s.txt",
        "/../www-secret/s.txt", "..%2fwww-secret%2fs.txt"}) {
    EXPECT_EQ(error(path), EXDEV) << path;
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

TEST_F(FileCacheTest, NoticesEveryChangeInTheNextTurn) {
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

TEST_F(FileCacheTest, NoticesThatItsFolderWasReplaced) {
  EXPECT_EQ(body("a.txt"), "hello");
  std::filesystem::rename(root + "/www", root + "/old");
  std::filesystem::create_directories(root + "/www");
  write("www/a.txt", "new deployment");
  next_turn();
  EXPECT_EQ(body("a.txt"), "new deployment");
}

TEST_F(FileCacheTest, AFifoIsNotAFileAndNobodyWaitsForIt) {
  ASSERT_EQ(::mkfifo((root + "/www/fifo").c_str(), 0600), 0);
  EXPECT_EQ(error("fifo"), ENOENT);
}

TEST_F(FileCacheTest, StaysWithinItsLimits) {
  open_cache({.files = 2, .bytes = 1 << 20});
  const auto first = cache->find("a.txt").file;
  EXPECT_EQ(body("index.html"), "front page");
  EXPECT_EQ(body("sub/b.bin"), "binary");  // a.txt, the oldest, is forgotten
  EXPECT_EQ(first.use_count(), 1);
  open_cache({.files = 100, .bytes = 10});  // smaller than any answer: nothing is kept
  const auto unkept = cache->find("a.txt").file;
  EXPECT_EQ(unkept.use_count(), 1);
}

}  // namespace
}  // namespace m2
