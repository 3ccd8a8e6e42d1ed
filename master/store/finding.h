// Findings: what is wrong with a database, one line each, for people. Every rule of the store
// reports here and goes on, so that one run names all faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace m2 {

struct Finding {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string text;  // one line: table, row, column, value, what is wrong, what to do
};

class Findings {
 public:
  // More than this are counted, not kept: a database can be wrong in every row.
  static constexpr size_t kKept = 1000;

  // place: one of the functions below.
  void error(std::string_view place, std::string_view what);
  void error(std::string line);  // place and all
  void warn(std::string_view place, std::string_view what);
  bool has_error() const { return has_error_; }
  // In the order found; at the end how many were not kept, if any.
  std::vector<Finding> take();

 private:
  void add(Finding::Severity severity, std::string line);

  std::vector<Finding> kept_;
  size_t dropped_ = 0;
  bool has_error_ = false;
};

// `directory row 3`
std::string at_row(std::string_view table, int64_t row);
// `directory row 3, base "static"`
std::string at_cell(std::string_view table, int64_t row, std::string_view column,
                    std::string_view value);

}  // namespace m2
