// The table of settings: key, type, default, least, most, help, in one place (docs/settings.md is
// made from it). Values come from the `setting` table of the database; what is not there has its
// default. A value out of range or of the wrong type is a finding of the checker, never clamped.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/status.h"

namespace m2 {

enum class SettingType : uint8_t { kNumber, kFlag, kText, kChoice };

struct SettingSpec {
  std::string_view key;
  SettingType type;
  int64_t default_number;  // kFlag: 0 or 1
  std::string_view default_text;
  int64_t least;
  int64_t most;
  std::string_view unit;  // "bytes", "ms", "s", "" ...; kChoice: the words there are
  std::string_view help;  // one sentence
  bool has_effect;        // false: accepted for Mongrel2 1.x, no meaning in this design
};

// Every setting there is, in the order of the documentation.
std::span<const SettingSpec> setting_specs();
// nullptr: no such setting.
const SettingSpec* find_setting(std::string_view key);

class Settings {
 public:
  // Refused: unknown key, not a number, out of range; the message names key, value and bounds.
  Status set(std::string_view key, std::string_view value);

  // The key must exist with this type (CHECKed: a wrong key is a bug). A choice is a text.
  int64_t number(std::string_view key) const;
  bool flag(std::string_view key) const;
  const std::string& text(std::string_view key) const;

  // What was set explicitly as one line for the log, "workers=2, pipelining=1"; "": nothing.
  std::string summary() const;
  // What was set explicitly, by key.
  const std::unordered_map<std::string, std::string>& explicit_values() const { return values_; }

 private:
  std::unordered_map<std::string, std::string> values_;
};

}  // namespace m2
