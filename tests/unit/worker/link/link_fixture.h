// The fixture of the tests of handler links: a link that records what its user is told.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/worker/link/peers.h"
#include "worker/link/handler_link.h"

namespace m2::test {

class LinkFixture : public testing::Test, protected HandlerLinkUser {
 protected:
  void handler_message(HandlerLink&, HandlerMessage& message) override {
    replies.emplace_back(message.bytes());
    if (hold) held.emplace_back(message.hold(), message.bytes());
    if (on_message) on_message();
  }
  void request_refused(HandlerLink&, ConnectionId id, std::string_view why, int status) override {
    refused.emplace_back(id, why);
    statuses.push_back(status);
    if (on_refused) on_refused();
  }
  std::vector<ConnectionId> told(const HandlerLink&) override { return known; }

  HandlerLinkOptions direct() {
    HandlerLinkOptions options;
    Listener send = listen_tcp();
    Listener recv = listen_tcp();
    options.send_spec = options.requests_endpoint = send.endpoint;
    options.recv_spec = options.replies_endpoint = recv.endpoint;
    options.requests_fd = std::move(send.fd);
    options.replies_fd = std::move(recv.fd);
    options.wait_ms = 60'000;
    return options;
  }
  HandlerLinkOptions behind_relay() {
    HandlerLinkOptions options;
    options.send_spec = "tcp://127.0.0.1:9997";
    options.recv_spec = "tcp://127.0.0.1:9996";
    options.requests_endpoint = directory.ipc("q");
    options.replies_endpoint = directory.ipc("r");
    options.wait_ms = 60'000;
    return options;
  }
  void open(HandlerLinkOptions options) {
    auto opened = HandlerLink::open(turns.loop, turns.context, std::move(options), *this);
    ASSERT_TRUE(opened.ok()) << opened.message();
    link = std::move(opened).value();
  }
  std::string receive(zmq::socket_t& socket) {
    std::optional<std::string> text;
    EXPECT_TRUE(turns.until([&] { return (text = receive_text(socket)).has_value(); }));
    return text.value_or("nothing");
  }

  Turns turns;
  TempDir directory;
  std::unique_ptr<HandlerLink> link;
  std::vector<std::string> replies;
  std::vector<std::pair<ConnectionId, std::string>> refused;
  std::vector<int> statuses;  // of the refused ones
  std::vector<ConnectionId> known;
  std::vector<std::pair<std::shared_ptr<const void>, std::string_view>> held;
  std::function<void()> on_message, on_refused;
  bool hold = false;
};

}  // namespace m2::test
