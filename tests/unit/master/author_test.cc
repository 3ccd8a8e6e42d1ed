// Goal: a word of the config reader is taken as written or refused, and each value of a plan that
// reaches beyond its author is found, with the way out. Method: one value at a time.
#include "master/author.h"

#include <gtest/gtest.h>

#include <functional>

namespace m2 {
namespace {

const Author kZed{true, 1000, {1000, 50}, 1024, "uid 1000 (zed), who owns /srv/site"};

TEST(Author, SurvivesItsMessage) {
  for (const Author& author : {Author{}, kZed}) {
    const Result<Author> read = read_author(write_author(author));
    ASSERT_TRUE(read.ok()) << read.message();
    EXPECT_EQ(read.value(), author);
  }
}

TEST(Author, OtherMessagesAreRefused) {
  for (const char* text : {"", "1", "1 1000 1024", "2 1000 1024 1 1000 he", "1 0 1024 1 0 he",
                           "1 1000 1024 0 he", "1 1000 1024 9 1000 he", "1 -1 1024 1 1000 he",
                           "1 1000 1024 9999999 1 he", "1 99999999999 1024 1 1000 he"}) {
    EXPECT_FALSE(read_author(text).ok()) << text;
  }
}

std::vector<std::string> found(const std::function<void(Plan&)>& change) {
  Plan plan;
  plan.listeners = {
      {"tcp://127.0.0.1:80"}, {"tcp://[::]:443"}, {"tcp://0.0.0.0:1024"}, {"unix:run/web"}};
  plan.endpoints = {"tcp://127.0.0.1:9997", "ipc://run/h"};
  plan.control_port = "ipc://run/control";
  change(plan);
  EXPECT_EQ(beyond_rights(plan, Author{}).size(), 0u);
  return beyond_rights(plan, kZed);
}

TEST(Author, GetsNoMoreThanHisRights) {
  EXPECT_EQ(found([](Plan&) {}).size(), 0u);
  const struct {
    std::function<void(Plan&)> change;
    const char* name;
  } kCases[] = {
      {[](Plan& plan) { plan.allow_root = true; }, "setting allow_root"},
      {[](Plan& plan) { plan.landlock = false; }, "setting jail.landlock"},
      {[](Plan& plan) { plan.seccomp = false; }, "setting jail.seccomp"},
      {[](Plan& plan) { plan.ipc.uid = 0; }, "setting handler.ipc_owner"},
      {[](Plan& plan) { plan.ipc.gid = 51; }, "setting handler.ipc_owner"},
      {[](Plan& plan) { plan.listeners.push_back({"tcp://0.0.0.0:22"}); }, "tcp://0.0.0.0:22"},
      {[](Plan& plan) { plan.endpoints.push_back("tcp://*:80"); }, "tcp://*:80"},
      {[](Plan& plan) { plan.control_port = "tcp://127.0.0.1:1023"; }, "tcp://127.0.0.1:1023"},
  };
  for (const auto& [change, name] : kCases) {
    const std::vector<std::string> faults = found(change);
    ASSERT_EQ(faults.size(), 1u) << name;
    EXPECT_EQ(faults[0].find(name), 0u) << faults[0];
    EXPECT_NE(faults[0].find("uid 1000 (zed), who owns /srv/site"), std::string::npos);
    EXPECT_NE(faults[0].find("chown root"), std::string::npos);
  }
  EXPECT_EQ(found([](Plan& plan) { plan.ipc = {0660, 1000, 50}; }).size(), 0u);
}

TEST(Author, FreePortsAreThoseOfTheSystem) {
  Plan plan;
  plan.endpoints = {"tcp://127.0.0.1:81"};
  Author author = kZed;
  author.free_port = 81;
  EXPECT_EQ(beyond_rights(plan, author).size(), 0u);
  author.free_port = 82;
  EXPECT_EQ(beyond_rights(plan, author).size(), 1u);
}

}  // namespace
}  // namespace m2
