// Goal: nothing outside of a folder is opened and nothing but files and folders, by the kernel's
// resolver and by the walk that stands in for it. Method: every kind of name against both.
#include "worker/target/open_beneath.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace m2 {
namespace {

namespace fs = std::filesystem;

class OpenBeneath : public testing::TestWithParam<Resolver> {
 protected:
  OpenBeneath() {
    char name[] = "/tmp/m2-beneath-XXXXXX";
    root = ::mkdtemp(name);
    fs::create_directories(root + "/www/sub/deep");
    fs::create_directories(root + "/www-secret");
    write("www/a.txt", "inside");
    write("www/sub/deep/b.txt", "deep");
    write("www-secret/s.txt", "secret");
  }
  ~OpenBeneath() override { fs::remove_all(root); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root + "/" + name) << text;
  }
  void link(const std::string& target, const std::string& name) {
    fs::create_symlink(target, root + "/www/" + name);
  }
  // What a file says, or "errno N".
  std::string look(const std::string& relative) {
    errno = 0;
    const OwnedFd file = open_beneath(root + "/www/", relative, GetParam());
    if (!file.valid()) return "errno " + std::to_string(errno);
    struct stat found {};
    EXPECT_EQ(::fstat(file.get(), &found), 0);
    if (S_ISDIR(found.st_mode)) return "folder";
    char text[100];
    const ssize_t count = ::read(file.get(), text, sizeof text);
    return count < 0 ? "unreadable" : std::string(text, static_cast<size_t>(count));
  }
  static std::string error(int number) { return "errno " + std::to_string(number); }
  bool follows_links() const { return GetParam() == Resolver::kKernel; }

  std::string root;
};

TEST_P(OpenBeneath, FilesAndFolders) {
  EXPECT_EQ(look("a.txt"), "inside");
  EXPECT_EQ(look("sub/deep/b.txt"), "deep");
  EXPECT_EQ(look(""), "folder");
  EXPECT_EQ(look("sub"), "folder");
  EXPECT_EQ(look("sub/"), "folder");
  EXPECT_EQ(look("none"), error(ENOENT));
  EXPECT_EQ(look("none/a"), error(ENOENT));
  EXPECT_EQ(look("a.txt/x"), error(ENOTDIR));
  EXPECT_EQ(look(std::string(256, 'x')), error(ENAMETOOLONG));
  EXPECT_EQ(look(std::string(5000, 'x')), error(ENAMETOOLONG));
}

TEST_P(OpenBeneath, NeverOutside) {
  EXPECT_EQ(look("../www-secret/s.txt"), error(EXDEV));
  EXPECT_EQ(look("sub/../../www-secret/s.txt"), error(EXDEV));
  EXPECT_EQ(look(".."), error(EXDEV));
  link("../www-secret/s.txt", "out");
  link(root + "/www-secret/s.txt", "out-absolute");
  link("../www-secret", "folder-out");
  link("..", "up");
  link("/proc/self/root", "magic");
  for (const char* name : {"out", "out-absolute", "folder-out/s.txt", "up/www-secret/s.txt",
                           "magic/etc/passwd", "folder-out"}) {
    const std::string answer = look(name);
    EXPECT_TRUE(answer.starts_with("errno ")) << name << ": " << answer;
  }
}

TEST_P(OpenBeneath, LinksInside) {
  link("sub/deep/b.txt", "in");
  link(root + "/www/a.txt", "in-absolute");
  link("sub", "folder-in");
  link("loop", "loop");
  link("nowhere", "dangling");
  if (follows_links()) {
    EXPECT_EQ(look("in"), "deep");
    EXPECT_EQ(look("in-absolute"), "inside");
    EXPECT_EQ(look("folder-in/deep/b.txt"), "deep");
    EXPECT_EQ(look("dangling"), error(ENOENT));
  } else {
    for (const char* name : {"in", "in-absolute", "folder-in/deep/b.txt", "dangling"}) {
      EXPECT_TRUE(look(name).starts_with("errno ")) << name;
    }
  }
  EXPECT_EQ(look("loop"), error(ELOOP));
}

// Goal: a FIFO is not even opened. Method: a writer that waits for a reader must go on waiting.
TEST_P(OpenBeneath, NothingButFilesIsOpened) {
  const std::string fifo = root + "/www/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::atomic<bool> through = false;
  std::thread writer([&] {
    const OwnedFd end(::open(fifo.c_str(), O_WRONLY));
    through = true;
  });
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(look("fifo"), error(ENXIO));
    std::this_thread::yield();
  }
  EXPECT_FALSE(through);
  const OwnedFd reader(::open(fifo.c_str(), O_RDONLY));
  writer.join();
  const OwnedFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s/www/socket", root.c_str());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(look("socket"), error(ENXIO));
  if (::mknod((root + "/www/null").c_str(), S_IFCHR | 0666, 0x103) == 0) {
    EXPECT_EQ(look("null"), error(ENXIO));
  }
}

TEST_P(OpenBeneath, ABaseThatIsNotThere) {
  EXPECT_FALSE(open_beneath(root + "/none/", "a", GetParam()).valid());
  EXPECT_EQ(errno, ENOENT);
  // The operator's own links are part of the base.
  fs::create_symlink("www", root + "/current");
  EXPECT_TRUE(open_beneath(root + "/current/", "a.txt", GetParam()).valid());
}

INSTANTIATE_TEST_SUITE_P(Both, OpenBeneath, testing::Values(Resolver::kKernel, Resolver::kWalk));

}  // namespace
}  // namespace m2
