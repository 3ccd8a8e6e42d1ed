// One exchange that waits for, or receives, a handler's answer: follows what comes, unaltered, and
// knows when it is complete. Made by HandlerTarget; others that speak with handlers (uploads, web
// sockets) derive from it what is different with them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proto/http/response_reader.h"
#include "worker/target/handler.h"

namespace m2 {

class HandlerResponder : public Responder {
 public:
  virtual ~HandlerResponder() = default;

  // Tells the handlers of an exchange and becomes its responder.
  static void begin(Exchange& exchange, std::shared_ptr<HandlerTarget> target);

  void body(std::string_view, bool) override {}
  void pull() override {}
  void stop() override;
  bool handler_reply(std::string_view body, HandlerMessage& message) override;
  // handler_sendfile.cc
  bool send_file(std::string_view path) override;
  void refused(std::string_view why, int status) override;
  bool asked(const void* pair) const override { return pair == &target_->link(); }
  const void* pair() const override { return target_->pair(); }
  void let_go(std::string_view why) override;
  void keep_alive() override { owed_.begin_anew(); }

 protected:
  // Becomes the responder of the exchange, of which no handler knows yet.
  void attach(Exchange& exchange, std::shared_ptr<HandlerTarget> target);
  // The same when its request was passed on, as the last there was.
  void wait_for_answer(Exchange& exchange, std::shared_ptr<HandlerTarget> target);
  // The handler has answered 101, which was sent with all that the message has behind it. Default:
  // bytes of another protocol follow from the handler until the zero-length message.
  virtual void switched() {}
  // Where an object goes that is used no more.
  virtual void recycle();
  // Either ends the exchange for this object, which may be gone afterwards.
  void finish();
  void end_broken(std::string_view why);
  // The answer says itself where it ends.
  bool has_end() const {
    const ResponseReader::State state = reader_.state();
    return state == ResponseReader::State::kHead || state == ResponseReader::State::kBody;
  }

  Exchange* exchange_ = nullptr;
  std::shared_ptr<HandlerTarget> target_;  // also keeps the link while the answer is awaited
  ConnectionId id_ = 0;
  ResponseReader reader_;
  Owed owed_;                 // on the ledger of the link
  bool handed_over_ = false;  // a handler may have seen the request

 private:
  void closed_by_handler();
  void follow(std::string_view body, HandlerMessage& message);
  void answer_complete(size_t bytes_behind);
  void send(std::string_view bytes, HandlerMessage& message);
  std::string in_words(std::string_view what) const;

  bool stream_ = false;  // raw, until the handler closes: messages of it may be dropped
};

}  // namespace m2
