// Goal: everybody who can write or replace a database is found, by each way there is. Method: real
// files of several users below /tmp, one change at a time. Needs root, whose files others have.
#include "master/database_writers.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

constexpr uid_t kZed = 54321, kAnn = 54322;

class DatabaseWriters : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    make_folder("etc");
    make_folder("srv");
    make_folder("srv/site");
    folder_.write("etc/config.sqlite", "x");
    folder_.write("srv/site/config.sqlite", "x");
  }
  void make_folder(const std::string& name, mode_t mode = 0755) {
    ASSERT_EQ(::mkdir((folder_ / name).c_str(), mode), 0);
  }
  void give(const std::string& name, uid_t uid, gid_t gid = 0) {
    ASSERT_EQ(::lchown((folder_ / name).c_str(), uid, gid), 0);
  }
  void set_mode(const std::string& name, mode_t mode) {
    ASSERT_EQ(::chmod((folder_ / name).c_str(), mode), 0);
  }
  void link(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlink(target.c_str(), (folder_ / name).c_str()), 0);
  }
  // "root", the number of the one user, or why it is refused.
  std::string writers(const std::string& name) {
    const Result<Author> author = author_of_database(name.starts_with('/') ? name : folder_ / name);
    if (!author.ok()) return author.message();
    if (!author.value().bounded) return "root";
    EXPECT_NE(author.value().groups.size(), 0u);
    return std::to_string(author.value().uid);
  }
  void expect_refused(const std::string& name, const std::string& word) {
    const std::string answer = writers(name);
    EXPECT_EQ(answer.find("database " + (folder_ / name)), 0u) << answer;
    EXPECT_NE(answer.find(word), std::string::npos) << answer;
  }

  ScratchFolder folder_;
  const std::string site_ = "srv/site/config.sqlite";
  const std::string zed_ = std::to_string(kZed);
};

TEST_F(DatabaseWriters, FilesOfRootInFoldersOfRoot) {
  EXPECT_EQ(writers(site_), "root");
  EXPECT_EQ(writers("etc/../srv/./site//config.sqlite"), "root");
  EXPECT_EQ(writers("srv/none/config.sqlite"), "root");
  set_mode(site_, 0664);  // group root has no other member
  EXPECT_EQ(writers(site_), "root");
}

TEST_F(DatabaseWriters, OwnersOfTheFileAndOfEachFolder) {
  for (const char* name : {"srv/site/config.sqlite", "srv/site", "srv"}) {
    give(name, kZed);
    EXPECT_EQ(writers(site_), zed_) << name;
    EXPECT_EQ(writers("srv/site/none.sqlite"), name == site_ ? "root" : zed_) << name;
    give(name, 0);
  }
  give("srv", kZed);
  give("srv/site", kZed);
  EXPECT_EQ(writers(site_), zed_);
  give("srv/site", kAnn);
  expect_refused(site_, "more than one user");
  expect_refused(site_, "uid 54321, who owns " + (folder_ / "srv"));
  expect_refused(site_, "uid 54322, who owns " + (folder_ / "srv/site"));
}

TEST_F(DatabaseWriters, LinksCountWithTheFoldersThatHoldThem) {
  make_folder("zed");
  give("zed", kZed);
  link("../srv/site/config.sqlite", "zed/relative");
  link(folder_ / "srv/site", "zed/absolute");
  link("zed/relative", "twice");
  for (const char* name : {"zed/relative", "zed/absolute/config.sqlite", "twice"}) {
    EXPECT_EQ(writers(name), zed_) << name;
  }
  give("srv/site", kAnn);
  expect_refused("twice", "more than one user");
  link("loop", "loop");
  expect_refused("loop", "lead nowhere");
}

