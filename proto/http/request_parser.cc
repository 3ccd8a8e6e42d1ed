// The request head, line by line: request line, fields, blank line (RFC 9112 2 to 6). The hottest
// code of a worker beside its system calls: one memchr finds a line, one pass takes it.
#include "proto/http/request_parser.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "common/check.h"
#include "proto/http/request_target.h"
#include "proto/http/syntax.h"

namespace m2 {
namespace {

constexpr size_t kVersionBytes = 8;  // "HTTP/1.1"
constexpr size_t kMethodBytesMax = 20;
constexpr uint8_t kBlankLinesMax = 2;  // RFC 9112 2.2 asks for at least one
constexpr size_t kUsualFields = 16;    // room for the fields of most requests in one allocation

Slice slice(size_t begin, size_t end) {
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin)};
}

}  // namespace

bool RequestParser::refuse(int status, std::string_view reason, size_t offset) {
  status_ = static_cast<uint16_t>(status);
  reason_ = reason;
  position_ = offset;
  return false;
}

ParseState RequestParser::parse(std::string_view bytes, RequestHead& head) {
  CHECK(stage_ != Stage::kDone && bytes.size() >= searched_);
  if (status_ != 0) return ParseState::kRefused;
  const char* base = bytes.data();
  const size_t end = std::min<size_t>(bytes.size(), limits_.head_bytes);
  while (searched_ < end) {
    const void* found = std::memchr(base + searched_, '\n', end - searched_);
    if (found == nullptr) {
      searched_ = end;
      break;
    }
    const size_t newline = static_cast<size_t>(static_cast<const char*>(found) - base);
    searched_ = newline + 1;
    if (newline == position_ || base[newline - 1] != '\r') {
      refuse(400, "line ends in LF without CR (RFC 9112 2.2)", newline);
      return ParseState::kRefused;
    }
    if (!take_line(base, newline - 1, head)) return ParseState::kRefused;
    position_ = searched_;
    if (stage_ == Stage::kDone) return ParseState::kComplete;
  }
  if (end < limits_.head_bytes) return ParseState::kIncomplete;
  if (stage_ == Stage::kRequestLine) {
    refuse(414, "request line longer than limits.buffer_size", end);
  } else {
    refuse(431, "header fields longer than limits.buffer_size", end);
  }
  return ParseState::kRefused;
}

bool RequestParser::take_line(const char* base, size_t line_end, RequestHead& head) {
  if (stage_ == Stage::kFields) {
    return line_end == position_ ? finish(head) : take_field(base, line_end, head);
  }
  if (line_end != position_) return take_request_line(base, line_end, head);
  if (++blank_lines_ <= kBlankLinesMax) return true;
  return refuse(400, "too many blank lines before the request line (RFC 9112 2.2)", position_);
}

bool RequestParser::take_request_line(const char* base, size_t line_end, RequestHead& head) {
  head.clear();
  if (head.fields.capacity() == 0) head.fields.reserve(kUsualFields);
  if (!take_version(base, line_end, head)) return false;
  const size_t target_end = line_end - kVersionBytes - 1;
  if (!take_method(base, target_end, head)) return false;
  const size_t target = head.method.offset + head.method.length + 1;
  head.target = slice(target, target_end);
  stage_ = Stage::kFields;
  return take_target(base, head);
}

// " HTTP/1.1" at the end of the line.
bool RequestParser::take_version(const char* base, size_t line_end, RequestHead& head) {
  if (line_end - position_ > kVersionBytes) {
    const char* version = base + line_end - kVersionBytes;
    if (version[-1] == ' ' && std::memcmp(version, "HTTP/", 5) == 0 && is(version[5], kDigitChar) &&
        version[6] == '.' && is(version[7], kDigitChar)) {
      // A minor version we do not know is treated as the highest we know (RFC 9110 2.5).
      head.minor_version = version[7] == '0' ? 0 : 1;
      if (version[5] == '1') return true;
      if (version[5] != '0') {
        return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here (RFC 9110 15.6.6)",
                      line_end - kVersionBytes);
      }
    }
  }
  return refuse(400, "the request line does not end in HTTP/1.0 or HTTP/1.1 (RFC 9112 2.3)",
                position_);
}

