#include "worker/relay/worker_queries.h"

#include <algorithm>
#include <utility>

namespace m2 {

Status WorkerQueries::add(ZmqContext& context, WorkerName worker, const std::string& endpoint) {
  for (const Peer& peer : peers_) {
    if (peer.worker == worker) return {};
  }
  const ZmqSocketOptions options{
      .send_mark = kMark, .recv_mark = kMark, .message_max = kAnswerBytesMax};
  auto socket = ZmqSocket::open(loop_, context, ZmqKind::kPair, options, *this);
  if (!socket.ok()) return std::move(socket).status();
  Status connected = socket.value()->connect(endpoint);
  if (!connected.ok()) return connected;
  socket.value()->set_reading(true);
  peers_.push_back({worker, std::move(socket).value()});
  return {};
}

void WorkerQueries::remove(WorkerName worker) {
  std::erase_if(peers_, [&](const Peer& peer) {
    if (peer.worker == worker && peer.due) ++answers_.silent;
    return peer.worker == worker;
  });
  if (done_) look();
}

void WorkerQueries::ask(std::string_view question, std::optional<unsigned> slot, Done done) {
  answers_ = {};
  done_ = std::move(done);
  const std::string text = std::to_string(++number_) + ' ' + std::string(question);
  for (Peer& peer : peers_) {
    peer.due = false;
    if (slot && peer.worker.slot != *slot) continue;
    ZmqMessage message(text.data(), text.size());
    // No room: it is just being connected, or has hung for some questions.
    peer.due = peer.socket->send(message);
    if (!peer.due) ++answers_.silent;
  }
  timer_.start<&WorkerQueries::finish>(loop_, patience_s_, 0.0, this);
  look();
}

void WorkerQueries::zmq_message(ZmqSocket& socket, std::shared_ptr<ZmqMessage>& message, bool) {
  const std::string_view text = bytes_of(*message);
  const std::string number = std::to_string(number_) + ' ';
  const auto peer = std::find_if(peers_.begin(), peers_.end(), [&socket](const Peer& each) {
    return each.socket.get() == &socket;
  });
  // Another number: the answer to a question that was given up.
  if (peer == peers_.end() || !peer->due || !text.starts_with(number)) return;
  peer->due = false;
  answers_.texts.emplace_back(text.substr(number.size()));
  look();
}

// The last answer ends the wait, in a turn of its own.
void WorkerQueries::look() {
  const bool due = std::any_of(peers_.begin(), peers_.end(), [](const Peer& p) { return p.due; });
  if (!due) timer_.start<&WorkerQueries::finish>(loop_, 0.0, 0.0, this);
}

void WorkerQueries::finish() {
  timer_.stop();
  for (Peer& peer : peers_) answers_.silent += std::exchange(peer.due, false) ? 1 : 0;
  const Done done = std::exchange(done_, nullptr);
  if (done) done(std::exchange(answers_, {}));
}

}  // namespace m2
