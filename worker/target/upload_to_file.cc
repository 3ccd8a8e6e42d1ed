#include "worker/target/upload_to_file.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "common/log_limit.h"
#include "proto/handler/request_writer.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/link/handler_link.h"
#include "worker/target/download_credits.h"

namespace m2 {
namespace {

constexpr std::string_view kStart = "x-mongrel2-upload-start";
constexpr std::string_view kDone = "x-mongrel2-upload-done";
constexpr std::string_view kLength = "content-length";

bool is_full_disk(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG || error == EIO;
}

}  // namespace

UploadToFile::UploadToFile(const UploadContext& context, std::shared_ptr<ToldHandler> told)
    : context_(context), told_(std::move(told)), id_(context.exchange.client().id()) {}

void UploadToFile::begin(const UploadFile::Disk& disk) {
  const UploadLimits& limits = context_.exchange.generation().limits().uploads;
  pause(true);
  file_ = UploadFile::open(disk, limits.temp_store, limits.temp_store_mode, *this);
}

// A file that no handler was told to be done goes.
UploadToFile::~UploadToFile() {
  if (!passed_on_) return;
  if (queued_ || refused_) {
    context_.link.withdraw(id_);
  } else {
    file_->keep();
  }
}

void UploadToFile::look_whether_taken() { queued_ = passed_on_ && context_.link.holds(id_); }

void UploadToFile::body(std::string_view bytes, bool last) {
  bytes_ += bytes.size();
  const uint64_t most = context_.exchange.generation().limits().uploads.max_bytes;
  if (bytes_ > most) {
    return fail(413, "a chunked body is above upload.max_bytes=" + std::to_string(most));
  }
  if (!bytes.empty()) file_->append(bytes);
  if (!last) {
    if (file_->full()) pause(true);
    return;
  }
  pause(false);  // whether the client stays is to be heard
  file_->finish();
}

void UploadToFile::file_created() {
  if (!tell(false)) return;
  context_.exchange.client().remember_handler(told_);
  if (!file_->full()) pause(false);
}

void UploadToFile::file_has_room() {
  if (!file_->full()) pause(false);
}

void UploadToFile::file_finished() {
  known_ = !context_.link.holds(id_);  // the first message, until now
  if (!tell(true)) return;
  passed_on_ = true;
  context_.user.answer_is_owed();
}

// Sends the request with the key of this step. The length of a chunked body is known at its end;
// handlers find it there as if the client had sent it (RFC 9112 7.1.3).
bool UploadToFile::tell(bool done) {
  Exchange& exchange = context_.exchange;
  const std::string length = std::to_string(bytes_);
  const std::array<ExtraField, 3> keys{ExtraField{kStart, file_->path()},
                                       ExtraField{kDone, file_->path()},
                                       ExtraField{kLength, length}};
  const bool was_chunked = exchange.head().content_length == 0;
  const size_t count = !done ? 1 : was_chunked ? 3 : 2;
  DownloadCredits credits;
  std::string message;
  write_request({.send_ident = context_.row.send_ident,
                 .id = id_,
                 .base = exchange.base(),
                 .head = &exchange.head(),
                 .pattern = exchange.route().pattern,
                 .remote_addr = exchange.client_address(),
                 .keep_client_xff = exchange.generation().limits().keep_client_xff,
                 .method = {},
                 .extra = credits.add_to(std::span(keys).first(count), exchange, told_)},
                context_.row.protocol, message);
  if (context_.link.submit(id_, message)) return true;
  fail(503, "the queue of handler pair " + context_.row.send_spec + " is full");
  return false;
}

void UploadToFile::pause(bool paused) {
  if (paused_ == paused) return;
  paused_ = paused;
  context_.exchange.client().set_body_paused(paused);
}

void UploadToFile::file_failed(const DiskFailure& failure) {
  const std::string& store = context_.exchange.generation().limits().uploads.temp_store;
  const bool create = failure.step == DiskFailure::Step::kCreate;
  const std::string why =
      "upload.temp_store " + store + ": cannot " + (create ? "create a file" : "write") + ": ";
  if (failure.error == ETIMEDOUT) {
    return fail(503, why + "the disk has not answered for upload.disk_ms");
  }
  if (create && (failure.error == EMFILE || failure.error == ENFILE)) {
    return fail(503, why + std::strerror(failure.error) + " (superpoll.max_fd raises the limit)");
  }
  const bool full = !create || is_full_disk(failure.error);
  static LogLimit limit("uploads that cannot be stored", LogLevel::kError);
  limit.write(why + std::strerror(failure.error));
  fail(full ? 507 : 500, why + std::strerror(failure.error));
}

void UploadToFile::fail(int status, std::string why) {
  context_.user.upload_failed(status, std::move(why));
}

}  // namespace m2
