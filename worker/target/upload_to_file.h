// An upload that is stored: one message to the handler when its file is there, a second one when it
// is complete (manual 5.5). Made by Uploads; waits for the disk without ever blocking.
#pragma once

#include <memory>

#include "proto/handler/connection_id.h"
#include "worker/target/upload.h"

namespace m2 {

class UploadToFile final : public Upload, private UploadFileUser {
 public:
  UploadToFile(const UploadContext& context, std::shared_ptr<ToldHandler> told);
  ~UploadToFile() override;
  // Keeps the client's bytes back until the file is there.
  void begin(const UploadFile::Disk& disk);

  void body(std::string_view bytes, bool last) override;
  bool passed_on() const override { return passed_on_; }
  void look_whether_taken() override;
  bool known() const override { return known_; }
  void refused() override { refused_ = true; }

 private:
  void file_created() override;
  void file_has_room() override;
  void file_finished() override;
  void file_failed(const DiskFailure& failure) override;
  bool tell(bool done);
  void pause(bool paused);
  void fail(int status, std::string why);

  const UploadContext context_;
  const std::shared_ptr<ToldHandler> told_;
  const ConnectionId id_;
  UploadFile::Owned file_;
  uint64_t bytes_ = 0;
  bool paused_ = false;
  bool known_ = false;
  bool passed_on_ = false;
  bool refused_ = false;
  bool queued_ = false;  // the second message was still here
};

}  // namespace m2
