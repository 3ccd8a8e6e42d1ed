// Fuzzes BodyReader: pieces lie within the input, framing never comes out as data, and the body
// does not depend on how the bytes are cut. First byte: the framing; second: where to cut.
#include "proto/http/body_reader.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"

namespace {

struct Outcome {
  std::string body;
  size_t used = 0;
  bool done = false;
  bool failed = false;
  std::string_view reason;

  bool operator==(const Outcome&) const = default;
};

Outcome read(m2::BodyFraming framing, uint64_t length, std::string_view input, size_t step) {
  m2::BodyReader reader;
  reader.start(framing, length);
  Outcome outcome;
  for (size_t arrived = 0; arrived < input.size() && !reader.done() && !reader.failed();) {
    arrived = arrived + step < input.size() ? arrived + step : input.size();
    while (!reader.done() && !reader.failed()) {
      const std::string piece(input.substr(outcome.used, arrived - outcome.used));
      const m2::BodyReader::Step got = reader.read(piece);
      CHECK(got.used <= piece.size() && got.data.size() <= got.used);
      CHECK(got.data.empty() || (got.data.data() >= piece.data() &&
                                 got.data.data() + got.data.size() <= piece.data() + got.used));
      outcome.used += got.used;
      outcome.body += got.data;
      if (got.used == 0) break;
    }
    CHECK(reader.done() || reader.failed() || outcome.used == arrived);
  }
  outcome.done = reader.done();
  outcome.failed = reader.failed();
  outcome.reason = reader.reason();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool chunked = (data[0] & 1) != 0;
  const m2::BodyFraming framing = chunked ? m2::BodyFraming::kChunked : m2::BodyFraming::kLength;
  const uint64_t length = data[0] >> 1;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = read(framing, length, input, input.size() + 1);
  CHECK(whole == read(framing, length, input, data[1] % 16 + 1));
  CHECK(!(whole.done && whole.failed) && whole.failed == !whole.reason.empty());
  if (!chunked) CHECK(whole.body == input.substr(0, length));
  return 0;
}
