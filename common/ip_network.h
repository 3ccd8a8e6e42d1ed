// Addresses of clients and lists of networks ("10.0.0.0/8, ::1, unix"): whom the server trusts, and
// how clients are counted. Pure functions on numbers; nothing here looks a name up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

struct sockaddr_storage;

namespace m2 {

// An IPv6 address as a number of 128 bits, most significant half first; IPv4 as ::ffff:a.b.c.d, so
// that a client of a socket for both families is the same client. Zero: none (a unix socket).
struct IpAddress {
  uint64_t high = 0;
  uint64_t low = 0;

  bool known() const { return (high | low) != 0; }
  bool is_v4() const { return high == 0 && low >> 32 == 0xFFFF; }
  bool operator==(const IpAddress&) const = default;
};

inline constexpr size_t kIpTextMax = 46;

// Numeric IPv4 or IPv6, nothing around it. nullopt: anything else, and "::", which is nobody's.
std::optional<IpAddress> parse_ip(std::string_view text);
IpAddress ip_from_bytes(const uint8_t* bytes, size_t count);  // 4 or 16, network order
// Address and port of a socket's peer; no address and port 0 when it has none.
IpAddress ip_of(const sockaddr_storage& peer, uint16_t& port);
// The usual spelling, IPv4 as IPv4; "-" for none. Returns how many bytes of out it takes.
size_t write_ip(const IpAddress& address, std::array<char, kIpTextMax>& out);
std::string ip_text(const IpAddress& address);

// Not 0: a number for the client behind an address, the same for all addresses of an IPv6 /64,
// which one client usually has to itself. 0: no address.
uint64_t client_key(const IpAddress& address);

class NetworkList {
 public:
  // Networks and single addresses, separated by commas or blanks; the word "unix" means every
  // client of a unix socket. An error names the entry and what to write.
  static Result<NetworkList> parse(std::string_view text);

  bool empty() const { return networks_.empty() && !unix_; }
  // An IPv4 address is in IPv4 networks only: ::/0 has none of them.
  bool contains(const IpAddress& address) const;

 private:
  struct Network {
    IpAddress address;
    IpAddress mask;
  };
  Status add(std::string_view entry);

  std::vector<Network> networks_;
  bool unix_ = false;
};

}  // namespace m2