// A token and one space before `end`, the end of the target.
bool RequestParser::take_method(const char* base, size_t end, RequestHead& head) {
  size_t at = position_;
  while (at < end && is(base[at], kTokenChar)) ++at;
  if (at == end) return refuse(400, "the target is missing (RFC 9112 3)", at);
  if (base[at] != ' ' || at == position_) {
    return refuse(400, "the method is not a token and one space (RFC 9112 3.1)", at);
  }
  head.method = slice(position_, at);
  if (head.method.length > kMethodBytesMax) {
    return refuse(501, "method longer than 20 bytes", position_);
  }
  const std::string_view method = head.method.in(base);
  if (method == "CONNECT") {
    return refuse(501, "CONNECT: this server is not a tunnel (RFC 9110 9.3.6)", position_);
  }
  // It would send back what only the client and its targets may see (RFC 9110 9.3.8).
  if (method == "TRACE") return refuse(501, "TRACE is not answered (RFC 9110 9.3.8)", position_);
  return true;
}

bool RequestParser::take_target(const char* base, RequestHead& head) {
  const TargetFault fault = parse_target(base, limits_.relaxed, head);
  if (!fault.reason.empty()) return refuse(400, fault.reason, fault.offset);
  if (limits_.path_bytes != 0 && head.path.length > limits_.path_bytes) {
    return refuse(414, "path longer than limits.url_path", head.path.offset);
  }
  return true;
}

bool RequestParser::take_field(const char* base, size_t line_end, RequestHead& head) {
  size_t at = position_;
  while (at < line_end && is(base[at], kTokenChar)) ++at;
  if (at == line_end || base[at] != ':' || at == position_) return refuse_name(base, at, line_end);
  HeaderField field;
  field.name = slice(position_, at);
  size_t begin = at + 1;
  size_t end = line_end;
  while (begin < end && is_blank(base[begin])) ++begin;
  while (end > begin && is_blank(base[end - 1])) --end;
  field.value = slice(begin, end);
  const size_t control = find_control({base + begin, end - begin});
  if (control != std::string_view::npos) {
    return refuse(400, "control byte in a field value (RFC 9110 5.5)", begin + control);
  }
  if (head.fields.size() >= limits_.header_count) {
    return refuse(431, "more fields than limits.header_count", position_);
  }
  head.fields.push_back(field);
  return take_meaning(base, field, head);
}

bool RequestParser::refuse_name(const char* base, size_t at, size_t line_end) {
  if (at == line_end) return refuse(400, "field line without a colon (RFC 9112 5)", at);
  const bool blank = is_blank(base[at]);
  if (at == position_ && blank) {
    return refuse(400, "line begins with a blank: folded fields are obsolete (RFC 9112 5.2)", at);
  }
  if (at == position_ && base[at] == ':')
    return refuse(400, "field without a name (RFC 9112 5)", at);
  if (blank) return refuse(400, "blank between field name and colon (RFC 9112 5.1)", at);
  return refuse(400, "character not allowed in a field name (RFC 9110 5.6.2)", at);
}

bool RequestParser::take_meaning(const char* base, const HeaderField& field, RequestHead& head) {
  const std::string_view name = field.name.in(base);
  switch (name.size()) {
    case 4:
      return !equals_ignore_case(name, "host") || take_host(base, field.value, head);
    case 6:
      if (equals_ignore_case(name, "expect")) {
        std::string_view list = field.value.in(base), element;
        while (next_element(list, element)) {
          if (element.empty()) continue;
          // RFC 9110 10.1.1: from an HTTP/1.0 client this expectation is ignored.
          const bool known = equals_ignore_case(element, "100-continue");
          if (!known) head.expect_other = true;
          if (known && head.minor_version > 0) head.expect_continue = true;
        }
      }
      return true;
    case 7:
      if (equals_ignore_case(name, "upgrade") && !field.value.empty()) seen_ |= kUpgradeField;
      return true;
    case 10:
      if (equals_ignore_case(name, "connection")) take_connection(field.value.in(base));
      return true;
    case 14:
      return !equals_ignore_case(name, "content-length") ||
             take_content_length(base, field.value, head);
    case 17:
      return !equals_ignore_case(name, "transfer-encoding") ||
             take_transfer_encoding(base, field.value, head);
    default:
      return true;
  }
}

