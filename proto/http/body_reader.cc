// A request body without its framing. Called by a client connection for each piece received.
#include "proto/http/body_reader.h"

#include <algorithm>

namespace m2 {

void BodyReader::start(BodyFraming framing, uint64_t content_length) {
  framing_ = framing;
  used_ = 0;
  remaining_ = framing == BodyFraming::kLength ? content_length : 0;
  if (chunked()) chunks_.start();
}

BodyReader::Step BodyReader::read(std::string_view input) {
  if (chunked()) {
    const Step step = chunks_.read(input);
    used_ += step.used;
    return step;
  }
  const size_t length = std::min<uint64_t>(remaining_, input.size());
  remaining_ -= length;
  used_ += length;
  return {length, input.substr(0, length)};
}

}  // namespace m2
