// What a request head says, as offsets into the bytes it was read from. Filled by RequestParser.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace m2 {

// A piece of the head: offset and length. The bytes stay where they were received.
struct Slice {
  uint32_t offset = 0;
  uint32_t length = 0;
  bool empty() const { return length == 0; }
  std::string_view in(const char* base) const { return {base + offset, length}; }
};

struct HeaderField {
  Slice name;   // original case
  Slice value;  // without blanks around it
};

// How the body is framed (RFC 9112, 6.3).
enum class BodyFraming : uint8_t { kNone, kLength, kChunked };

struct RequestHead {
  Slice method;
  Slice target;    // the request-target as received
  Slice path;      // raw, not decoded, never empty; absolute-form: the path of the URI; or "*"
  Slice query;     // after '?'
  Slice fragment;  // after '#': no client should send one, handlers get it
  Slice host;      // Host value or the authority of absolute-form, with its port; may be empty
  uint8_t minor_version = 1;  // HTTP/1.minor
  bool has_query = false;
  bool has_fragment = false;
  bool has_host = false;
  bool is_https = false;         // an absolute target of this scheme
  bool keep_alive = true;        // Connection and version, by RFC 9112 9.3
  bool expect_continue = false;  // Expect: 100-continue, from an HTTP/1.1 client
  bool expect_other = false;     // any other expectation: 417
  bool upgrade = false;          // Connection: upgrade with an Upgrade field, HTTP/1.1
  BodyFraming framing = BodyFraming::kNone;
  uint64_t content_length = 0;
  std::vector<HeaderField> fields;  // in order of arrival; capacity is kept over clear()

  void clear();
  // First field of this name, case-insensitive; nullptr: none. base: the bytes the head is in.
  const HeaderField* find(const char* base, std::string_view lower_case_name) const;
};

}  // namespace m2
