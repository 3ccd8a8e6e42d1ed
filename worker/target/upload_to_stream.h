// An upload that its handler reads in pieces, as fast as it gives credits (upload.stream of
// Mongrel2 1.8 and later). Made by Uploads. Keeps at most one read of the client in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proto/handler/connection_id.h"
#include "worker/link/room_waiter.h"
#include "worker/target/upload.h"

namespace m2 {

class UploadToStream final : public Upload, private RoomWaiter {
 public:
  UploadToStream(const UploadContext& context, std::shared_ptr<ToldHandler> told);
  // The first message: the headers, and what of a body with a length came with them. False: the
  // queue of the handlers is full.
  bool begin();

  void body(std::string_view bytes, bool last) override;
  void add_credits(uint64_t count) override;
  bool passed_on() const override { return passed_on_; }

 private:
  void room() override { go_on(); }
  bool may_pass();
  void pass_on(std::string_view piece);
  void go_on();

  const UploadContext context_;
  const std::shared_ptr<ToldHandler> told_;
  const ConnectionId id_;
  const std::string path_;
  const uint64_t length_;  // UINT64_MAX: chunked, nobody knows
  uint64_t offset_ = 0;    // what was passed on
  uint64_t taken_ = 0;     // what body() brought
  uint64_t credits_ = 0;
  std::string kept_;  // behind offset_, without credits
  bool ended_ = false;
  bool paused_ = false;
  std::string head_;  // reused: of the message being written
  bool passed_on_ = false;
};

}  // namespace m2
