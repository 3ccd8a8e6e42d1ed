// Storage classes are taken as they come: SQLite keeps a port as text where a column lost its type,
// and 1.0 declared default_host as a number.
#include "master/store/rows.h"

#include <strings.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "common/check.h"
#include "common/config/model.h"
#include "common/utf8.h"

namespace m2 {
namespace {

std::optional<int64_t> parse_number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

// nullptr: nothing wrong.
const char* text_fault(CellType type, std::string_view value) {
  static_assert(RowReader::kTextBytesMax == 8192);
  if (type == CellType::kBlob) return "is binary data; write it as text";
  if (value.size() > RowReader::kTextBytesMax) return "is longer than 8192 bytes; shorten it";
  if (value.find('\0') != std::string_view::npos) return "has a zero byte inside; remove it";
  if (!is_utf8(value)) return "is not UTF-8; write other bytes of a URL with percent signs";
  return nullptr;
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

RowReader::RowReader(ReadContext& context, const Table& table) : context_(context), table_(table) {
  if (!find_columns()) return;
  std::string sql = "SELECT ";
  int position = 0;
  for (size_t at = 0; at < table.columns.size(); ++at) {
    if (positions_[at] < 0) continue;
    if (position > 0) sql += ", ";
    sql += sql_name(table.columns[at].name);
    positions_[at] = position++;
  }
  sql += " FROM " + sql_name(table.name) + " ORDER BY id";
  Result<Query> query = context.database.query(sql);
  if (query.ok()) {
    query_ = std::move(query).value();
  } else {
    fail(query.message());
  }
}

// Fills positions_ with 0 for what is there and -1 for what is not. False: nothing can be read.
bool RowReader::find_columns() {
  const Result<std::vector<std::string>> there = context_.database.columns(table_.name);
  if (!there.ok()) {
    fail(there.message());
    return false;
  }
  if (there.value().empty()) {
    if (table_.since_2010) fail("is missing; make the tables with m2sh init -db FILE");
    return false;
  }
  bool complete = true;
  for (const Column& column : table_.columns) {
    bool found = false;
    for (const std::string& name : there.value()) found = found || same_name(name, column.name);
    positions_.push_back(found ? 0 : -1);
    if (found || !column.since_2010) continue;
    complete = false;
    if (!table_.since_2010) continue;
    fail("has no column " + std::string(column.name) +
         "; make the tables anew with m2sh init -db FILE");
  }
  return complete;
}

void RowReader::fail(std::string_view what) {
  context_.failed = true;
  context_.findings.error("table " + std::string(table_.name), what);
}

bool RowReader::next() {
  if (!query_ || context_.bytes_left == 0) return false;
  const Result<bool> row = query_->step();
  if (!row.ok()) fail(row.message());
  return row.ok() && row.value();
}

size_t RowReader::column_index(std::string_view column) const {
  for (size_t at = 0; at < table_.columns.size(); ++at) {
    if (table_.columns[at].name == column) return at;
  }
  CHECK(!"a column that the schema does not name");
  return 0;
}

int64_t RowReader::id() const { return query_->integer(positions_[column_index("id")]); }

std::optional<int64_t> RowReader::cell_number(int position) const {
  switch (query_->type(position)) {
    case CellType::kInteger:
      return query_->integer(position);
    case CellType::kText:
      return parse_number(query_->text(position));
    case CellType::kReal: {
      const double value = query_->real(position);
      if (std::fabs(value) > 9e15 || value != std::floor(value)) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    case CellType::kNull:
    case CellType::kBlob:
      break;
  }
  return std::nullopt;
}

std::optional<int64_t> RowReader::reference(std::string_view column) const {
  const int position = positions_[column_index(column)];
  return position < 0 ? std::nullopt : cell_number(position);
}

std::string RowReader::peek(std::string_view column) const {
  const size_t index = column_index(column);
  if (positions_[index] < 0 || query_->type(positions_[index]) == CellType::kNull) {
    return std::string(table_.columns[index].fallback);
  }
  return std::string(query_->text(positions_[index]).substr(0, kTextBytesMax));
}

std::string RowReader::text(std::string_view column) {
  const size_t index = column_index(column);
  const std::string fallback(table_.columns[index].fallback);
  const int position = positions_[index];
  if (position < 0 || query_->type(position) == CellType::kNull) return fallback;
  const std::string_view value = query_->text(position);
  if (const char* fault = text_fault(query_->type(position), value)) {
    context_.findings.error(place(column), fault);
    return fallback;
  }
  const size_t cost = value.size() + sizeof(std::string);
  if (cost > context_.bytes_left) {
    if (context_.bytes_left > 0) fail("the configuration is over 256 MiB; remove unused rows");
    context_.bytes_left = 0;
    return fallback;
  }
  context_.bytes_left -= cost;
  return std::string(value);
}

int64_t RowReader::number(std::string_view column, int64_t least, int64_t most) {
  const size_t index = column_index(column);
  const int position = positions_[index];
  const std::string_view fallback = table_.columns[index].fallback;
  const bool is_null = position < 0 || query_->type(position) == CellType::kNull;
  const auto value = is_null ? parse_number(fallback) : cell_number(position);
  if (value && *value >= least && *value <= most) return *value;
  std::string expected = "must be a whole number";
  if (least != std::numeric_limits<int64_t>::min()) {
    expected += " from " + std::to_string(least) + " to " + std::to_string(most);
  }
  context_.findings.error(place(column), expected);
  return least;
}

uint32_t RowReader::time_ms(std::string_view column) {
  constexpr int64_t kDayMs = 24 * 3600 * 1000;
  const int64_t value = number(column, -1, kDayMs);
  return value < 0 ? kAsSetting : static_cast<uint32_t>(value);
}

std::string RowReader::place(std::string_view column) const {
  const size_t index = column_index(column);
  const int position = positions_[index];
  if (position < 0) return at_row(table_.name, id()) + ", " + std::string(column);
  switch (query_->type(position)) {
    case CellType::kNull:
      return at_row(table_.name, id()) + ", " + std::string(column) + " NULL";
    case CellType::kInteger:
    case CellType::kReal:
      return at_row(table_.name, id()) + ", " + std::string(column) + " " +
             std::string(query_->text(position));
    default:
      return at_cell(table_.name, id(), column, query_->text(position));
  }
}

}  // namespace m2
