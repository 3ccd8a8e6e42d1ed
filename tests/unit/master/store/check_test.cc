// Goal: each rule of docs/configuration.md finds what breaks it and nothing else. Method: a sound
// Config, one change at a time, the whole line compared.
#include "master/store/check.h"

#include <gtest/gtest.h>

#include <functional>

namespace m2 {
namespace {

using Lines = std::vector<std::string>;

Config sound() {
  Config config;
  config.server = {1,        "f400bf85-45", "test",      "/logs/a", "/logs/e",           "./",
                   "/run/p", "localhost",   "127.0.0.1", 6767,      "ipc://run/control", 2};
  config.hosts = {{1,
                   "localhost",
                   "localhost",
                   {{1, "/", TargetKind::kDir, 0}, {2, "/h/(.*.js)", TargetKind::kHandler, 0}}}};
  config.dirs = {{1, "static/", "index.html", "text/plain", 0}};
  config.proxies = {{1, "backend.test", 80, {{"backend.test", 80, {}}}}};
  config.handlers = {{1, "tcp://*:9999", "ident", "tcp://*:9998", "", false, HeaderFormat::kJson},
                     {2, "ipc://s", "other", "ipc://r", "other", false, HeaderFormat::kJson}};
  return config;
}

// "E ..." errors and "W ..." warnings after one change.
template <typename Change>
Lines after(Change change, bool as_root = false) {
  Config config = sound();
  change(config);
  Findings findings;
  check_config(config, as_root, findings);
  Lines lines;
  for (const Finding& finding : findings.take()) {
    lines.push_back((finding.severity == Finding::Severity::kError ? "E " : "W ") + finding.text);
  }
  return lines;
}

Lines with_base(const std::string& base, bool as_root = false) {
  return after([&](Config& config) { config.dirs[0].base = base; }, as_root);
}

Lines with_path(const std::string& path) {
  return after([&](Config& config) { config.hosts[0].routes[1].path = path; });
}

Lines with_matching(const std::string& matching) {
  return after([&](Config& config) { config.hosts[0].matching = matching; });
}

Lines with_send_spec(const std::string& endpoint) {
  return after([&](Config& config) { config.handlers[0].send_spec = endpoint; });
}

TEST(Check, IsContentWithASoundConfig) {
  EXPECT_EQ(after([](Config&) {}), Lines{});
  EXPECT_EQ(after([](Config&) {}, true), Lines{});
}

TEST(Check, TakesTheUuidsOf1x) {
  for (const char* uuid : {"default_7999", "node.example.com"}) {
    EXPECT_EQ(after([&](Config& config) { config.server.uuid = uuid; }), Lines{});
  }
}

// Goal: no path of a configuration leads out of the server's folder, whoever starts it.
TEST(Check, NoPathClimbs) {
  const std::string said = ": must not climb with \"..\"; name a file in the server's folder";
  const auto expect = [&](const std::string& place, const std::function<void(Config&)>& change) {
    for (const bool as_root : {false, true}) {
      EXPECT_EQ(after(change, as_root), Lines{"E " + place + said}) << place;
    }
  };
  const std::string up = "/../../../tmp/x";
  expect("server row 1, access_log \"" + up + "\"", [&](Config& c) { c.server.access_log = up; });
  expect("server row 1, error_log \"" + up + "\"", [&](Config& c) { c.server.error_log = up; });
  expect("server row 1, pid_file \"run/../../x\"",
         [](Config& c) { c.server.pid_file = "run/../../x"; });
  for (const char* path : {"ipc://../h", "ipc:///run/../../h", "ipc://run/.."}) {
    expect("handler row 1, send_spec \"" + std::string(path) + "\"",
           [&](Config& c) { c.handlers[0].send_spec = path; });
    expect("handler row 1, recv_spec \"" + std::string(path) + "\"",
           [&](Config& c) { c.handlers[0].recv_spec = path; });
  }
  expect("setting upload.temp_store \"../up.XXXXXX\"",
         [](Config& c) { EXPECT_TRUE(c.settings.set("upload.temp_store", "../up.XXXXXX").ok()); });
  EXPECT_EQ(after([](Config& c) { c.dirs[0].index_file = "../x"; }),
            Lines{"E directory row 1, index_file \"../x\": must not climb with \"..\"; name a file "
                  "in the folder"});
  EXPECT_EQ(after([](Config& c) { c.server.access_log = "/logs/..a/b..c"; }), Lines{});
}

// Goal: tcp endpoints that overlap are found before the bind fails; those of clients may overlap.
TEST(Check, OnePortHasOneUse) {
  const auto with_control = [](const std::string& endpoint) {
    return after([&](Config& c) { c.server.control_port = endpoint; });
  };
  for (const char* endpoint : {"tcp://127.0.0.1:6767", "tcp://*:6767", "tcp://0.0.0.0:6767",
                               "tcp://[::]:6767", "tcp://127.0.0.1:9999", "tcp://[::]:9999"}) {
    EXPECT_EQ(with_control(endpoint).size(), 1u) << endpoint;
  }
  EXPECT_EQ(with_control("tcp://*:6767"),
            Lines{"E server row 1, control_port \"tcp://*:6767\": has the port of "
                  "tcp://127.0.0.1:6767, which is the address of the HTTP port; choose another"});
  for (const char* endpoint : {"tcp://127.0.0.2:6767", "tcp://[::1]:9999", "tcp://*:6768"}) {
    EXPECT_EQ(with_control(endpoint), Lines{}) << endpoint;
  }
  EXPECT_EQ(after([](Config& c) { c.listeners = {{4, "0.0.0.0", 6767}}; }), Lines{});
}

TEST(Check, LooksAtTheServer) {
  EXPECT_EQ(after([](Config& config) { config.server.uuid = "a b"; }),
            Lines{"E server row 1, uuid \"a b\": must be letters, digits, '-', '_' and '.' only; "
                  "m2sh uuid makes one"});
  EXPECT_EQ(after([](Config& config) { config.server.uuid = ""; }).size(), 1u);
  EXPECT_EQ(after([](Config& config) { config.server.error_log = ""; }),
            Lines{"E server row 1, error_log \"\": must be a path in the chroot, as in "
                  "\"/logs/error.log\""});
  EXPECT_EQ(after([](Config& config) { config.server.pid_file = ""; }).size(), 1u);
  EXPECT_EQ(after([](Config& config) { config.server.access_log = ""; }).size(), 1u);
  EXPECT_EQ(after([](Config& config) {
              config.server.access_log = "";
              (void)config.settings.set("disable.access_logging", "1");
            }),
            Lines{});
  EXPECT_EQ(after([](Config& config) { config.server.bind_addr = "localhost"; }),
            Lines{"E server row 1, bind_addr \"localhost\": must be a numeric IPv4 or IPv6 "
                  "address; write \"0.0.0.0\" or \"::\" for all"});
  EXPECT_EQ(after([](Config& config) { config.server.bind_addr = "::1"; }), Lines{});
}

TEST(Check, RefusesBasesThatExposeTheChroot) {
  for (const char* base : {"", "/", "./", ".", "//", "././/", "/./"}) {
    EXPECT_EQ(with_base(base), Lines{"E directory row 1, base \"" + std::string(base) +
                                     "\": would serve the whole chroot, with configuration and "
                                     "logs; name a folder in it, as in \"static/\""});
  }
  for (const char* base : {"../", "..", "static/../", "static/../../x/", "/../"}) {
    EXPECT_EQ(with_base(base),
              Lines{"E directory row 1, base \"" + std::string(base) +
                    "\": must not climb with \"..\"; name a folder in the chroot, as in "
                    "\"static/\""});
  }
}

TEST(Check, RefusesAbsoluteBasesWithTheWayOut) {
  EXPECT_EQ(with_base("/srv/www/static/"),
            Lines{"E directory row 1, base \"/srv/www/static/\": is absolute; it is looked up "
                  "below the folder that the server runs in: have the files there and write "
                  "\"static/\""});
  EXPECT_EQ(with_base("/static", true),
            Lines{"E directory row 1, base \"/static\": is absolute; it is looked up inside the "
                  "chroot: write \"static/\""});
  const Lines below_chroot = after(
      [](Config& config) {
        config.server.chroot = "/srv/www";
        config.dirs[0].base = "/srv/www/static/";
      },
      true);
  EXPECT_EQ(below_chroot.at(0).substr(below_chroot.at(0).find("write")), "write \"static/\"");
}

TEST(Check, LooksAtTheFormOfABase) {
  EXPECT_EQ(with_base("static"),
            Lines{"E directory row 1, base \"static\": must end in '/'; write \"static/\""});
  EXPECT_EQ(with_base("./a..b/...//c/"), Lines{});
  EXPECT_EQ(with_base(std::string(254, 'x') + "/"), Lines{});
  const Lines longer = with_base(std::string(255, 'x') + "/");
  ASSERT_EQ(longer.size(), 1u);
  EXPECT_TRUE(longer[0].ends_with(
      "must be shorter than limits.dir_max_path (256 bytes); shorten it or raise that"));
  EXPECT_EQ(after([](Config& config) { config.dirs[0].default_ctype = "a\r\nb"; }),
            Lines{"E directory row 1, default_ctype \"a\\x0d\\x0ab\": must be a media type on one "
                  "line, as in \"text/plain\""});
}

TEST(Check, LooksAtHosts) {
  EXPECT_EQ(with_matching("(.*).example.org"), Lines{});
  EXPECT_EQ(with_matching("example)org"), Lines{});
  EXPECT_EQ(with_matching("(.*"),
            Lines{"E host row 1, matching \"(.*\": has '(' without ')'; write the pattern in "
                  "parentheses and behind them the end of the names, as in "
                  "\"(.*).example.org\""});
  const Lines open_set = with_matching("([a-z).org");
  ASSERT_EQ(open_set.size(), 1u);
  EXPECT_TRUE(open_set[0].starts_with("E host row 1, matching \"([a-z).org\": ")) << open_set[0];
  EXPECT_EQ(with_matching(std::string(255, 'x')), Lines{});
  EXPECT_EQ(with_matching(std::string(256, 'x')).size(), 1u);
  EXPECT_EQ(after([](Config& config) { config.hosts[0].matching = config.hosts[0].name = ""; }),
            Lines{"E host row 1, name \"\": name and matching are both empty; write the host's "
                  "name"});
  EXPECT_EQ(after([](Config& config) {
              config.hosts.push_back({9, "b", "b", {}});
            }),
            Lines{"W host row 9, name \"b\": has no routes, every request to it is answered 404; "
                  "add a route or remove it"});
  EXPECT_EQ(after([](Config& config) {
              config.hosts.push_back({9, "b", "localhost", config.hosts[0].routes});
            }),
            Lines{"W host row 9, matching \"localhost\": row 1 of this server has the same and "
                  "answers first, so this one never matches; remove one"});
}

TEST(Check, LooksAtRoutes) {
  EXPECT_EQ(with_path("/images/(\\a-\\-\\d+\\.jpg)"), Lines{});
  EXPECT_EQ(with_path("@chat"), Lines{});
  EXPECT_EQ(with_path("<chat"), Lines{});
  EXPECT_EQ(with_path("(.*)$"), Lines{});
  const Lines open_set = with_path("/images/([a-z");
  ASSERT_EQ(open_set.size(), 1u);
  EXPECT_TRUE(open_set[0].starts_with("E route row 2, path \"/images/([a-z\": ")) << open_set[0];
  EXPECT_EQ(with_path("/x(\\").size(), 1u);
  EXPECT_EQ(with_path("images/(.*)"),
            Lines{"W route row 2, path \"images/(.*)\": no request begins like this, so it never "
                  "matches; write \"/images/(.*)\""});
  EXPECT_EQ(with_path("/"),
            Lines{"W route row 2, path \"/\": row 1 of this host has the same and answers first, "
                  "so this one never matches; remove one"});
  const Lines long_path = with_path("/" + std::string(8192, 'x'));
  ASSERT_EQ(long_path.size(), 1u);
  EXPECT_TRUE(
      long_path[0].ends_with("is longer than limits.url_path (8192 bytes), so it never "
                             "matches; shorten it or raise that"));
  const auto long_dir_route = [](Config& config) {
    config.hosts[0].routes[0].path = "/" + std::string(255, 'x');
  };
  EXPECT_EQ(after(long_dir_route).size(), 1u);
}

TEST(Check, LooksAtEndpoints) {
  EXPECT_EQ(with_send_spec("tcp://*:1"), Lines{});
  EXPECT_EQ(with_send_spec("inproc://x"),
            Lines{"E handler row 1, send_spec \"inproc://x\": uses a transport that is not "
                  "supported; write tcp://ADDRESS:PORT or ipc://PATH"});
  EXPECT_EQ(with_send_spec("tcp://*:9998"),
            Lines{"E handler row 1, recv_spec \"tcp://*:9998\": is the send_spec of handler row 1 "
                  "(whose recv_spec is \"tcp://*:9998\") already, and an endpoint can be bound "
                  "only once; choose another"});
  EXPECT_EQ(with_send_spec("ipc://s"),
            Lines{"E handler row 2, send_spec \"ipc://s\": is the send_spec of handler row 1 "
                  "(whose recv_spec is \"tcp://*:9998\") already, and an endpoint can be bound "
                  "only once; choose another"});
  EXPECT_EQ(with_send_spec("ipc://run/control"),
            Lines{"E handler row 1, send_spec \"ipc://run/control\": is the control port already, "
                  "and an endpoint can be bound only once; choose another"});
  EXPECT_EQ(with_send_spec("tcp://127.0.0.1:6767"),
            Lines{"E handler row 1, send_spec \"tcp://127.0.0.1:6767\": is the address of the HTTP "
                  "port already, and an endpoint can be bound only once; choose another"});
  EXPECT_EQ(
      after([](Config& config) { config.server.control_port = "tcp://127.0.0.1:6767"; }).size(),
      1u);
  EXPECT_EQ(after([](Config& config) { config.server.control_port = ""; }), Lines{});
}

// Goal: each end of a pair hears its own reason why it cannot be multicast.
TEST(Check, RefusesMulticast) {
  const std::string group = "epgm://10.9.0.1;239.192.1.1:5555";
  const std::string no_socket =
      "\": cannot be multicast: 0MQ has epgm:// for PUB and SUB only; write tcp://ADDRESS:PORT or "
      "ipc://PATH";
  const auto with_recv_spec = [&](Replies replies) {
    return after([&](Config& config) {
      config.handlers[0].recv_spec = group;
      config.handlers[0].replies = replies;
    });
  };
  EXPECT_EQ(with_send_spec(group), Lines{"E handler row 1, send_spec \"" + group + no_socket});
  EXPECT_EQ(with_recv_spec(Replies::kPull),
            Lines{"E handler row 1, recv_spec \"" + group + no_socket});
  EXPECT_EQ(
      with_recv_spec(Replies::kSub),
      Lines{"E handler row 1, recv_spec \"" + group +
            "\": epgm:// is refused since one bad UDP packet from anybody on the network ends "
            "the process that receives it (libzmq); write tcp://ADDRESS:PORT or ipc://PATH, "
            "and have docs/examples/multicast.py pass on what comes by multicast"});
}

TEST(Check, LooksAtIdents) {
  const auto with_idents = [](const std::string& send, const std::string& recv) {
    return after([&](Config& config) {
      config.handlers[0].send_ident = send;
      config.handlers[0].recv_ident = recv;
    });
  };
  EXPECT_EQ(
      with_idents("", ""),
      Lines{"E handler row 1, send_ident \"\": must be 1 to 255 ASCII characters without spaces; "
            "m2sh uuid makes one"});
  EXPECT_EQ(with_idents("a b", "").size(), 1u);
  EXPECT_EQ(with_idents("a\tb", "").size(), 1u);
  EXPECT_EQ(with_idents(std::string(256, 'x'), "").size(), 1u);
  EXPECT_EQ(with_idents(std::string(255, 'x'), "x"), Lines{});
  EXPECT_EQ(with_idents("abc", "abc "), Lines{});  // as replies begin
  EXPECT_EQ(with_idents("abc", "abc  ").size(), 1u);
  EXPECT_EQ(with_idents("live_blog", "live_blog"), Lines{});
  EXPECT_EQ(with_idents("caf\xC3\xA9", "").size(), 1u);
  EXPECT_EQ(with_idents("abc", "xyz"),
            Lines{"W handler row 1, recv_ident \"xyz\": lets no reply through that begins with the "
                  "send_ident \"abc\"; write that, or leave it empty"});
}

// Goal: what patterns of other languages mean is not meant here, and is said; nothing else is.
TEST(Check, AdvisesOnPatterns) {
  const auto advice = [](const std::string& path, const std::string& word) {
    const Lines lines = with_path(path);
    ASSERT_EQ(lines.size(), 1u) << path;
    EXPECT_EQ(lines[0].substr(0, 2), "W ") << path;
    EXPECT_NE(lines[0].find(path), std::string::npos) << lines[0];
    EXPECT_NE(lines[0].find(word), std::string::npos) << lines[0];
  };
  advice("/img/(.*.jpg$)", "write \")$\" for the end");
  advice("/(abc", "has '(' without ')'");
  advice("/(a(b)", "has '(' without ')'");
  advice("/(a)b)", "has ')' without '('");
  advice("/(^a)", "'^'");
  advice("/(a|b)", "'|'");
  advice("/(ab)*", "'*' behind ')'");
  advice("/(ab)+", "'+' behind ')'");
  for (const char* path : {"/(.*.jpg)$", "/()$", "/(a\\$)", "/([$)]+)", "/([^a])", "/([]|(]x)",
                           "/(\\b())", "/(.*)-small.jpg", "/(a)(b)", "/(\\(a\\))", "/(a$b)"}) {
    EXPECT_EQ(with_path(path), Lines{}) << path;
  }
  EXPECT_EQ(with_matching("(.*$)").size(), 1u);
  EXPECT_EQ(with_matching("(.*).example.org$").size(), 1u);
  EXPECT_EQ(with_matching("(.*).example.org"), Lines{});
}

TEST(Check, LooksAtTheNumberOfPairs) {
  EXPECT_EQ(after([](Config& config) {
              for (int at = 10; at < 5000; ++at) {
                const std::string name = std::to_string(at);
                config.handlers.push_back(
                    {at, "ipc://s" + name, "i", "ipc://r" + name, "", false, HeaderFormat::kJson});
              }
            }),
            Lines{"E table handler: 4992 pairs of endpoints are routed to; at most 4096 can be "
                  "bound"});
}

}  // namespace
}  // namespace m2
