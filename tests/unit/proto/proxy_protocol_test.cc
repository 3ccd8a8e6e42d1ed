// Goal: a PROXY header of either version is read the same however it arrives, every other byte is
// refused at once, and nothing behind it is touched. Method: whole headers, all their cuts, and one
// thing wrong at a time.
#include "proto/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

using State = ProxyHeader::State;

// What is read, in one line; a complete header is read at each shorter length first.
std::string outcome(const std::string& header, const std::string& behind = "GET / HTTP/1.1\r\n") {
  const ProxyHeader whole = parse_proxy_header(header + behind);
  if (whole.state == State::kIncomplete) return "more";
  if (whole.state == State::kBad) return "bad: " + std::string(whole.what);
  EXPECT_EQ(whole.bytes, header.size());
  for (size_t length = 0; length < header.size(); ++length) {
    EXPECT_EQ(parse_proxy_header(header.substr(0, length)).state, State::kIncomplete) << length;
  }
  EXPECT_EQ(parse_proxy_header(header).state, State::kComplete);
  return ip_text(whole.source) + " " + std::to_string(whole.port) + (whole.tls ? " tls" : "");
}

std::string v2(uint8_t command, uint8_t family, const std::string& body) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  header += static_cast<char>(command);
  header += static_cast<char>(family);
  header += static_cast<char>(body.size() >> 8);
  header += static_cast<char>(body.size() & 0xFF);
  return header + body;
}

const std::string kV4("\xC0\0\x02\x01\x7F\0\0\x01\x12\x67\0\x50", 12);
const std::string kV6 = std::string("\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01", 16) +
                        std::string(15, '\0') + '\x01' + std::string("\x12\x67\0\x50", 4);
const std::string kTlv(
    "\x04\0\x03"
    "abc",
    6);

TEST(ProxyProtocol, ReadsVersion1) {
  EXPECT_EQ(outcome("PROXY TCP4 192.0.2.1 127.0.0.1 4711 80\r\n"), "192.0.2.1 4711");
  EXPECT_EQ(outcome("PROXY TCP4 192.0.2.1 127.0.0.1 0 65535\r\n"), "192.0.2.1 0");
  EXPECT_EQ(outcome("PROXY TCP6 2001:db8::1 ::1 4711 80\r\n"), "2001:db8::1 4711");
  EXPECT_EQ(outcome("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1 1");
  EXPECT_EQ(outcome("PROXY UNKNOWN\r\n"), "- 0");
  EXPECT_EQ(outcome("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), "- 0");
  EXPECT_EQ(outcome("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n"), "- 0");  // 107 bytes
}

TEST(ProxyProtocol, RefusesOtherLines) {
  const auto tcp4 = [](const std::string& rest) { return outcome("PROXY TCP4 " + rest + "\r\n"); };
  for (const char* rest : {"", "192.0.2.1", "192.0.2.1 127.0.0.1", "2001:db8::1 ::1 1 2",
                           "192.0.2.1  127.0.0.1 1 2", "x 127.0.0.1 1 2", "192.0.2.1 x 1 2"}) {
    EXPECT_EQ(tcp4(rest).substr(0, 3), "bad") << rest;
  }
  EXPECT_EQ(tcp4("192.0.2.1 127.0.0.1 65536 80"), "bad: a port that is none");
  EXPECT_EQ(tcp4("192.0.2.1 127.0.0.1 1 -80"), "bad: a port that is none");
  EXPECT_EQ(tcp4("192.0.2.1 127.0.0.1 01 80"), "bad: a port that is none");
  EXPECT_EQ(tcp4("192.0.2.1 127.0.0.1 1"), "bad: a port that is none");
  EXPECT_EQ(tcp4("192.0.2.1 127.0.0.1 1 2 "), "bad: something behind the ports");
  EXPECT_EQ(tcp4("192.0.2.1 127.0.0.1 1 2 3"), "bad: something behind the ports");
  EXPECT_EQ(outcome("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"),
            "bad: neither TCP4 nor TCP6 nor UNKNOWN");
  EXPECT_EQ(outcome("PROXY \r\n"), "bad: neither TCP4 nor TCP6 nor UNKNOWN");
  EXPECT_EQ(outcome("PROXY UNKNOWN\n"), "bad: a line that does not end in CRLF");
  EXPECT_EQ(outcome("PROXY \n"), "bad: a line that does not end in CRLF");
  EXPECT_EQ(outcome("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"),
            "bad: a line longer than 107 bytes");
  EXPECT_EQ(outcome("PROXY " + std::string(100, 'x'), ""), "more");
  EXPECT_EQ(outcome("PROXY " + std::string(101, 'x'), ""), "bad: a line longer than 107 bytes");
}

TEST(ProxyProtocol, ReadsVersion2) {
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4)), "192.0.2.1 4711");
  EXPECT_EQ(outcome(v2(0x21, 0x21, kV6)), "2001:db8::1 4711");
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + kTlv)), "192.0.2.1 4711");
  EXPECT_EQ(outcome(v2(0x21, 0x21, kV6 + std::string(4096 - 16 - 36, 't'))), "2001:db8::1 4711");
  EXPECT_EQ(outcome(v2(0x21, 0x31, std::string(216, 'p'))), "- 0");
  EXPECT_EQ(outcome(v2(0x21, 0x00, "")), "- 0");
  EXPECT_EQ(outcome(v2(0x20, 0x00, "")), "- 0");
  EXPECT_EQ(outcome(v2(0x20, 0x11, kV4)), "- 0");  // LOCAL: what it says is not looked at
  EXPECT_EQ(outcome(v2(0x20, 0x11, "abc")), "- 0");
}

