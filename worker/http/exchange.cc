#include "worker/http/exchange.h"

#include "common/config/model.h"
#include "proto/handler/netstring.h"
#include "proto/http/status_text.h"
#include "worker/generation.h"

namespace m2 {
namespace {

// Memory that a pooled exchange may keep for the next request.
constexpr size_t kKeptBytes = 16 * 1024;

// And one that waits for a handler's answer.
constexpr size_t kHeldBytes = 512;

void clear_buffer(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBytes) buffer.shrink_to_fit();
}

}  // namespace

std::string_view Exchange::field(std::string_view lower_case_name) const {
  const HeaderField* found = head_.find(base_, lower_case_name);
  return found == nullptr ? std::string_view() : found->value.in(base_);
}

std::string_view Exchange::connection_field() {
  if (body_follows()) keep_alive_ = false;
  if (!keep_alive_) return "Connection: close\r\n";
  return is_http10() ? "Connection: keep-alive\r\n" : "";
}

void Exchange::keep_head() {
  if (input.empty()) {
    input.assign(base_, parser.head_bytes());
  } else {
    input.resize(parser.head_bytes());
  }
  base_ = input.data();
}

void Exchange::answer_status(int status, std::string_view why, std::string_view fields) {
  if (!why.empty()) client_->note(status, std::to_string(status) + ": " + std::string(why));
  const std::string_view phrase = reason_phrase(status);
  // The body is the phrase itself, as Mongrel2 1.x has it; with two exceptions of its own.
  const std::string_view text = status == 413 ? "Entity Too Large" : phrase;
  const bool bodiless = status == 304 || status == 204;
  std::string answer = "HTTP/1.1 ";
  append_decimal(answer, static_cast<uint64_t>(status));
  answer.append(" ").append(phrase).append("\r\n");
  if (!bodiless) {
    answer += "Content-Type: text/plain\r\nContent-Length: ";
    append_decimal(answer, text.size());
    answer += "\r\n";
  }
  answer.append(fields).append(connection_field());
  answer.append("Date: ").append(client_->date()).append("\r\n");
  answer += "Server: Mongrel2/" M2_VERSION "\r\n\r\n";
  const bool with_body = !bodiless && !is_head_;
  if (with_body) answer += text;
  set_status(status);
  add_body_bytes(with_body ? text.size() : 0);
  send(answer);
  complete();
}

Exchange::Room Exchange::room_for(const HandlerRow& handler, uint64_t message_bytes,
                                  bool may_drop) {
  // One message may be of any size; who has not taken the ones before is too slow for another.
  const uint64_t limit = generation_->limits().handler_output_bytes;
  if (output.memory_bytes() <= limit) return Room::kThere;
  if (!may_drop || handler.slow_clients == SlowClients::kClose) {
    return client_->takes_burst(message_bytes) ? Room::kThere : Room::kNone;
  }
  if (handler.slow_clients == SlowClients::kDropOldest) {
    const OutputQueue::Dropped dropped = output.drop_oldest(limit);
    if (dropped.messages != 0) client_->note_dropped(handler, dropped);
    if (output.memory_bytes() <= limit) return Room::kThere;
  }
  client_->note_dropped(handler, {1, message_bytes});
  return Room::kDrop;
}

std::string Exchange::too_slow() const {
  return "it has not taken " + std::to_string(output.memory_bytes()) +
         " bytes, above handler.output_bytes=" +
         std::to_string(generation_->limits().handler_output_bytes);
}

void Exchange::forget_request() {
  const auto give_back = [](std::string& buffer) {
    if (buffer.capacity() > kHeldBytes) std::string().swap(buffer);
  };
  give_back(input);
  give_back(body_buffer_);
  body_ = {};
  base_ = nullptr;
  if (head_.fields.capacity() * sizeof(HeaderField) > kHeldBytes) head_.fields = {};
}

void Exchange::reset() {
  parser.reset();
  body_reader.start(BodyFraming::kNone, 0);
  output.clear();
  clear_buffer(input);
  clear_buffer(later);
  wakes_at = write_until = body_until = 0;
  write_watched = owes_continue = output_held = false;
  head_.clear();
  base_ = nullptr;
  body_ = {};
  client_ = nullptr;
  responder_ = nullptr;
  route_ = nullptr;
  generation_.reset();
  clear_buffer(body_buffer_);
  clear_buffer(trailers_);
  clear_buffer(logged_.text);
  request_id_ = 0;
  host_name_ = {};
  answer_body_bytes_ = lost_bytes_ = credits_due_ = burst_bytes_ = 0;
  burst_since_ = 0;
  credits_to_.reset();
  dropped_ = {};
  dropped_by_.clear();
  counted_key_ = 0;
  client_length_ = 0;
  status_ = 0;
  is_head_ = ends_as_agreed_ = false;
  keep_alive_ = true;
  continue_left_ = false;
  peer_is_trusted_ = https_ = false;
}

}  // namespace m2
