// Goal: what is wrong with a database is said in full. Method: a good one is spoiled in one place
// at a time.
#include "master/store/load.h"
#include "tests/unit/master/store/load_lines.h"

namespace m2 {
namespace {

TEST(LoadFindings, ReportsCellsThatCannotBeUsed) {
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

TEST(LoadFindings, ReportsRoutesThatLeadNowhere) {
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

TEST(LoadFindings, ReportsAMissingDefaultHost) {
  EXPECT_EQ(after("UPDATE server SET default_host = 'x' WHERE id = 1"),
            Lines{"error: server row 1, default_host \"x\": no host of the server has this name; "
                  "write one of: \"localhost\", \"example.org\""});
  EXPECT_EQ(after("DELETE FROM host"),
            Lines{"error: server row 1, default_host \"localhost\": the server has no hosts; add "
                  "one with this name"});
}

TEST(LoadFindings, ChecksSettings) {
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
  EXPECT_EQ(
      after("UPDATE server SET control_port = '';" + setting("control_port", "pgm://x")),
      Lines{"error: setting row 50, value \"pgm://x\": cannot be multicast: 0MQ has pgm:// for "
            "PUB and SUB only; write tcp://ADDRESS:PORT or ipc://PATH"});
}

TEST(LoadFindings, ChecksMimeTypes) {
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

TEST(LoadFindings, ReportsWhatIsNotSupported) {
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

TEST(LoadFindings, ReportsTablesAndColumnsThatAreMissing) {
  EXPECT_EQ(after("DROP TABLE route; ALTER TABLE proxy DROP COLUMN port"),
            (Lines{"error: table route: is missing; make the tables with m2sh init -db FILE",
                   "error: table proxy: has no column port; make the tables anew with m2sh init "
                   "-db FILE"}));
  const TestDatabase foreign("CREATE TABLE notes (id INTEGER)");
  EXPECT_EQ(lines(load_config(foreign.path(), "main", false)),
            Lines{"error: table server: is missing; make the tables with m2sh init -db FILE"});
}

// A view could hide any amount of work behind a table's name.
TEST(LoadFindings, ReadsNoViews) {
  const Lines found = after("ALTER TABLE proxy RENAME TO p; CREATE VIEW proxy AS SELECT * FROM p");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].starts_with("error: table proxy: the database cannot be read")) << found[0];
}

TEST(LoadFindings, ReportsAllFaultsOfADatabase) {
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

TEST(LoadFindings, CountsWhatItCannotList) {
  const Lines found = after(
      "WITH RECURSIVE n(x) AS (SELECT 1000 UNION ALL SELECT x + 1 FROM n WHERE x < 2499)"
      "INSERT INTO route SELECT x, '/' || x, 0, 1, 1, 'cgi' FROM n");
  ASSERT_EQ(found.size(), Findings::kKept + 1);
  EXPECT_EQ(found.back(), "error: database: 500 more findings are not listed; repair these first");
}

TEST(LoadFindings, ReportsAFileThatIsNoDatabase) {
  const TestDatabase nothing;
  EXPECT_EQ(lines(load_config(nothing.path(), "main", false)),
            Lines{"error: database " + nothing.path() +
                  ": does not exist; make it with m2sh config -db FILE -config CONF"});
  EXPECT_FALSE(std::filesystem::exists(nothing.path()));  // 1.x made an empty one
}

// A name of a table or file is foreign too.
TEST(LoadFindings, StaysOnOneLineWhateverIsDamaged) {
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
