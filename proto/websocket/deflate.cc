#include "proto/websocket/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/check.h"
#include "proto/http/syntax.h"

namespace m2 {
namespace {

constexpr int kLeastBits = 9;  // zlib cannot write raw deflate with 8
constexpr int kMostBits = 15;
constexpr int kLevel = 1;  // most of the gain at a third of the time of zlib's default
constexpr int kMemory = 8;
constexpr size_t kStep = 16 * 1024;
// What ends a message deflated with Z_SYNC_FLUSH, and is left out on the wire (RFC 7692, 7.2.1).
constexpr std::string_view kTail("\x00\x00\xff\xff", 4);

unsigned char* bytes_in(std::string_view text) {
  return reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
}

bool next_parameter(std::string_view& rest, std::string_view& name, std::string_view& value) {
  if (rest.empty()) return false;
  const size_t end = rest.find(';');
  const std::string_view parameter = trim_blanks(rest.substr(0, end));
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  const size_t equals = parameter.find('=');
  name = trim_blanks(parameter.substr(0, equals));
  value = equals == std::string_view::npos ? std::string_view()
                                           : trim_blanks(parameter.substr(equals + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return true;
}

// 0: not a number of bits.
uint8_t window_bits(std::string_view value) {
  uint8_t bits = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), bits);
  const bool number = parsed.ec == std::errc() && parsed.ptr == value.data() + value.size();
  return number && bits >= 8 && bits <= kMostBits && value.front() != '0' ? bits : 0;
}

// Whether one offer, "permessage-deflate; a; b=1", can be met, and how.
bool meet(std::string_view offer, uint8_t bits_max, DeflateAgreement& agreement) {
  std::string_view name;
  std::string_view value;
  if (!next_parameter(offer, name, value) || name != "permessage-deflate") return false;
  uint8_t asked = 0;
  std::array<bool, 4> seen{};
  const auto once = [&seen](size_t parameter) { return !std::exchange(seen[parameter], true); };
  while (next_parameter(offer, name, value)) {
    if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
      if (!value.empty() || !once(name.front() == 's' ? 0 : 1)) return false;
    } else if (name == "client_max_window_bits") {  // we can read whatever it writes
      if (!once(2) || (!value.empty() && window_bits(value) == 0)) return false;
    } else if (name == "server_max_window_bits") {
      asked = window_bits(value);
      if (!once(3) || asked < kLeastBits) return false;
    } else {
      return false;
    }
  }
  agreement.window_bits = asked == 0 ? bits_max : std::min(asked, bits_max);
  agreement.answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  if (asked != 0) {
    agreement.answer += "; server_max_window_bits=" + std::to_string(agreement.window_bits);
  }
  return true;
}

}  // namespace

DeflateAgreement agree_on_deflate(std::string_view offers, uint8_t window_bits_max) {
  CHECK(window_bits_max >= kLeastBits && window_bits_max <= kMostBits);
  DeflateAgreement agreement;
  std::string_view offer;
  while (next_element(offers, offer)) {
    if (meet(offer, window_bits_max, agreement)) return agreement;
  }
  return {};
}

struct DeflateStreams::Deflater {
  explicit Deflater(int bits) {
    CHECK(::deflateInit2(&stream, kLevel, Z_DEFLATED, -bits, kMemory, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Deflater() { ::deflateEnd(&stream); }
  z_stream stream{};
};

struct DeflateStreams::Inflater {
  Inflater() { CHECK(::inflateInit2(&stream, -kMostBits) == Z_OK); }
  ~Inflater() { ::inflateEnd(&stream); }
  z_stream stream{};
};

DeflateStreams::DeflateStreams() = default;
DeflateStreams::~DeflateStreams() = default;

void DeflateStreams::deflate(std::string_view bytes, uint8_t window_bits, std::string& out) {
  CHECK(window_bits >= kLeastBits && window_bits <= kMostBits && bytes.size() <= UINT32_MAX / 2);
  auto& deflater = deflaters_[static_cast<size_t>(window_bits - kLeastBits)];
  if (deflater == nullptr) deflater = std::make_unique<Deflater>(window_bits);
  z_stream& stream = deflater->stream;
  ::deflateReset(&stream);
  out.resize(::deflateBound(&stream, static_cast<uLong>(bytes.size())) + 16);
  stream.next_in = bytes_in(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = bytes_in(out);
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(::deflate(&stream, Z_SYNC_FLUSH) == Z_OK && stream.avail_in == 0 && stream.avail_out != 0);
  out.resize(out.size() - stream.avail_out);
  CHECK(std::string_view(out).ends_with(kTail));
  out.resize(out.size() - kTail.size());
  if (out.empty()) out.push_back('\0');  // an empty message is one empty block
}

DeflateStreams::Inflated DeflateStreams::inflate(std::string_view bytes, uint64_t bytes_max,
                                                 std::string& out) {
  if (inflater_ == nullptr) inflater_ = std::make_unique<Inflater>();
  z_stream& stream = inflater_->stream;
  ::inflateReset(&stream);
  out.clear();
  size_t size = 0;
  for (const std::string_view part : {bytes, kTail}) {
    CHECK(part.size() <= UINT32_MAX);
    stream.next_in = bytes_in(part);
    stream.avail_in = static_cast<uInt>(part.size());
    do {
      if (size > bytes_max) return Inflated::kTooBig;
      out.resize(size + kStep);
      stream.next_out = bytes_in(out) + size;
      stream.avail_out = kStep;
      const int result = ::inflate(&stream, Z_SYNC_FLUSH);
      size += kStep - stream.avail_out;
      // A final block is allowed; behind it may come more (RFC 7692, 7.2.3.4).
      if (result == Z_STREAM_END) {
        if (::inflateReset(&stream) != Z_OK) return Inflated::kBroken;
        continue;
      }
      if (result != Z_OK && result != Z_BUF_ERROR) return Inflated::kBroken;
    } while (stream.avail_in != 0 || size == out.size());
  }
  out.resize(size);
  return size > bytes_max ? Inflated::kTooBig : Inflated::kOk;
}

}  // namespace m2
