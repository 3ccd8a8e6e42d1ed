// Answers of backends and handlers: where they end (RFC 9112 6.3). Called for every piece on its
// way to a client; changes no byte. A head that arrives whole is read where it lies.
#include "proto/http/response_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "proto/http/syntax.h"

namespace m2 {
namespace {

constexpr std::string_view kProtocol = "HTTP/1.";

// Takes the next line off the text, without its LF or CRLF. There is an LF in it.
std::string_view next_line(std::string_view& text) {
  const size_t newline = text.find('\n');
  std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// The status of "HTTP/1.1 200 OK"; 0: no status line.
uint16_t parse_status(std::string_view line) {
  if (line.size() < 12 || !is(line[7], kDigitChar) || line[8] != ' ') return 0;
  if (line.size() > 12 && line[12] != ' ') return 0;
  unsigned status = 0;
  for (size_t i = 9; i < 12; ++i) {
    if (!is(line[i], kDigitChar)) return 0;
    status = status * 10 + static_cast<unsigned>(line[i] - '0');
  }
  return status < 100 ? 0 : static_cast<uint16_t>(status);
}

// NUL and CR within a line: some readers end the line there, others do not.
bool has_hidden_end(std::string_view line) {
  return find_control(line) != std::string_view::npos &&
         (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos);
}

}  // namespace

struct ResponseReader::Framing {
  bool http_1_0 = false;
  bool close = false;
  bool keep_alive = false;
  bool has_coding = false;
  bool chunked = false;       // the last coding is chunked
  bool last_mattered = true;  // the line before (status line or field) must not be continued
};

void ResponseReader::start(bool head_request, uint32_t head_bytes_max) {
  state_ = State::kHead;
  head_request_ = head_request;
  keep_alive_ = has_length_ = chunked_ = false;
  interim_count_ = 0;
  status_ = 0;
  head_bytes_max_ = head_bytes_max;
  content_length_ = body_bytes_ = 0;
  reason_ = {};
  drop_head();
}

// An idle connection keeps no buffer, so the copy goes back at once.
void ResponseReader::drop_head() {
  head_ = interim_ = {};
  if (!partial_.empty()) std::string().swap(partial_);
}

size_t ResponseReader::feed(std::string_view bytes) {
  if (!head_.empty()) drop_head();
  size_t used = 0;
  while (state_ == State::kHead && used < bytes.size()) used += feed_head(bytes.substr(used));
  return used + feed_body(bytes.substr(used));
}

size_t ResponseReader::feed_head(std::string_view bytes) {
  if (!interim_.empty()) drop_head();
  for (size_t i = partial_.size(); i < kProtocol.size(); ++i) {
    const size_t at = i - partial_.size();
    if (at == bytes.size()) break;
    if (bytes[at] != kProtocol[i]) {
      fail("not an answer in HTTP/1.0 or HTTP/1.1 (RFC 9112 4)");
      return 0;
    }
  }
  const size_t end = find_head_end(bytes);
  const bool whole = end != std::string_view::npos;
  const size_t taken = whole ? end : bytes.size();
  // One byte more is sure to follow a head that is not whole.
  if (taken + partial_.size() + (whole ? 0 : 1) > head_bytes_max_) {
    fail("the head of the answer is longer than allowed");
    return 0;
  }
  if (whole && partial_.empty()) {
    take_head(bytes.substr(0, end));
    return taken;
  }
  partial_.append(bytes.substr(0, taken));
  if (whole) take_head(partial_);
  return taken;
}

// Offset behind the blank line that ends the head begun in partial_; npos: not in these bytes.
size_t ResponseReader::find_head_end(std::string_view bytes) const {
  const auto before = [&](size_t at, size_t back) {
    if (at >= back) return bytes[at - back];
    const size_t missing = back - at;
    return partial_.size() >= missing ? partial_[partial_.size() - missing] : ' ';
  };
  for (size_t at = 0; (at = bytes.find('\n', at)) != std::string_view::npos; ++at) {
    const char last = before(at, 1);
    if (last == '\n' || (last == '\r' && before(at, 2) == '\n')) return at + 1;
  }
  return std::string_view::npos;
}

void ResponseReader::take_head(std::string_view head) {
  std::string_view rest = head;
  const std::string_view status_line = next_line(rest);
  const uint16_t status = parse_status(status_line);
  if (status == 0 || has_hidden_end(status_line)) {
    fail("bad status line in the answer (RFC 9112 4)");
    return;
  }
  if (status < 200 && status != 101) {  // interim: the final answer follows
    if (++interim_count_ > kInterimAnswersMax) {
      fail("more interim answers than a client should have to read");
      return;
    }
    interim_ = head;
    return;
  }
  Framing framing;
  framing.http_1_0 = status_line[7] == '0';
  while (!rest.empty()) {
    if (!take_field(next_line(rest), framing)) return;
  }
  if (framing.has_coding && (has_length_ || framing.http_1_0)) {
    fail(has_length_ ? "Content-Length and Transfer-Encoding together in the answer (RFC 9112 6.3)"
                     : "Transfer-Encoding in an HTTP/1.0 answer (RFC 9112 6.1)");
    return;
  }
  status_ = status;
  head_ = head;
  take_framing(framing);
}

// Only fields that frame the answer are looked into; false: kBroken.
bool ResponseReader::take_field(std::string_view line, Framing& framing) {
  if (has_hidden_end(line)) return fail("CR or NUL within the head of the answer (RFC 9112 2.2)");
  if (line.empty()) return true;
  if (is_blank(line.front())) {
    if (!framing.last_mattered) return true;
    return fail("folded framing field in the answer (RFC 9112 5.2)");
  }
  framing.last_mattered = false;
  const char first = ascii_lower(line.front());
  if (first != 'c' && first != 't') return true;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string_view name = trim_blanks(line.substr(0, colon));
  const std::string_view value = trim_blanks(line.substr(colon + 1));
  const bool is_length = equals_ignore_case(name, "content-length");
  const bool is_coding = !is_length && equals_ignore_case(name, "transfer-encoding");
  const bool is_connection = !is_length && !is_coding && equals_ignore_case(name, "connection");
  if (!is_length && !is_coding && !is_connection) return true;
  framing.last_mattered = true;
  if (name.size() != colon) {
    return fail("blank before the colon of a framing field in the answer (RFC 9112 5.1)");
  }
  if (is_coding) return take_coding(value, framing);
  if (is_length) {
    const std::optional<uint64_t> length = parse_length(value);
    if (!length) return fail("bad Content-Length in the answer (RFC 9112 6.3)");
    if (has_length_ && content_length_ != *length) {
      return fail("two different Content-Length fields in the answer (RFC 9112 6.3)");
    }
    has_length_ = true;
    content_length_ = *length;
    return true;
  }
  std::string_view list = value, option;
  while (next_element(list, option)) {
    if (equals_ignore_case(option, "close")) framing.close = true;
    if (equals_ignore_case(option, "keep-alive")) framing.keep_alive = true;
  }
  return true;
}

bool ResponseReader::take_coding(std::string_view value, Framing& framing) {
  std::string_view coding;
  framing.has_coding = true;
  while (next_element(value, coding)) {
    if (coding.empty()) continue;
    if (framing.chunked) {
      return fail("chunked is not the one last coding of the answer (RFC 9112 6.1)");
    }
    framing.chunked = equals_ignore_case(coding, "chunked");
  }
  return true;
}

// How the body goes on after a head that holds no contradiction.
void ResponseReader::take_framing(const Framing& framing) {
  keep_alive_ = !framing.close && (!framing.http_1_0 || framing.keep_alive);
  if (status_ == 101) {
    state_ = State::kSwitched;
  } else if (head_request_ || status_ == 204 || status_ == 304) {
    state_ = State::kComplete;
  } else if (framing.chunked) {
    state_ = State::kBody;
    chunked_ = true;
    chunks_.start();
  } else if (has_length_) {
    state_ = content_length_ == 0 ? State::kComplete : State::kBody;
  } else {
    state_ = State::kUntilClose;
  }
  if (state_ == State::kUntilClose || state_ == State::kSwitched) keep_alive_ = false;
}

size_t ResponseReader::feed_body(std::string_view bytes, std::string* data) {
  trailers_at_ = std::string_view::npos;
  switch (state_) {
    case State::kBody: {
      if (chunked_) return feed_chunked(bytes, data);
      const size_t used = std::min<uint64_t>(content_length_ - body_bytes_, bytes.size());
      if (data != nullptr) data->append(bytes.substr(0, used));
      body_bytes_ += used;
      if (body_bytes_ == content_length_) state_ = State::kComplete;
      return used;
    }
    case State::kUntilClose:
    case State::kSwitched:
      if (data != nullptr) data->append(bytes);
      body_bytes_ += bytes.size();
      return bytes.size();
    case State::kHead:
    case State::kComplete:
    case State::kBroken:
      return 0;
  }
  return 0;
}

size_t ResponseReader::feed_chunked(std::string_view bytes, std::string* data) {
  size_t used = 0;
  while (used < bytes.size() && !chunks_.done()) {
    const BodyStep step = chunks_.read(bytes.substr(used));
    if (!step.trailers.empty() && trailers_at_ == std::string_view::npos) {
      trailers_at_ = used + step.used - step.trailers.size();
    }
    used += step.used;
    body_bytes_ += step.data.size();
    if (data != nullptr) data->append(step.data);
    if (chunks_.failed()) {
      fail(chunks_.reason());
      return used;
    }
  }
  if (chunks_.done()) state_ = State::kComplete;
  return used;
}

bool ResponseReader::pass_over(uint64_t bytes) {
  if (state_ == State::kUntilClose) {
    body_bytes_ += bytes;
    return true;
  }
  if (state_ == State::kBody && chunked_) {
    if (!chunks_.pass_over(bytes)) return false;
    body_bytes_ += bytes;
    return true;
  }
  if (state_ != State::kBody || bytes > content_length_ - body_bytes_) return false;
  body_bytes_ += bytes;
  if (body_bytes_ == content_length_) state_ = State::kComplete;
  return true;
}

bool ResponseReader::end_of_input() {
  switch (state_) {
    case State::kUntilClose:
    case State::kSwitched:
      state_ = State::kComplete;
      return true;
    case State::kComplete:
      return true;
    case State::kHead:
      return fail("the sender closed before the head of the answer was complete");
    case State::kBody:
      return fail("the sender closed before the answer was complete (RFC 9112 8)");
    case State::kBroken:
      return false;
  }
  return false;
}

// Always false, so that what finds a fault can return it.
bool ResponseReader::fail(std::string_view reason) {
  state_ = State::kBroken;
  reason_ = reason;
  keep_alive_ = false;
  return false;
}

}  // namespace m2
