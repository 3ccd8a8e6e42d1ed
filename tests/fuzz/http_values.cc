// Fuzzes what is read out of single values: paths, dates, conditions, ranges, codings, MIME
// look-up, lengths, hosts. Checked is what must hold whatever the input.
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "common/check.h"
#include "proto/http/accept_encoding.h"
#include "proto/http/conditions.h"
#include "proto/http/date.h"
#include "proto/http/mime.h"
#include "proto/http/ranges.h"
#include "proto/http/syntax.h"
#include "proto/http/uri.h"

namespace {

// Whatever comes out can be opened beneath a directory.
void check_path(std::string_view text) {
  std::string decoded, path, again;
  if (!m2::percent_decode(text, decoded)) return;
  CHECK(decoded.size() <= text.size() && decoded.find('\0') == std::string::npos);
  if (!m2::remove_dot_segments(decoded, path)) return;
  CHECK(path.size() <= decoded.size());
  CHECK(path.empty() || path.front() != '/');
  const std::string framed = '/' + path + '/';
  CHECK(framed.find("/../") == std::string::npos && framed.find("/./") == std::string::npos);
  CHECK(path.find("//") == std::string::npos);
  CHECK(m2::remove_dot_segments(path, again) && again == path);
}

void check_date(std::string_view text) {
  const std::optional<std::time_t> when = m2::parse_http_date(text);
  if (!when) return;
  char written[m2::kHttpDateBytes];
  m2::write_http_date(*when, written);
  const std::optional<std::time_t> again = m2::parse_http_date({written, sizeof written});
  CHECK(again == when || *when > 253402300799);  // a leap second at the end of 9999
}

// Whatever is asked for lies inside, once, and in bounds.
void check_ranges(std::string_view text, uint64_t size) {
  const m2::Ranges ranges = m2::parse_ranges(text, size);
  CHECK((ranges.verdict == m2::RangeVerdict::kPartial) == !ranges.list.empty());
  CHECK(ranges.list.size() <= m2::kRangesMax);
  uint64_t sum = 0;
  for (const m2::ByteRange& range : ranges.list) {
    CHECK(range.first <= range.last && range.last < size);
    sum += range.length();
  }
  CHECK(sum <= size);
}

// What is chosen was offered.
void check_coding(std::string_view text) {
  for (unsigned offered = 0; offered < 16; offered += 2) {
    const m2::ContentCoding coding = m2::choose_coding(text, static_cast<m2::CodingSet>(offered));
    if (coding == m2::ContentCoding::kIdentity || coding == m2::ContentCoding::kNone) continue;
    CHECK((m2::coding_bit(coding) & offered) != 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // An own block, so that a look behind it is noticed.
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_path(text);
  check_date(text);
  for (const uint64_t length : {uint64_t{0}, uint64_t{10}, UINT64_MAX}) check_ranges(text, length);
  check_coding(text);

  static const m2::MimeTable table = [] {
    m2::MimeTable made;
    made.add(".html", "text/html");
    made.add(".tar.gz", "application/x-gtar");
    return made;
  }();
  CHECK(table.find(text).empty() || text.find('.') != std::string::npos);

  const size_t control = m2::find_control(text);
  for (size_t i = 0; i < text.size() && i < control; ++i) CHECK(m2::is(text[i], m2::kFieldChar));
  CHECK(control == std::string::npos || !m2::is(text[control], m2::kFieldChar));
  if (m2::is_authority(text)) CHECK(text.find_first_of("/?#@ ") == std::string::npos);
  if (const auto length = m2::parse_length(text)) CHECK(*length <= INT64_MAX);

  const std::string_view third = std::string_view(text).substr(0, size / 3);
  const std::string_view rest = std::string_view(text).substr(size / 3);
  for (const std::string_view etag : {std::string_view("\"a\""), third}) {
    m2::evaluate_conditions({third, rest, {}, rest}, etag, 784111777);
    m2::evaluate_conditions({{}, rest, third, {}}, etag, 784111777);
    m2::if_range_holds(rest, etag, 784111777, 784111778);
  }
  return 0;
}
