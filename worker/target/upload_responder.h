// A handler's exchange whose body did not fit one message: an Upload passes it on, and the answer
// is followed as ever. Made by HandlerTarget.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "worker/target/handler_responder.h"
#include "worker/target/upload.h"

namespace m2 {

class UploadResponder final : public HandlerResponder, private UploadUser {
 public:
  // Within Target::start(), while the body follows.
  static void begin(Exchange& exchange, std::shared_ptr<HandlerTarget> target, Uploads& uploads);

  void body(std::string_view bytes, bool last) override { upload_->body(bytes, last); }
  void stop() override;
  bool handler_reply(std::string_view body, HandlerMessage& message) override;
  void refused(std::string_view why, int status) override;
  void add_credits(uint64_t count) override { upload_->add_credits(count); }
  bool owes_request() const override { return !upload_->passed_on(); }

 private:
  void recycle() override { delete this; }
  void answer_is_owed() override;
  void upload_failed(int status, std::string why) override;

  std::unique_ptr<Upload> upload_;
};

}  // namespace m2
