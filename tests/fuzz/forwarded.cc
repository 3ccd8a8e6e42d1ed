// Fuzzes the fields that name a client, and lists of networks: an address that comes out is one
// that can be written and read again; what a stranger says never counts behind an untrusted
// address.
#include "proto/http/forwarded.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/ip_network.h"

namespace {

m2::IpAddress client(std::string_view name, std::string_view value,
                     const m2::NetworkList& trusted) {
  const std::string bytes = std::string(name) + std::string(value);
  m2::RequestHead head;
  const auto split = static_cast<uint32_t>(name.size());
  head.fields.push_back({{0, split}, {split, static_cast<uint32_t>(value.size())}});
  return m2::read_forwarded(head, bytes.data(), trusted).client;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const m2::NetworkList inside = m2::NetworkList::parse("10.0.0.0/8, fd00::/8").value();
  for (const std::string_view name : {"X-Forwarded-For", "Forwarded"}) {
    const m2::IpAddress found = client(name, text, inside);
    if (found.known()) CHECK(m2::parse_ip(m2::ip_text(found)) == found);
  }
  // Whatever is left of it, the last address counts if nobody is trusted.
  const std::string list = std::string(text) + ", 192.0.2.1";
  CHECK(client("X-Forwarded-For", list, m2::NetworkList()) == m2::parse_ip("192.0.2.1"));
  const auto networks = m2::NetworkList::parse(text);
  if (networks.ok()) (void)networks.value().contains(*m2::parse_ip("192.0.2.1"));
  CHECK(networks.ok() || !networks.message().empty());
  return 0;
}