bool RequestParser::take_host(const char* base, Slice value, RequestHead& head) {
  if (sees(kHostField)) return refuse(400, "more than one Host field (RFC 9112 3.2)", position_);
  seen_ |= kHostField;
  // Empty is what a client sends whose URI has no authority.
  if (!value.empty() && !is_authority(value.in(base))) {
    return refuse(400, "bad host or port in the Host field (RFC 9112 3.2)", value.offset);
  }
  if (head.has_host) {  // the authority of the target takes its place (RFC 9112 3.2.2)
    head.fields.back().value = head.host;
    return true;
  }
  head.host = value;
  head.has_host = true;
  return true;
}

// Two lengths are refused even where they agree: the next program in line may not see both.
bool RequestParser::take_content_length(const char* base, Slice value, RequestHead& head) {
  if (sees(kLengthField)) {
    return refuse(400, "more than one Content-Length field (RFC 9112 6.3)", position_);
  }
  if (sees(kChunkedCoding)) {
    return refuse(400, "Content-Length and Transfer-Encoding together (RFC 9112 6.1)", position_);
  }
  const std::optional<uint64_t> length = parse_length(value.in(base));
  if (!length) {
    return refuse(400, "Content-Length is not a plain number below 2^63 (RFC 9112 6.3)",
                  value.offset);
  }
  seen_ |= kLengthField;
  head.framing = BodyFraming::kLength;
  head.content_length = *length;
  return true;
}

bool RequestParser::take_transfer_encoding(const char* base, Slice value, RequestHead& head) {
  if (head.minor_version == 0) {
    return refuse(400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)", position_);
  }
  if (sees(kLengthField)) {
    return refuse(400, "Content-Length and Transfer-Encoding together (RFC 9112 6.1)", position_);
  }
  std::string_view list = value.in(base), coding;
  if (list.empty() || list.back() == ',') {
    return refuse(400, "Transfer-Encoding is not a list of codings (RFC 9112 6.1)", value.offset);
  }
  while (next_element(list, coding)) {
    if (sees(kChunkedCoding)) {
      return refuse(400, "chunked is not the one last coding (RFC 9112 6.1)", value.offset);
    }
    if (coding.empty() || !is(coding.front(), kTokenChar)) {
      return refuse(400, "Transfer-Encoding is not a list of codings (RFC 9112 6.1)", value.offset);
    }
    if (equals_ignore_case(coding, "chunked")) {
      seen_ |= kChunkedCoding;
    } else if (!sees(kOtherCoding)) {
      seen_ |= kOtherCoding;
      other_coding_ = value.offset;
    }
  }
  head.framing = BodyFraming::kChunked;
  return true;
}

void RequestParser::take_connection(std::string_view value) {
  std::string_view option;
  while (next_element(value, option)) {
    switch (option.size()) {
      case 5:
        if (equals_ignore_case(option, "close")) seen_ |= kCloseOption;
        break;
      case 7:
        if (equals_ignore_case(option, "upgrade")) seen_ |= kUpgradeOption;
        break;
      case 10:
        if (equals_ignore_case(option, "keep-alive")) seen_ |= kKeepAliveOption;
        break;
      default:
        break;
    }
  }
}

bool RequestParser::finish(RequestHead& head) {
  if (!sees(kHostField) && head.minor_version > 0) {
    return refuse(400, "HTTP/1.1 without a Host field (RFC 9112 3.2)", position_);
  }
  if (sees(kOtherCoding) && !sees(kChunkedCoding)) {
    return refuse(400, "chunked is not the last transfer coding (RFC 9112 6.3)", other_coding_);
  }
  if (sees(kOtherCoding)) {
    return refuse(501, "transfer coding other than chunked (RFC 9112 6.1)", other_coding_);
  }
  head.keep_alive = !sees(kCloseOption) && (head.minor_version > 0 || sees(kKeepAliveOption));
  head.upgrade = sees(kUpgradeOption) && sees(kUpgradeField) && head.minor_version > 0;
  stage_ = Stage::kDone;
  return true;
}

}  // namespace m2
