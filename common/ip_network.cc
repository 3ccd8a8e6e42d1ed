// Addresses as two numbers: a network is a comparison under a mask.
#include "common/ip_network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>

#include "common/in_quotes.h"

namespace m2 {
namespace {

constexpr uint64_t kMapped = uint64_t{0xFFFF} << 32;  // ::ffff:0:0
constexpr unsigned kMappedBits = 96;
constexpr std::string_view kSeparators = ", \t";

uint64_t number_from(const uint8_t* bytes, size_t count) {
  uint64_t number = 0;
  for (size_t at = 0; at < count; ++at) number = number << 8 | bytes[at];
  return number;
}

void bytes_from(const IpAddress& address, uint8_t* bytes) {
  for (size_t at = 0; at < 8; ++at) {
    bytes[at] = static_cast<uint8_t>(address.high >> (56 - 8 * at));
    bytes[8 + at] = static_cast<uint8_t>(address.low >> (56 - 8 * at));
  }
}

// The upper bits of a half, from 0 to 64 of them.
uint64_t upper_bits(unsigned bits) { return bits == 0 ? 0 : ~uint64_t{0} << (64 - bits); }

IpAddress mask_of(unsigned bits) {
  return {upper_bits(bits < 64 ? bits : 64), upper_bits(bits > 64 ? bits - 64 : 0)};
}

std::optional<IpAddress> parse_any(std::string_view text) {
  std::array<char, kIpTextMax> copy;
  if (text.size() >= copy.size()) return std::nullopt;
  std::memcpy(copy.data(), text.data(), text.size());
  copy[text.size()] = '\0';
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  uint8_t bytes[16];
  if (::inet_pton(AF_INET, copy.data(), bytes) == 1) return ip_from_bytes(bytes, 4);
  if (::inet_pton(AF_INET6, copy.data(), bytes) == 1) return ip_from_bytes(bytes, 16);
  return std::nullopt;
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  const std::optional<IpAddress> address = parse_any(text);
  return address && address->known() ? address : std::nullopt;
}

IpAddress ip_from_bytes(const uint8_t* bytes, size_t count) {
  if (count == 4) return {0, kMapped | number_from(bytes, 4)};
  return {number_from(bytes, 8), number_from(bytes + 8, 8)};
}

IpAddress ip_of(const sockaddr_storage& peer, uint16_t& port) {
  port = 0;
  if (peer.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
    port = ntohs(v4.sin_port);
    return ip_from_bytes(reinterpret_cast<const uint8_t*>(&v4.sin_addr), 4);
  }
  if (peer.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer);
    port = ntohs(v6.sin6_port);
    return ip_from_bytes(v6.sin6_addr.s6_addr, 16);
  }
  return {};
}

size_t write_ip(const IpAddress& address, std::array<char, kIpTextMax>& out) {
  if (!address.known()) {
    out[0] = '-';
    return 1;
  }
  uint8_t bytes[16];
  bytes_from(address, bytes);
  const bool v4 = address.is_v4();
  ::inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, out.data(), out.size());
  return std::strlen(out.data());
}

std::string ip_text(const IpAddress& address) {
  std::array<char, kIpTextMax> text;
  return {text.data(), write_ip(address, text)};
}

uint64_t client_key(const IpAddress& address) {
  if (!address.known()) return 0;
  // The first byte of every IPv6 network that routers know is not 0: these keys are free.
  if (address.is_v4()) return uint64_t{1} << 40 | (address.low & 0xFFFFFFFF);
  return address.high == 0 ? uint64_t{1} << 41 : address.high;  // ::1
}

Result<NetworkList> NetworkList::parse(std::string_view text) {
  NetworkList list;
  while (true) {
    const size_t begin = text.find_first_not_of(kSeparators);
    if (begin == std::string_view::npos) return list;
    text.remove_prefix(begin);
    const std::string_view entry = text.substr(0, text.find_first_of(kSeparators));
    text.remove_prefix(entry.size());
    if (Status added = list.add(entry); !added.ok()) return added;
  }
}

Status NetworkList::add(std::string_view entry) {
  if (entry == "unix") {
    unix_ = true;
    return {};
  }
  const size_t slash = entry.find('/');
  const std::optional<IpAddress> address = parse_any(entry.substr(0, slash));
  if (!address) {
    return Status::error(in_quotes(entry) +
                         " is no network; write addresses as numbers, as in "
                         "\"10.0.0.0/8, 2001:db8::/32, ::1\", or \"unix\"");
  }
  const bool short_form = entry.find(':') == std::string_view::npos;  // of IPv4
  const unsigned most = short_form ? 32 : 128;
  unsigned bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = entry.substr(slash + 1);
    const char* end = digits.data() + digits.size();
    const auto [used, error] = std::from_chars(digits.data(), end, bits);
    if (error != std::errc() || used != end || bits > most) {
      return Status::error(in_quotes(entry) + ": the length of the prefix must be from 0 to " +
                           std::to_string(most));
    }
  }
  const IpAddress mask = mask_of(short_form ? bits + kMappedBits : bits);
  const IpAddress network{address->high & mask.high, address->low & mask.low};
  if (network != *address) {
    return Status::error(in_quotes(entry) + " has bits behind its prefix; write " +
                         in_quotes(ip_text(network) + "/" + std::to_string(bits)));
  }
  networks_.push_back({network, mask});
  return {};
}

bool NetworkList::contains(const IpAddress& address) const {
  if (!address.known()) return unix_;
  const uint64_t v4_mask = address.is_v4() ? upper_bits(kMappedBits - 64) : 0;
  for (const Network& network : networks_) {
    if ((address.low & network.mask.low) == network.address.low &&
        (address.high & network.mask.high) == network.address.high &&
        (network.mask.low & v4_mask) == v4_mask) {
      return true;
    }
  }
  return false;
}

}  // namespace m2
