// Goal: databases of 2010 and of Mongrel2 1.12 load as they are. Method: databases made from SQL.
#include "master/store/load.h"

#include "tests/unit/master/store/load_lines.h"

namespace m2 {
namespace {

TEST(Load, ReadsADatabaseOfMongrel2_1_12) {
  const TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  const Loaded loaded = load_config(database.path(), kUuid, false);
  EXPECT_EQ(lines(loaded),
            Lines{"warning: setting row 2, key \"limits.min_ping\": has no effect: limits.idle_ms "
                  "closes idle connections. Remove the row"});
  ASSERT_TRUE(loaded.config);
  const Config& config = *loaded.config;
  EXPECT_EQ(config.server.id, 1);
  EXPECT_EQ(config.server.uuid, kUuid);
  EXPECT_EQ(config.server.name, "test");
  EXPECT_EQ(config.server.access_log, "/logs/access.log");
  EXPECT_EQ(config.server.error_log, "/logs/error.log");
  EXPECT_EQ(config.server.chroot, "./");
  EXPECT_EQ(config.server.pid_file, "/run/mongrel2.pid");
  EXPECT_EQ(config.server.bind_addr, "127.0.0.1");
  EXPECT_EQ(config.server.port, 6767);
  EXPECT_EQ(config.server.control_port, "ipc://run/test-control");
  EXPECT_EQ(config.server.error_log_level, 2);  // the column came with 1.13
  EXPECT_EQ(config.settings.number("zeromq.threads"), 2);
  EXPECT_EQ(config.settings.number("limits.buffer_size"), 8192);

  ASSERT_EQ(config.hosts.size(), 2u);
  EXPECT_EQ(config.default_host, 0u);
  EXPECT_EQ(config.hosts[0].matching, "localhost");
  EXPECT_EQ(config.hosts[1].matching, "(.*).example.org");
  ASSERT_EQ(config.hosts[0].routes.size(), 6u);
  EXPECT_EQ(config.hosts[0].routes[5].path, R"x(/images/(\a-\-\d+\.jpg))x");
  ASSERT_EQ(config.dirs.size(), 1u);  // the other server's is left out
  EXPECT_EQ(config.dirs[0], (DirRow{1, "static/", "index.html", "text/html; charset=utf-8", 30}));
  ASSERT_EQ(config.proxies.size(), 1u);
  EXPECT_EQ(config.proxies[0],
            (ProxyRow{1, "127.0.0.1", 8080, {{"127.0.0.1", 8080, {"127.0.0.1"}}}}));
  ASSERT_EQ(config.handlers.size(), 2u);
  EXPECT_EQ(config.handlers[1],
            (HandlerRow{2, "ipc://run/app-send", "34f9ceee-cd52-4b7f-b197-88bf2f0ec378",
                        "ipc://run/app-recv", "34f9ceee-cd52-4b7f-b197-88bf2f0ec378", true,
                        HeaderFormat::kTnetstring}));
  const RouteRow& app = config.hosts[1].routes.at(0);
  EXPECT_EQ(app.kind, TargetKind::kHandler);
  EXPECT_EQ(app.target, 1u);
  ASSERT_EQ(config.mimetypes.size(), 7u);
  EXPECT_EQ(config.mimetypes[6].extension, ".pcf.z");
}

TEST(Load, ReadsADatabaseOf2010) {
  const TestDatabase database(read_file("tests/golden/manual_2010.sql"));
  const Loaded loaded = load_config(database.path(), "main", true);
  EXPECT_EQ(lines(loaded), Lines{});
  ASSERT_TRUE(loaded.config);
  const Config& config = *loaded.config;
  EXPECT_EQ(config.server.default_host, "mongrel2.org");
  EXPECT_EQ(config.server.pid_file, "/run/mongrel2.pid");
  EXPECT_EQ(config.server.bind_addr, "0.0.0.0");
  EXPECT_EQ(config.server.control_port, "ipc://run/control");
  ASSERT_EQ(config.hosts.size(), 1u);
  ASSERT_EQ(config.hosts[0].routes.size(), 9u);
  EXPECT_EQ(config.hosts[0].routes[8].target, 2u);
  EXPECT_EQ(config.dirs.at(0).cache_ttl_s, 0u);
  EXPECT_FALSE(config.handlers.at(0).raw_payload);
  EXPECT_EQ(config.handlers.at(0).protocol, HeaderFormat::kJson);
}

TEST(Load, TakesNullAsTheDefault) {
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run(
      "DELETE FROM setting;"
      "UPDATE server SET name = NULL, bind_addr = NULL, use_ssl = NULL,"
      "  control_port = NULL;"
      "UPDATE handler SET raw_payload = NULL, protocol = NULL, recv_ident = NULL;"
      "UPDATE directory SET cache_ttl = NULL, default_ctype = NULL; UPDATE host SET matching = "
      "NULL");
  const Loaded loaded = load_config(database.path(), kUuid, false);
  EXPECT_EQ(lines(loaded), Lines{});
  ASSERT_TRUE(loaded.config);
  const Config& config = *loaded.config;
  EXPECT_EQ(config.server.bind_addr, "0.0.0.0");
  EXPECT_EQ(config.server.control_port, "ipc://run/control");
  EXPECT_EQ(config.hosts.at(1).matching, "example.org");
  EXPECT_EQ(config.dirs.at(0).default_ctype, "text/plain");
  EXPECT_EQ(config.handlers.at(1).protocol, HeaderFormat::kJson);
}

// The folder is looked for as any other; on most machines there is none.
TEST(Load, TakesNoChrootAsThatOf2010) {
  TestDatabase database(read_file("tests/golden/manual_2010.sql"));
  database.run("UPDATE server SET chroot = NULL");
  const Loaded loaded = load_config(database.path(), "main", true);
  if (loaded.config) {
    EXPECT_EQ(loaded.config->server.chroot, "/var/www");
  } else {
    EXPECT_NE(lines(loaded).at(0).find("/var/www"), std::string::npos);
  }
}

// A table without types keeps numbers as text; a default_host that looks like a number is one.
TEST(Load, TakesNumbersAndTextsForEachOther) {
  TestDatabase database(read_file("tests/golden/manual_2010.sql"));
  database.run(
      "CREATE TABLE loose (id, uuid, access_log, error_log, chroot, pid_file, default_host, name,"
      "  port, something_else);"
      "INSERT INTO loose SELECT id, uuid, access_log, error_log, chroot, pid_File, 127.5, name,"
      "  ' 6767', x'00' FROM server;"
      "DROP TABLE server; ALTER TABLE loose RENAME TO server; UPDATE host SET name = '127.5'");
  const Loaded loaded = load_config(database.path(), "main", true);
  EXPECT_EQ(lines(loaded), Lines{});
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->server.port, 6767);
  EXPECT_EQ(loaded.config->server.default_host, "127.5");
}

TEST(Load, FindsTheServerByUuidNameOrHost) {
  const TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run("UPDATE server SET chroot = './'");
  for (const char* server : {"2f62bd5-9e59-49cd-993c-3b6013c28f05", "other", "other.test"}) {
    const Loaded loaded = load_config(database.path(), server, false);
    ASSERT_TRUE(loaded.config) << server;
    EXPECT_EQ(loaded.config->server.id, 2);
    EXPECT_EQ(loaded.config->dirs.at(0).base, "other/");
  }
}

TEST(Load, NamesTheCandidatesWhenNoOneServerIsMeant) {
  const std::string both =
      "\"f400bf85-4538-4f7a-8908-67e313d515c2\" (name \"test\", default_host \"localhost\"), "
      "\"2f62bd5-9e59-49cd-993c-3b6013c28f05\" (name \"other\", default_host \"other.test\")";
  EXPECT_EQ(after("", "nobody"), Lines{"error: table server: no row has uuid, name or default_host "
                                       "\"nobody\"; give one of: " +
                                       both});
  EXPECT_EQ(after("", "").size(), 1u);
  EXPECT_EQ(after("UPDATE server SET name = 'localhost' WHERE id = 2", "localhost"),
            Lines{"error: table server: \"localhost\" means 2 servers; give the uuid of one: "
                  "\"f400bf85-4538-4f7a-8908-67e313d515c2\" (name \"test\", default_host "
                  "\"localhost\"), \"2f62bd5-9e59-49cd-993c-3b6013c28f05\" (name \"localhost\", "
                  "default_host \"other.test\")"});
  EXPECT_EQ(after("UPDATE server SET uuid = 'same'", "same"),
            Lines{"error: table server: 2 rows have uuid \"same\"; give each its own"});
  EXPECT_EQ(after("DELETE FROM server"),
            Lines{"error: table server: has no rows; load a configuration with m2sh config"});
}

// A uuid means its server even when another has it for a name.
TEST(Load, PrefersTheUuid) {
  EXPECT_EQ(after("UPDATE server SET name = '" + std::string(kUuid) + "' WHERE id = 2"), Lines{});
}

TEST(Load, SaysNothingOfOtherServersRows) {
  EXPECT_EQ(after("UPDATE server SET port = 'abc', bind_addr = x'00' WHERE id = 2;"
                  "UPDATE host SET name = x'ff' WHERE id = 3;"
                  "UPDATE route SET target_type = 'cgi', path = '([' WHERE id = 8;"
                  "UPDATE directory SET base = '/' WHERE id = 2"),
            Lines{});
}

TEST(Load, SharesOnePairAmongEqualHandlerRows) {
  const std::string equal_row =
      "INSERT INTO handler SELECT 9, send_spec, send_ident, recv_spec, recv_ident, raw_payload,"
      "  protocol FROM handler WHERE id = 1;"
      "UPDATE route SET target_id = 9 WHERE id = 5;";
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run(equal_row);
  const Loaded loaded = load_config(database.path(), kUuid, false);
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->handlers.size(), 2u);
  EXPECT_EQ(loaded.config->hosts[0].routes[4].target, loaded.config->hosts[0].routes[1].target);

