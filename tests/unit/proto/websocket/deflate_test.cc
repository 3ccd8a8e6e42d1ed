// Goal: offers are met or passed over as RFC 7692 has it; what is deflated comes back; nothing
// inflates beyond its bound.
#include "proto/websocket/deflate.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

constexpr std::string_view kPlain =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

TEST(Deflate, Offers) {
  EXPECT_EQ(agree_on_deflate("permessage-deflate", 15).answer, kPlain);
  EXPECT_EQ(agree_on_deflate("permessage-deflate; client_max_window_bits", 12).window_bits, 12);
  EXPECT_EQ(agree_on_deflate("foo, permessage-deflate;client_max_window_bits=\"10\"", 15).answer,
            kPlain);
  const auto small = agree_on_deflate("permessage-deflate; server_max_window_bits=10", 15);
  EXPECT_EQ(small.window_bits, 10);
  EXPECT_EQ(small.answer, std::string(kPlain) + "; server_max_window_bits=10");
  // The second offer of a list is what is left when the first cannot be met.
  EXPECT_EQ(agree_on_deflate("permessage-deflate; server_max_window_bits=8, permessage-deflate", 15)
                .answer,
            kPlain);
  for (const std::string_view bad :
       {"", "x-webkit-deflate-frame", "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_max_window_bits; client_max_window_bits"}) {
    EXPECT_EQ(agree_on_deflate(bad, 15).window_bits, 0) << bad;
  }
}

TEST(Deflate, BackAndForth) {
  DeflateStreams streams;
  std::string random(100'000, '\0');
  for (size_t i = 0; i < random.size(); ++i)
    random[i] = static_cast<char>(i * i * 2654435761u >> 13);
  for (const std::string& text :
       {std::string(), std::string("a"), std::string(200'000, 'x'), random}) {
    for (const uint8_t bits : {9, 12, 15}) {
      std::string deflated;
      std::string back;
      streams.deflate(text, bits, deflated);
      EXPECT_EQ(streams.inflate(deflated, 1 << 20, back), DeflateStreams::Inflated::kOk);
      EXPECT_EQ(back, text);
    }
  }
}

// RFC 7692, 7.2.3.
TEST(Deflate, ExamplesOfTheRfc) {
  DeflateStreams streams;
  std::string out;
  for (const std::string_view bytes :
       {std::string_view("\xf2\x48\xcd\xc9\xc9\x07\x00", 7),
        std::string_view("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11),
        std::string_view("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8),
        std::string_view("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13)}) {
    EXPECT_EQ(streams.inflate(bytes, 100, out), DeflateStreams::Inflated::kOk);
    EXPECT_EQ(out, "Hello");
  }
  EXPECT_EQ(streams.inflate(std::string_view("\0", 1), 100, out), DeflateStreams::Inflated::kOk);
  EXPECT_EQ(out, "");
}

TEST(Deflate, Bounds) {
  DeflateStreams streams;
  std::string bomb;
  std::string out;
  streams.deflate(std::string(50 << 20, 'x'), 15, bomb);
  EXPECT_EQ(streams.inflate(bomb, 1 << 20, out), DeflateStreams::Inflated::kTooBig);
  EXPECT_LT(out.capacity(), 4u << 20);
  EXPECT_EQ(streams.inflate("\xFF\xFF nonsense", 100, out), DeflateStreams::Inflated::kBroken);
  streams.deflate("12345", 15, bomb);
  EXPECT_EQ(streams.inflate(bomb, 5, out), DeflateStreams::Inflated::kOk);
  EXPECT_EQ(streams.inflate(bomb, 4, out), DeflateStreams::Inflated::kTooBig);
}

}  // namespace
}  // namespace m2
