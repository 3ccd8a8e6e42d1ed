// What loading a database says, as lines to compare with.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "master/store/load.h"
#include "tests/unit/master/store/test_database.h"

namespace m2 {

inline constexpr char kUuid[] = "f400bf85-4538-4f7a-8908-67e313d515c2";

// Each finding as "error: ..." or "warning: ...".
inline std::vector<std::string> lines(const Loaded& loaded) {
  std::vector<std::string> all;
  for (const Finding& finding : loaded.findings) {
    const bool is_error = finding.severity == Finding::Severity::kError;
    all.push_back((is_error ? "error: " : "warning: ") + finding.text);
    EXPECT_EQ(finding.text.find('\n'), std::string::npos) << finding.text;
  }
  const bool has_error = std::any_of(
      all.begin(), all.end(), [](const std::string& line) { return line.starts_with("error"); });
  EXPECT_EQ(loaded.config.has_value(), !has_error);
  return all;
}

using Lines = std::vector<std::string>;

// What is found in the 1.12 database after some SQL, but for its one known warning.
inline Lines after(const std::string& sql, const std::string& server = kUuid) {
  TestDatabase database(read_file("tests/golden/m2sh_1_12.sql"));
  database.run("DELETE FROM setting WHERE key = 'limits.min_ping';" + sql);
  return lines(load_config(database.path(), server, false));
}

}  // namespace m2
