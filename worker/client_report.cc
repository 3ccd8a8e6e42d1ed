#include "worker/client_report.h"

#include <charconv>

#include "worker/http/clients.h"
#include "worker/http/connection.h"

namespace m2 {
namespace {

template <typename Visitor, typename Line>
void visit_fields(Line& line, Visitor visit) {
  visit(line.id);
  visit(line.fd);
  visit(line.type);
  visit(line.last_ping);
  visit(line.last_read);
  visit(line.last_write);
  visit(line.bytes_read);
  visit(line.bytes_written);
}

int64_t seconds_ago(double now, uint32_t then) {
  const auto second = static_cast<int64_t>(now);
  return then == 0 || second < then ? 0 : second - then;
}

}  // namespace

void append_client_line(std::string& out, const ClientLine& line) {
  visit_fields(line, [&out](auto number) {
    out += std::to_string(number);
    out += ' ';
  });
  out.back() = '\n';
}

std::optional<ClientLine> read_client_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return {};
  const char* at = text.data();
  const char* const line_end = at + end;
  text.remove_prefix(end + 1);
  ClientLine line;
  bool good = true;
  visit_fields(line, [&](auto& number) {
    const auto parsed = std::from_chars(at, line_end, number);
    good = good && parsed.ec == std::errc();
    at = parsed.ptr == line_end ? line_end : parsed.ptr + 1;
  });
  if (!good || at != line_end) return {};
  return line;
}

std::string ClientReport::answer_query(std::string_view question) {
  if (question == kQueryNet) return net();
  if (question.starts_with(kQueryKill)) return kill(question.substr(kQueryKill.size()));
  return {};
}

// Who has no id yet gets one, so that each can be killed.
std::string ClientReport::net() {
  std::string out;
  size_t lines = 0;
  const double now = clients_.loop().now();
  clients_.each([&](Connection& connection) {
    if (++lines > kLinesMax) return;
    const Traffic& traffic = connection.traffic();
    append_client_line(out, {.id = connection.any_id(),
                             .fd = connection.descriptor(),
                             .type = connection.kind(),
                             .last_ping = seconds_ago(now, traffic.pinged),
                             .last_read = seconds_ago(now, traffic.read),
                             .last_write = seconds_ago(now, traffic.wrote),
                             .bytes_read = traffic.bytes_read,
                             .bytes_written = traffic.bytes_written});
  });
  return out;
}

std::string ClientReport::kill(std::string_view id) {
  Connection* connection = clients_.find(parse_connection_id(id));
  if (connection == nullptr) return {};
  connection->close("killed through the control port");
  return std::string(kQueryDone);
}

}  // namespace m2