TEST_F(DatabaseWriters, StickyFoldersKeepTheNamesOfTheirOwners) {
  set_mode("srv", 01777);
  EXPECT_EQ(writers(site_), "root");
  link("srv/site", "srv/link");
  ::unlink((folder_ / "srv/link").c_str());
  link("site", "srv/link");
  give("srv/link", kZed);
  EXPECT_EQ(writers("srv/link/config.sqlite"), zed_);
  give("srv/site", kZed);
  EXPECT_EQ(writers(site_), zed_);
  set_mode("srv", 0777);
  expect_refused(site_,
                 "everybody may put another file in its place, because everybody may write "
                 "to " +
                     (folder_ / "srv"));
  set_mode("srv", 0755);
  set_mode("srv/site", 01777);  // where anybody can put a journal beside it
  expect_refused(site_, "everybody may write to " + (folder_ / "srv/site"));
}

TEST_F(DatabaseWriters, ModesOfTheFileAndOfWhatSqliteKeepsBesideIt) {
  set_mode(site_, 0646);
  expect_refused(site_, "everybody may write to it");
  set_mode(site_, 0644);
  for (const char* ending : {"-journal", "-wal", "-shm"}) {
    folder_.write(site_ + ending, "");
    EXPECT_EQ(writers(site_), "root");
    give(site_ + ending, kZed);
    EXPECT_EQ(writers(site_), zed_) << ending;
    set_mode(site_ + ending, 0666);
    expect_refused(site_, "everybody may write to it");
    ::unlink((folder_ / (site_ + ending)).c_str());
    link("/dev/null", site_ + ending);
    expect_refused(site_, "not a plain file");
    ::unlink((folder_ / (site_ + ending)).c_str());
  }
}

TEST_F(DatabaseWriters, GroupsAreTheirMembers) {
  const passwd* daemon = ::getpwnam("daemon");
  if (daemon == nullptr) GTEST_SKIP() << "no user daemon";
  const std::string uid = std::to_string(daemon->pw_uid);
  give(site_, 0, daemon->pw_gid);
  EXPECT_EQ(writers(site_), "root");
  set_mode(site_, 0664);
  EXPECT_EQ(writers(site_), uid);
  give(site_, daemon->pw_uid, daemon->pw_gid);
  EXPECT_EQ(writers(site_), uid);
  set_mode(site_, 0644);
  give(site_, 0);
  give("srv", 0, daemon->pw_gid);
  set_mode("srv", 0775);
  EXPECT_EQ(writers(site_), uid);
  give("srv/site", kZed);
  expect_refused(site_, "who is in group");
  give("srv", 0, kAnn);  // a group without a name has no members
  EXPECT_EQ(writers(site_), zed_);
}

TEST_F(DatabaseWriters, RelativePathsCountTheFoldersAboveTheCurrentOne) {
  const OwnedFd before(::open(".", O_PATH | O_CLOEXEC));
  ASSERT_EQ(::chdir((folder_ / "srv/site").c_str()), 0);
  const auto here = [] {
    const Result<Author> author = author_of_database("./config.sqlite");
    return author.ok() ? author.value().uid : 0;
  };
  EXPECT_EQ(here(), 0u);
  give("srv", kZed);
  EXPECT_EQ(here(), kZed);
  const std::string who = author_of_database("config.sqlite").value().who;
  EXPECT_EQ(who, "uid 54321, who owns " + (folder_ / "srv"));
  ASSERT_EQ(::fchdir(before.get()), 0);
}

TEST_F(DatabaseWriters, AccessLists) {
  struct {
    uint32_t version = 2;
    struct {
      uint16_t tag, permissions;
      uint32_t id;
    } entries[5] = {{1, 6, UINT32_MAX},
                    {2, 6, kZed},
                    {4, 4, UINT32_MAX},
                    {16, 6, UINT32_MAX},
                    {32, 4, UINT32_MAX}};
  } list;
  const auto set = [&] {
    return ::setxattr((folder_ / site_).c_str(), "system.posix_acl_access", &list, sizeof list, 0);
  };
  if (set() != 0) GTEST_SKIP() << "no access lists here";
  EXPECT_EQ(writers(site_), zed_);
  list.entries[3].permissions = 4;  // the mask takes it away
  ASSERT_EQ(set(), 0);
  EXPECT_EQ(writers(site_), "root");
}

}  // namespace
}  // namespace m2
