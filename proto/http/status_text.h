// Reason phrases (RFC 9110, 15), with the spellings that Mongrel2 1.x sends.
#pragma once

#include <string_view>

namespace m2 {

// "Not Found" for 404; "Status" for a number nobody knows.
std::string_view reason_phrase(int status);

}  // namespace m2
