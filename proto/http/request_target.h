// Splits a request-target into path, query, fragment and authority (RFC 9112 3.2, RFC 3986 3).
// Called by RequestParser alone; decodes nothing.
#pragma once

#include <cstddef>
#include <string_view>

#include "proto/http/request_head.h"

namespace m2 {

// What is wrong with a target, and at which byte; no reason: nothing is.
struct TargetFault {
  std::string_view reason;
  size_t offset = 0;
};

// head.method and head.target are set; fills path, query, fragment and, for absolute-form, host.
// base: the bytes that the slices are in. relaxed: { } are allowed in the path.
TargetFault parse_target(const char* base, bool relaxed, RequestHead& head);

}  // namespace m2
