// Goal: sockets change from one master to another and belong to exactly one of them: who does not
// own them removes no file and closes nothing that the other needs. Method: two tables in one
// process.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "master/endpoint.h"
#include "master/listeners.h"
#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

class ListenersUpgradeTest : public testing::Test {
 protected:
  ListenersUpgradeTest() {
    plan_.listeners = {{"unix:" + (folder_ / "web"), 0600}, {"unix:" + (folder_ / "gone"), 0600}};
    plan_.endpoints = {"ipc://" + (folder_ / "q")};
    EXPECT_TRUE(old_.open(plan_).ok());
    for (auto& [key, socket] : old_.duplicates()) new_.adopt(key, std::move(socket));
  }
  OwnedFd connect(const std::string& name) {
    const Endpoint endpoint = parse_endpoint("unix:" + (folder_ / name)).value();
    OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
    if (::connect(fd.get(), address, endpoint.address_bytes) != 0) fd.reset();
    return fd;
  }
  static void drop(OwnedFd, const PlanListener&) {}

  ScratchFolder folder_;
  Plan plan_;
  Listeners old_{Jail{}};
  Listeners new_{Jail{}};
};

TEST_F(ListenersUpgradeTest, WhatWasAdoptedIsOpen) {
  EXPECT_EQ(old_.duplicates().size(), 3u);
  const Result<Listeners::Count> opened = new_.open(plan_);
  ASSERT_TRUE(opened.ok()) << opened.message();
  EXPECT_EQ(opened.value().listeners + opened.value().endpoints, 0u);
  EXPECT_GE(new_.fd(http_key("unix:" + (folder_ / "web"))), 0);
  EXPECT_GE(new_.fd(zmq_key("ipc://" + (folder_ / "q"))), 0);
  new_.adopt("http nonsense", OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  EXPECT_EQ(new_.fd("http nonsense"), -1);
}

TEST_F(ListenersUpgradeTest, WhoDoesNotOwnRemovesNothing) {
  Plan less = plan_;
  less.listeners.pop_back();
  ASSERT_TRUE(new_.open(less).ok());
  const Listeners::Count closed = new_.keep_only(less, drop);
  EXPECT_EQ(closed.listeners, 0u);
  new_.close_all();  // it failed
  EXPECT_TRUE(folder_.exists("web") && folder_.exists("gone") && folder_.exists("q"));
  EXPECT_TRUE(connect("gone").valid());
}

TEST_F(ListenersUpgradeTest, TheOwnerAnswersForAllOfIt) {
  Plan less = plan_;
  less.listeners.pop_back();
  ASSERT_TRUE(new_.open(less).ok());
  const OwnedFd waiting = connect("gone");
  old_.disown();
  old_.close_all();
  EXPECT_TRUE(folder_.exists("web") && folder_.exists("gone") && folder_.exists("q"));
  new_.own();
  unsigned taken = 0;
  const Listeners::Count closed = new_.keep_only(
      less, [&](OwnedFd client, const PlanListener&) { taken += client.valid() ? 1 : 0; });
  EXPECT_EQ(closed.listeners, 1u);
  EXPECT_EQ(taken, 1u);
  EXPECT_FALSE(folder_.exists("gone"));
  EXPECT_TRUE(connect("web").valid());
  new_.close_all();
  EXPECT_FALSE(folder_.exists("web") || folder_.exists("q"));
}

}  // namespace
}  // namespace m2
