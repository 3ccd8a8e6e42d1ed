#include "proto/handler/netstring.h"

#include <charconv>

namespace m2 {

namespace {

constexpr size_t kNumberMax = 20;  // digits of 2^64, or a sign and 19 digits

template <typename Number>
std::string_view print(Number number, char (&digits)[kNumberMax]) {
  const char* end = std::to_chars(digits, digits + kNumberMax, number).ptr;
  return {digits, static_cast<size_t>(end - digits)};
}

}  // namespace

void append_decimal(std::string& out, uint64_t number) {
  char digits[kNumberMax];
  out.append(print(number, digits));
}

void append_netstring(std::string& out, std::string_view data, char tag) {
  append_decimal(out, data.size());
  out.push_back(':');
  out.append(data);
  out.push_back(tag);
}

void append_tnet_number(std::string& out, int64_t number) {
  char digits[kNumberMax];
  append_netstring(out, print(number, digits), '#');
}

}  // namespace m2
