#include "worker/target/upload_to_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proto/handler/request_writer.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/link/handler_link.h"
#include "worker/target/download_credits.h"

namespace m2 {
namespace {

constexpr std::string_view kOffset = "UPLOAD_STREAM";
constexpr std::string_view kDone = "UPLOAD_STREAM_DONE";
// A handler cannot owe us more sense than this; also keeps the sum from running over.
constexpr uint64_t kCreditsMax = uint64_t{1} << 53;

}  // namespace

UploadToStream::UploadToStream(const UploadContext& context, std::shared_ptr<ToldHandler> told)
    : context_(context),
      told_(std::move(told)),
      id_(context.exchange.client().id()),
      path_(context.exchange.path()),
      length_(context.exchange.head().framing == BodyFraming::kChunked
                  ? UINT64_MAX
                  : context.exchange.head().content_length) {}

bool UploadToStream::begin() {
  Exchange& exchange = context_.exchange;
  const std::string_view early = exchange.body();
  passed_on_ = early.size() == length_;
  const std::array<ExtraField, 2> keys{ExtraField{kOffset, "0"}, ExtraField{kDone, "1"}};
  DownloadCredits credits;
  std::string message;
  write_request(
      {.send_ident = context_.row.send_ident,
       .id = id_,
       .base = exchange.base(),
       .head = &exchange.head(),
       .pattern = exchange.route().pattern,
       .remote_addr = exchange.client_address(),
       .body = early,
       .keep_client_xff = exchange.generation().limits().keep_client_xff,
       .method = {},
       .extra = credits.add_to(std::span(keys).first(passed_on_ ? 2 : 1), exchange, told_)},
      context_.row.protocol, message);
  if (!context_.link.submit(id_, message)) return false;
  offset_ = early.size();
  context_.user.answer_is_owed();
  exchange.client().remember_handler(told_);
  paused_ = !passed_on_;
  if (paused_) exchange.client().set_body_paused(true);
  return true;
}

// What came early comes here too: it is passed on already.
void UploadToStream::body(std::string_view bytes, bool last) {
  const uint64_t most = context_.exchange.generation().limits().uploads.max_bytes;
  const uint64_t from = taken_;
  taken_ += bytes.size();
  if (taken_ > most) {
    return context_.user.upload_failed(
        413, "a chunked body is above upload.max_bytes=" + std::to_string(most));
  }
  ended_ = last;
  if (offset_ > from) bytes.remove_prefix(std::min<uint64_t>(bytes.size(), offset_ - from));
  if (kept_.empty() && may_pass()) {
    const size_t now = static_cast<size_t>(std::min<uint64_t>(bytes.size(), credits_));
    if (now > 0) pass_on(bytes.substr(0, now));
    bytes.remove_prefix(now);
  }
  kept_.append(bytes);
  go_on();
}

void UploadToStream::add_credits(uint64_t count) {
  credits_ = std::min(credits_ + std::min(count, kCreditsMax), kCreditsMax);
  go_on();
}

// The queue of the pair is for requests first; room() follows when it has none.
bool UploadToStream::may_pass() {
  if (context_.link.has_room()) return true;
  if (!waits_for_room()) context_.link.wait_for_room(*this);
  return false;
}

// As much of what is kept as may go; then the client may send, or must not.
void UploadToStream::go_on() {
  if (!kept_.empty() && credits_ > 0 && may_pass()) {
    const size_t now = static_cast<size_t>(std::min<uint64_t>(kept_.size(), credits_));
    pass_on(std::string_view(kept_).substr(0, now));
    kept_.erase(0, now);
  }
  // A chunked body ends in an empty message of its own.
  if (ended_ && kept_.empty() && !passed_on_ && may_pass()) pass_on({});
  const bool pause = !ended_ && !passed_on_ && (credits_ == 0 || !kept_.empty());
  if (std::exchange(paused_, pause) != pause) context_.exchange.client().set_body_paused(pause);
}

void UploadToStream::pass_on(std::string_view piece) {
  const std::string offset = std::to_string(offset_);
  offset_ += piece.size();
  credits_ -= piece.size();
  passed_on_ = offset_ == length_ || piece.empty();
  const std::array<ExtraField, 2> keys{ExtraField{kOffset, offset}, ExtraField{kDone, "1"}};
  write_piece_head({.send_ident = context_.row.send_ident,
                    .id = id_,
                    .path = path_,
                    .keys = std::span(keys).first(passed_on_ ? 2 : 1),
                    .body_bytes = piece.size()},
                   context_.row.protocol, head_);
  const std::array<std::string_view, 3> message{head_, piece, ","};
  context_.link.submit_following(id_, message);
  context_.user.answer_is_owed();
}

}  // namespace m2
