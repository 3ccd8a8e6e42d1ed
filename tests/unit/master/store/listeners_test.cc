// Goal: rows of the table listener are read with their defaults, and trust that makes no sense is
// found.
#include "master/store/listeners.h"

#include <algorithm>

#include "master/store/load.h"
#include "tests/unit/master/store/test_database.h"

namespace m2 {
namespace {

constexpr char kUuid[] = "f400bf85-4538-4f7a-8908-67e313d515c2";
constexpr char kTable[] =
    "DELETE FROM setting; CREATE TABLE listener (id INTEGER PRIMARY KEY, server_id INTEGER, address"
    " TEXT, port INTEGER, proxy_protocol INTEGER, mode TEXT);";

Loaded after(const std::string& sql) {
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run(kTable + sql);
  return load_config(database.path(), kUuid, false);
}

std::string first_line(const Loaded& loaded) {
  return loaded.findings.empty() ? "" : loaded.findings[0].text;
}

TEST(StoreListeners, AreReadWithTheirDefaults) {
  const Loaded loaded = after(
      "INSERT INTO listener VALUES (1, 1, '::1', 80, 1, '600'), (2, 99, 'nonsense', 0, 7, ''),"
      " (3, 1, 'unix:/run/web', NULL, NULL, NULL);"
      "INSERT INTO setting (key, value) VALUES ('proxy_protocol.trusted', '127.0.0.1 unix')");
  EXPECT_EQ(first_line(loaded), "");
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(
      loaded.config->listeners,
      (std::vector<ListenerRow>{{1, "::1", 80, true, 0600}, {3, "unix:/run/web", 0, false, 0660}}));
  EXPECT_FALSE(loaded.config->server.proxy_protocol);  // no such column in 1.12
}

TEST(StoreListeners, TrustThatMakesNoSenseIsFound) {
  EXPECT_EQ(first_line(after("INSERT INTO listener VALUES (1, 1, '::1', 80, 1, NULL)")),
            "listener row 1, proxy_protocol \"1\": lets nobody in, because no peer is trusted; set "
            "proxy_protocol.trusted to the addresses of the balancers, as in \"10.0.0.0/8\"");
  EXPECT_EQ(first_line(after("ALTER TABLE server ADD COLUMN proxy_protocol INTEGER DEFAULT 1"))
                .find("server row 1, proxy_protocol \"1\": lets nobody in"),
            0u);
  for (const char* key : {"proxy_protocol.trusted", "forwarded.trusted"}) {
    EXPECT_EQ(first_line(after(std::string("INSERT INTO setting (key, value) VALUES ('") + key +
                               "', '10.0.0.1/8')")),
              "setting " + std::string(key) +
                  ": \"10.0.0.1/8\" has bits behind its prefix; write \"10.0.0.0/8\"");
  }
}

TEST(StoreListeners, TooManyAreFound) {
  std::string sql;
  for (int port = 1; port <= 257; ++port) {
    sql += "INSERT INTO listener VALUES (NULL, 1, '127.0.0.1', " + std::to_string(port) +
           ", 0, NULL);";
  }
  EXPECT_EQ(first_line(after(sql)),
            "table listener: 257 rows belong to the server; at most 256 can be bound");
}

}  // namespace
}  // namespace m2
