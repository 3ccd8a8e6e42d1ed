// Goal: signals, deaths and verdicts become the right actions, with real processes, sockets and
// files. Method: a server with fake children (fake_server.h); every wait is for a line of its log.
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/master/fake_server.h"

namespace m2 {
namespace {

class SupervisorTest : public testing::Test {
 protected:
  void start(const std::string& behave = "") {
    server_.configure(behave);
    server_.start();
    ASSERT_TRUE(server_.says("generation 1 serves")) << server_.log();
  }
  void reload(const std::string& behave = "") {
    server_.configure(behave);
    server_.signal(SIGHUP);
  }
  size_t at(const std::string& text) { return server_.log().find(text); }

  FakeServer server_;
};

TEST_F(SupervisorTest, ServesReloadsAndStops) {
  start();
  EXPECT_TRUE(server_.says("(worker 0) prepare 1 of 2 with"));
  EXPECT_TRUE(
      server_.says("(relay) prepare 1 of 2 with zmq ipc://run/send\\x0azmq ipc://run/recv\\x0a"
                   "control ipc://run/control;"));
  EXPECT_TRUE(server_.says("(relay) up 0"));
  EXPECT_TRUE(server_.says("(relay) up 1"));
  reload();
  EXPECT_TRUE(server_.says("reload: generation 2 serves: 2 workers")) << server_.log();
  server_.signal(SIGTERM);
  EXPECT_EQ(server_.wait(), 0);
  EXPECT_TRUE(server_.says("(worker 1) drain 20000"));
  // The relay last: it carries what workers say while they end.
  EXPECT_LT(at("(relay) down 0"), at("(relay) drain"));
  EXPECT_LT(at("(relay) down 1"), at("(relay) drain"));
  for (const char* file : {"send", "recv", "control"}) {
    EXPECT_FALSE(server_.folder.exists(std::string("run/") + file));
  }
}

TEST_F(SupervisorTest, FirstGenerationThatFailsLeavesNothing) {
  server_.configure("refuse worker 1");
  server_.start();
  EXPECT_EQ(server_.wait(), 1);
  EXPECT_EQ(server_.folder.read("failure"), "worker 1: no thanks");
  EXPECT_FALSE(server_.folder.exists("run/control"));
}

// Goal: who has more privileges than was asked, or does not say, never serves; the reason is said.
TEST_F(SupervisorTest, NobodyServesOutsideOfItsJail) {
  const std::map<std::string, std::string> cases = {
      {"not: worker", "worker 0 is not in the jail that was asked for: it has not said"},
      {"not: relay", "relay is not in the jail that was asked for: it has not said"},
      {"in part: worker", "worker 0 is not in the jail that was asked for: "},
      {"in part: relay", "no_new_privs is off"},
      {"more: worker", "1 descriptors of kind \"folder\" are open, 0 were given"},
      {"not: reader", "the config reader is not in the jail that was asked for: it has not said"},
  };
  for (const auto& [who, why] : cases) {
    FakeServer server;
    server.jailed = who;
    server.plan.workers = 1;
    server.configure("");
    server.start();
    EXPECT_EQ(server.wait(), 1) << who;
    EXPECT_NE(server.folder.read("failure").find(why), std::string::npos)
        << who << ": " << server.folder.read("failure");
    EXPECT_FALSE(server.says_now("generation 1 serves")) << who;
    EXPECT_FALSE(server.folder.exists("run/fake.jail"));
  }
}

// Goal: what everybody was asked for and has is on file while they live, and only then.
TEST_F(SupervisorTest, JailsAreOnFile) {
  start();
  const std::string book = server_.folder.read("run/fake.jail");
  for (const char* name : {"config reader\t", "relay\t", "worker 0\t", "worker 1\t"}) {
    EXPECT_NE(book.find(name), std::string::npos) << book;
  }
  server_.signal(SIGTERM);
  EXPECT_EQ(server_.wait(), 0);
  EXPECT_FALSE(server_.folder.exists("run/fake.jail"));
}

TEST_F(SupervisorTest, EndpointThatCannotBeOpenedFailsTheStart) {
  server_.folder.write("run/recv", "not a socket");
  server_.start();
  EXPECT_EQ(server_.wait(), 1);
  EXPECT_NE(server_.folder.read("failure").find("ipc://run/recv"), std::string::npos);
  EXPECT_EQ(server_.folder.read("run/recv"), "not a socket");
}

TEST_F(SupervisorTest, KilledWorkerIsReplacedOnTheCurrentGeneration) {
  start();
  reload();
  ASSERT_TRUE(server_.says("generation 2 serves"));
  const pid_t worker = server_.process("m2-worker-1");
  ASSERT_GT(worker, 0);
  ::kill(worker, SIGKILL);
  EXPECT_TRUE(server_.says("died: killed by signal 9 (Killed)"));
  EXPECT_TRUE(server_.says("(relay) down 1"));
  EXPECT_TRUE(server_.says("(worker 1) commit 2", 2)) << server_.log();
  EXPECT_TRUE(server_.says("(relay) up 1", 2));
  EXPECT_EQ(at("(worker 0) prepare 3"), std::string::npos);  // nobody else was bothered
}

TEST_F(SupervisorTest, KilledRelayIsReplacedAndToldOfAllWorkers) {
  start();
  ASSERT_TRUE(server_.says("(relay) up 1"));
  ::kill(server_.process("m2-relay"), SIGKILL);
  EXPECT_TRUE(server_.says("(relay) commit 1", 2)) << server_.log();
  EXPECT_TRUE(server_.says("(relay) up 0", 2));
  EXPECT_TRUE(server_.says("(relay) up 1", 2));
}

TEST_F(SupervisorTest, RefusingReaderChangesNothing) {
  start();
  reload("refuse");
  EXPECT_TRUE(server_.says("reload refused, generation 1 goes on"));
  EXPECT_EQ(at("prepare 2"), std::string::npos);
}

TEST_F(SupervisorTest, RefusingChildChangesNothing) {
  start();
  server_.plan.endpoints.push_back("ipc://run/other");
  reload("refuse worker 0");
  EXPECT_TRUE(server_.says("reload refused, generation 1 goes on: worker 0: no thanks"));
  EXPECT_TRUE(server_.says("(worker 1) abort 2"));
  EXPECT_TRUE(server_.says("(relay) abort 2"));
  EXPECT_FALSE(server_.folder.exists("run/other"));
  EXPECT_TRUE(server_.folder.exists("run/send"));
  reload();
  EXPECT_TRUE(server_.says("generation 3 serves: 2 workers, 1 endpoint opened")) << server_.log();
}

TEST_F(SupervisorTest, WorkerThatDiesBuildingChangesNothing) {
  start();
  reload("die worker 0");
  EXPECT_TRUE(server_.says("reload refused, generation 1 goes on: worker 0 died: killed by"));
  EXPECT_TRUE(server_.says("(worker 0) commit 1", 2)) << server_.log();
}

TEST_F(SupervisorTest, WorkerThatDiesAtCommitDoesNotTakeItBack) {
  start();
  server_.plan.workers = 1;  // its successor would die again, so let it be the only one
  reload("die-at-commit relay");
  EXPECT_TRUE(server_.says("generation 2 serves"));
  EXPECT_TRUE(server_.says("(worker 0) commit 2"));
}

TEST_F(SupervisorTest, SilentChildEndsTheReload) {
  start();
  server_.plan.prepare_ms = 1000;  // which counts from the next reload on
  reload();
  ASSERT_TRUE(server_.says("generation 2 serves")) << server_.log();
  reload("hang relay");
  EXPECT_TRUE(server_.says("reload refused, generation 2 goes on: relay did not answer in time"));
  EXPECT_TRUE(server_.says("(worker 1) abort 3"));
}

TEST_F(SupervisorTest, SpinningWorkerIsKilledAndReplaced) {
  server_.plan.heartbeat_ms = kHeartbeatMs;
  start();
  reload("spin worker 1");
  EXPECT_TRUE(server_.says("generation 2 serves"));
  EXPECT_TRUE(server_.says("has said nothing for heartbeat_ms=3000; it is killed"));
  EXPECT_TRUE(server_.says("(worker 1) commit 2", 2)) << server_.log();
  EXPECT_EQ(server_.log().find("(worker 0) commit 2"), server_.log().rfind("(worker 0) commit 2"));
}

TEST_F(SupervisorTest, MoreAndFewerWorkers) {
  server_.plan.workers = 1;
  start();
  EXPECT_TRUE(
      server_.says("(worker 0) prepare 1 of 1 with zmq ipc://run/send\\x0azmq ipc://run/recv;"));
  EXPECT_TRUE(server_.says("(relay) prepare 1 of 1 with control ipc://run/control;"));
  server_.plan.workers = 3;
  reload();
  EXPECT_TRUE(server_.says("generation 2 serves: 3 workers")) << server_.log();
  EXPECT_TRUE(server_.says("(worker 0) prepare 2 of 3 with \n"));  // endpoints: to the relay now
  EXPECT_TRUE(server_.says("(relay) prepare 2 of 3 with zmq ipc://run/send"));
  for (const char* up : {"(relay) up 0", "(relay) up 1", "(relay) up 2"}) {
    EXPECT_TRUE(server_.says(up)) << server_.log();
  }
  server_.plan.workers = 2;
  reload();
  EXPECT_TRUE(server_.says("generation 3 serves: 2 workers"));
  EXPECT_TRUE(server_.says("(worker 2) retire 20000"));
  EXPECT_TRUE(server_.says(") clients 1")) << server_.log();  // one that stays takes them over
  EXPECT_TRUE(server_.says("has left: exited with status 0"));
  EXPECT_TRUE(server_.says("(relay) down 2"));
  EXPECT_EQ(at("(worker 2) prepare 3"), std::string::npos);
}

// Goal: handlers stay with the relay as long as a worker that retires lives; then the same
// configuration serves once more without it. Method: a worker that does not end by itself.
TEST_F(SupervisorTest, OneWorkerGetsTheHandlersWhenTheOthersHaveEnded) {
  start("stubborn worker 1");
  server_.plan.workers = 1;
  reload("next");
  EXPECT_TRUE(server_.says("generation 2 serves: 1 worker;")) << server_.log();
  EXPECT_TRUE(server_.says("(worker 1) retire 20000"));
  EXPECT_TRUE(server_.says("(worker 0) prepare 2 of 2 with \n"));
  reload("next");
  EXPECT_TRUE(server_.says("generation 3 serves: 1 worker;")) << server_.log();
  EXPECT_TRUE(server_.says("(relay) prepare 3 of 2 with zmq ipc://run/send"));
  server_.configure("of no reload");
  ::kill(server_.process("m2-worker-1"), SIGKILL);
  EXPECT_TRUE(server_.says("generation 4 gives the endpoints of handlers to the worker"));
  EXPECT_TRUE(
      server_.says("(worker 0) prepare 4 of 1 with zmq ipc://run/send\\x0azmq ipc://run/recv;"));
  EXPECT_TRUE(server_.says("(relay) prepare 4 of 1 with control ipc://run/control;"));
  EXPECT_EQ(at("generation 4 serves"), std::string::npos);
  EXPECT_TRUE(server_.says("(relay) up 0", 2)) << server_.log();
}

// Goal: if that fails nothing changes, and it is tried again when somebody has started again.
TEST_F(SupervisorTest, HandlersStayWithTheRelayWhenTheyCannotBeGiven) {
  start("stubborn worker 1");
  server_.plan.workers = 1;
  reload("die worker 0 at 3");
  ASSERT_TRUE(server_.says("generation 2 serves: 1 worker;")) << server_.log();
  ::kill(server_.process("m2-worker-1"), SIGKILL);
  EXPECT_TRUE(server_.says("the endpoints of handlers stay with the relay for now: worker 0 died"));
  EXPECT_TRUE(server_.says("generation 4 gives the endpoints of handlers to the worker"))
      << server_.log();
  EXPECT_EQ(at("reload refused"), std::string::npos);
}

TEST_F(SupervisorTest, WorkersStartedForARefusedReloadLeaveAgain) {
  start();
  server_.plan.workers = 3;
  reload("refuse worker 2");
  EXPECT_TRUE(server_.says("reload refused, generation 1 goes on: worker 2: no thanks"));
  EXPECT_TRUE(server_.says("(worker 2) retire 0"));
  EXPECT_TRUE(server_.says("has left: exited with status 0"));
}

// Method: the reload waits for a worker that hangs, until the test kills that.
TEST_F(SupervisorTest, ManyRequestsDuringAReloadAreOneMore) {
  start();
  server_.configure("hang worker 0");
  server_.signal(SIGHUP);
  ASSERT_TRUE(server_.says("(worker 0) prepare 2"));
  server_.configure("");
  for (int i = 0; i < 5; ++i) {
    server_.signal(SIGHUP);
    // So that the next one is another, and not the same that has not been taken yet.
    ASSERT_TRUE(server_.took(SIGHUP));
  }
  ::kill(server_.process("m2-worker-0"), SIGKILL);
  EXPECT_TRUE(server_.says("reload refused, generation 1 goes on: worker 0 died")) << server_.log();
  EXPECT_TRUE(server_.says("generation 3 serves")) << server_.log();
  server_.signal(SIGQUIT);
  EXPECT_EQ(server_.wait(), 0);
  const std::string log = server_.log();
  size_t readings = 0;
  for (size_t i = 0; (i = log.find("reading the configuration", i)) != log.npos; ++i) ++readings;
  EXPECT_EQ(readings, 2u) << log;
}

TEST_F(SupervisorTest, WhatTakesARestartIsRefused) {
  start();
  server_.plan.chroot = "/elsewhere";
  reload();
  EXPECT_TRUE(
      server_.says("reload refused, generation 1 goes on: changed, which takes a restart: "
                   "server.chroot"));
}

TEST_F(SupervisorTest, LogsAreReopenedAndMoved) {
  start();
  ASSERT_EQ(
      ::rename((server_.folder / "error.log").c_str(), (server_.folder / "error.log.1").c_str()),
      0);
  server_.signal(SIGUSR1);
  EXPECT_TRUE(server_.says("(worker 0) logs 2")) << server_.log();
  EXPECT_TRUE(server_.says("(relay) logs 1"));
  server_.plan.access_log = "other.log";
  reload();
  EXPECT_TRUE(server_.says("generation 2 serves"));
  EXPECT_TRUE(server_.folder.exists("other.log"));
  server_.plan.access_log = "nowhere/other.log";
  reload();
  EXPECT_TRUE(server_.says("reload refused, generation 2 goes on: access log"));
}

TEST_F(SupervisorTest, StubbornWorkersAreKilledAtTheLimitOrAtTheSecondWord) {
  server_.plan.drain_ms = 100;
  start("stubborn worker 0");
  server_.signal(SIGINT);
  EXPECT_TRUE(server_.says("worker 0 has not finished within its limit and is killed"));
  EXPECT_EQ(server_.wait(), 0);

  FakeServer second;
  second.configure("stubborn worker 0");
  second.start();
  ASSERT_TRUE(second.says("generation 1 serves"));
  second.signal(SIGINT);
  ASSERT_TRUE(second.says("(worker 0) drain"));
  // Said until it is heard: at once it would be the same word twice.
  for (int i = 0; i < 4000 && !second.says_now("stops now"); ++i) {
    second.signal(SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(second.wait(), 0);
  EXPECT_TRUE(second.says("told so twice at once"));
  EXPECT_TRUE(second.says("stops now"));
}

TEST_F(SupervisorTest, QuitIsNow) {
  start();
  server_.signal(SIGQUIT);
  EXPECT_EQ(server_.wait(), 0);
  EXPECT_EQ(at("drain"), std::string::npos);
  EXPECT_FALSE(server_.folder.exists("run/control"));
}

TEST_F(SupervisorTest, DyingMasterIsNoticedByItsChildren) {
  start();
  const pid_t worker = server_.process("m2-worker-0");
  ASSERT_GT(worker, 0);
  server_.signal(SIGKILL);
  EXPECT_EQ(server_.wait(), -1);
  bool gone = false;
  for (int i = 0; i < 4000 && !gone; ++i) {
    char state = 'Z';
    std::string word;
    std::ifstream("/proc/" + std::to_string(worker) + "/stat") >> word >> word >> state;
    gone = state == 'Z';
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace m2
