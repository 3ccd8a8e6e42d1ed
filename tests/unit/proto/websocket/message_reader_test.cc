// Goal: every framing rule of RFC 6455, case by case: what is right comes out whole and in order,
// what is wrong fails with its code. Method: each input is read whole and in pieces of every small
// size, and the outcome must not depend on that.
#include "proto/websocket/message_reader.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/websocket/client_frames.h"

namespace m2 {
namespace {

using Event = MessageReader::Event;

// "81:text" for each event, "close CODE reason" at a failure.
std::vector<std::string> read(std::string_view input, size_t step, uint64_t message_max,
                              bool deflate) {
  MessageReader reader;
  reader.set_message_max(message_max);
  reader.set_deflate(deflate);
  std::string scratch;
  std::vector<std::string> seen;
  for (size_t at = 0; at < input.size(); at += step) {
    const std::string piece(input.substr(at, step));
    std::string_view rest = piece;
    while (true) {
      const Event event = reader.next(rest, scratch);
      if (event == Event::kNone) break;
      if (event == Event::kFailed) {
        seen.push_back("fail " + std::to_string(static_cast<int>(reader.close_code())));
        EXPECT_FALSE(reader.reason().empty());
        return seen;
      }
      std::string text = std::to_string(reader.opcode());
      text.append(reader.compressed() && event == Event::kMessage ? "z:" : ":");
      if (reader.opcode() == 8) {
        text.append(std::to_string(static_cast<int>(reader.received_code())) + " ");
        text.append(reader.received_reason());
      } else {
        text.append(reader.payload());
      }
      seen.push_back(text);
      reader.release();
    }
    EXPECT_TRUE(rest.empty());
  }
  return seen;
}

using Seen = std::vector<std::string>;

void expect(const std::string& input, const Seen& events, uint64_t message_max = 1 << 20,
            bool deflate = false) {
  EXPECT_EQ(read(input, input.size() + 1, message_max, deflate), events);
  for (const size_t step : {1, 2, 3, 5, 7, 64}) {
    if (input.size() > 100'000) break;
    EXPECT_EQ(read(input, step, message_max, deflate), events) << step;
  }
}

TEST(MessageReader, WholeMessages) {
  expect(text_frame("hello") + client_frame(0x82, "\xFF\x00"), {"1:hello", "2:\xFF"});
  expect(text_frame("") + text_frame("a"), {"1:", "1:a"});
}

TEST(MessageReader, AllLengthForms) {
  for (const size_t size : {0, 1, 125, 126, 127, 65535, 65536, 300'000}) {
    const std::string text(size, 'x');
    expect(text_frame(text) + text_frame("end"), {"1:" + text, "1:end"});
  }
}

TEST(MessageReader, Fragments) {
  expect(client_frame(0x01, "a") + client_frame(0x00, "") + client_frame(0x00, "b") +
             client_frame(0x80, "c"),
         {"1:abc"});
  expect(client_frame(0x02, "") + client_frame(0x80, "") + text_frame("x"), {"2:", "1:x"});
  expect(client_frame(0x02, "") + client_frame(0x80, "y"), {"2:y"});
}

TEST(MessageReader, ControlFramesBetweenFragments) {
  expect(client_frame(0x01, "a") + client_frame(0x89, "ping") + client_frame(0x00, "b") +
             client_frame(0x8A, "") + client_frame(0x80, "c"),
         {"9:ping", "10:", "1:abc"});
  const std::string most(125, 'p');
  expect(client_frame(0x89, most), {"9:" + most});
}

TEST(MessageReader, Closing) {
  expect(client_frame(0x88, ""), {"8:1005 "});
  expect(client_frame(0x88, "\x03\xE8"), {"8:1000 "});
  expect(client_frame(0x88,
                      "\x0F\xA0"
                      "why \xC3\xBC"),
         {"8:4000 why \xC3\xBC"});
  expect(client_frame(0x88, "\x03"), {"fail 1002"});
  expect(client_frame(0x88, "\x03\xED"), {"fail 1002"});  // 1005
  expect(client_frame(0x88, std::string_view("\x00\x00", 2)), {"fail 1002"});
  expect(client_frame(0x88, "\xFF\xFF"), {"fail 1002"});
  expect(client_frame(0x88, "\x03\xE8\xC3"), {"fail 1007"});
}

TEST(MessageReader, WhatNobodyMaySend) {
  expect(text_frame("a") + client_frame(0x81, "b", false), {"1:a", "fail 1002"});
  for (const uint8_t rsv : {0x10, 0x20, 0x40}) {
    expect(client_frame(0x81 | rsv, "a"), {"fail 1002"});
    expect(client_frame(0x89 | rsv, "a"), {"fail 1002"});
  }
  for (const uint8_t opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    expect(client_frame(0x80 | opcode, ""), {"fail 1002"});
  }
  expect(client_frame(0x80, "a"), {"fail 1002"});  // continues nothing
  expect(client_frame(0x00, "a"), {"fail 1002"});
  expect(client_frame(0x01, "a") + text_frame("b"), {"fail 1002"});  // within another
  expect(client_frame(0x01, "a") + client_frame(0x80, "") + client_frame(0x80, ""),
         {"1:a", "fail 1002"});
  expect(client_frame(0x09, ""), {"fail 1002"});  // fragmented ping
  expect(client_frame(0x88, std::string(126, 'x')), {"fail 1002"});
  expect(std::string("\x81\xFE\x00\x05"
                     "maskhello",
                     13),
         {"fail 1002"});                                                     // length not shortest
  expect(std::string("\x82\xFF\x80\0\0\0\0\0\0\0mask", 14), {"fail 1002"});  // top bit
}

TEST(MessageReader, Deflated) {
  expect(client_frame(0xC1, "\xFF") + text_frame("a"), {"1z:\xFF", "1:a"}, 100, true);
  expect(client_frame(0x41, "\xFF") + client_frame(0x80, "\xFE"), {"1z:\xFF\xFE"}, 100, true);
  expect(client_frame(0x01, "a") + client_frame(0xC0, "b"), {"fail 1002"}, 100, true);
  expect(client_frame(0xC9, ""), {"fail 1002"}, 100, true);
  expect(client_frame(0xA1, ""), {"fail 1002"}, 100, true);
}

TEST(MessageReader, TextIsUtf8) {
  const std::string text = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xF0\x9F\x98\x80";
  expect(text_frame(text), {"1:" + text});
  for (size_t cut = 0; cut <= text.size(); ++cut) {  // a character in two fragments
    expect(client_frame(0x01, text.substr(0, cut)) + client_frame(0x80, text.substr(cut)),
           {"1:" + text});
  }
  expect(text_frame("\xED\xA0\x80"), {"fail 1007"});      // surrogate
  expect(text_frame("\xC0\x80"), {"fail 1007"});          // overlong
  expect(text_frame("\xF4\x90\x80\x80"), {"fail 1007"});  // above U+10FFFF
  expect(text_frame("ab\xE1\xBD"), {"fail 1007"});        // ends within a character
  expect(client_frame(0x01, "a\xE1") + client_frame(0x80, "b"), {"fail 1007"});
  expect(text_frame("\xE1\xBD") + text_frame("\xB9"), {"fail 1007"});  // not across messages
}

// A bad text fails at its bad byte, not at its end.
TEST(MessageReader, BadTextFailsEarly) {
  const std::string frame = text_frame(std::string(10, 'a') + "\xFF" + std::string(1000, 'b'));
  EXPECT_EQ(read(frame.substr(0, 40), 100, 1 << 20, false), Seen{"fail 1007"});
}

TEST(MessageReader, TooBigFailsAtItsHead) {
  expect(text_frame(std::string(100, 'a')), {"1:" + std::string(100, 'a')}, 100);
  EXPECT_EQ(read(text_frame(std::string(101, 'a')).substr(0, 6), 100, 100, false),
            Seen{"fail 1009"});
  expect(client_frame(0x01, std::string(60, 'a')) + client_frame(0x00, std::string(41, 'a')),
         {"fail 1009"}, 100);
  expect(std::string("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFFmask", 14), {"fail 1009"}, 100);
}

}  // namespace
}  // namespace m2
