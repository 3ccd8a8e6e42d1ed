// What a look-up of names found, as the resolver writes it for the workers; the master passes the
// bytes on and never looks into them. Both ends stand side by side. One line a name: the name, then
// its numeric addresses, with single spaces between them.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace m2 {

inline constexpr size_t kAddressesBytesMax = 4u << 20;

// Names as configured, to numeric addresses; at least one each.
using NamedAddresses = std::map<std::string, std::vector<std::string>>;

std::string write_addresses(const NamedAddresses& addresses);
// An error: not what write_addresses writes, or an address that is not numeric.
Result<NamedAddresses> read_addresses(std::string_view bytes);

}  // namespace m2
