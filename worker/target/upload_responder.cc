#include "worker/target/upload_responder.h"

#include "worker/http/exchange.h"

namespace m2 {

void UploadResponder::begin(Exchange& exchange, std::shared_ptr<HandlerTarget> target,
                            Uploads& uploads) {
  exchange.keep_head();
  auto* const responder = new UploadResponder;  // deletes itself in recycle()
  responder->attach(exchange, std::move(target));
  HandlerTarget& handlers = *responder->target_;
  Uploads::Begun begun =
      uploads.begin({exchange, handlers.row(), handlers.link(), *responder}, handlers.notices());
  responder->upload_ = std::move(begun.upload);
  if (responder->upload_ == nullptr) responder->upload_failed(begun.status, std::move(begun.why));
}

void UploadResponder::stop() {
  upload_->look_whether_taken();
  HandlerResponder::stop();
}

// A kill message or an answer before the body was passed on ends it: whatever there is of it goes.
bool UploadResponder::handler_reply(std::string_view body, HandlerMessage& message) {
  upload_->look_whether_taken();
  // An answer to the first message counts while the second one waits for a handler.
  if (upload_->known()) handed_over_ = true;
  // An error answer with a kill message behind it (manual 5.5).
  if (owes_request()) exchange_->client().tell_at_close();
  return HandlerResponder::handler_reply(body, message);
}

// A handler that is late or gone (504, 502) may have stored the file's path, unless the message
// that names it never left.
void UploadResponder::refused(std::string_view why, int status) {
  if (status == 503 || !owed_.was_handed_over()) upload_->refused();
  Exchange& exchange = *exchange_;
  exchange.set_keep_alive(false);
  if (exchange.status() == 0) return HandlerResponder::refused(why, status);
  const std::string text = "handler pair " + target_->row().send_spec + ": " + std::string(why);
  finish();
  exchange.broken(text);
}

// Not yet while only the beginning of an upload is known; and once, however many pieces it has,
// when the answer has begun.
void UploadResponder::answer_is_owed() {
  if (!owed_.has_begun()) target_->link().owe(owed_, id_);
}

// The connection ends with it: so the handlers that were told of the upload hear of its end.
void UploadResponder::upload_failed(int status, std::string why) {
  Exchange& exchange = *exchange_;
  finish();
  exchange.set_responder(nullptr);
  if (exchange.status() != 0) return exchange.broken(why);
  exchange.set_keep_alive(false);
  exchange.answer_status(status, why, status == 503 ? "Retry-After: 1\r\n" : "");
}

}  // namespace m2
