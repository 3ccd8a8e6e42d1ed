// What became of the clients that a worker held when the configuration changed: counted by workers,
// summed and said by the master. Idle keep-alive connections are not counted: they always stay.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace m2 {

enum class HeldAs : uint8_t {
  kWebSocket,      // whose protocol is ours, in both contracts
  kMessageSocket,  // JSSocket or XML socket
  kTunnel,         // a WebSocket between its client and a backend
  kRequest,        // in flight: its body is not all there, or its answer is not all out
};
inline constexpr size_t kHeldKinds = 4;

class HeldClients {
 public:
  // stays: it ends when it would have ended without the change.
  void add(HeldAs kind, bool stays);
  void add(const HeldClients& others);

  // For people: "8,419 of 8,431 WebSockets stay, 12 of 12 requests in flight stay"; "" : none.
  std::string text() const;
  // The text of a message, and back; none: it is no such text.
  std::string line() const;
  static std::optional<HeldClients> parse(std::string_view line);

  bool operator==(const HeldClients&) const = default;

 private:
  struct Count {
    uint64_t stay = 0;
    uint64_t all = 0;
    bool operator==(const Count&) const = default;
  };
  std::array<Count, kHeldKinds> counts_;
};

// 8431 -> "8,431".
std::string with_separators(uint64_t number);

}  // namespace m2
