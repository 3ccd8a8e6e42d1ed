// Fuzzes ResponseReader: it never takes more than it was given nor keeps more than its limit, and
// where an answer ends does not depend on how the bytes are cut. First byte: HEAD; second: where to
// cut.
#include "proto/http/response_reader.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"

namespace {

using State = m2::ResponseReader::State;
constexpr uint32_t kHeadBytesMax = 256;

struct Outcome {
  State state = State::kHead;
  int status = 0;
  uint64_t body_bytes = 0;
  bool keep_alive = false;
  std::string head;
  std::string_view reason;
  size_t used = 0;
  bool ended = false;

  bool operator==(const Outcome&) const = default;
};

Outcome feed(bool head_request, std::string_view input, size_t step) {
  m2::ResponseReader reader;
  reader.start(head_request, kHeadBytesMax);
  Outcome outcome;
  while (outcome.used < input.size()) {
    const std::string piece(input.substr(outcome.used, step));
    const size_t used = reader.feed(piece);
    CHECK(used <= piece.size());
    CHECK(reader.head().size() <= kHeadBytesMax);
    outcome.used += used;
    if (!reader.head().empty()) {
      CHECK(outcome.head.empty());
      outcome.head = reader.head();
    }
    if (used < piece.size()) {
      CHECK(reader.state() == State::kComplete || reader.state() == State::kBroken);
      break;
    }
  }
  outcome.state = reader.state();
  outcome.status = reader.status();
  outcome.body_bytes = reader.body_bytes();
  outcome.keep_alive = reader.keep_alive();
  outcome.reason = reader.reason();
  outcome.ended = reader.end_of_input();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool head_request = (data[0] & 1) != 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = feed(head_request, input, input.size() + 1);
  Outcome split = feed(head_request, input, data[1] % 16 + 1);
  // A broken answer is given up as early as it can be, so how much was taken differs, and of two
  // faults the one that was in the bytes first is named.
  if (whole.state == State::kBroken && split.state == State::kBroken) {
    split.used = whole.used;
    split.reason = whole.reason;
  }
  CHECK(whole == split);
  CHECK(whole.head.empty() == (whole.status == 0));
  if (whole.state == State::kComplete) CHECK(whole.ended);
  return 0;
}
