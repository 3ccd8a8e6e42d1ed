// What can be wrong with a database file as a whole is sorted out here, so that the rest of the
// store only sees rows.
#include "master/store/sqlite.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>

#include <cerrno>

#include "common/check.h"

namespace m2 {
namespace {

// A crafted file can make a scan endless; no honest one takes this long.
constexpr time_t kReadLimit_s = 20;
constexpr int kStepsBetweenLooks = 100'000;
// No cell of a configuration is near this; keeps one value from taking all memory.
constexpr int kValueBytesMax = 16 * 1024 * 1024;

time_t now_s() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

// The deadline travels as the callback's pointer: nothing to own, nothing to outlive.
int past_deadline(void* deadline_s) {
  return now_s() >= static_cast<time_t>(reinterpret_cast<intptr_t>(deadline_s)) ? 1 : 0;
}

Status check_file(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return Status::error("does not exist; make it with m2sh config -db FILE -config CONF");
    }
    return Status::from_errno("cannot be looked at", errno);
  }
  if (!S_ISREG(info.st_mode)) return Status::error("is not a file; name the database itself");
  if (info.st_size == 0) {
    return Status::error("is empty; make it anew with m2sh config -db FILE -config CONF");
  }
  return {};
}

// What follows "the database ..." in a message.
std::string explain(sqlite3* connection, int code) {
  const std::string text = sqlite3_errmsg(connection);
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "is locked by another process; try again when that is done writing";
    case SQLITE_NOTADB:
      return "is not an SQLite database; name the file that m2sh has made";
    case SQLITE_CORRUPT:
      return "is damaged (" + text + "); make it anew with m2sh, or restore a copy";
    case SQLITE_INTERRUPT:
      return "takes longer than " + std::to_string(kReadLimit_s) +
             " s to read; make it anew with m2sh";
    default:
      return "cannot be read (" + text + "); check the file, its folder and who may read them";
  }
}

CellType cell_type(int sqlite_type) {
  switch (sqlite_type) {
    case SQLITE_INTEGER:
      return CellType::kInteger;
    case SQLITE_FLOAT:
      return CellType::kReal;
    case SQLITE_TEXT:
      return CellType::kText;
    case SQLITE_BLOB:
      return CellType::kBlob;
    default:
      return CellType::kNull;
  }
}

void restrict(sqlite3* connection, int busy_ms) {
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, busy_ms);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, kValueBytesMax);
  const auto deadline_s = static_cast<intptr_t>(now_s() + kReadLimit_s);
  sqlite3_progress_handler(connection, kStepsBetweenLooks, past_deadline,
                           reinterpret_cast<void*>(deadline_s));
}

}  // namespace

void Query::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

Result<Database> Database::open(const std::string& path, int busy_ms) {
  const std::string place = "database " + path;
  Status file = check_file(path);
  if (!file.ok()) return std::move(file).in(place);
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr);
  Database database;
  database.connection_.reset(raw);
  if (raw == nullptr) return Status::error(place + ": no memory to open it");
  if (code != SQLITE_OK) return Status::error(place + ": " + explain(raw, code));
  restrict(raw, busy_ms);
  // The first read takes the lock and looks at the header: whatever ails the file shows here.
  const int read =
      sqlite3_exec(raw, "BEGIN; SELECT count(*) FROM sqlite_master", nullptr, nullptr, nullptr);
  if (read != SQLITE_OK) return Status::error(place + ": " + explain(raw, read));
  return database;
}

Result<std::vector<std::string>> Database::columns(std::string_view table) const {
  Result<Query> query = this->query("PRAGMA table_info(" + sql_name(table) + ")");
  if (!query.ok()) return std::move(query).status();
  std::vector<std::string> names;
  while (true) {
    const Result<bool> row = query.value().step();
    if (!row.ok()) return Status::error(row.message());
    if (!row.value()) return names;
    names.emplace_back(query.value().text(1));
  }
}

Result<Query> Database::query(const std::string& sql) const {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(connection_.get(), sql.c_str(), -1, &raw, nullptr);
  if (code != SQLITE_OK) return Status::error("the database " + explain(connection_.get(), code));
  CHECK(raw != nullptr);
  Query query;
  query.statement_.reset(raw);
  return query;
}

Result<bool> Query::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_DONE) return false;
  if (code != SQLITE_ROW) {
    return Status::error("the database " + explain(sqlite3_db_handle(statement_.get()), code));
  }
  types_.clear();
  const int count = sqlite3_column_count(statement_.get());
  for (int column = 0; column < count; ++column) {
    types_.push_back(cell_type(sqlite3_column_type(statement_.get(), column)));
  }
  return true;
}

int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

double Query::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string_view Query::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)};
}

std::string sql_name(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + '"';
}

}  // namespace m2
