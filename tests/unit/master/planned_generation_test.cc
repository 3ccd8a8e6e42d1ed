// Goal: the small decisions about plans.
#include "master/planned_generation.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(WorkerCount, CommandLineThenSettingThenCores) {
  Plan plan;
  plan.workers = 3;
  EXPECT_EQ(worker_count(plan, 5), 5u);
  EXPECT_EQ(worker_count(plan, 0), 3u);
  plan.workers = 0;
  EXPECT_GE(worker_count(plan, 0), 1u);
  EXPECT_LE(worker_count(plan, 0), 64u);
}

TEST(CheckChangeable, NamesEveryThingThatTakesARestart) {
  Plan now;
  now.uuid = "u";
  now.chroot = "./";
  now.pid_file = "/run/a.pid";
  Plan next = now;
  EXPECT_TRUE(check_changeable(now, next).ok());
  next.workers = 7;
  next.listeners = {{"tcp://*:80"}};
  next.access_log = "/logs/other.log";
  EXPECT_TRUE(check_changeable(now, next).ok());
  next.uuid = "v";
  EXPECT_NE(check_changeable(now, next).message().find("server.uuid"), std::string::npos);
  next = now;
  next.chroot = "/srv";
  next.pid_file = "/run/b.pid";
  const std::string message = check_changeable(now, next).message();
  EXPECT_NE(message.find("server.chroot, server.pid_file"), std::string::npos) << message;
  next = now;
  next.daemonize = !now.daemonize;
  EXPECT_FALSE(check_changeable(now, next).ok());
  next = now;
  next.allow_root = !now.allow_root;
  EXPECT_FALSE(check_changeable(now, next).ok());
}

TEST(CountOf, OneAndMany) {
  EXPECT_EQ(count_of(1, "worker"), "1 worker");
  EXPECT_EQ(count_of(0, "worker"), "0 workers");
  EXPECT_EQ(count_of(12, "listener"), "12 listeners");
}

}  // namespace
}  // namespace m2
