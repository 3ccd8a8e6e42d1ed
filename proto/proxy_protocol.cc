// Parses from the first byte each time: a header is short, and nearly always comes in one piece.
#include "proto/proxy_protocol.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace m2 {
namespace {

using State = ProxyHeader::State;

constexpr std::string_view kSignature1 = "PROXY ";
constexpr size_t kBytesMax1 = 107;  // with CRLF
constexpr std::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedBytes2 = 16;

ProxyHeader bad(std::string_view what) { return {.state = State::kBad, .what = what}; }

ProxyHeader incomplete() { return {}; }

// The next word up to one space; nullopt: there is none.
std::optional<std::string_view> take_word(std::string_view& line) {
  if (line.empty()) return std::nullopt;
  const size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

std::optional<uint16_t> parse_port(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [used, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || used != end) return std::nullopt;
  return port;
}

// "TCP4 192.0.2.1 192.0.2.2 4711 80"
ProxyHeader parse_line(std::string_view line, size_t bytes) {
  const size_t spaces = static_cast<size_t>(std::count(line.begin(), line.end(), ' '));
  const std::string_view family = take_word(line).value_or("");
  if (family == "UNKNOWN") return {.state = State::kComplete, .bytes = bytes};
  if (family != "TCP4" && family != "TCP6") return bad("neither TCP4 nor TCP6 nor UNKNOWN");
  const auto source = parse_ip(take_word(line).value_or(""));
  const auto destination = parse_ip(take_word(line).value_or(""));
  const bool v4 = family == "TCP4";
  const auto fits = [v4](const std::optional<IpAddress>& address) {
    return address && (!v4 || address->is_v4());
  };
  if (!fits(source) || !fits(destination)) return bad("an address that is none of its family");
  const auto port = parse_port(take_word(line).value_or(""));
  const auto destination_port = parse_port(take_word(line).value_or(""));
  if (!port || !destination_port) return bad("a port that is none");
  if (spaces != 4) return bad("something behind the ports");
  return {.state = State::kComplete, .bytes = bytes, .source = *source, .port = *port};
}

ProxyHeader parse_version1(std::string_view bytes) {
  const std::string_view window = bytes.substr(0, kBytesMax1);
  const size_t end = window.find('\n');
  if (end == std::string_view::npos) {
    return bytes.size() < kBytesMax1 ? incomplete() : bad("a line longer than 107 bytes");
  }
  if (window[end - 1] != '\r') return bad("a line that does not end in CRLF");
  return parse_line(window.substr(kSignature1.size(), end - 1 - kSignature1.size()), end + 1);
}

// Extensions: a type, a length of two bytes, the value. That of PP2_TYPE_SSL begins with flags.
bool says_tls(std::string_view extensions) {
  constexpr uint8_t kTypeSsl = 0x20, kClientSsl = 1;
  while (extensions.size() > 3) {
    const auto* raw = reinterpret_cast<const uint8_t*>(extensions.data());
    const size_t length = static_cast<size_t>(raw[1]) << 8 | raw[2];
    if (length > extensions.size() - 3) return false;
    if (raw[0] == kTypeSsl && length > 0) return (raw[3] & kClientSsl) != 0;
    extensions.remove_prefix(3 + length);
  }
  return false;
}

ProxyHeader parse_version2(std::string_view bytes) {
  if (bytes.size() < kFixedBytes2) return incomplete();
  const auto* raw = reinterpret_cast<const uint8_t*>(bytes.data());
  const unsigned version = raw[12] >> 4, command = raw[12] & 15u;
  const unsigned family = raw[13] >> 4, transport = raw[13] & 15u;
  const size_t length = static_cast<size_t>(raw[14]) << 8 | raw[15];
  if (version != 2) return bad("a version that is not 2");
  if (command > 1) return bad("a command that is neither LOCAL nor PROXY");
  if (family > 3 || transport > 2) return bad("an unknown family or transport");
  if (kFixedBytes2 + length > kProxyHeaderBytesMax) return bad("a length above 4096 bytes");
  constexpr size_t kAddressBytes[] = {0, 12, 36, 216};  // none, IPv4, IPv6, unix: both ends
  const bool local = command == 0;
  if (!local && length < kAddressBytes[family]) return bad("a length too short for its addresses");
  if (!local && transport == 2) return bad("a client that speaks UDP");
  if (bytes.size() < kFixedBytes2 + length) return incomplete();
  ProxyHeader header{.state = State::kComplete, .bytes = kFixedBytes2 + length};
  if (local || family == 0) return header;
  const size_t fixed = kFixedBytes2 + kAddressBytes[family];
  header.tls = says_tls(bytes.substr(fixed, header.bytes - fixed));
  if (family == 3) return header;
  const size_t address_bytes = family == 1 ? 4 : 16;
  const uint8_t* ports = raw + kFixedBytes2 + 2 * address_bytes;
  header.source = ip_from_bytes(raw + kFixedBytes2, address_bytes);
  header.port = static_cast<uint16_t>(ports[0] << 8 | ports[1]);
  if (!header.source.known()) return bad("the address ::, which is nobody's");
  return header;
}

bool begins_like(std::string_view bytes, std::string_view signature) {
  const size_t count = std::min(bytes.size(), signature.size());
  return bytes.substr(0, count) == signature.substr(0, count);
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (begins_like(bytes, kSignature1)) {
    return bytes.size() < kSignature1.size() ? incomplete() : parse_version1(bytes);
  }
  if (begins_like(bytes, kSignature2)) {
    return bytes.size() < kSignature2.size() ? incomplete() : parse_version2(bytes);
  }
  return bad("no PROXY header at all");
}

}  // namespace m2
