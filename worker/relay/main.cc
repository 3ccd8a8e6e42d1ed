// The story of the relay, from the master's fork to its end.
#include "common/log.h"
#include "common/treaty/channel.h"
#include "common/treaty/child.h"

namespace m2 {
namespace {

class Relay final : private ChannelUser {
 public:
  explicit Relay(ChildStart start) : channel_(loop_, std::move(start.channel), *this) {}
  void run() { loop_.run(); }

 private:
  void channel_message(Message message) override {
    if (message.type == MessageType::kPrepare) return answer(MessageType::kReady, message.generation);
    if (message.type == MessageType::kCommit) return answer(MessageType::kSwapped, message.generation);
    if (message.type == MessageType::kDrain) loop_.stop();
  }
  void channel_closed(const std::string&) override { loop_.stop(); }
  void answer(MessageType type, uint64_t generation) {
    Message message;
    message.type = type;
    message.generation = generation;
    channel_.send(std::move(message));
  }

  Loop loop_;
  Channel channel_;
};

}  // namespace

int relay_main(ChildStart start) {
  log_open("relay", start.error_log.get(), start.log_level);
  const Status jailed = enter_jail(start.jail);
  if (!jailed.ok()) {
    log_error("cannot give up privileges: " + jailed.message());
    return 1;
  }
  Relay relay(std::move(start));
  relay.run();
  return 0;
}

}  // namespace m2
