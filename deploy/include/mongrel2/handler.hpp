// Handlers in C++ (docs/handler-protocol.md): requests come in over 0MQ, answers go out. One header
// on cppzmq and simdjson; install it, or copy it.
//
//   mongrel2::Connection connection("", "tcp://127.0.0.1:9997", "tcp://127.0.0.1:9996");
//   connection.serve([&](const mongrel2::Request& it) { connection.reply_http(it, "hello"); });
#pragma once

#include <simdjson.h>

#include <signal.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <zmq.hpp>

namespace mongrel2 {

// A message that is not one of the server's.
class BadMessage : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a browser asked, and where an answer has to go: sender and id.
struct Request {
  std::string sender;
  std::string id;
  std::string path;
  // By name: lower case from the browser, upper case from the server (METHOD, PATH, PATTERN, ...).
  std::map<std::string, std::vector<std::string>, std::less<>> headers;
  std::string body;

  // The first value; "" if there is none. The browser's headers are found in any spelling, but those
  // in capitals and '_' are the server's.
  std::string header(std::string_view name) const {
    auto found = headers.find(name);
    if (found == headers.end()) {
      std::string lower(name);
      bool spelled = false;
      for (char& letter : lower) {
        const bool capital = letter >= 'A' && letter <= 'Z';
        spelled = spelled || (!capital && letter != '_');
        if (capital) letter = static_cast<char>(letter - 'A' + 'a');
      }
      if (spelled) found = headers.find(lower);
    }
    return found == headers.end() ? std::string() : found->second.front();
  }
  // The server's notice that the browser has gone: forget the id, never answer. A message of a JSON
  // socket, whatever it says, has a route, and with it the server's key PATH.
  bool is_disconnect() const { return is_notice() && body == "{\"type\":\"disconnect\"}"; }
  // The server itself speaks: of a browser that has gone, or of flow control.
  bool is_notice() const {
    return path == "@*" && headers.find("PATH") == headers.end() && header("METHOD") == "JSON";
  }
  // "UUID ID PATH SIZE:HEADERS,SIZE:BODY," with JSON headers. Throws BadMessage.
  static Request parse(std::string_view message);
};

namespace detail {

inline std::string_view word(std::string_view& rest) {
  const size_t space = rest.find(' ');
  if (space == std::string_view::npos) throw BadMessage("not UUID ID PATH and two netstrings");
  const std::string_view found = rest.substr(0, space);
  rest.remove_prefix(space + 1);
  return found;
}

inline std::string_view netstring(std::string_view& rest) {
  size_t size = 0;
  size_t at = 0;
  for (; at < rest.size() && at < 12 && rest[at] >= '0' && rest[at] <= '9'; ++at) {
    size = size * 10 + static_cast<size_t>(rest[at] - '0');
  }
  if (at == 0 || at >= rest.size() || rest[at] != ':' || rest.size() - at - 1 <= size) {
    throw BadMessage("a netstring has a wrong size");
  }
  const std::string_view text = rest.substr(at + 1, size);
  if (rest[at + 1 + size] != ',') throw BadMessage("a netstring does not end in a comma");
  rest.remove_prefix(at + 2 + size);
  return text;
}

// TERM and INT ask serve() to end; a second one does what it did before.
class EndSignals {
 public:
  EndSignals() {
    asked() = 0;
    struct sigaction ask = {};
    ask.sa_handler = [](int) { asked() = 1; };
    ask.sa_flags = static_cast<int>(SA_RESETHAND);
    for (size_t at = 0; at < 2; ++at) ::sigaction(kSignals[at], &ask, &before_[at]);
  }
  ~EndSignals() {
    for (size_t at = 0; at < 2; ++at) ::sigaction(kSignals[at], &before_[at], nullptr);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  static volatile sig_atomic_t& asked() {
    static volatile sig_atomic_t flag = 0;
    return flag;
  }

 private:
  static constexpr int kSignals[2] = {SIGTERM, SIGINT};
  struct sigaction before_[2] = {};
};

}  // namespace detail

inline Request Request::parse(std::string_view message) {
  Request request;
  request.sender = detail::word(message);
  request.id = detail::word(message);
  request.path = detail::word(message);
  const std::string_view block = detail::netstring(message);
  request.body = detail::netstring(message);
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(block.data(), block.size()).get(object) != simdjson::SUCCESS) {
    throw BadMessage("the headers are not a JSON object");
  }
  for (const auto [name, value] : object) {
    std::vector<std::string>& values = request.headers[std::string(name)];
    simdjson::dom::array several;
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) {
      values.emplace_back(text);
    } else if (value.get(several) == simdjson::SUCCESS) {
      for (const simdjson::dom::element one : several) {
        if (one.get(text) == simdjson::SUCCESS) values.emplace_back(text);
      }
    }
    if (values.empty()) values.emplace_back();
  }
  return request;
}

// How an HTTP answer begins.
struct Answer {
  int code = 200;
  std::string status = "OK";
  std::vector<std::pair<std::string, std::string>> headers;  // without Content-Length
};

