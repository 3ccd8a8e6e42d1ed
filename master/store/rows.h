// Reading one table row by row, cell by cell, with the leniency that old databases need and a
// finding for each cell that cannot be used. The loader asks only for cells of rows that belong to
// the server, so that faults of other servers' rows are not reported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "master/store/finding.h"
#include "master/store/schema.h"
#include "master/store/sqlite.h"

namespace m2 {

// What all readers of one load share.
struct ReadContext {
  const Database& database;
  Findings& findings;
  // What may still be read; beyond it the database is refused.
  size_t bytes_left = size_t{256} * 1024 * 1024;
  // A table could not be read to its end: what was read is not worth checking.
  bool failed = false;
};

class RowReader {
 public:
  // Text cells longer than this are refused; a plan and a log line have to carry them.
  static constexpr size_t kTextBytesMax = 8 * 1024;

  // context and table must outlive the reader. A table that is missing and may be has no rows; one
  // that must be there, or lacks a column of 2010, is a finding and has no rows either.
  RowReader(ReadContext& context, const Table& table);

  // To the next row, in the order of id. False: no more, or reading failed (a finding).
  bool next();

  int64_t id() const;
  // The value of a column that names another row; none: NULL or not a number.
  std::optional<int64_t> reference(std::string_view column) const;
  // As it is, without findings, "" for NULL and blobs: to choose among rows.
  std::string peek(std::string_view column) const;

  // The default for NULL or a missing column. A finding, and the default: binary data, not UTF-8,
  // a NUL inside, too long.
  std::string text(std::string_view column);
  // A finding, and least: not a whole number from least to most; NULL without a default.
  int64_t number(std::string_view column, int64_t least, int64_t most);
  // Milliseconds; NULL, or -1: kAsSetting.
  uint32_t time_ms(std::string_view column);

  // Where a cell of this row is, for findings about its meaning.
  std::string place(std::string_view column) const;

 private:
  size_t column_index(std::string_view column) const;
  bool find_columns();
  std::optional<int64_t> cell_number(int position) const;
  void fail(std::string_view what);

  ReadContext& context_;
  const Table& table_;
  std::vector<int> positions_;  // by column of the table: place in the SELECT, -1 when not there
  std::optional<Query> query_;
};

}  // namespace m2
