// Goal: every rule about header fields and what they mean for the connection and the body is kept,
// and none more. Method: as in request_parser_test.cc.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "proto/http/request_parser.h"
#include "tests/unit/proto/http/request_outcome.h"

namespace m2 {
namespace {

TEST(RequestFields, Fields) {
  expect_head(with("A:\r\nB:b\r\nC: \t c  d\t \r\nX-!#$%&'*+-.^_`|~: \x80\xff\t~\r\n"),
              "POST / @h HTTP/1.1 keep | Host=h | A= | B=b | C=c  d | "
              "X-!#$%&'*+-.^_`|~=\x80\xff\t~");
  expect_head(with("a: 1\r\nA: 2\r\nb:: x\r\n"),
              "POST / @h HTTP/1.1 keep | Host=h | a=1 | A=2 | b=: x");
}

TEST(RequestFields, BadFields) {
  const struct {
    std::string_view field;
    const char* reason;
  } rows[] = {
      {"A", "without a colon"},
      {"A b", "blank between field name"},
      {": x", "without a name"},
      {"A : x", "blank between field name"},
      {"A\t: x", "blank between field name"},
      {" folded", "begins with a blank"},
      {"\tfolded: x", "begins with a blank"},
      {"A(: x", "not allowed in a field name"},
      {"\xc3\xa9: x", "not allowed in a field name"},
      {std::string_view("A\0: x", 5), "not allowed in a field name"},
      {std::string_view("A: x\0y", 6), "control byte in a field value"},
      {std::string_view("A: 123456\0", 10), "control byte in a field value"},
      {"A: x\ry", "control byte in a field value"},
      {"A: x\r", "control byte in a field value"},
      {"A: x\x01", "control byte in a field value"},
      {"A: 0123456789\x1f"
       "abcdefgh",
       "control byte in a field value"},
      {"A: 0123456789abcdef\x7f", "control byte in a field value"},
      {"A: \x0b", "control byte in a field value"},
  };
  for (const auto& row : rows) {
    expect_refused(with(std::string(row.field) + "\r\n"), 400, row.reason);
    expect_refused(with("B: b\r\n" + std::string(row.field) + "\r\n"), 400, row.reason);
  }
  // A blank line end right after the request line is no field either.
  expect_refused("GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400, "begins with a blank");
}

TEST(RequestFields, ControlBytesAreFoundAtEveryPlaceOfAValue) {
  for (const char bad : {'\0', '\x08', '\x1f', '\x7f'}) {
    for (size_t at = 0; at < 20; ++at) {
      std::string value(20, '~');
      value[7] = '\t';  // allowed, and looks like a control byte to a quick test
      value[at] = bad;
      const Outcome outcome = parse(with("A:" + value + "\r\n"), {}, 1000);
      EXPECT_EQ(outcome.status, 400);
      EXPECT_EQ(outcome.position, with("A:").size() - 2 + at);
    }
  }
}

TEST(RequestFields, Host) {
  const char* good[] = {"",           "h",         "h:",         "h:80",     "h:65535",
                        "127.0.0.1",  "[::1]",     "[::1]:80",   "a-b_c.d~", "%41",
                        "xn--e1.com", "[1:2::3]:", "a,b;c=(d)!", "LOCALHOST"};
  for (const std::string host : good) {
    expect_head("GET / HTTP/1.1\r\nhOsT: " + host + "\r\n\r\n",
                "GET / @" + host + " HTTP/1.1 keep | hOsT=" + host);
  }
  const char* bad[] = {"a b",         "a/b",
                       "a@b",         "a:b",
                       ":80",         "a:65536",
                       "a:80:80",     "a:-1",
                       "[::1",        "::1",
                       "[::g]",       "[]",
                       "a[b]",        "[::1]x",
                       "%4",          "%zz",
                       "a?b",         "a#b",
                       "a\\b",        "\"a\"",
                       "\xc3\xa9",    "[1:2:3:4:5:6:7:8:9]",
                       "[::1%25eth0]"};
  for (const std::string host : bad) {
    expect_refused("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 400, "bad host or port");
  }
  expect_refused("GET / HTTP/1.1\r\nHots: h\r\n\r\n", 400, "without a Host");
  expect_refused("GET http://a/ HTTP/1.1\r\n\r\n", 400, "without a Host");
  expect_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "more than one Host");
  expect_refused("GET / HTTP/1.0\r\nHost: a\r\nHOST:\r\n\r\n", 400, "more than one Host");
  expect_refused("GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n", 400, "bad host or port");
  expect_head("GET http://a/ HTTP/1.0\r\n\r\n", "GET / @a HTTP/1.0 close");
}

TEST(RequestFields, ContentLength) {
  expect_head(with("Content-Length: 0\r\n"),
              "POST / @h HTTP/1.1 keep length=0 | Host=h | Content-Length=0");
  expect_head(with("content-LENGTH:  0042 \r\n"),
              "POST / @h HTTP/1.1 keep length=42 | Host=h | content-LENGTH=0042");
  expect_head(with("Content-Length: 9223372036854775807\r\n"),
              "POST / @h HTTP/1.1 keep length=9223372036854775807 | Host=h | "
              "Content-Length=9223372036854775807");
  for (const std::string bad :
       {"", "+5", "-5", "5x", "0x5", "5 5", "5, 5", "5,", "5.0", "\"5\"", "abc",
        "9223372036854775808", "18446744073709551617", "99999999999999999999999999"}) {
    expect_refused(with("Content-Length: " + bad + "\r\n"), 400, "not a plain number");
  }
  expect_refused(with("Content-Length: 5\r\nContent-Length: 6\r\n"), 400,
                 "more than one Content-L");
  expect_refused(with("Content-Length: 5\r\nContent-Length: 5\r\n"), 400,
                 "more than one Content-L");
  expect_refused(with("Content-Length: 0\r\nContent-Length: 0\r\n"), 400,
                 "more than one Content-L");
}

TEST(RequestFields, TransferEncoding) {
  expect_head(with("Transfer-Encoding: chunked\r\n"),
              "POST / @h HTTP/1.1 keep chunked | Host=h | Transfer-Encoding=chunked");
  expect_head(with("transfer-encoding:ChunkeD\t\r\n"),
              "POST / @h HTTP/1.1 keep chunked | Host=h | transfer-encoding=ChunkeD");
  for (const std::string other : {"gzip, chunked", "identity,chunked", "gzip, br, chunked"}) {
    expect_refused(with("Transfer-Encoding: " + other + "\r\n"), 501, "other than chunked");
  }
  expect_refused(with("Transfer-Encoding: gzip\r\nA: b\r\nTransfer-Encoding: chunked\r\n"), 501,
                 "other than chunked");
  // Where chunked is not the last nobody can know the length, whatever the coding (RFC 9112 6.3).
  for (const std::string other : {"gzip", "identity", "xchunked", "chunked;a=b", "chunke",
                                  "chunked chunked", "chunkedchunked", "gzip, br"}) {
    expect_refused(with("Transfer-Encoding: " + other + "\r\n"), 400, "not the last transfer");
  }
  expect_refused(with("Transfer-Encoding: chunked, gzip\r\n"), 400, "not the one last");
  expect_refused(with("Transfer-Encoding: chunked,chunked\r\n"), 400, "not the one last");
  expect_refused(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400,
                 "not the one last");
  expect_refused(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), 400,
                 "not the one last");
  for (const std::string bad : {"", ",", ",chunked", "chunked,", "chunked ,", "\"chunked\"", "@"}) {
    expect_refused(with("Transfer-Encoding: " + bad + "\r\n"), 400, "not a list of codings");
  }
  expect_refused(with("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n"), 400, "not a list");
  expect_refused(with("Transfer-Encoding: chunked\r\n", "1.0"), 400, "in HTTP/1.0");
  expect_refused(with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, "together");
  expect_refused(with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, "together");
  expect_refused(with("Content-Length: 0\r\nTransfer-Encoding: gzip\r\n"), 400, "together");
}

TEST(RequestFields, KeepAlive) {
  const struct {
    const char* version;
    const char* connection;
    bool keep;
  } rows[] = {
      {"1.1", "close", false},
      {"1.1", "ClosE", false},
      {"1.1", "close, TE", false},
      {"1.1", "TE , close", false},
      {"1.1", ",,close", false},
      {"1.1", "keep-alive, close", false},
      {"1.1", "keep-alive", true},
      {"1.1", "closed", true},
      {"1.1", "x-close", true},
      {"1.1", "TE", true},
      {"1.1", "", true},
      {"1.0", "keep-alive", true},
      {"1.0", "Keep-Alive, TE", true},
      {"1.0", "keep-alive, close", false},
      {"1.0", "keep", false},
      {"1.0", "", false},
  };
  for (const auto& row : rows) {
    const std::string version = row.version, connection = row.connection;
    expect_head(with("Connection: " + connection + "\r\n", version),
                "POST / @h HTTP/" + version + (row.keep ? " keep" : " close") +
                    " | Host=h | Connection=" + connection);
  }
  expect_head(with("Connection: keep-alive\r\nConnection: close\r\n"),
              "POST / @h HTTP/1.1 close | Host=h | Connection=keep-alive | Connection=close");
}

TEST(RequestFields, Expect) {
  const struct {
    const char* version;
    const char* expect;
    const char* means;
  } rows[] = {
      {"1.1", "100-continue", "keep 100-continue"},
      {"1.1", "100-Continue", "keep 100-continue"},
      {"1.1", "100-continue, x", "keep 100-continue 417"},
      {"1.1", "200-ok", "keep 417"},
      {"1.1", "", "keep"},
      {"1.0", "100-continue", "close"},
      {"1.0", "x", "close 417"},
  };
  for (const auto& row : rows) {
    const std::string version = row.version, expect = row.expect;
    expect_head(with("Expect: " + expect + "\r\n", version),
                "POST / @h HTTP/" + version + ' ' + row.means + " | Host=h | Expect=" + expect);
  }
}

TEST(RequestFields, Upgrade) {
  const auto upgrades = [](const std::string& request) {
    const Outcome outcome = parse_all_ways(request, {});
    EXPECT_EQ(outcome.state, ParseState::kComplete);
    return outcome.head.find(" upgrade ") != std::string::npos;
  };
  EXPECT_TRUE(upgrades(with("Upgrade: websocket\r\nConnection: Upgrade\r\n")));
  EXPECT_TRUE(upgrades(with("Connection: keep-alive, upgrade\r\nUPGRADE: websocket\r\n")));
  EXPECT_FALSE(upgrades(with("Upgrade: websocket\r\n")));
  EXPECT_FALSE(upgrades(with("Connection: upgrade\r\n")));
  EXPECT_FALSE(upgrades(with("Connection: upgrade\r\nUpgrade:\r\n")));
  EXPECT_FALSE(upgrades(with("Upgrade: websocket\r\nConnection: Upgrade\r\n", "1.0")));
}

}  // namespace
}  // namespace m2
