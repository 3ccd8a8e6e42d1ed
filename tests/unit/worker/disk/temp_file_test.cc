// Goal: a temporary file is new, private, whole or gone; what a dead process left half-done is
// swept, and nothing else. Method: real files in a scratch folder, a child that ends for the dead.
#include "worker/disk/temp_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace m2 {
namespace {

namespace fs = std::filesystem;

class TempFileTest : public testing::Test {
 protected:
  TempFileTest() {
    char name[] = "/tmp/m2-temp-file-XXXXXX";
    folder_ = ::mkdtemp(name);
    template_ = folder_ + "/body.XXXXXX";
  }
  ~TempFileTest() override { fs::remove_all(folder_); }

  size_t count() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  static mode_t mode(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0);
    return facts.st_mode & 07777;
  }
  static std::string content(const std::string& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
  }
  // In a process that then ends without any farewell.
  static void in_dying_process(const std::function<void()>& action) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      action();
      ::_exit(0);
    }
    ::waitpid(pid, nullptr, 0);
  }

  std::string folder_;
  std::string template_;
};

TEST_F(TempFileTest, IsWrittenAndWhole) {
  TempFile file;
  ASSERT_EQ(file.create(template_, 0640), 0);
  EXPECT_EQ(file.path().size(), template_.size());
  EXPECT_TRUE(file.path().starts_with(folder_ + "/body."));
  EXPECT_EQ(mode(file.path()), S_ISVTX | 0640u);
  ASSERT_EQ(file.write("one "), 0);
  ASSERT_EQ(file.write(std::string(1'000'000, 'x')), 0);
  ASSERT_EQ(file.finish(), 0);
  EXPECT_EQ(mode(file.path()), 0640u);
  EXPECT_EQ(content(file.path()), "one " + std::string(1'000'000, 'x'));
}

TEST_F(TempFileTest, EachIsAnother) {
  std::vector<TempFile> files(200);
  for (TempFile& file : files) ASSERT_EQ(file.create(template_, 0600), 0);
  EXPECT_EQ(count(), 200u);
  for (TempFile& file : files) EXPECT_EQ(file.remove(), 0);
  EXPECT_EQ(count(), 0u);
}

TEST_F(TempFileTest, SaysWhatTheSystemSays) {
  TempFile file;
  EXPECT_EQ(file.create(folder_ + "/nowhere/body.XXXXXX", 0600), ENOENT);
  EXPECT_EQ(file.create(folder_ + "/" + std::string(300, 'a') + "XXXXXX", 0600), ENAMETOOLONG);
}

TEST_F(TempFileTest, RemovesAlsoWhatSomebodyMovedAway) {
  TempFile file;
  ASSERT_EQ(file.create(template_, 0600), 0);
  fs::rename(file.path(), folder_ + "/elsewhere");
  EXPECT_EQ(file.remove(), 0);
  EXPECT_TRUE(fs::exists(folder_ + "/elsewhere"));
}

TEST_F(TempFileTest, SweepsWhatTheDeadLeftHalfDone) {
  in_dying_process([this] {
    TempFile file;
    (void)file.create(template_, 0644);
    (void)file.write("half");
  });
  EXPECT_EQ(count(), 1u);
  EXPECT_EQ(sweep_half_done(template_), 1u);
  EXPECT_EQ(count(), 0u);
}

TEST_F(TempFileTest, SweepsNothingElse) {
  TempFile done, alive;
  ASSERT_EQ(done.create(template_, 0600), 0);
  ASSERT_EQ(done.finish(), 0);
  ASSERT_EQ(alive.create(template_, 0600), 0);
  const auto make = [this](const std::string& name, mode_t mode) {
    std::ofstream(folder_ + "/" + name) << "x";
    ASSERT_EQ(::chmod((folder_ + "/" + name).c_str(), mode), 0);
  };
  make("body.abcdef", 0600);    // not marked
  make("body.abcdefg", 01600);  // another length
  make("other.abcdef", 01600);  // another name
  ASSERT_EQ(::mkfifo((folder_ + "/body.fifo00").c_str(), 0600), 0);
  ASSERT_EQ(::chmod((folder_ + "/body.fifo00").c_str(), 01600), 0);
  fs::create_directory(folder_ + "/body.folder");
  fs::create_symlink(folder_ + "/body.abcdefg", folder_ + "/body.linked");
  const size_t before = count();
  EXPECT_EQ(sweep_half_done(template_), 0u);
  EXPECT_EQ(count(), before);
  EXPECT_EQ(sweep_half_done(folder_ + "/nowhere/body.XXXXXX"), 0u);
}

TEST_F(TempFileTest, AFullDiskIsAnErrorOfTheWrite) {
  in_dying_process([this] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    TempFile file;
    const bool right = ::setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                       file.create(template_, 0600) == 0 &&
                       file.write(std::string(2000, 'x')) == EFBIG && file.remove() == 0;
    if (!right) std::ofstream(folder_ + "/wrong");
  });
  EXPECT_EQ(count(), 0u);
}

}  // namespace
}  // namespace m2
