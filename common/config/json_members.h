// Members of a JSON object, read into rows: what image.cc is made of. Included by image.cc alone.
#pragma once

// Errors are codes here; what throws does not even compile.
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace m2 {

// The first thing wrong is kept, everything after it gives empty values, so
// that a reader of a row need not ask after each member.
class Members {
 public:
  Members(simdjson::dom::element from, std::string_view where, Status& status)
      : where_(where), status_(status) {
    if (!status_.ok()) return;  // from may be nothing at all
    valid_ = from.get(object_) == simdjson::SUCCESS;
    if (!valid_) fail("is not an object");
  }

  std::string text(std::string_view key) {
    std::string_view value;
    if (!valid_ || object_[key].get(value) != simdjson::SUCCESS) fail(key);
    return std::string(value);
  }

  template <typename Number>
  Number number(std::string_view key, int64_t least = std::numeric_limits<Number>::min(),
                int64_t most = std::numeric_limits<Number>::max()) {
    int64_t value = 0;
    if (!valid_ || object_[key].get(value) != simdjson::SUCCESS || value < least || value > most) {
      fail(key);
      return 0;
    }
    return static_cast<Number>(value);
  }

  bool boolean(std::string_view key) {
    bool value = false;
    if (!valid_ || object_[key].get(value) != simdjson::SUCCESS) fail(key);
    return value;
  }

  // Where the text stands among the names; 0 when it is not there (and the reading has failed).
  size_t choice(std::string_view key, std::span<const std::string_view> names) {
    const auto found = std::find(names.begin(), names.end(), text(key));
    if (found == names.end()) {
      fail(key);
      return 0;
    }
    return static_cast<size_t>(found - names.begin());
  }

  // Look at status before looking at what comes back.
  simdjson::dom::element member(std::string_view key) {
    simdjson::dom::element value;
    if (!valid_ || object_[key].get(value) != simdjson::SUCCESS) fail(key);
    return value;
  }

  template <typename Row>
  std::vector<Row> rows(std::string_view key, Row (*read_row)(simdjson::dom::element, Status&)) {
    std::vector<Row> all;
    simdjson::dom::array items;
    if (!valid_ || object_[key].get(items) != simdjson::SUCCESS) {
      fail(key);
      return all;
    }
    all.reserve(items.size());
    for (const simdjson::dom::element item : items) {
      if (!status_.ok()) break;
      all.push_back(read_row(item, status_));
    }
    return all;
  }

 private:
  void fail(std::string_view what) {
    if (!status_.ok()) return;
    status_ =
        Status::error("image, " + std::string(where_) + ": bad or missing: " + std::string(what));
  }

  std::string_view where_;
  Status& status_;
  simdjson::dom::object object_;
  bool valid_ = false;
};

}  // namespace m2