  EXPECT_EQ(after(equal_row + "UPDATE handler SET send_ident = 'x' WHERE id = 9"),
            Lines{"warning: handler row 9, send_ident \"x\": row 1 has the same send_spec and "
                  "recv_spec but \"54c6755b-9628-40a4-9a2d-cc82a816345e\" here, which counts for "
                  "both; make both equal, or give this row its own endpoints"});
  EXPECT_EQ(after(equal_row + "UPDATE handler SET recv_ident = '5' WHERE id = 9").size(), 1u);
  EXPECT_EQ(after(equal_row + "UPDATE handler SET raw_payload = 1 WHERE id = 9").size(), 1u);
  EXPECT_EQ(after(equal_row + "UPDATE handler SET protocol = 'tnetstring' WHERE id = 9").size(),
            1u);
}

TEST(Load, TakesTheControlPortOfTheServerBeforeThatOfTheSettings) {
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run(
      "INSERT INTO setting VALUES (50, 'control_port', 'ipc://run/from-setting');"
      "UPDATE server SET chroot = './'");
  EXPECT_EQ(load_config(database.path(), kUuid, false).config->server.control_port,
            "ipc://run/test-control");
  EXPECT_EQ(load_config(database.path(), "other", false).config->server.control_port,
            "ipc://run/from-setting");
  database.run("UPDATE setting SET value = '' WHERE id = 50");
  EXPECT_EQ(load_config(database.path(), "other", false).config->server.control_port, "");
}

