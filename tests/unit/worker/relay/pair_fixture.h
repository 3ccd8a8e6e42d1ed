// A handler pair of the relay with what stands on its two sides: the links of real workers, and
// handlers of plain libzmq sockets.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/worker/link/peers.h"
#include "worker/link/handler_link.h"
#include "worker/relay/handler_pair.h"

namespace m2::test {

class PairWorker final : HandlerLinkUser {
 public:
  PairWorker(Turns& turns, const TempDir& directory, unsigned slot, uint64_t incarnation,
             uint32_t wait_ms = 60'000)
      : name{slot, incarnation} {
    const std::string place = std::to_string(slot) + "-" + std::to_string(incarnation);
    HandlerLinkOptions options;
    options.send_spec = "worker " + place;
    requests_endpoint = options.requests_endpoint = directory.ipc(place + "-q");
    replies_endpoint = options.replies_endpoint = directory.ipc(place + "-r");
    options.wait_ms = wait_ms;
    options.worker_id = first_connection_id(slot, incarnation);
    options.grace_ms = 100;
    auto opened = HandlerLink::open(turns.loop, turns.context, std::move(options), *this);
    EXPECT_TRUE(opened.ok()) << opened.message();
    link = std::move(opened).value();
  }
  void handler_message(HandlerLink&, HandlerMessage& message) override {
    replies.emplace_back(message.bytes());
  }
  void request_refused(HandlerLink&, ConnectionId id, std::string_view why, int status) override {
    refused.emplace_back(id, why);
    statuses.push_back(status);
  }
  ConnectionId id(uint64_t number) const {
    return first_connection_id(name.slot, name.incarnation) + number;
  }
  std::string text_id(uint64_t number) const { return std::to_string(id(number)); }
  std::string request(uint64_t number) const {
    return "sender " + text_id(number) + " /path 2:{},0:,";
  }
  std::string notice(uint64_t number) const {
    return "sender " + text_id(number) +
           " @* 17:{\"METHOD\":\"JSON\"},21:{\"type\":\"disconnect\"},";
  }
  bool submit(uint64_t number) { return link->submit(id(number), request(number)); }
  void leave(uint64_t number) { link->notify(id(number), notice(number)); }

  const WorkerName name;
  std::string requests_endpoint, replies_endpoint;
  std::unique_ptr<HandlerLink> link;
  std::vector<std::string> replies;
  std::vector<std::pair<ConnectionId, std::string>> refused;
  std::vector<int> statuses;  // of the refused ones
};

class PairFixture : public testing::Test {
 protected:
  void open(uint32_t queue_max = 1000, uint32_t wait_ms = 60'000, std::string recv_ident = "") {
    Listener send = listen_tcp();
    Listener recv = listen_tcp();
    HandlerPairOptions options;
    options.send_spec = send.endpoint;
    options.recv_spec = recv.endpoint;
    options.send_ident = "sender";
    options.recv_ident = std::move(recv_ident);
    options.targets_max = 4;
    options.queue_max = queue_max;
    options.wait_ms = wait_ms;
    if (!relay_context) relay_context = std::make_unique<ZmqContext>(1);
    auto opened = HandlerPair::open(turns.loop, *relay_context, std::move(options),
                                    std::move(send.fd), std::move(recv.fd));
    ASSERT_TRUE(opened.ok()) << opened.message();
    pair = std::move(opened).value();
  }
  // As if its process had died: its connections are closed when this returns.
  void end_relay() {
    pair.reset();
    relay_context.reset();
  }
  void add(const PairWorker& worker) {
    const Status status =
        pair->add_worker(worker.name, worker.requests_endpoint, worker.replies_endpoint);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  std::unique_ptr<HandlerPeer> start_handler() {
    return std::make_unique<HandlerPeer>(pair->send_spec(), pair->recv_spec());
  }
  std::string receive(HandlerPeer& handler) {
    std::optional<std::string> text;
    EXPECT_TRUE(turns.until([&] { return (text = receive_text(handler.requests)).has_value(); }));
    return text.value_or("nothing");
  }
  std::vector<std::string> receive(HandlerPeer& handler, size_t count) {
    std::vector<std::string> texts;
    while (texts.size() < count && !HasFailure()) texts.push_back(receive(handler));
    std::sort(texts.begin(), texts.end());
    return texts;
  }
  // The handler is heard: what it publishes from here on arrives.
  void warm_up(PairWorker& worker, HandlerPeer& handler) {
    ASSERT_TRUE(worker.submit(999));
    EXPECT_EQ(receive(handler), worker.request(999));
    worker.leave(999);
    EXPECT_EQ(receive(handler), worker.notice(999));
  }

  Turns turns;
  TempDir directory;
  std::unique_ptr<ZmqContext> relay_context;  // the relay's
  std::unique_ptr<HandlerPair> pair;
};

}  // namespace m2::test
