// Goal: the folder decides who serves; a dangerous or impossible one is refused with a way out;
// paths mean the same with and without a chroot. Entering is tried in children of the test.
#include "master/privileges.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <functional>

#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

int in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

class PlaceTest : public testing::Test {
 protected:
  Plan plan_of(const std::string& chroot) {
    Plan plan;
    plan.chroot = chroot;
    return plan;
  }
  // Runs body as root with a folder of nobody, or as an ordinary user.
  bool root_ = ::geteuid() == 0;
  ScratchFolder folder_;
};

TEST_F(PlaceTest, MissingFolder) {
  const Result<Place> place = inspect_place(plan_of(folder_ / "none"), {});
  ASSERT_FALSE(place.ok());
  EXPECT_EQ(place.message().find("server.chroot " + (folder_ / "none")), 0u);
  EXPECT_NE(place.message().find("mkdir -p"), std::string::npos);
}

TEST_F(PlaceTest, AFileIsNoFolder) {
  folder_.write("file", "");
  EXPECT_FALSE(inspect_place(plan_of(folder_ / "file"), {}).ok());
}

TEST_F(PlaceTest, FolderOfRootIsRefusedUnlessAskedFor) {
  if (!root_) GTEST_SKIP() << "needs root";
  const Result<Place> place = inspect_place(plan_of(folder_.path()), {});
  ASSERT_FALSE(place.ok());
  EXPECT_NE(place.message().find("chown"), std::string::npos);
  EXPECT_NE(place.message().find("allow_root"), std::string::npos);
  Plan asked = plan_of(folder_.path());
  asked.allow_root = true;
  const Result<Place> allowed = inspect_place(asked, {});
  ASSERT_TRUE(allowed.ok()) << allowed.message();
  EXPECT_FALSE(allowed.value().jail.drop);
  EXPECT_EQ(allowed.value().warnings.size(), 1u);
}

TEST_F(PlaceTest, EmptyIsRefusedAsRoot) {
  if (!root_) GTEST_SKIP() << "needs root";
  EXPECT_FALSE(inspect_place(plan_of(""), {}).ok());
}

TEST_F(PlaceTest, TheOwnerOfTheFolderServes) {
  if (!root_) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 65533), 0);
  const Result<Place> place = inspect_place(plan_of(folder_.path() + "//"), {});
  ASSERT_TRUE(place.ok()) << place.message();
  EXPECT_TRUE(place.value().as_root);
  EXPECT_TRUE(place.value().jail.drop);
  EXPECT_EQ(place.value().jail.uid, 65534u);
  EXPECT_EQ(place.value().jail.gid, 65533u);
  EXPECT_EQ(place.value().folder, folder_.path());
  EXPECT_EQ(place.value().outside("run/x"), folder_ / "run/x");
  EXPECT_TRUE(place.value().warnings.empty());
}

// Goal: where everybody may write nobody serves as root, and an ordinary user is warned.
TEST_F(PlaceTest, FoldersThatEverybodyMayWriteToAreRefusedNeedsRoot) {
  if (!root_) GTEST_SKIP() << "needs root";
  for (const char* name : {"run", "logs", "access"}) {
    ASSERT_EQ(::mkdir((folder_ / name).c_str(), 0755), 0);
  }
  ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 65534), 0);
  Plan plan = plan_of(folder_.path());
  plan.pid_file = "/run/x.pid";
  plan.error_log = "/logs/error.log";
  plan.access_log = "/access/access.log";
  EXPECT_TRUE(inspect_place(plan, {}).ok());
  for (const char* name : {".", "run", "logs", "access"}) {
    ASSERT_EQ(::chmod((folder_ / name).c_str(), 01777), 0);
    const Result<Place> place = inspect_place(plan, {});
    ASSERT_FALSE(place.ok()) << name;
    EXPECT_NE(place.message().find("everybody may write to it (chmod o-w)"), std::string::npos);
    EXPECT_EQ(in_child([&] {
                if (::setuid(65534) != 0) return 1;
                const Result<Place> own = inspect_place(plan, {});
                return own.ok() && own.value().warnings.size() == 1 ? 0 : 2;
              }),
              0)
        << name;
    ASSERT_EQ(::chmod((folder_ / name).c_str(), 0755), 0);
  }
  ASSERT_EQ(::mkdir((folder_ / "site").c_str(), 0755), 0);
  ASSERT_EQ(::chown((folder_ / "site").c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  const Result<Place> place = inspect_place(plan_of(folder_ / "site"), {});
  ASSERT_FALSE(place.ok());
  EXPECT_NE(place.message().find("another folder in its place"), std::string::npos);
}

// Goal: the folder of a server whose database a user can change is that user's, entered with his
// rights, and later words of his count only where the children are he.
TEST_F(PlaceTest, WhoDecidesTheDatabaseGetsNoFolderButHisOwn) {
  if (!root_) GTEST_SKIP() << "needs root";
  const Author author{true, 65534, {65534}, 1024, "uid 65534, who owns it"};
  for (const auto& [uid, gid] : {std::pair(0u, 0u), std::pair(54321u, 65534u)}) {
    ASSERT_EQ(::chown(folder_.path().c_str(), uid, gid), 0);
    Plan plan = plan_of(folder_.path());
    plan.allow_root = true;
    const Result<Place> place = inspect_place(plan, author);
    ASSERT_FALSE(place.ok());
    EXPECT_NE(place.message().find("belongs to uid " + std::to_string(uid)), std::string::npos);
    EXPECT_NE(place.message().find("chown root"), std::string::npos);
  }
  ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 4), 0);
  EXPECT_NE(inspect_place(plan_of(folder_.path()), author).message().find("its group, 4"),
            std::string::npos);
  ASSERT_EQ(::mkdir((folder_ / "closed").c_str(), 0700), 0);
  ASSERT_EQ(::mkdir((folder_ / "closed/site").c_str(), 0755), 0);
  ASSERT_EQ(::chown((folder_ / "closed/site").c_str(), 65534, 65534), 0);
  EXPECT_NE(inspect_place(plan_of(folder_ / "closed/site"), author).message().find("Permission"),
            std::string::npos);
  EXPECT_TRUE(inspect_place(plan_of(folder_ / "closed/site"), {}).ok());

  ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 65534), 0);
  Plan into_closed = plan_of(folder_.path());
  into_closed.pid_file = "/closed/x.pid";
  const Result<Place> closed = inspect_place(into_closed, author);
  ASSERT_FALSE(closed.ok());
  EXPECT_NE(closed.message().find("closed/ in it"), std::string::npos) << closed.message();
  EXPECT_TRUE(inspect_place(into_closed, {}).ok());
  const Result<Place> own = inspect_place(plan_of(folder_.path()), author);
  ASSERT_TRUE(own.ok()) << own.message();
  EXPECT_TRUE(own.value().bounded);
  EXPECT_EQ(own.value().jail.uid, 65534u);
  EXPECT_TRUE(check_author(own.value(), author).ok());
  EXPECT_TRUE(check_author(own.value(), {}).ok());
  EXPECT_FALSE(check_author(own.value(), {true, 54321, {54321}, 1024, "he"}).ok());
  Place as_root;
  EXPECT_FALSE(check_author(as_root, author).ok());
}

