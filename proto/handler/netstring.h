// Netstrings and tnetstrings: the writers that the handler protocol and the access log need.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

void append_decimal(std::string& out, uint64_t number);
// "5:hello," for tag ','; tnetstring tags: ',' string, '#' integer, '}' dict, ']' list.
void append_netstring(std::string& out, std::string_view data, char tag = ',');
void append_tnet_number(std::string& out, int64_t number);  // "3:200#"

}  // namespace m2
