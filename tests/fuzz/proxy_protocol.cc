// Fuzzes the PROXY header: whatever is read is read the same at every length from its end on, and
// not before; what is bad stays bad with more bytes.
#include "proto/proxy_protocol.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using State = m2::ProxyHeader::State;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const m2::ProxyHeader whole = m2::parse_proxy_header(bytes);
  if (whole.state == State::kIncomplete) CHECK(size < m2::kProxyHeaderBytesMax);
  if (whole.state == State::kComplete) CHECK(whole.bytes > 0 && whole.bytes <= size);
  State before = State::kIncomplete;
  for (size_t length = 0; length <= std::min<size_t>(size, 300); ++length) {
    const m2::ProxyHeader part = m2::parse_proxy_header(bytes.substr(0, length));
    if (before != State::kIncomplete) CHECK(part.state == before);
    if (part.state == State::kComplete) {
      CHECK(whole.state == State::kComplete && part.bytes == whole.bytes);
      CHECK(part.source == whole.source && part.port == whole.port && part.tls == whole.tls);
      CHECK(length >= part.bytes);
    }
    before = part.state;
  }
  return 0;
}
