// Collecting findings, and the one form that places and values have in all of them.
#include "master/store/finding.h"

#include <utility>

#include "common/in_quotes.h"

namespace m2 {

void Findings::error(std::string_view place, std::string_view what) {
  error(std::string(place).append(": ").append(what));
}

void Findings::error(std::string line) {
  has_error_ = true;
  add(Finding::Severity::kError, std::move(line));
}

void Findings::warn(std::string_view place, std::string_view what) {
  add(Finding::Severity::kWarning, std::string(place).append(": ").append(what));
}

void Findings::add(Finding::Severity severity, std::string line) {
  // Values are quoted already; SQLite's own words and the name of the file may hold anything.
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  if (kept_.size() == kKept) {
    ++dropped_;
  } else {
    kept_.push_back({severity, std::move(line)});
  }
}

std::vector<Finding> Findings::take() {
  if (dropped_ > 0) {
    const auto severity = has_error_ ? Finding::Severity::kError : Finding::Severity::kWarning;
    kept_.push_back({severity, "database: " + std::to_string(std::exchange(dropped_, 0)) +
                                   " more findings are not listed; repair these first"});
  }
  return std::exchange(kept_, {});
}

std::string at_row(std::string_view table, int64_t row) {
  return std::string(table) + " row " + std::to_string(row);
}

std::string at_cell(std::string_view table, int64_t row, std::string_view column,
                    std::string_view value) {
  return at_row(table, row).append(", ").append(column).append(" ").append(in_quotes(value));
}

}  // namespace m2
