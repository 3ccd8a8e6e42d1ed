#include "worker/http/access_log_format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "common/check.h"
#include "proto/handler/json_text.h"
#include "proto/handler/netstring.h"

namespace m2 {
namespace {

std::string_view field(const RequestHead& head, const char* base, std::string_view name) {
  const HeaderField* found = head.find(base, name);
  return found == nullptr ? std::string_view() : found->value.in(base);
}

std::string_view version_of(const RequestHead* head) {
  return head != nullptr && head->minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

void append_json_text(std::string& out, std::string_view text) {
  const size_t begin = out.size();
  out.resize(begin + json_text_size(text) + 2);
  out[begin] = '"';
  *write_json_text(out.data() + begin + 1, text) = '"';
}

void append_json(std::string& out, std::string_view key, std::string_view text) {
  out.append(",\"").append(key).append("\":");
  append_json_text(out, text);
}

// A quoted field of the combined form: quotes, backslashes and all but printable ASCII as \xHH.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\') {
      out += c;
    } else {
      char escape[5];
      std::snprintf(escape, sizeof escape, "\\x%02X", byte);
      out += escape;
    }
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text.empty() ? "-" : text);
  out += '"';
}

struct tm utc(double when) {
  const auto seconds = static_cast<std::time_t>(when);
  struct tm parts {};
  ::gmtime_r(&seconds, &parts);
  return parts;
}

// A list of host, peer, port, time, method, path, version, status, bytes.
void append_mongrel2(const AccessLogLine& line, std::string& list, std::string& out) {
  list.clear();
  append_netstring(list, line.host);
  append_netstring(list, line.peer);
  append_tnet_number(list, line.peer_port);
  append_tnet_number(list, static_cast<int64_t>(line.now));
  list += line.request.text;
  append_tnet_number(list, line.status);
  append_tnet_number(list, static_cast<int64_t>(line.bytes));
  if (line.request_id != 0) append_netstring(list, RequestIdText(line.request_id).view());
  append_netstring(out, list, ']');
  out += '\n';
}

// 127.0.0.1 - - [22/Nov/2026:17:13:36 +0000] "GET /a?b HTTP/1.1" 200 5 "referer" "agent"
void append_combined(const AccessLogLine& line, std::string& out) {
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const struct tm at = utc(line.now);
  char time[48];
  std::snprintf(time, sizeof time, " - - [%02d/%s/%04d:%02d:%02d:%02d +0000] ", at.tm_mday,
                kMonths[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
  const std::string_view request = line.request.text;
  const size_t end = request.find('\n');  // between the request line and what follows the sizes
  append_escaped(out, line.peer);
  out.append(time).append(request.substr(0, end));
  out += ' ';
  append_decimal(out, static_cast<uint64_t>(line.status));
  out += ' ';
  append_decimal(out, line.bytes);
  out.append(" ").append(request.substr(end + 1));
  if (line.request_id != 0) {
    out.append(" \"").append(RequestIdText(line.request_id).view()).append("\"");
  }
  out += '\n';
}

void append_json_line(const AccessLogLine& line, std::string& out) {
  const struct tm at = utc(line.now);
  const auto millisecond = static_cast<int>((line.now - std::floor(line.now)) * 1000);
  char time[64];
  std::snprintf(time, sizeof time, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"",
                at.tm_year + 1900, at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec,
                millisecond);
  out += time;
  append_json(out, "host", line.host);
  append_json(out, "client", line.peer);
  out += ",\"port\":";
  append_decimal(out, line.peer_port);
  out += line.request.text;
  out += ",\"status\":";
  append_decimal(out, static_cast<uint64_t>(line.status));
  out += ",\"bytes\":";
  append_decimal(out, line.bytes);
  out += ",\"ms\":";
  append_decimal(out, static_cast<uint64_t>(line.took * 1000));
  if (line.request_id != 0) append_json(out, "request_id", RequestIdText(line.request_id).view());
  out += "}\n";
}

}  // namespace

AccessLogForm access_log_form(std::string_view name) {
  if (name == "combined") return AccessLogForm::kCombined;
  if (name == "json") return AccessLogForm::kJson;
  CHECK(name == "mongrel2");
  return AccessLogForm::kMongrel2;
}

void note_request(AccessLogForm form, const RequestHead* head, const char* base,
                  LoggedRequest& request) {
  request.form = form;
  std::string& out = request.text;
  out.clear();
  const std::string_view method = head == nullptr ? "-" : head->method.in(base);
  const std::string_view path = head == nullptr ? "-" : head->path.in(base);
  if (form == AccessLogForm::kMongrel2) {
    append_netstring(out, method);
    append_netstring(out, path);
    return append_netstring(out, version_of(head));
  }
  const std::string_view referer = head == nullptr ? "" : field(*head, base, "referer");
  const std::string_view agent = head == nullptr ? "" : field(*head, base, "user-agent");
  if (form == AccessLogForm::kCombined) {
    out += '"';
    append_escaped(out, method);
    out += ' ';
    append_escaped(out, head == nullptr ? "-" : head->target.in(base));
    out.append(" ").append(version_of(head)).append("\"\n");
    append_quoted(out, referer);
    out += ' ';
    return append_quoted(out, agent);
  }
  append_json(out, "method", method);
  append_json(out, "path", path);
  if (head != nullptr && head->has_query) append_json(out, "query", head->query.in(base));
  append_json(out, "version", version_of(head));
  if (!referer.empty()) append_json(out, "referer", referer);
  if (!agent.empty()) append_json(out, "user_agent", agent);
}

void append_access_line(const AccessLogLine& line, std::string& scratch, std::string& out) {
  switch (line.request.form) {
    case AccessLogForm::kMongrel2:
      return append_mongrel2(line, scratch, out);
    case AccessLogForm::kCombined:
      return append_combined(line, out);
    case AccessLogForm::kJson:
      return append_json_line(line, out);
  }
}

}  // namespace m2