TEST(Load, ReadsWhatBecomesOfSlowClients) {
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run("ALTER TABLE handler ADD COLUMN slow_clients TEXT DEFAULT 'close'");
  const auto policy_of = [&](const std::string& value) {
    database.run("UPDATE handler SET slow_clients = " + value + " WHERE id = 1");
    const Loaded loaded = load_config(database.path(), kUuid, false);
    EXPECT_TRUE(loaded.config) << value;
    return loaded.config ? loaded.config->handlers.at(0).slow_clients : SlowClients::kClose;
  };
  EXPECT_EQ(policy_of("'close'"), SlowClients::kClose);
  EXPECT_EQ(policy_of("NULL"), SlowClients::kClose);
  EXPECT_EQ(policy_of("'drop_newest'"), SlowClients::kDropNewest);
  EXPECT_EQ(policy_of("'drop_oldest'"), SlowClients::kDropOldest);
  EXPECT_EQ(after("ALTER TABLE handler ADD COLUMN slow_clients TEXT DEFAULT 'close';"
                  "UPDATE handler SET slow_clients = 'drop' WHERE id = 1"),
            Lines{"error: handler row 1, slow_clients \"drop\": must be \"close\", "
                  "\"drop_newest\" or \"drop_oldest\""});
}

TEST(Load, ReadsAHundredThousandRoutes) {
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run(
      "WITH RECURSIVE n(x) AS (SELECT 1000 UNION ALL SELECT x + 1 FROM n WHERE x < 100999)"
      "INSERT INTO route SELECT x, '/deep/' || x, 0, 1, 1, 'dir' FROM n");
  const Loaded loaded = load_config(database.path(), kUuid, false);
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->hosts[0].routes.size(), 100'006u);
}

}  // namespace
}  // namespace m2
