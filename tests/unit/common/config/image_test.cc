// Goal: an image carries every field of a Config, and damaged bytes are an error. Method: round
// trip of a Config in which every field differs from its default; cut and altered bytes.
#include "common/config/image.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

Config sample() {
  Config config;
  config.server = {7,
                   "uuid-1",
                   "test",
                   "/logs/access.log",
                   "/logs/error.log",
                   "./",
                   "/run/pid",
                   "example.org",
                   "::1",
                   6767,
                   "ipc://run/control",
                   3,
                   true};
  config.listeners = {{8, "::1", 65535, true, 0}, {9, "unix:run/w", 0, false, 0777}};
  config.hosts = {{1, "other", "(.*).other", {}},
                  {4,
                   "example.org",
                   "example.org",
                   {{10, "/", TargetKind::kDir, 0},
                    {11, "/proxy", TargetKind::kProxy, 0},
                    {12, R"(/h/(\a-"x"))", TargetKind::kHandler, 1}}}};
  config.default_host = 1;
  config.dirs = {{2, "static/", "index.html", "text/html; charset=utf-8", 4294967295, true, true}};
  config.proxies = {{3,
                     "backend.test, 127.0.0.9:81",
                     65535,
                     {{"backend.test", 65535, {"127.0.0.1", "::1"}}, {"127.0.0.9", 81, {}}},
                     Balance::kLeastConnections}};
  config.handlers = {
      {5, "tcp://*:1", "a", "tcp://*:2", "", false, HeaderFormat::kJson, SlowClients::kDropNewest},
      {6, "ipc://x", "b", "ipc://y", "b", true, HeaderFormat::kTnetstring, SlowClients::kDropOldest,
       Replies::kPull, WebSocketContract::kMessages}};
  config.mimetypes = {{".txt", "text/plain"}, {".gr\xC3\xBC", "a/b"}};
  EXPECT_TRUE(config.settings.set("limits.buffer_size", "600").ok());
  EXPECT_TRUE(config.settings.set("workers", "3").ok());
  EXPECT_TRUE(config.settings.set("control_port", "").ok());
  return config;
}

Config round_trip(const Config& config) {
  Result<Config> read = read_image(write_image(config));
  EXPECT_TRUE(read.ok()) << read.message();
  return read.ok() ? std::move(read).value() : Config{};
}

TEST(Image, CarriesTheServer) {
  const ServerRow expected = sample().server;
  const ServerRow server = round_trip(sample()).server;
  EXPECT_EQ(server.id, expected.id);
  EXPECT_EQ(server.uuid, expected.uuid);
  EXPECT_EQ(server.name, expected.name);
  EXPECT_EQ(server.access_log, expected.access_log);
  EXPECT_EQ(server.error_log, expected.error_log);
  EXPECT_EQ(server.chroot, expected.chroot);
  EXPECT_EQ(server.pid_file, expected.pid_file);
  EXPECT_EQ(server.default_host, expected.default_host);
  EXPECT_EQ(server.bind_addr, expected.bind_addr);
  EXPECT_EQ(server.port, expected.port);
  EXPECT_EQ(server.control_port, expected.control_port);
  EXPECT_EQ(server.error_log_level, expected.error_log_level);
  EXPECT_EQ(server.proxy_protocol, expected.proxy_protocol);
  EXPECT_EQ(round_trip(sample()).listeners, sample().listeners);
}

TEST(Image, CarriesHostsAndRoutesInOrder) {
  const Config expected = sample();
  const Config config = round_trip(expected);
  EXPECT_EQ(config.default_host, 1u);
  ASSERT_EQ(config.hosts.size(), 2u);
  for (size_t h = 0; h < 2; ++h) {
    EXPECT_EQ(config.hosts[h].id, expected.hosts[h].id);
    EXPECT_EQ(config.hosts[h].name, expected.hosts[h].name);
    EXPECT_EQ(config.hosts[h].matching, expected.hosts[h].matching);
    ASSERT_EQ(config.hosts[h].routes.size(), expected.hosts[h].routes.size());
    for (size_t r = 0; r < config.hosts[h].routes.size(); ++r) {
      const RouteRow& route = config.hosts[h].routes[r];
      EXPECT_EQ(route.id, expected.hosts[h].routes[r].id);
      EXPECT_EQ(route.path, expected.hosts[h].routes[r].path);
      EXPECT_EQ(route.kind, expected.hosts[h].routes[r].kind);
      EXPECT_EQ(route.target, expected.hosts[h].routes[r].target);
    }
  }
}

