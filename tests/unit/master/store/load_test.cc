// Goal: databases of 2010 and of Mongrel2 1.12 load as they are, and what is wrong with a database
// is said in full. Method: databases made from SQL; a good one is spoiled in one place at a time.
#include "master/store/load.h"

#include <algorithm>

#include "tests/unit/master/store/test_database.h"

namespace m2 {
namespace {

constexpr char kUuid[] = "f400bf85-4538-4f7a-8908-67e313d515c2";

// Each finding as "error: ..." or "warning: ...".
std::vector<std::string> lines(const Loaded& loaded) {
  std::vector<std::string> all;
  for (const Finding& finding : loaded.findings) {
    const bool is_error = finding.severity == Finding::Severity::kError;
    all.push_back((is_error ? "error: " : "warning: ") + finding.text);
    EXPECT_EQ(finding.text.find('\n'), std::string::npos) << finding.text;
  }
  const bool has_error = std::any_of(
      all.begin(), all.end(), [](const std::string& line) { return line.starts_with("error"); });
  EXPECT_EQ(loaded.config.has_value(), !has_error);
  return all;
}

using Lines = std::vector<std::string>;

// What is found in the 1.12 database after some SQL, but for its one known warning.
Lines after(const std::string& sql, const std::string& server = kUuid) {
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run("DELETE FROM setting WHERE key = 'limits.min_ping';" + sql);
  return lines(load_config(database.path(), server, false));
}

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
      "UPDATE server SET chroot = NULL, name = NULL, bind_addr = NULL, use_ssl = NULL,"
      "  control_port = NULL;"
      "UPDATE handler SET raw_payload = NULL, protocol = NULL, recv_ident = NULL;"
      "UPDATE directory SET cache_ttl = NULL, default_ctype = NULL; UPDATE host SET matching = "
      "NULL");
  const Loaded loaded = load_config(database.path(), kUuid, false);
  EXPECT_EQ(lines(loaded), Lines{});
  ASSERT_TRUE(loaded.config);
  const Config& config = *loaded.config;
  EXPECT_EQ(config.server.chroot, "/var/www");
  EXPECT_EQ(config.server.bind_addr, "0.0.0.0");
  EXPECT_EQ(config.server.control_port, "ipc://run/control");
  EXPECT_EQ(config.hosts.at(1).matching, "example.org");
  EXPECT_EQ(config.dirs.at(0).default_ctype, "text/plain");
  EXPECT_EQ(config.handlers.at(1).protocol, HeaderFormat::kJson);
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

TEST(Load, ReportsCellsThatCannotBeUsed) {
  EXPECT_EQ(after("UPDATE server SET port = 'abc' WHERE id = 1"),
            Lines{"error: server row 1, port \"abc\": must be a whole number from 1 to 65535"});
  EXPECT_EQ(after("UPDATE server SET port = NULL WHERE id = 1"),
            Lines{"error: server row 1, port NULL: must be a whole number from 1 to 65535"});
  EXPECT_EQ(after("UPDATE server SET port = 65536 WHERE id = 1"),
            Lines{"error: server row 1, port 65536: must be a whole number from 1 to 65535"});
  EXPECT_EQ(after("UPDATE proxy SET port = 80.5"),
            Lines{"error: proxy row 1, port 80.5: must be a whole number from 1 to 65535"});
  EXPECT_EQ(after("UPDATE handler SET raw_payload = 'yes' WHERE id = 1"),
            Lines{"error: handler row 1, raw_payload \"yes\": must be a whole number"});
  EXPECT_EQ(after("UPDATE route SET path = x'2f' WHERE id = 1"),
            Lines{"error: route row 1, path \"/\": is binary data; write it as text"});
  EXPECT_EQ(after("UPDATE route SET path = CAST(x'2fff' AS TEXT) WHERE id = 1"),
            Lines{"error: route row 1, path \"/\\xff\": is not UTF-8; write other bytes of a URL "
                  "with percent signs"});
  EXPECT_EQ(after("UPDATE route SET path = CAST(x'2f002f' AS TEXT) WHERE id = 1"),
            Lines{"error: route row 1, path \"/\\x00/\": has a zero byte inside; remove it"});
  const Lines long_name = after("UPDATE server SET name = printf('%.9000c', 'x') WHERE id = 1");
  ASSERT_EQ(long_name.size(), 1u);
  EXPECT_TRUE(long_name[0].ends_with("...\": is longer than 8192 bytes; shorten it"));
}

TEST(Load, ReportsRoutesThatLeadNowhere) {
  EXPECT_EQ(after("UPDATE route SET target_type = 'Dir' WHERE id = 1"),
            Lines{"error: route row 1, target_type \"Dir\": must be \"handler\", \"proxy\" or "
                  "\"dir\""});
  EXPECT_EQ(after("UPDATE route SET target_id = 17 WHERE id = 2"),
            Lines{"error: route row 2, target_id 17: there is no row 17 in table handler; point "
                  "the route at one that is there, or remove it"});
  EXPECT_EQ(after("UPDATE route SET target_id = NULL WHERE id = 2"),
            Lines{"error: route row 2, target_id NULL: must be the id of a row"});
  EXPECT_EQ(after("UPDATE route SET host_id = NULL WHERE id = 2"),
            Lines{"warning: route row 2, host_id NULL: is not the id of a row; this row is "
                  "ignored"});
  EXPECT_EQ(after("UPDATE host SET server_id = 'x' WHERE id = 2"),
            Lines{"warning: host row 2, server_id \"x\": is not the id of a row; this row is "
                  "ignored"});
}

TEST(Load, ReportsAMissingDefaultHost) {
  EXPECT_EQ(after("UPDATE server SET default_host = 'x' WHERE id = 1"),
            Lines{"error: server row 1, default_host \"x\": no host of the server has this name; "
                  "write one of: \"localhost\", \"example.org\""});
  EXPECT_EQ(after("DELETE FROM host"),
            Lines{"error: server row 1, default_host \"localhost\": the server has no hosts; add "
                  "one with this name"});
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

TEST(Load, ChecksSettings) {
  const auto setting = [](const std::string& key, const std::string& value) {
    return "INSERT INTO setting VALUES (50, '" + key + "', '" + value + "');";
  };
  EXPECT_EQ(after(setting("workers", "4")), Lines{});
  EXPECT_EQ(after(setting("limits.nonsense", "4")),
            Lines{"warning: setting row 50, key \"limits.nonsense\": is no setting and is ignored; "
                  "docs/settings.md lists them all"});
  EXPECT_EQ(after(setting("workers", "many")),
            Lines{"error: setting row 50, workers \"many\": must be a whole number from 0 to 64 "
                  "(processes); the default is 0"});
  EXPECT_EQ(after(setting("superpoll.hot_dividend", "nonsense")),
            Lines{"warning: setting row 50, key \"superpoll.hot_dividend\": has no effect: epoll "
                  "alone watches the descriptors. Remove the row"});
  EXPECT_EQ(after(setting("zeromq.threads", "2")), Lines{});  // row 1 says the same
  EXPECT_EQ(after(setting("zeromq.threads", "3")),
            Lines{"error: setting row 50, key \"zeromq.threads\": row 1 sets it too, to \"2\"; "
                  "keep one of the two rows"});
  EXPECT_EQ(after("UPDATE server SET control_port = '';" + setting("control_port", "pgm://x")),
            Lines{"error: setting row 50, value \"pgm://x\": uses a transport that is not "
                  "supported; write tcp://ADDRESS:PORT or ipc://PATH"});
}

TEST(Load, TakesTheControlPortOfTheServerBeforeThatOfTheSettings) {
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run("INSERT INTO setting VALUES (50, 'control_port', 'ipc://run/from-setting')");
  EXPECT_EQ(load_config(database.path(), kUuid, false).config->server.control_port,
            "ipc://run/test-control");
  EXPECT_EQ(load_config(database.path(), "other", false).config->server.control_port,
            "ipc://run/from-setting");
  database.run("UPDATE setting SET value = '' WHERE id = 50");
  EXPECT_EQ(load_config(database.path(), "other", false).config->server.control_port, "");
}

TEST(Load, ChecksMimeTypes) {
  const auto row = [](const std::string& extension, const std::string& type) {
    return "INSERT INTO mimetype VALUES (900, '" + type + "', '" + extension + "')";
  };
  EXPECT_EQ(after(row("txt", "a/b")),
            Lines{"error: mimetype row 900, extension \"txt\": must begin with a dot, as in "
                  "\".txt\""});
  EXPECT_EQ(after(row("", "a/b")).size(), 1u);
  EXPECT_EQ(after(row(".x", "")),
            Lines{"error: mimetype row 900, mimetype \"\": must be a media type on one line, as in "
                  "\"text/plain\""});
  EXPECT_EQ(after(row(".x", "a/b\r\nX-Evil: 1")).size(), 1u);
  EXPECT_EQ(after(row(".txt", "text/plain")),
            Lines{"error: mimetype row 900, extension \".txt\": row 147 has it too; keep one of "
                  "the two rows"});
  EXPECT_EQ(after(row(".TXT", "text/plain")), Lines{});
  EXPECT_EQ(after(row(".TXT", "text/other")),
            Lines{"warning: mimetype row 900, extension \".TXT\": differs only in case from row "
                  "147, whose type is used; remove this row"});
  EXPECT_EQ(after(row("." + std::string(127, 'x'), "a/b")).size(), 1u);
  EXPECT_EQ(after(row("." + std::string(126, 'x'), "a/b")), Lines{});
}

TEST(Load, ReportsWhatIsNotSupported) {
  EXPECT_EQ(after("UPDATE server SET use_ssl = 1 WHERE id = 1"),
            Lines{"error: server row 1, use_ssl 1: TLS is not available; write 0 and end TLS in "
                  "front of the server"});
  EXPECT_EQ(after("INSERT INTO filter VALUES (1, 1, '/usr/lib/x.so', ''), (2, 2, 'y.so', '')"),
            Lines{"warning: filter row 1, name \"/usr/lib/x.so\": loadable modules of Mongrel2 1.x "
                  "are not supported; this row is ignored"});
  EXPECT_EQ(after("INSERT INTO xrequest VALUES (4, 1, 'x.so', '')").size(), 1u);
  EXPECT_EQ(after("UPDATE handler SET protocol = 'xml' WHERE id = 1"),
            Lines{"warning: handler row 1, protocol \"xml\": counts as \"json\"; write \"json\" or "
                  "\"tnetstring\""});
  const std::string websocket = "ALTER TABLE handler ADD COLUMN websocket TEXT;";
  EXPECT_EQ(after(websocket), Lines{});
  EXPECT_EQ(after(websocket + "UPDATE handler SET websocket = 'messages' WHERE id = 1"), Lines{});
  EXPECT_EQ(after(websocket + "UPDATE handler SET websocket = 'raw' WHERE id = 1"),
            Lines{"error: handler row 1, websocket \"raw\": must be \"frames\" or \"messages\""});
  EXPECT_EQ(after("DROP TABLE filter; DROP TABLE xrequest; DROP TABLE log"), Lines{});
  EXPECT_EQ(after("ALTER TABLE filter DROP COLUMN server_id"), Lines{});
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

TEST(Load, ReportsTablesAndColumnsThatAreMissing) {
  EXPECT_EQ(after("DROP TABLE route; ALTER TABLE proxy DROP COLUMN port"),
            (Lines{"error: table route: is missing; make the tables with m2sh init -db FILE",
                   "error: table proxy: has no column port; make the tables anew with m2sh init "
                   "-db FILE"}));
  const TestDatabase foreign("CREATE TABLE notes (id INTEGER)");
  EXPECT_EQ(lines(load_config(foreign.path(), "main", false)),
            Lines{"error: table server: is missing; make the tables with m2sh init -db FILE"});
}

// A view could hide any amount of work behind a table's name.
TEST(Load, ReadsNoViews) {
  const Lines found = after("ALTER TABLE proxy RENAME TO p; CREATE VIEW proxy AS SELECT * FROM p");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].starts_with("error: table proxy: the database cannot be read")) << found[0];
}

TEST(Load, ReportsAllFaultsOfADatabase) {
  EXPECT_EQ(after("UPDATE server SET port = 0, pid_file = '', default_host = 'x' WHERE id = 1;"
                  "UPDATE route SET target_type = 'cgi' WHERE id = 1;"
                  "UPDATE route SET path = '/([a-z' WHERE id = 2;"
                  "UPDATE directory SET base = '../' WHERE id = 1;"
                  "UPDATE handler SET send_spec = 'tcp://localhost:1' WHERE id = 1;"
                  "UPDATE proxy SET port = 0;"
                  "INSERT INTO setting VALUES (50, 'workers', '-1')")
                .size(),
            9u);
}

TEST(Load, CountsWhatItCannotList) {
  const Lines found = after(
      "WITH RECURSIVE n(x) AS (SELECT 1000 UNION ALL SELECT x + 1 FROM n WHERE x < 2499)"
      "INSERT INTO route SELECT x, '/' || x, 0, 1, 1, 'cgi' FROM n");
  ASSERT_EQ(found.size(), Findings::kKept + 1);
  EXPECT_EQ(found.back(), "error: database: 500 more findings are not listed; repair these first");
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

TEST(Load, ReportsAFileThatIsNoDatabase) {
  const TestDatabase nothing;
  EXPECT_EQ(lines(load_config(nothing.path(), "main", false)),
            Lines{"error: database " + nothing.path() +
                  ": does not exist; make it with m2sh config -db FILE -config CONF"});
  EXPECT_FALSE(std::filesystem::exists(nothing.path()));  // 1.x made an empty one
}

// A name of a table or file is foreign too.
TEST(Load, StaysOnOneLineWhateverIsDamaged) {
  TestDatabase database("CREATE TABLE server (id INTEGER PRIMARY KEY, \"a\nb\" TEXT)");
  database.run("PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE \nnonsense'");
  const Lines found = lines(load_config(database.path(), "main", false));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].find("is damaged"), std::string::npos) << found[0];
  EXPECT_EQ(lines(load_config("no\nsuch file", "main", false)),
            Lines{"error: database no such file: does not exist; make it with m2sh config -db FILE "
                  "-config CONF"});
}

}  // namespace
}  // namespace m2
