// What a worker says of its clients when the relay asks for the control port (manual 3.8): who is
// connected, and the end of one of them. Both ends of the text: write here, read_client_line in the
// relay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "worker/link/query_port.h"

namespace m2 {

class Clients;

inline constexpr std::string_view kQueryNet = "net";
inline constexpr std::string_view kQueryKill = "kill ";  // and an id
inline constexpr std::string_view kQueryDone = "done";

// One client, as one line of the answer to kQueryNet. Times are seconds ago.
struct ClientLine {
  uint64_t id = 0;
  int64_t fd = 0;
  int64_t type = 0;  // of Mongrel2 1.x: 0 nothing yet, 1 HTTP, 2 JSON or XML socket, 3 web socket
  int64_t last_ping = 0;
  int64_t last_read = 0;
  int64_t last_write = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
};

void append_client_line(std::string& out, const ClientLine& line);
// Takes the next line off the text. nullopt: there is none, or it is not one.
std::optional<ClientLine> read_client_line(std::string_view& text);

class ClientReport final : public QueryUser {
 public:
  // At most so many lines in one answer.
  static constexpr size_t kLinesMax = 65536;
  explicit ClientReport(Clients& clients) : clients_(clients) {}
  std::string answer_query(std::string_view question) override;

 private:
  std::string net();
  std::string kill(std::string_view id);

  Clients& clients_;
};

}  // namespace m2