// A handler's connection to the server. For one thread.
class Connection {
 public:
  // A message may name limits.handler_targets browsers, 128 by default: longer lists are split.
  static constexpr size_t kIdsMax = 100;
  // A PUB socket drops in silence what is above its mark; libzmq's own is 1,000.
  static constexpr int kSendMark = 100'000;
  // What waits here is lost if this process dies, and late if it is slow.
  static constexpr int kReceiveMark = 100;

  // sender: a UUID of this handler's own, or "". requests_at: send_spec of the handler row,
  // replies_at: its recv_spec.
  Connection(const std::string& sender, const std::string& requests_at,
             const std::string& replies_at)
      : replies_(context_, zmq::socket_type::pub), requests_(context_, zmq::socket_type::pull) {
    replies_.set(zmq::sockopt::sndhwm, kSendMark);
    replies_.set(zmq::sockopt::linger, 1000);
    if (!sender.empty()) replies_.set(zmq::sockopt::routing_id, sender);
    requests_.set(zmq::sockopt::rcvhwm, kReceiveMark);
    // The way back first: the server sends nothing to a handler that it cannot hear yet.
    replies_.connect(replies_at);
    requests_.connect(requests_at);
  }

  // Calls answer(const Request&) for each request until TERM or INT, then for those that have
  // arrived, 10 seconds at most. Notices are left out. An exception is printed and costs its
  // browser the connection alone.
  template <typename Answer>
  void serve(Answer answer) {
    using Clock = std::chrono::steady_clock;
    const detail::EndSignals signals;
    while (!detail::EndSignals::asked()) serve_one(std::chrono::milliseconds(200), answer);
    const Clock::time_point last = Clock::now() + std::chrono::seconds(10);
    while (Clock::now() < last && serve_one(std::chrono::milliseconds(50), answer)) {
    }
  }

  // Waits for the next request.
  Request receive() {
    while (true) {
      if (std::optional<Request> request = receive(std::chrono::milliseconds(-1))) {
        return *std::move(request);
      }
    }
  }
  // None: none came in time, or a signal did. Negative: waits for ever.
  std::optional<Request> receive(std::chrono::milliseconds limit) {
    zmq::pollitem_t item{requests_.handle(), 0, ZMQ_POLLIN, 0};
    const int found = ::zmq_poll(&item, 1, static_cast<long>(limit.count()));
    if (found < 0 && errno != EINTR) throw zmq::error_t();
    if (found <= 0) return std::nullopt;
    zmq::message_t message;
    if (!requests_.recv(message)) return std::nullopt;
    return Request::parse(message.to_string_view());
  }

  // Bytes that are complete in themselves, whatever the browser speaks. Empty: closes it.
  void reply(const Request& request, std::string_view bytes) {
    send(request.sender, request.id, bytes);
  }
  // A complete HTTP answer; after HEAD without its body.
  void reply_http(const Request& request, std::string_view body, const Answer& answer = {}) {
    reply(request, http(body, answer, request.header("METHOD") == "HEAD"));
  }
  void close(const Request& request) { reply(request, {}); }
  // The same bytes to every one of ids.
  void deliver(std::string_view sender, const std::vector<std::string>& ids,
               std::string_view bytes) {
    for (size_t first = 0; first < ids.size(); first += kIdsMax) {
      std::string list;
      for (size_t at = first; at < ids.size() && at < first + kIdsMax; ++at) {
        if (!list.empty()) list += ' ';
        list += ids[at];
      }
      send(sender, list, bytes);
    }
  }

  // 204, 304 and interim answers (1xx) have neither a body nor its length.
  static std::string http(std::string_view body, const Answer& answer = {}, bool head = false) {
    const bool bodiless = answer.code < 200 || answer.code == 204 || answer.code == 304;
    std::string text = "HTTP/1.1 " + std::to_string(answer.code) + " " + answer.status + "\r\n";
    for (const auto& [name, value] : answer.headers) text += name + ": " + value + "\r\n";
    if (!bodiless) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    text += "\r\n";
    if (!head && !bodiless) text += body;
    return text;
  }

 private:
  // False: nothing came.
  template <typename Answer>
  bool serve_one(std::chrono::milliseconds limit, Answer& answer) {
    std::optional<Request> request;
    try {
      request = receive(limit);
      if (request && !request->is_notice()) answer(std::as_const(*request));
      return request.has_value();
    } catch (const zmq::error_t&) {
      throw;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "mongrel2: %s\n", error.what());
    }
    if (request) close(*request);
    return true;
  }
  void send(std::string_view sender, std::string_view ids, std::string_view bytes) {
    std::string message(sender);
    message += ' ' + std::to_string(ids.size()) + ':';
    message.append(ids).append(", ").append(bytes);
    replies_.send(zmq::buffer(message), zmq::send_flags::none);
  }

  zmq::context_t context_;
  zmq::socket_t replies_;
  zmq::socket_t requests_;
};

}  // namespace mongrel2
