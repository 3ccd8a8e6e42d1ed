// Goal: heads of every length form, masks at any phase, the codes of closing. Method: tables, and
// what is written is read back.
#include "proto/websocket/frame.h"

#include <gtest/gtest.h>

#include "common/utf8.h"

namespace m2 {
namespace {

std::string head_of(uint64_t length) {
  char out[kFrameHeadMax];
  return std::string(out, write_frame_head(0x82, length, out));
}

TEST(Frame, HeadsOfAllLengths) {
  for (const uint64_t length :
       {0ull, 1ull, 125ull, 126ull, 127ull, 65535ull, 65536ull, 1ull << 40}) {
    const std::string bytes = head_of(length);
    EXPECT_EQ(bytes.size(), length < 126 ? 2u : length < 65536 ? 4u : 10u);
    FrameHead head;
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(read_frame_head(bytes.substr(0, size), head), 0u);
    }
    EXPECT_EQ(read_frame_head(bytes + "xyz", head), bytes.size());
    EXPECT_EQ(head.length, length);
    EXPECT_TRUE(head.fin && head.opcode == 2 && head.rsv == 0 && !head.masked && head.minimal);
  }
}

TEST(Frame, ReadsWhatIsWrongWithAHead) {
  FrameHead head;
  EXPECT_EQ(read_frame_head(std::string_view("\x71\xFE\x00\x7D"
                                             "mask",
                                             8),
                            head),
            8u);
  EXPECT_FALSE(head.fin);
  EXPECT_EQ(head.rsv, 7);
  EXPECT_TRUE(head.masked);
  EXPECT_FALSE(head.minimal);
  EXPECT_EQ(head.length, 125u);
  read_frame_head(std::string_view("\x81\x7F\0\0\0\0\0\0\xFF\xFF", 10), head);
  EXPECT_FALSE(head.minimal);
  EXPECT_EQ(head.length, 65535u);
}

TEST(Frame, UnmasksInPiecesOfAnySize) {
  const std::array<char, 4> mask{1, 2, 3, 4};
  const std::string plain = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string masked = plain;
  for (size_t i = 0; i < plain.size(); ++i) masked[i] = static_cast<char>(plain[i] ^ mask[i % 4]);
  for (size_t step = 1; step <= plain.size(); ++step) {
    std::string out(plain.size(), '\0');
    for (size_t at = 0; at < plain.size(); at += step) {
      unmask(out.data() + at, masked.data() + at, std::min(step, plain.size() - at), mask, at);
    }
    EXPECT_EQ(out, plain) << step;
  }
}

TEST(Frame, CloseCodes) {
  for (const uint32_t code : {1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999}) {
    EXPECT_TRUE(may_be_sent(code)) << code;
  }
  for (const uint32_t code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535}) {
    EXPECT_FALSE(may_be_sent(code)) << code;
  }
}

TEST(Frame, CloseFrames) {
  EXPECT_EQ(close_frame(CloseCode::kNormal, "bye"), std::string("\x88\x05\x03\xE8"
                                                                "bye"));
  EXPECT_EQ(close_frame(CloseCode::kNoCode, ""), std::string("\x88\x00", 2));
  std::string reason(122, 'x');
  reason += "\xC3\xBC";  // does not fit whole: left out whole
  const std::string frame = close_frame(CloseCode::kTooBig, reason);
  EXPECT_EQ(frame.size(), 2 + 2 + 122u);
  EXPECT_TRUE(is_utf8(frame.substr(4)));
}

}  // namespace
}  // namespace m2
