// Goal: a file that cannot be read is refused with the reason, within bounds, and never changed.
// Method: such files; a second connection that holds locks.
#include "master/store/sqlite.h"

#include "tests/unit/master/store/test_database.h"

namespace m2 {
namespace {

constexpr char kTable[] = "CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT);";

std::string refusal(const TestDatabase& database) {
  const Result<Database> opened = Database::open(database.path(), 1);
  EXPECT_FALSE(opened.ok());
  const std::string place = "database " + database.path() + ": ";
  EXPECT_TRUE(opened.message().starts_with(place)) << opened.message();
  return opened.message().substr(place.size());
}

void write_file(const TestDatabase& database, const std::string& bytes) {
  std::ofstream(database.path()) << bytes;
}

TEST(Sqlite, RefusesFilesThatAreNoDatabase) {
  TestDatabase database;
  EXPECT_EQ(refusal(database), "does not exist; make it with m2sh config -db FILE -config CONF");
  EXPECT_FALSE(std::filesystem::exists(database.path()));
  write_file(database, "");
  EXPECT_EQ(refusal(database), "is empty; make it anew with m2sh config -db FILE -config CONF");
  write_file(database, "servers = [main]\n");
  EXPECT_EQ(refusal(database), "is not an SQLite database; name the file that m2sh has made");
  write_file(database, std::string(10'000, '\xFF'));
  EXPECT_EQ(refusal(database), "is not an SQLite database; name the file that m2sh has made");
  std::filesystem::remove(database.path());
  std::filesystem::create_directory(database.path());
  EXPECT_EQ(refusal(database), "is not a file; name the database itself");
}

TEST(Sqlite, RefusesADatabaseThatWasCutOff) {
  TestDatabase database(kTable);
  for (int at = 0; at < 200; ++at) {
    database.run("INSERT INTO t (word) VALUES (hex(randomblob(100)))");
  }
  const auto size = std::filesystem::file_size(database.path());
  ASSERT_GT(size, 8192u);
  for (const auto length : {size - 4096, size / 2, uintmax_t{4096}, uintmax_t{1000}}) {
    std::filesystem::resize_file(database.path(), length);
    const std::string why = refusal(database);
    EXPECT_TRUE(why.starts_with("is damaged") || why.starts_with("is not an SQLite")) << why;
  }
}

TEST(Sqlite, WaitsForALockOnlySoLong) {
  TestDatabase database(kTable);
  sqlite3* writer = nullptr;
  ASSERT_EQ(sqlite3_open(database.path().c_str(), &writer), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(writer, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(refusal(database), "is locked by another process; try again when that is done writing");
  sqlite3_close(writer);
  EXPECT_TRUE(Database::open(database.path(), 1).ok());
}

TEST(Sqlite, SeesOneStateForAsLongAsItLives) {
  TestDatabase database(std::string(kTable) + "INSERT INTO t VALUES (1, 'a')");
  const Result<Database> opened = Database::open(database.path(), 1);
  ASSERT_TRUE(opened.ok());
  sqlite3* writer = nullptr;
  ASSERT_EQ(sqlite3_open(database.path().c_str(), &writer), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(writer, "DELETE FROM t", nullptr, nullptr, nullptr), SQLITE_BUSY);
  sqlite3_close(writer);
  Result<Query> query = opened.value().query("SELECT word FROM t");
  ASSERT_TRUE(query.ok());
  EXPECT_TRUE(query.value().step().value());
}

TEST(Sqlite, NeverWrites) {
  TestDatabase database(kTable);
  const Result<Database> opened = Database::open(database.path(), 1);
  ASSERT_TRUE(opened.ok());
  Result<Query> query = opened.value().query("INSERT INTO t VALUES (1, 'a')");
  ASSERT_TRUE(query.ok());
  const Result<bool> step = query.value().step();
  EXPECT_FALSE(step.ok());
}

TEST(Sqlite, GivesCellsAsTheyAreStored) {
  TestDatabase database(
      "CREATE TABLE t (a, b, c, d, e);"
      "INSERT INTO t VALUES (NULL, -5, 1.5, 'te' || char(0) || 'xt', x'00ff')");
  const Result<Database> opened = Database::open(database.path(), 1);
  ASSERT_TRUE(opened.ok());
  Result<Query> result = opened.value().query("SELECT a, b, c, d, e FROM t");
  ASSERT_TRUE(result.ok());
  Query& query = result.value();
  ASSERT_TRUE(query.step().value());
  EXPECT_EQ(query.text(1), "-5");  // reading as text first changes nothing below
  EXPECT_EQ(query.text(4), std::string_view("\0\xFF", 2));
  EXPECT_EQ(query.type(0), CellType::kNull);
  EXPECT_EQ(query.type(1), CellType::kInteger);
  EXPECT_EQ(query.type(2), CellType::kReal);
  EXPECT_EQ(query.type(3), CellType::kText);
  EXPECT_EQ(query.type(4), CellType::kBlob);
  EXPECT_EQ(query.text(0), "");
  EXPECT_EQ(query.integer(1), -5);
  EXPECT_EQ(query.real(2), 1.5);
  EXPECT_EQ(query.text(3), std::string_view("te\0xt", 5));
  EXPECT_FALSE(query.step().value());
}

TEST(Sqlite, ListsColumns) {
  TestDatabase database("CREATE TABLE \"odd \"\" name\" (id INTEGER, pid_File TEXT)");
  const Result<Database> opened = Database::open(database.path(), 1);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened.value().columns("odd \" name").value(),
            (std::vector<std::string>{"id", "pid_File"}));
  EXPECT_TRUE(opened.value().columns("absent").value().empty());
}

TEST(Sqlite, NamesTheQueryItCannotPrepare) {
  TestDatabase database(kTable);
  const Result<Database> opened = Database::open(database.path(), 1);
  ASSERT_TRUE(opened.ok());
  const Result<Query> query = opened.value().query("SELECT nonsense FROM t");
  ASSERT_FALSE(query.ok());
  EXPECT_NE(query.message().find("no such column: nonsense"), std::string::npos) << query.message();
}

}  // namespace
}  // namespace m2