TEST(Image, CarriesTargetsTypesAndSettings) {
  const Config expected = sample();
  const Config config = round_trip(expected);
  EXPECT_EQ(config.dirs, expected.dirs);
  EXPECT_EQ(config.proxies, expected.proxies);
  EXPECT_EQ(config.handlers, expected.handlers);
  ASSERT_EQ(config.mimetypes.size(), 2u);
  EXPECT_EQ(config.mimetypes[1].extension, expected.mimetypes[1].extension);
  EXPECT_EQ(config.mimetypes[1].type, expected.mimetypes[1].type);
  EXPECT_EQ(config.settings.explicit_values(), expected.settings.explicit_values());
}

TEST(Image, IsCanonical) {
  Config config = sample();
  const std::string image = write_image(config);
  EXPECT_EQ(write_image(round_trip(config)), image);
  config.settings = {};  // the same values in another order
  EXPECT_TRUE(config.settings.set("control_port", "").ok());
  EXPECT_TRUE(config.settings.set("workers", "3").ok());
  EXPECT_TRUE(config.settings.set("limits.buffer_size", "600").ok());
  EXPECT_EQ(write_image(config), image);
}

TEST(Image, CarriesAHundredThousandRoutes) {
  Config config = sample();
  for (int at = 0; at < 100'000; ++at) {
    config.hosts[0].routes.push_back({at, "/path/" + std::to_string(at), TargetKind::kDir, 0});
  }
  const Config read = round_trip(config);
  ASSERT_EQ(read.hosts.size(), 2u);
  ASSERT_EQ(read.hosts[0].routes.size(), 100'000u);
  EXPECT_EQ(read.hosts[0].routes[99'999].path, "/path/99999");
}

// Every prefix of an image, and every image with one byte altered, is refused or read, never fatal.
TEST(Image, SurvivesDamage) {
  const std::string image = write_image(sample());
  for (size_t length = 0; length < image.size(); ++length) {
    EXPECT_FALSE(read_image(image.substr(0, length)).ok()) << length;
  }
  for (size_t at = 0; at < image.size(); ++at) {
    for (const char c : {'\0', '"', '9', '-', '}', '\xFF'}) {
      std::string damaged = image;
      damaged[at] = c;
      const Result<Config> read = read_image(damaged);
      EXPECT_NE(read.ok(), !read.message().empty());
    }
  }
}

TEST(Image, RefusesWhatItDidNotWrite) {
  const std::string image = write_image(sample());
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string altered = image;
    const size_t at = altered.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return read_image(altered.replace(at, from.size(), to)).message();
  };
  EXPECT_EQ(read_image("garbage").message().substr(0, 6), "image:");
  EXPECT_EQ(read_image("[]").message(), "image, document: bad or missing: is not an object");
  EXPECT_EQ(with(R"("format":1)", R"("format":2)"), "image, document: bad or missing: format");
  EXPECT_EQ(with(R"("port":6767)", R"("port":65536)"), "image, server: bad or missing: port");
  EXPECT_EQ(with(R"("port":6767)", R"("port":"67")"), "image, server: bad or missing: port");
  EXPECT_EQ(with(R"("kind":"dir")", R"("kind":"cgi")"), "image, route: bad or missing: kind");
  EXPECT_EQ(with(R"("default_host":1)", R"("default_host":2)"),
            "image: default_host names no host");
  EXPECT_EQ(with(R"("kind":"handler","target":1)", R"("kind":"handler","target":2)"),
            "image: route 12 names no target");
  EXPECT_EQ(with(R"("limits.buffer_size":"600")", R"("limits.buffer_size":"1")").substr(0, 6),
            "image:");
  EXPECT_EQ(with(R"("addresses":["127.0.0.1")", R"("addresses":[5)"), "image, proxy: bad address");
}

}  // namespace
}  // namespace m2
