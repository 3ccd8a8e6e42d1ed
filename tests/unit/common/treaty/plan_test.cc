// Goal: the master gets exactly what the config reader wrote, and refuses every other byte. Method:
// round trips, cuts at every place, altered bytes; keys and private endpoints as the treaty has
// them.
#include "common/treaty/plan.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

Plan sample() {
  Plan plan;
  plan.uuid = "f400bf85-4538-4f7a-8908-67e313d515c2";
  plan.name = "test";
  plan.chroot = "./";
  plan.access_log = "/logs/access.log";
  plan.error_log = "/logs/error.log";
  plan.pid_file = "/run/mongrel2.pid";
  plan.error_log_level = 3;
  plan.workers = 64;
  plan.daemonize = false;
  plan.allow_root = true;
  plan.drain_ms = 4294967295;
  plan.prepare_ms = 1;
  plan.handlers_ms = 2;
  plan.control_port = "ipc://run/control";
  plan.listeners = {{"tcp://127.0.0.1:6767"}, {"unix:run/web", 0777, true}};
  plan.backlog = 65535;
  plan.endpoints = {"tcp://127.0.0.1:9999", "tcp://127.0.0.1:9998", ""};
  plan.file_limit = 10240;
  return plan;
}

TEST(Plan, SurvivesTheWay) {
  for (const Plan& plan : {sample(), Plan{}}) {
    const Result<Plan> read = read_plan(write_plan(plan));
    ASSERT_TRUE(read.ok()) << read.message();
    EXPECT_EQ(read.value(), plan);
  }
}

TEST(Plan, IsRefusedWhenCutOrExtended) {
  const std::string bytes = write_plan(sample());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(read_plan(std::string_view(bytes).substr(0, length)).ok()) << length;
  }
  EXPECT_EQ(read_plan(bytes + '\0').message(), "plan: bytes after its end");
}

TEST(Plan, IsRefusedOrSoundWhenAnyByteIsAltered) {
  const std::string bytes = write_plan(sample());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const char c : {'\0', '\1', '9', '-', '\xFF'}) {
      std::string damaged = bytes;
      damaged[at] = c;
      const Result<Plan> read = read_plan(damaged);
      if (!read.ok()) {
        EXPECT_TRUE(read.message().starts_with("plan: ")) << read.message();
      } else {
        EXPECT_EQ(write_plan(read.value()).size(), bytes.size()) << at;
        EXPECT_LE(read.value().workers, 64u);
        EXPECT_LE(read.value().error_log_level, 3);
      }
    }
  }
}

TEST(Plan, RefusesNumbersBeyondTheirBounds) {
  Plan plan = sample();
  plan.workers = 65;
  EXPECT_EQ(read_plan(write_plan(plan)).message(), "plan: a bad number");
  plan = sample();
  plan.error_log_level = 4;
  EXPECT_EQ(read_plan(write_plan(plan)).message(), "plan: a bad number");
}

TEST(Plan, IsMadeFromAConfig) {
  Config config;
  config.server = {1,        "uuid-1",    "test",    "/logs/a", "/logs/e", "./",
                   "/run/p", "localhost", "0.0.0.0", 6767,      "ipc://c", 1};
  config.handlers = {{5, "tcp://*:1", "a", "tcp://*:2", "", false, HeaderFormat::kJson},
                     {6, "ipc://x", "b", "ipc://y", "b", true, HeaderFormat::kTnetstring}};
  ASSERT_TRUE(config.settings.set("workers", "2").ok());
  ASSERT_TRUE(config.settings.set("server.daemonize", "0").ok());
  ASSERT_TRUE(config.settings.set("allow_root", "1").ok());
  ASSERT_TRUE(config.settings.set("drain_ms", "1000").ok());
  ASSERT_TRUE(config.settings.set("reload.prepare_ms", "2000").ok());
  ASSERT_TRUE(config.settings.set("superpoll.max_fd", "300").ok());
  config.listeners = {{1, "2001:DB8:0::1", 80, true}, {2, "unix://run/web", 0, false, 0600}};
  ASSERT_TRUE(config.settings.set("net.backlog", "7").ok());
  Plan expected;
  expected.uuid = "uuid-1";
  expected.name = "test";
  expected.chroot = "./";
  expected.access_log = "/logs/a";
  expected.error_log = "/logs/e";
  expected.pid_file = "/run/p";
  expected.error_log_level = 1;
  expected.workers = 2;
  expected.daemonize = false;
  expected.allow_root = true;
  expected.drain_ms = 1000;
  expected.prepare_ms = 2000;
  expected.handlers_ms = 2000;
  expected.control_port = "ipc://c";
  expected.listeners = {{"tcp://0.0.0.0:6767"},
                        {"tcp://[2001:db8::1]:80", 0660, true},
                        {"unix:run/web", 0600, false}};
  expected.backlog = 7;
  expected.endpoints = {"tcp://*:1", "tcp://*:2", "ipc://x", "ipc://y"};
  expected.file_limit = 300;
  expected.heartbeat_ms = 15000;
  EXPECT_EQ(make_plan(config), expected);
}

TEST(Plan, BracketsIpv6AndLeavesOutAnUnwantedAccessLog) {
  Config config;
  config.server.bind_addr = "::";
  config.server.port = 80;
  config.server.access_log = "/logs/a";
  ASSERT_TRUE(config.settings.set("disable.access_logging", "1").ok());
  const Plan plan = make_plan(config);
  EXPECT_EQ(plan.listeners, std::vector<PlanListener>{{"tcp://[::]:80"}});
  EXPECT_EQ(plan.access_log, "");
}

TEST(Plan, KeysAreThoseOfTheTreaty) {
  EXPECT_EQ(http_key("tcp://127.0.0.1:6767"), "http tcp://127.0.0.1:6767");
  EXPECT_EQ(zmq_key("ipc://run/handler"), "zmq ipc://run/handler");
  EXPECT_EQ(control_key("ipc://run/control"), "control ipc://run/control");
}

TEST(Plan, PrivateEndpointsAreStableDistinctAndShort) {
  const auto endpoint = [](unsigned slot, uint64_t incarnation, PrivateSide side) {
    return private_endpoint("run", slot, incarnation, "tcp://*:1", "tcp://*:2", side);
  };
  // Workers and relay compute it apart from each other, over versions too: pinned.
  EXPECT_EQ(endpoint(3, 17, PrivateSide::kRequests), "ipc://run/m2-3-17-e45cb55cf202ab2a-q");
  EXPECT_EQ(endpoint(3, 17, PrivateSide::kReplies), "ipc://run/m2-3-17-e45cb55cf202ab2a-r");
  EXPECT_NE(endpoint(4, 17, PrivateSide::kReplies), endpoint(3, 17, PrivateSide::kReplies));
  EXPECT_NE(endpoint(3, 18, PrivateSide::kReplies), endpoint(3, 17, PrivateSide::kReplies));
  EXPECT_NE(private_endpoint("run", 3, 17, "tcp://*:2", "tcp://*:1", PrivateSide::kReplies),
            endpoint(3, 17, PrivateSide::kReplies));
  const std::string longest =
      private_endpoint(std::string(50, 'd'), 63, UINT64_MAX, "a", "b", PrivateSide::kRequests);
  EXPECT_LT(longest.size() - std::string_view("ipc://").size(), 100u);
}

}  // namespace
}  // namespace m2
