// Goal: logs are appended to, made for the jail's user, and nothing but plain files is accepted.
#include "master/log_files.h"

#include <gtest/gtest.h>

#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

class LogFilesTest : public testing::Test {
 protected:
  LogFilesTest() {
    EXPECT_EQ(::mkdir((folder_ / "logs").c_str(), 0755), 0);
    plan_.error_log = "/logs/error.log";
    plan_.access_log = "/logs/access.log";
    place_.folder = "site";
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_.path());
  }
  ~LogFilesTest() override { std::filesystem::current_path(before_); }
  Result<Logs> open(bool foreground = false) { return open_logs(plan_, place_, foreground); }

  ScratchFolder folder_;
  Plan plan_;
  Place place_;
  std::filesystem::path before_;
};

TEST_F(LogFilesTest, AppendsInTheFolderWhateverTheSlash) {
  folder_.write("logs/error.log", "old\n");
  plan_.access_log = "logs/access.log";
  Result<Logs> logs = open();
  ASSERT_TRUE(logs.ok()) << logs.message();
  ASSERT_EQ(::write(logs.value().error.get(), "new\n", 4), 4);
  ASSERT_EQ(::write(logs.value().access.get(), "hit\n", 4), 4);
  EXPECT_EQ(folder_.read("logs/error.log"), "old\nnew\n");
  EXPECT_EQ(folder_.read("logs/access.log"), "hit\n");
}

TEST_F(LogFilesTest, NoAccessLogIsNone) {
  plan_.access_log.clear();
  Result<Logs> logs = open();
  ASSERT_TRUE(logs.ok());
  EXPECT_FALSE(logs.value().access.valid());
}

TEST_F(LogFilesTest, InTheForegroundTheErrorLogIsStderr) {
  Result<Logs> logs = open(true);
  ASSERT_TRUE(logs.ok()) << logs.message();
  EXPECT_FALSE(folder_.exists("logs/error.log"));
  struct stat standard, log;
  ASSERT_EQ(::fstat(STDERR_FILENO, &standard), 0);
  ASSERT_EQ(::fstat(logs.value().error.get(), &log), 0);
  EXPECT_EQ(standard.st_ino, log.st_ino);
}

TEST_F(LogFilesTest, RefusesLinksFoldersAndPipes) {
  folder_.write("logs/target", "");
  ASSERT_EQ(::symlink("target", (folder_ / "logs/link").c_str()), 0);
  ASSERT_EQ(::mkdir((folder_ / "logs/folder").c_str(), 0755), 0);
  ASSERT_EQ(::mkfifo((folder_ / "logs/pipe").c_str(), 0600), 0);
  for (const char* name : {"/logs/link", "/logs/folder", "/logs/pipe"}) {
    plan_.error_log = name;
    const Result<Logs> logs = open();
    ASSERT_FALSE(logs.ok()) << name;
    EXPECT_NE(logs.message().find(std::string("site") + name), std::string::npos) << logs.message();
  }
}

TEST_F(LogFilesTest, MissingFolderSaysHowToMakeIt) {
  plan_.access_log = "/nowhere/access.log";
  const Result<Logs> logs = open();
  ASSERT_FALSE(logs.ok());
  EXPECT_NE(logs.message().find("mkdir -p site/nowhere"), std::string::npos) << logs.message();
}

TEST_F(LogFilesTest, AsRootTheFilesBelongToTheJailAndAreOpenedWithItsRights) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  place_.jail = Jail{true, 65534, 65534};
  const Result<Logs> denied = open();  // the folder belongs to root
  ASSERT_FALSE(denied.ok());
  EXPECT_NE(denied.message().find("uid 65534"), std::string::npos) << denied.message();
  ASSERT_EQ(::chown((folder_ / "logs").c_str(), 65534, 65534), 0);
  Result<Logs> logs = open();
  ASSERT_TRUE(logs.ok()) << logs.message();
  struct stat file;
  ASSERT_EQ(::fstat(logs.value().error.get(), &file), 0);
  EXPECT_EQ(file.st_uid, 65534u);
  EXPECT_EQ(file.st_gid, 65534u);
}

TEST_F(LogFilesTest, AsRootAFileThatEverybodyMayWriteToIsRefusedNeedsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  place_.as_root = true;
  folder_.write("logs/error.log", "");
  ASSERT_EQ(::chmod((folder_ / "logs/error.log").c_str(), 0666), 0);
  const Result<Logs> logs = open();
  ASSERT_FALSE(logs.ok());
  EXPECT_NE(logs.message().find("everybody may write to it"), std::string::npos);
}

// Goal: the names of standard streams mean descriptors that are there, in the foreground; nothing
// is opened for them. Method: the files that they lead to are compared.
TEST_F(LogFilesTest, StandardStreamsAreDescriptorsOfTheStart) {
  const auto same = [](const OwnedFd& log, int stream) {
    struct stat a, b;
    return ::fstat(log.get(), &a) == 0 && ::fstat(stream, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
  };
  ASSERT_EQ(::symlink("/dev/stdout", (folder_ / "logs/link").c_str()), 0);
  for (const char* name : {"/dev/stdout", "/logs/link"}) {
    plan_.access_log = name;
    Result<Logs> logs = open(true);
    ASSERT_TRUE(logs.ok()) << logs.message();
    EXPECT_TRUE(same(logs.value().access, STDOUT_FILENO));
    const Result<Logs> refused = open(false);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.message().find("server.daemonize"), std::string::npos) << refused.message();
  }
  plan_.error_log = "/dev/stdout";
  Result<Logs> logs = open(true);
  ASSERT_TRUE(logs.ok()) << logs.message();
  EXPECT_TRUE(same(logs.value().error, STDOUT_FILENO));
}

TEST_F(LogFilesTest, OtherLinksLeadNowhere) {
  for (const char* target : {"/proc/self/fd/1", "/dev/stdout/", "/dev/null", "/dev/stdoutx"}) {
    ::unlink((folder_ / "logs/link").c_str());
    ASSERT_EQ(::symlink(target, (folder_ / "logs/link").c_str()), 0);
    plan_.access_log = "/logs/link";
    EXPECT_FALSE(open(true).ok()) << target;
  }
}

}  // namespace
}  // namespace m2