// PP2_TYPE_SSL: its first byte says whether the client came over TLS.
TEST(ProxyProtocol, KnowsTls) {
  const std::string tls("\x20\0\x05\x01\0\0\0\0", 8), plain("\x20\0\x05\0\0\0\0\0", 8);
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + tls)), "192.0.2.1 4711 tls");
  EXPECT_EQ(outcome(v2(0x21, 0x21, kV6 + kTlv + tls + kTlv)), "2001:db8::1 4711 tls");
  EXPECT_EQ(outcome(v2(0x21, 0x31, std::string(216, 'p') + tls)), "- 0 tls");
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + plain)), "192.0.2.1 4711");
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + plain + tls)), "192.0.2.1 4711");  // the first counts
  EXPECT_EQ(outcome(v2(0x20, 0x11, kV4 + tls)), "- 0");                     // LOCAL
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + tls.substr(0, 7))), "192.0.2.1 4711");
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + tls.substr(0, 3))), "192.0.2.1 4711");
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + std::string("\x20\0\0", 3))), "192.0.2.1 4711");
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + std::string("\x20\0", 2))), "192.0.2.1 4711");
}

TEST(ProxyProtocol, RefusesOtherBytes) {
  EXPECT_EQ(outcome(v2(0x11, 0x11, kV4)), "bad: a version that is not 2");
  EXPECT_EQ(outcome(v2(0x22, 0x11, kV4)), "bad: a command that is neither LOCAL nor PROXY");
  EXPECT_EQ(outcome(v2(0x21, 0x41, kV4)), "bad: an unknown family or transport");
  EXPECT_EQ(outcome(v2(0x21, 0x13, kV4)), "bad: an unknown family or transport");
  EXPECT_EQ(outcome(v2(0x21, 0x12, kV4)), "bad: a client that speaks UDP");
  for (const auto& [family, length] : {std::pair{0x11, 11}, {0x21, 35}, {0x31, 215}}) {
    EXPECT_EQ(outcome(v2(0x21, static_cast<uint8_t>(family),
                         std::string(static_cast<size_t>(length), 'x'))),
              "bad: a length too short for its addresses");
  }
  EXPECT_EQ(outcome(v2(0x21, 0x11, kV4 + std::string(4096 - 16 - 12 + 1, 't'))),
            "bad: a length above 4096 bytes");
  EXPECT_EQ(outcome(v2(0x21, 0x21, std::string(36, '\0'))),
            "bad: the address ::, which is nobody's");
}

TEST(ProxyProtocol, RefusesWhatIsNoneAtItsFirstByte) {
  for (const char* bytes :
       {"G", "GET / HTTP/1.1\r\n", "proxy TCP4", "PROXX", "PROXY\t", "\r\n\r\n\r"}) {
    EXPECT_EQ(outcome(bytes, ""), "bad: no PROXY header at all") << bytes;
  }
  EXPECT_EQ(outcome("", ""), "more");
}

}  // namespace
}  // namespace m2
