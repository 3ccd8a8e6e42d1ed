#include "worker/target/upload.h"

#include "common/config/upload_store.h"
#include "common/log.h"
#include "worker/disk/temp_file.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/target/upload_to_file.h"
#include "worker/target/upload_to_stream.h"

namespace m2 {

UploadLimits::UploadLimits(const Settings& settings)
    : temp_store(settings.text("upload.temp_store")),
      stream(settings.flag("upload.stream")),
      max_bytes(static_cast<uint64_t>(settings.number("upload.max_bytes"))),
      files(static_cast<uint32_t>(settings.number("upload.files"))),
      disk_ms(static_cast<uint32_t>(settings.number("upload.disk_ms"))) {
  const auto mode = parse_temp_store_mode(settings.text("upload.temp_store_mode"));
  if (mode.ok()) temp_store_mode = mode.value();  // checked by master/store
}

void Uploads::prepare(const UploadLimits& limits) {
  if (limits.temp_store.empty() || limits.temp_store == sweep_.path_template || sweep_.under_way) {
    return;
  }
  if (Status status = thread_.start(); !status.ok()) return log_error(status.message());
  sweep_.path_template = limits.temp_store;
  sweep_.under_way = true;
  thread_.submit(sweep_);
}

void Uploads::Sweep::run() { removed = sweep_half_done(path_template); }

void Uploads::Sweep::done() {
  under_way = false;
  if (removed == 0) return;
  log_info("uploads that a killed worker left half-done in " + path_template +
           " were removed: " + std::to_string(removed));
}

Uploads::Begun Uploads::begin(const UploadContext& context, std::shared_ptr<ToldHandler> told) {
  const UploadLimits& limits = context.exchange.generation().limits().uploads;
  const uint64_t length = context.exchange.head().content_length;  // 0: chunked
  if (length > limits.max_bytes) {
    return {nullptr, 413,
            "a body of " + std::to_string(length) +
                " bytes is above upload.max_bytes=" + std::to_string(limits.max_bytes)};
  }
  if (!limits.stream) return begin_file(context, std::move(told));
  auto upload = std::make_unique<UploadToStream>(context, std::move(told));
  if (upload->begin()) return {std::move(upload), 0, {}};
  return {nullptr, 503, "the queue of handler pair " + context.row.send_spec + " is full"};
}

Uploads::Begun Uploads::begin_file(const UploadContext& context,
                                   std::shared_ptr<ToldHandler> told) {
  const UploadLimits& limits = context.exchange.generation().limits().uploads;
  if (files_.now >= limits.files) {
    return {
        nullptr, 503,
        "there are as many uploads as upload.files=" + std::to_string(limits.files) + " allows"};
  }
  if (Status status = thread_.start(); !status.ok()) return {nullptr, 503, status.message()};
  auto upload = std::make_unique<UploadToFile>(context, std::move(told));
  upload->begin({thread_, deadlines_, files_, limits.disk_ms});
  return {std::move(upload), 0, {}};
}

}  // namespace m2
