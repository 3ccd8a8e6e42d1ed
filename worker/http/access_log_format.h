// The three forms of a line of the access log (setting access_log.format, docs/operations.md): the
// tnetstring list of Mongrel2 1.x, the "combined" one of many servers, and JSON. Bytes only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/http/request_head.h"
#include "proto/http/request_id.h"

namespace m2 {

enum class AccessLogForm : uint8_t { kMongrel2, kCombined, kJson };
// The value of the setting; it must be one of the three.
AccessLogForm access_log_form(std::string_view name);

// What a request has to say, in the form that its line will have; taken while the request is there,
// since a long poll gives its head back.
struct LoggedRequest {
  std::string text;  // "": no line is due
  AccessLogForm form = AccessLogForm::kMongrel2;
};
// head: nullptr when none could be read.
void note_request(AccessLogForm form, const RequestHead* head, const char* base,
                  LoggedRequest& request);

struct AccessLogLine {
  std::string_view host;  // name of the host row
  std::string_view peer;  // address
  uint16_t peer_port = 0;
  const LoggedRequest& request;
  int status = 0;
  uint64_t bytes = 0;        // of the answer's body
  RequestId request_id = 0;  // 0: not in the line
  double took = 0;           // seconds
  double now = 0;            // since the epoch
};

// Appends one line with its end. No byte of a client can end it or forge a field. scratch: memory
// that is kept from line to line.
void append_access_line(const AccessLogLine& line, std::string& scratch, std::string& out);

}  // namespace m2
