#include "master/name_resolver_child.h"

#include <string>
#include <utility>

#include "common/config/image.h"
#include "common/sealed_memory.h"
#include "common/treaty/addresses.h"
#include "common/treaty/channel.h"
#include "common/treaty/jailed.h"
#include "master/store/resolve.h"

namespace m2 {
namespace {

constexpr int kLimitMs = 10'000;

Message warning(std::string text) {
  Message message;
  message.type = MessageType::kFinding;
  message.text = std::move(text);
  if (message.text.size() > kMessageTextMax) message.text.resize(kMessageTextMax);
  return message;
}

Result<OwnedFd> find(int image, int channel) {
  const auto bytes = SealedView::map(image, kImageBytesMax);
  if (!bytes.ok()) return Status::error(bytes.message());
  const auto config = read_image(bytes.value().bytes());
  if (!config.ok()) return Status::error(config.message());
  std::map<std::string, std::string> failures;
  const NamedAddresses found = look_up(names_of(config.value().proxies), kLimitMs, failures);
  for (const auto& [name, why] : failures) {
    Status told = send_and_wait(channel, warning(name + " cannot be looked up again: " + why));
    if (!told.ok()) return told;
  }
  return seal_bytes("mongrel2-addresses", write_addresses(found));
}

Status become_nobody(const Jail& jail, int channel) {
  const Result<JailReport> entered = enter_jail(jail, JailRole::kResolver);
  if (!entered.ok()) return Status::error(entered.message());
  return send_jailed(channel, entered.value());
}

}  // namespace

int look_names_up(const ReaderTask& task, const Origin& origin, const Jail& jail, int image,
                  int channel) {
  Status ready = go_back(task, origin);
  if (ready.ok()) ready = become_nobody(jail, channel);
  Result<OwnedFd> found = ready.ok() ? find(image, channel) : Result<OwnedFd>(std::move(ready));
  if (!found.ok()) {
    (void)send_and_wait(channel, warning("names are not looked up again: " + found.message()));
    return 1;
  }
  Message message;
  message.type = MessageType::kAddresses;
  message.descriptors.push_back(std::move(found).value());
  return send_and_wait(channel, message).ok() ? 0 : 1;
}

}  // namespace m2
