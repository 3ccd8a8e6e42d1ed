#include "proto/handler/repeated_headers.h"

#include <algorithm>
#include <charconv>

#include "common/check.h"

namespace m2 {
namespace {

constexpr size_t kValueMax = 16;

// number and a colon.
std::string_view print_size(std::array<char, 24>& to, std::string_view before, size_t number) {
  char* end = std::copy(before.begin(), before.end(), to.data());
  end = std::to_chars(end, end + 20, number).ptr;
  *end++ = ':';
  return {to.data(), static_cast<size_t>(end - to.data())};
}

std::string_view encode(std::array<char, 24>& to, std::string_view value, bool tnetstring) {
  CHECK(value.size() <= kValueMax);
  to[0] = '"';
  const size_t at = tnetstring ? print_size(to, {}, value.size()).size() : 1;
  char* const end = std::copy(value.begin(), value.end(), to.data() + at);
  *end = tnetstring ? ',' : '"';
  return {to.data(), at + value.size() + 1};
}

}  // namespace

RepeatedHeaders::RepeatedHeaders(const HandlerRequest& request, HeaderFormat format)
    : format_(format) {
  std::string whole;
  const RequestPlaces places = write_request(request, format, whole);
  CHECK(places.value_at != 0);
  const std::string_view text = whole;
  const std::string_view head = text.substr(0, places.block_size_at);
  const std::string_view before = text.substr(places.block_at, places.value_at - places.block_at);
  const std::string_view behind =
      text.substr(places.value_end, places.block_end - places.value_end);
  bytes_.reserve(head.size() + before.size() + behind.size());
  bytes_.append(head).append(before).append(behind);
  block_at_ = static_cast<uint32_t>(head.size());
  value_at_ = static_cast<uint32_t>(head.size() + before.size());
}

RepeatedHeaders::Message::Message(const RepeatedHeaders& headers, std::string_view value,
                                  std::string_view body) {
  const bool tnetstring = headers.format_ == HeaderFormat::kTnetstring;
  const std::string_view all = headers.bytes_;
  const std::string_view encoded = encode(value_, value, tnetstring);
  pieces_ = {all.substr(0, headers.block_at_),
             print_size(block_size_, {}, all.size() - headers.block_at_ + encoded.size()),
             all.substr(headers.block_at_, headers.value_at_ - headers.block_at_),
             encoded,
             all.substr(headers.value_at_),
             print_size(body_size_, tnetstring ? "}" : ",", body.size()),
             body,
             ","};
}

}  // namespace m2
