// Text and tables of docs/settings.md. Every word of the page is here or in the table of settings.
#include "common/config/settings_page.h"

#include <string>
#include <string_view>

#include "common/config/settings.h"

namespace m2 {
namespace {

constexpr std::string_view kIntroduction =
    R"(# Settings

This page is the output of `mongrel2 --settings`; change `common/config/settings.cc`, not the page.

A setting is a row of the table `setting` (`key`, `value`), shared by all servers of a database. In
a configuration file they are the second part of a commit:

```python
commit([main], settings={"limits.buffer_size": 8192, "workers": 4})
```

What is not set has its default. A value of the wrong kind or out of bounds is an error: the server
does not start, a reload changes nothing. A key that is not on this page is a warning. Settings are
read again at each reload (SIGHUP).

Numbers are whole and decimal. A flag is 0 or 1. Times are in milliseconds.

)";

constexpr std::string_view kWithoutEffect = R"(
## Accepted without effect

These keys belong to Mongrel2 1.x. A database that sets them is read as it is; the checker warns
that they change nothing.

| key | default | why |
|---|---|---|
)";

std::string standard(const SettingSpec& spec) {
  const bool is_word = spec.type == SettingType::kText || spec.type == SettingType::kChoice;
  if (!is_word) return std::to_string(spec.default_number);
  return spec.default_text.empty() ? "not set" : "`" + std::string(spec.default_text) + "`";
}

std::string bounds(const SettingSpec& spec) {
  switch (spec.type) {
    case SettingType::kText:
      return "text";
    case SettingType::kFlag:
      return "flag";
    case SettingType::kChoice:
      return std::string(spec.unit);
    case SettingType::kNumber:
      break;
  }
  std::string text = std::to_string(spec.least) + " to " + std::to_string(spec.most);
  if (!spec.unit.empty()) text.append(" ").append(spec.unit);
  return text;
}

void print(std::FILE* out, std::string_view text) { std::fwrite(text.data(), 1, text.size(), out); }

void print_row(std::FILE* out, std::initializer_list<std::string_view> cells) {
  std::string line = "|";
  for (const std::string_view cell : cells) line.append(" ").append(cell).append(" |");
  print(out, line + "\n");
}

}  // namespace

void print_settings_markdown(std::FILE* out) {
  print(out, kIntroduction);
  print_row(out, {"key", "default", "values", "what it does"});
  print(out, "|---|---|---|---|\n");
  for (const SettingSpec& spec : setting_specs()) {
    if (!spec.has_effect) continue;
    print_row(out, {"`" + std::string(spec.key) + "`", standard(spec), bounds(spec), spec.help});
  }
  print(out, kWithoutEffect);
  for (const SettingSpec& spec : setting_specs()) {
    if (spec.has_effect) continue;
    print_row(out, {"`" + std::string(spec.key) + "`", standard(spec), spec.help});
  }
}

}  // namespace m2
