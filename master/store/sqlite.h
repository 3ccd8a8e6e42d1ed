// SQLite's C interface in RAII, for reading only: it never creates, writes or repairs a file. With
// sqlite.cc the only place that includes it. The file counts as foreign: views and triggers are
// off, and reading is bounded in time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace m2 {

enum class CellType : uint8_t { kNull, kInteger, kReal, kText, kBlob };

// One SELECT, row by row. Must not outlive its Database.
class Query {
 public:
  // True: there is a row; false: that was all.
  Result<bool> step();

  // Of the current row; views are valid until the next step.
  CellType type(int column) const { return types_[static_cast<size_t>(column)]; }
  int64_t integer(int column) const;
  double real(int column) const;
  // Numbers as SQLite writes them; blobs as they are.
  std::string_view text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::vector<CellType> types_;  // as stored: reading a cell as text changes what SQLite says
};

class Database {
 public:
  // Opens an existing database and begins one read transaction, which lasts as long as the object:
  // all queries see the same state. busy_ms: how long a lock of another process is waited for.
  // Refused with what it is instead: a file that is missing, empty, no database, damaged, locked.
  static Result<Database> open(const std::string& path, int busy_ms);

  // Names of the table's columns as they are spelled there; none: there is no such table.
  Result<std::vector<std::string>> columns(std::string_view table) const;
  Result<Query> query(const std::string& sql) const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  std::unique_ptr<sqlite3, Close> connection_;
};

// `name` as an identifier of SQL, whatever its letters are.
std::string sql_name(std::string_view name);

}  // namespace m2