TEST_F(PlaceTest, WarnsOfTheGroupRootAndOfForeignWriters) {
  if (!root_) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 0), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0775), 0);
  const Result<Place> place = inspect_place(plan_of(folder_.path()), {});
  ASSERT_TRUE(place.ok());
  EXPECT_EQ(place.value().warnings.size(), 2u);
}

TEST_F(PlaceTest, EnteredAsRootItIsTheWholeWorld) {
  if (!root_) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 65534), 0);
  folder_.write("marker", "");
  EXPECT_EQ(in_child([&] {
              const Result<Place> place = inspect_place(plan_of(folder_.path()), {});
              if (!place.ok() || !enter_place(place.value()).ok()) return 1;
              if (::access("/marker", F_OK) != 0 || ::access("marker", F_OK) != 0) return 2;
              if (::access("/etc", F_OK) == 0 || ::access("../etc", F_OK) == 0) return 3;
              return ::geteuid() == 0 && ::getgroups(0, nullptr) == 0 ? 0 : 4;
            }),
            0);
}

TEST_F(PlaceTest, AsAUserItIsTheCurrentFolder) {
  folder_.write("marker", "");
  EXPECT_EQ(in_child([&] {
              if (root_ && ::setuid(65534) != 0) return 1;
              const Result<Place> place = inspect_place(plan_of(folder_.path()), {});
              if (!place.ok() || place.value().as_root || place.value().jail.drop) return 2;
              if (!enter_place(place.value()).ok()) return 3;
              return ::access("marker", F_OK) == 0 && ::access("/etc", F_OK) == 0 ? 0 : 4;
            }),
            0);
}

TEST_F(PlaceTest, AUserCannotEnterAClosedFolder) {
  ASSERT_EQ(::mkdir((folder_ / "closed").c_str(), 0700), 0);
  EXPECT_EQ(in_child([&] {
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
              if (::access((folder_ / "closed").c_str(), X_OK) == 0) return 0;  // our own
              const Result<Place> place = inspect_place(plan_of(folder_ / "closed"), {});
              return place.ok() && !enter_place(place.value()).ok() ? 0 : 2;
            }),
            0);
}

TEST_F(PlaceTest, RightsOfTheJailAreForAWhileOnly) {
  if (!root_) GTEST_SKIP() << "needs root";
  folder_.write("secret", "x");
  ASSERT_EQ(::chmod((folder_ / "secret").c_str(), 0600), 0);
  const std::string path = folder_ / "secret";
  {
    const AsJailUser rights(Jail{true, 65534, 65534});
    EXPECT_LT(::open(path.c_str(), O_RDONLY | O_CLOEXEC), 0);
  }
  const OwnedFd again(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(again.valid());
}

TEST(Paths, MeanTheSameEverywhere) {
  Plan plan;
  plan.chroot = "/srv/site";
  EXPECT_EQ(inside(plan, "/logs/error.log"), "logs/error.log");
  EXPECT_EQ(inside(plan, "logs/error.log"), "logs/error.log");
  EXPECT_EQ(inside(plan, "//x"), "x");
  EXPECT_EQ(inside(plan, "/"), "");
  plan.chroot.clear();
  EXPECT_EQ(inside(plan, "/logs/error.log"), "/logs/error.log");
  EXPECT_EQ(inside(plan, "logs/error.log"), "logs/error.log");
  plan.pid_file = "/run/mongrel2.pid";
  EXPECT_EQ(run_directory(plan), "/run");

  plan.chroot = "/srv/site";
  plan.pid_file = "/run/mongrel2.pid";
  EXPECT_EQ(run_directory(plan), "run");
  plan.pid_file = "/a/b/c.pid";
  EXPECT_EQ(run_directory(plan), "a/b");
  plan.pid_file = "/c.pid";
  EXPECT_EQ(run_directory(plan), ".");
}

TEST(FileLimit, IsRaisedAsFarAsItGoesAndNeverLowered) {
  const uint64_t now = raise_file_limit(0, true);
  EXPECT_GT(now, 0u);
  EXPECT_EQ(raise_file_limit(16, true), now);
  EXPECT_GE(raise_file_limit(now + 1, true), now);
}

}  // namespace
}  // namespace m2
