// Goal: the end of an answer is found exactly, whoever sent it, and framing that two readers could
// take in two ways is refused. Method: answers fed whole and in small steps, with foreign bytes
// behind.
#include "proto/http/response_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace m2 {
namespace {

using State = ResponseReader::State;

struct Outcome {
  State state = State::kHead;
  int status = 0;
  bool keep_alive = false;
  uint64_t body_bytes = 0;
  std::string head;
  std::string reason;
  size_t used = 0;

  bool operator==(const Outcome&) const = default;
};

// Fed in steps; the head is looked for after each, as a caller does.
Outcome feed(std::string_view input, size_t step, bool head_request = false,
             uint32_t head_bytes_max = 65536) {
  ResponseReader reader;
  reader.start(head_request, head_bytes_max);
  Outcome outcome;
  while (outcome.used < input.size()) {
    // A copy: nothing may point into bytes of an earlier call.
    const std::string piece(input.substr(outcome.used, step));
    const size_t used = reader.feed(piece);
    if (!reader.head().empty()) {
      EXPECT_TRUE(outcome.head.empty());
      outcome.head = reader.head();
    }
    outcome.used += used;
    if (reader.state() == State::kBroken || used < piece.size()) break;
  }
  outcome.state = reader.state();
  outcome.status = reader.status();
  outcome.keep_alive = reader.keep_alive();
  outcome.body_bytes = reader.body_bytes();
  outcome.reason = reader.reason();
  return outcome;
}

Outcome feed_all_ways(std::string_view input, bool head_request = false) {
  const Outcome whole = feed(input, input.size() + 1, head_request);
  for (const size_t step : {1, 2, 3, 7}) {
    Outcome split = feed(input, step, head_request);
    // Where a broken answer is given up depends on the pieces; nobody uses its bytes.
    if (whole.state == State::kBroken) split.used = whole.used;
    EXPECT_TRUE(split == whole) << "in steps of " << step << ": " << input;
  }
  return whole;
}

// Complete at the end of `answer`, though more follows.
Outcome expect_complete(const std::string& answer, uint64_t body_bytes, bool head_request = false) {
  const Outcome outcome = feed_all_ways(answer + "HTTP/1.1 200 OK\r\n", head_request);
  EXPECT_EQ(outcome.state, State::kComplete) << outcome.reason << '\n' << answer;
  EXPECT_EQ(outcome.used, answer.size()) << answer;
  EXPECT_EQ(outcome.body_bytes, body_bytes) << answer;
  return outcome;
}

void expect_broken(std::string_view answer, std::string_view reason_part) {
  const Outcome outcome = feed_all_ways(answer);
  EXPECT_EQ(outcome.state, State::kBroken) << answer;
  EXPECT_EQ(outcome.status, 0) << answer;
  EXPECT_FALSE(outcome.keep_alive);
  EXPECT_NE(outcome.reason.find(reason_part), std::string::npos) << outcome.reason << '\n'
                                                                 << answer;
}

std::string head(std::string_view fields, std::string_view status_line = "HTTP/1.1 200 OK") {
  return std::string(status_line) + "\r\n" + std::string(fields) + "\r\n";
}

TEST(ResponseReader, ContentLength) {
  const std::string fields = head("Content-Type: text/plain\r\nContent-Length: 5\r\n");
  const Outcome outcome = expect_complete(fields + "hello", 5);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_TRUE(outcome.keep_alive);
  EXPECT_EQ(outcome.head, fields);
  expect_complete(head("Content-Length: 0\r\n"), 0);
  expect_complete(head("CONTENT-LENGTH:\t5 \r\n") + "hello", 5);
  expect_complete(head("Content-Length: 5\r\nContent-Length: 05\r\n") + "hello", 5);
  EXPECT_EQ(feed_all_ways(head("Content-Length: 9\r\n") + "hello").state, State::kBody);
}

TEST(ResponseReader, SaysTheLength) {
  ResponseReader reader;
  reader.start(true, 1000);
  EXPECT_FALSE(reader.head_complete());
  reader.feed(head("Content-Length: 77\r\n"));
  EXPECT_TRUE(reader.head_complete());
  EXPECT_TRUE(reader.has_length());
  EXPECT_EQ(reader.content_length(), 77u);
  reader.start(false, 1000);
  EXPECT_FALSE(reader.has_length());
  EXPECT_FALSE(reader.head_complete());
  reader.feed(head("Transfer-Encoding: chunked\r\n"));
  EXPECT_FALSE(reader.has_length());
}

TEST(ResponseReader, HeadIsReadWhereItLies) {
  ResponseReader reader;
  reader.start(false, 1000);
  const std::string answer = head("Content-Length: 2\r\n") + "ab";
  EXPECT_EQ(reader.feed(answer), answer.size());
  EXPECT_EQ(reader.head().data(), answer.data());
  EXPECT_EQ(reader.feed("next"), 0u);
  EXPECT_TRUE(reader.head().empty());
}

TEST(ResponseReader, Chunked) {
  const std::string chunked = head("Transfer-Encoding: chunked\r\n");
  expect_complete(chunked + "5\r\nhello\r\n6;x\r\n world\r\n0\r\nA: b\r\n\r\n", 11);
  expect_complete(head("transfer-encoding: gzip, CHUNKED\r\n") + "1\r\nx\r\n0\r\n\r\n", 1);
  expect_complete(head("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
                  0);
  EXPECT_EQ(feed_all_ways(chunked + "5\r\nhel").state, State::kBody);
}

TEST(ResponseReader, BadChunkBreaksTheBodyAfterAGoodHead) {
  const Outcome outcome = feed_all_ways(head("Transfer-Encoding: chunked\r\n") + "2\r\nabzz");
  EXPECT_EQ(outcome.state, State::kBroken);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_FALSE(outcome.keep_alive);
  EXPECT_NE(outcome.reason.find("longer than its size"), std::string::npos);
}

TEST(ResponseReader, AnswersWithoutABody) {
  expect_complete(head("Content-Length: 5\r\n"), 0, true);
  expect_complete(head("Transfer-Encoding: chunked\r\n"), 0, true);
  expect_complete(head(""), 0, true);
  expect_complete(head("", "HTTP/1.1 204 No Content"), 0);
  expect_complete(head("Content-Length: 5\r\n", "HTTP/1.1 304 Not Modified"), 0);
  expect_complete(head("Transfer-Encoding: chunked\r\n", "HTTP/1.1 304 Not Modified"), 0);
}

TEST(ResponseReader, UntilClose) {
  for (const std::string& start :
       {head(""), head("", "HTTP/1.0 200 OK"), head("Transfer-Encoding: gzip\r\n"),
        head("Connection: keep-alive\r\n")}) {
    const Outcome outcome = feed_all_ways(start + "abc\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    EXPECT_EQ(outcome.state, State::kUntilClose);
    EXPECT_EQ(outcome.body_bytes, 26u);
    EXPECT_FALSE(outcome.keep_alive);
  }
}

TEST(ResponseReader, InterimAnswersArePassedOver) {
  const std::string last = head("Content-Length: 2\r\n");
  const Outcome outcome = expect_complete(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\nContent-Length: 9\r\n\r\n" +
          last + "ab",
      2);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.head, last);
  EXPECT_EQ(feed_all_ways("HTTP/1.1 100 Continue\r\n\r\n").state, State::kHead);
}

TEST(ResponseReader, SwitchingProtocols) {
  const std::string start = head("Upgrade: websocket\r\n", "HTTP/1.1 101 Switching Protocols");
  const Outcome outcome = feed_all_ways(start + "\x81\x02hi");
  EXPECT_EQ(outcome.state, State::kSwitched);
  EXPECT_EQ(outcome.status, 101);
  EXPECT_EQ(outcome.head, start);
  EXPECT_EQ(outcome.used, start.size() + 4);
  EXPECT_EQ(outcome.body_bytes, 4u);
}

TEST(ResponseReader, Leniency) {
  expect_complete("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 5);
  expect_complete("HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\nhello", 5);
  expect_complete("HTTP/1.1 200 OK\nContent-Length: 5\r\n\nhello", 5);
  expect_complete("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", 5);
  expect_complete("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", 5);
  expect_complete("HTTP/1.1 999 Odd \xc3\xa9\r\nContent-Length: 0\r\n\r\n", 0);
  expect_complete(head("no colon\r\nX y: z\r\nContent-Length: 0\r\n: e\r\nC\x01: x\r\n"), 0);
  expect_complete(head("Content-Length: 0\r\nX: a\r\n folded\r\n\tfolded\r\n"), 0);
  expect_complete(head("Content-Lengths: 7\r\nContent-Length: 0\r\nTransfer-Encodin: chunked\r\n"),
                  0);
}

TEST(ResponseReader, KeepAlive) {
  const struct {
    const char* version;
    const char* fields;
    bool keep;
  } rows[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "connection: TE, Close\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Connection: keep-alive\r\nConnection: close\r\n", false},
  };
  for (const auto& row : rows) {
    const Outcome outcome = expect_complete(head(std::string(row.fields) + "Content-Length: 0\r\n",
                                                 "HTTP/" + std::string(row.version) + " 200 OK"),
                                            0);
    EXPECT_EQ(outcome.keep_alive, row.keep) << row.version << ' ' << row.fields;
  }
}

TEST(ResponseReader, NotHttp) {
  for (const std::string bad :
       {"hello", "\r\n", "\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "http/1.1 200 OK",
        "HTTP/11.1 200", "ICY 200 OK\r\n\r\n", "\x15\x03\x01"}) {
    expect_broken(bad, "not an answer in HTTP/1");
  }
  for (const std::string bad : {"HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK",
                                "HTTP/1.1 abc", "HTTP/1.x 200 OK", "HTTP/1.1", "HTTP/1.1 099 Low",
                                "HTTP/1.1 200OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200 a\rb"}) {
    expect_broken(bad + "\r\n\r\n", "bad status line");
  }
  // Known as soon as it can be, before any line is complete.
  EXPECT_EQ(feed("HTTQ", 1).state, State::kBroken);
}

TEST(ResponseReader, FramingThatCannotBeTrusted) {
  expect_broken(head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "together");
  expect_broken(head("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"), "together");
  expect_broken(head("Content-Length: 5\r\nContent-Length: 6\r\n"), "two different");
  for (const std::string bad : {"", "-1", "+1", "5x", "5, 5", "9223372036854775808", "0x5"}) {
    expect_broken(head("Content-Length: " + bad + "\r\n"), "bad Content-Length");
  }
  expect_broken(head("Transfer-Encoding: chunked, gzip\r\n"), "not the one last coding");
  expect_broken(head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
                "not the one last coding");
  expect_broken(head("Transfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK"), "in an HTTP/1.0 answer");
  expect_broken(head("Content-Length : 5\r\n"), "blank before the colon");
  expect_broken(head("Transfer-Encoding\t: chunked\r\n"), "blank before the colon");
  expect_broken(head("Content-Length: 5\r\n 0\r\n"), "folded framing field");
  expect_broken(head(" Content-Length: 5\r\n"), "folded framing field");
  expect_broken(head("X: a\rContent-Length: 5\r\n"), "CR or NUL");
  expect_broken(head(std::string_view("X: a\0\r\n", 7)), "CR or NUL");
}

TEST(ResponseReader, HeadLimit) {
  const std::string whole = head("Content-Length: 0\r\n");
  const auto limit = static_cast<uint32_t>(whole.size());
  for (const size_t step : {size_t{1}, size_t{5}, whole.size()}) {
    EXPECT_EQ(feed(whole, step, false, limit).state, State::kComplete);
    const Outcome outcome = feed(whole, step, false, limit - 1);
    EXPECT_EQ(outcome.state, State::kBroken);
    EXPECT_NE(outcome.reason.find("longer than allowed"), std::string::npos);
  }
  EXPECT_EQ(feed("HTTP/1.1 200 OK\r\n" + std::string(1000, 'a'), 1, false, 100).used, 99u);
}

TEST(ResponseReader, EndOfInput) {
  const struct {
    std::string input;
    bool complete;
  } rows[] = {
      {"", false},
      {"HTTP/1.1 200", false},
      {"HTTP/1.1 100 Continue\r\n\r\n", false},
      {head("Content-Length: 5\r\n") + "hell", false},
      {head("Content-Length: 5\r\n") + "hello", true},
      {head("Transfer-Encoding: chunked\r\n") + "0\r\n", false},
      {head("") + "abc", true},
      {head("", "HTTP/1.1 101 Go"), true},
      {"garbage", false},
  };
  for (const auto& row : rows) {
    ResponseReader reader;
    reader.start(false, 1000);
    reader.feed(row.input);
    EXPECT_EQ(reader.end_of_input(), row.complete) << row.input;
    EXPECT_EQ(reader.state(), row.complete ? State::kComplete : State::kBroken) << row.input;
    EXPECT_EQ(reader.reason().empty(), row.complete) << row.input;
  }
}

TEST(ResponseReader, StartForgetsTheAnswerBefore) {
  ResponseReader reader;
  reader.start(false, 1000);
  reader.feed(head("Transfer-Encoding: chunked\r\nConnection: close\r\n") + "5\r\nhe");
  reader.start(false, 1000);
  reader.feed("HTTP/1.1 2");
  reader.start(false, 1000);
  const std::string answer = head("Content-Length: 2\r\n") + "ab";
  EXPECT_EQ(reader.feed(answer), answer.size());
  EXPECT_EQ(reader.state(), State::kComplete);
  EXPECT_TRUE(reader.keep_alive());
  EXPECT_EQ(reader.body_bytes(), 2u);
}

// Goal: the steps see each head by itself, data without its framing, and where trailers begin.
TEST(ResponseReader, InSteps) {
  for (const size_t step : {1000, 7, 1}) {
    ResponseReader reader;
    reader.start(false, 1000);
    const std::string all =
        "HTTP/1.1 103 a\r\nL: 1\r\n\r\nHTTP/1.1 102 b\r\n\r\nHTTP/1.1 200 OK\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
    std::vector<std::string> interim;
    std::string head, data, trailers;
    for (size_t at = 0; at < all.size(); at += step) {
      std::string_view bytes = std::string_view(all).substr(at, step);
      while (!bytes.empty() && reader.state() == ResponseReader::State::kHead) {
        bytes.remove_prefix(reader.feed_head(bytes));
        if (!reader.interim().empty()) interim.emplace_back(reader.interim());
        if (reader.head_complete()) head = reader.head();
      }
      if (bytes.empty()) continue;
      const size_t used = reader.feed_body(bytes, &data);
      EXPECT_EQ(used, bytes.size());
      if (reader.trailers_at() < used) trailers += bytes.substr(reader.trailers_at());
    }
    EXPECT_EQ(reader.state(), ResponseReader::State::kComplete);
    EXPECT_EQ(interim, (std::vector<std::string>{"HTTP/1.1 103 a\r\nL: 1\r\n\r\n",
                                                 "HTTP/1.1 102 b\r\n\r\n"}));
    EXPECT_EQ(head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_EQ(data, "abcde");
    EXPECT_EQ(trailers, "T: 1\r\n\r\n");
  }
}

TEST(ResponseReader, InterimAnswersAreBounded) {
  ResponseReader reader;
  reader.start(false, 1000);
  for (unsigned i = 0; i < kInterimAnswersMax; ++i) reader.feed("HTTP/1.1 103 x\r\n\r\n");
  EXPECT_EQ(reader.state(), ResponseReader::State::kHead);
  reader.feed("HTTP/1.1 103 x\r\n\r\n");
  EXPECT_EQ(reader.state(), ResponseReader::State::kBroken);
}

}  // namespace
}  // namespace m2
