// Paths as files: percent-decoding and splitting, for targets that map a path to something else.
#pragma once

#include <string>
#include <string_view>

namespace m2 {

// Decodes %XX once ('+' stays). out: must not share bytes with raw. False: a bad escape, or a NUL
// in the result; out is then unspecified.
bool percent_decode(std::string_view raw, std::string& out);

// A relative file path without dot segments and empty segments, from a decoded path, so that it can
// be opened beneath a directory: "/a//b/./c/../d" -> "a/b/d". A trailing '/' stays, and stands for
// a trailing dot segment (RFC 3986 5.2.4); the start itself is "". out: must not share bytes with
// decoded. False: the path climbs above its start.
bool remove_dot_segments(std::string_view decoded, std::string& out);

// Appends a path or query of a request as RFC 3986 has them: what only browsers leave raw, like
// '[', is percent-encoded. Escapes stay.
void append_uri(std::string_view raw, std::string& out);

}  // namespace m2
