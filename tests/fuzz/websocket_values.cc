// Fuzzes what else WebSockets read: offers of extensions, deflated messages, orders of handlers.
// First byte: which.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "proto/websocket/deflate.h"
#include "proto/websocket/handshake.h"
#include "proto/websocket/order.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0: {
      const m2::DeflateAgreement agreement = m2::agree_on_deflate(input, 12);
      CHECK(agreement.window_bits == 0 ||
            (agreement.window_bits >= 9 && agreement.window_bits <= 12));
      CHECK(agreement.answer.empty() == (agreement.window_bits == 0));
      const std::string_view token = m2::first_token(input);
      CHECK(token.find_first_of(" \t\r\n,;") == std::string_view::npos);
      break;
    }
    case 1: {
      m2::DeflateStreams streams;
      std::string out;
      const auto inflated = streams.inflate(input, 4096, out);
      CHECK(inflated != m2::DeflateStreams::Inflated::kOk || out.size() <= 4096);
      streams.deflate(input, 9 + data[0] % 7, out);
      std::string back;
      CHECK(streams.inflate(out, input.size(), back) == m2::DeflateStreams::Inflated::kOk);
      CHECK(back == input);
      break;
    }
    case 2: {
      const auto order = m2::read_websocket_order(input);
      if (!order.ok()) {
        CHECK(!order.message().empty());
        break;
      }
      CHECK(m2::is_websocket_order(input));
      CHECK(m2::may_be_sent(static_cast<uint32_t>(order.value().code)));
      const char* const at = order.value().payload.data();
      CHECK(order.value().payload.empty() ||
            (at >= input.data() && at < input.data() + input.size()));
      break;
    }
  }
  return 0;
}
