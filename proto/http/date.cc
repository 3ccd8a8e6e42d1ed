// HTTP dates to and from seconds, by the calendar of <chrono>. Called for Date and Last-Modified
// and for the conditions on them.
#include "proto/http/date.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "proto/http/syntax.h"

namespace m2 {
namespace {

constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::array<std::string_view, 7> kLongDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr int64_t kFirst = -62167219200;  // 0000-01-01 00:00:00
constexpr int64_t kLast = 253402300799;   // 9999-12-31 23:59:59

// Decimal, with zeros in front, `digits` of them.
void put(char* out, unsigned number, int digits) {
  while (digits-- > 0) {
    out[digits] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
}

// Takes a date apart from left to right; once something is not as expected, everything fails.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void literal(std::string_view wanted) {
    ok_ = ok_ && rest_.substr(0, wanted.size()) == wanted;
    if (ok_) rest_.remove_prefix(wanted.size());
  }
  unsigned digits(size_t count) {
    unsigned number = 0;
    for (size_t i = 0; i < count; ++i) {
      ok_ = ok_ && i < rest_.size() && is(rest_[i], kDigitChar);
      if (ok_) number = number * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(count);
    return number;
  }
  // "06" or " 6".
  unsigned padded_day() {
    if (rest_.empty() || rest_.front() != ' ') return digits(2);
    literal(" ");
    return digits(1);
  }
  // Index of one of the three-letter names.
  unsigned name(std::string_view names) {
    for (size_t i = 0; ok_ && i < names.size(); i += 3) {
      if (rest_.substr(0, 3) != names.substr(i, 3)) continue;
      rest_.remove_prefix(3);
      return static_cast<unsigned>(i / 3);
    }
    ok_ = false;
    return 0;
  }
  void time() {
    hour_ = digits(2);
    literal(":");
    minute_ = digits(2);
    literal(":");
    second_ = digits(2);
  }
  std::optional<std::time_t> result(unsigned year, unsigned month_index, unsigned day) const {
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(year)),
                                           std::chrono::month(month_index + 1),
                                           std::chrono::day(day));
    // 60: a leap second, which counts as the first of the next minute.
    if (!ok_ || !rest_.empty() || !date.ok() || hour_ > 23 || minute_ > 59 || second_ > 60) {
      return std::nullopt;
    }
    const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return days * 86400 + hour_ * 3600 + minute_ * 60 + second_;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
  unsigned hour_ = 0, minute_ = 0, second_ = 0;
};

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<std::time_t> parse_imf(std::string_view text) {
  Scanner scan(text);
  scan.name(kDays);
  scan.literal(", ");
  const unsigned day = scan.digits(2);
  scan.literal(" ");
  const unsigned month = scan.name(kMonths);
  scan.literal(" ");
  const unsigned year = scan.digits(4);
  scan.literal(" ");
  scan.time();
  scan.literal(" GMT");
  return scan.result(year, month, day);
}

// "Sunday, 06-Nov-94 08:49:37 GMT"; text begins behind the comma.
std::optional<std::time_t> parse_rfc850(std::string_view text) {
  Scanner scan(text);
  scan.literal(", ");
  const unsigned day = scan.digits(2);
  scan.literal("-");
  const unsigned month = scan.name(kMonths);
  scan.literal("-");
  const unsigned year = scan.digits(2);
  scan.literal(" ");
  scan.time();
  scan.literal(" GMT");
  return scan.result(year + (year < 70 ? 2000 : 1900), month, day);
}

// "Sun Nov  6 08:49:37 1994"
std::optional<std::time_t> parse_asctime(std::string_view text) {
  Scanner scan(text);
  scan.name(kDays);
  scan.literal(" ");
  const unsigned month = scan.name(kMonths);
  scan.literal(" ");
  const unsigned day = scan.padded_day();
  scan.literal(" ");
  scan.time();
  scan.literal(" ");
  const unsigned year = scan.digits(4);
  return scan.result(year, month, day);
}

}  // namespace

void write_http_date(std::time_t when, char* out) {
  const int64_t seconds = std::clamp<int64_t>(when, kFirst, kLast);
  const std::chrono::sys_seconds moment{std::chrono::seconds(seconds)};
  const auto midnight = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(midnight);
  const auto in_day = static_cast<unsigned>((moment - midnight).count());

  std::memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", kHttpDateBytes);
  std::memcpy(out, kDays.data() + 3 * std::chrono::weekday(midnight).c_encoding(), 3);
  put(out + 5, static_cast<unsigned>(date.day()), 2);
  std::memcpy(out + 8, kMonths.data() + 3 * (static_cast<unsigned>(date.month()) - 1), 3);
  put(out + 12, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  put(out + 17, in_day / 3600, 2);
  put(out + 20, in_day / 60 % 60, 2);
  put(out + 23, in_day % 60, 2);
}

std::optional<std::time_t> parse_http_date(std::string_view text) {
  if (text.size() > 3 && text[3] == ',') return parse_imf(text);
  if (text.size() > 3 && text[3] == ' ') return parse_asctime(text);
  const size_t comma = text.find(',');
  const std::string_view day = text.substr(0, comma);
  if (std::find(kLongDays.begin(), kLongDays.end(), day) == kLongDays.end()) return std::nullopt;
  return parse_rfc850(text.substr(day.size()));
}

}  // namespace m2
