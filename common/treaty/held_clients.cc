#include "common/treaty/held_clients.h"

#include <charconv>

namespace m2 {
namespace {

constexpr std::array<std::string_view, kHeldKinds> kNames = {
    "WebSockets", "message sockets", "proxied WebSockets", "requests in flight"};

}  // namespace

std::string with_separators(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t left = text.size(); left > 3;) {
    left -= 3;
    text.insert(left, 1, ',');
  }
  return text;
}

void HeldClients::add(HeldAs kind, bool stays) {
  Count& count = counts_[static_cast<size_t>(kind)];
  ++count.all;
  count.stay += stays;
}

void HeldClients::add(const HeldClients& others) {
  for (size_t kind = 0; kind < kHeldKinds; ++kind) {
    counts_[kind].stay += others.counts_[kind].stay;
    counts_[kind].all += others.counts_[kind].all;
  }
}

std::string HeldClients::text() const {
  std::string text;
  for (size_t kind = 0; kind < kHeldKinds; ++kind) {
    const Count& count = counts_[kind];
    if (count.all == 0) continue;
    if (!text.empty()) text += ", ";
    text += with_separators(count.stay) + " of " + with_separators(count.all) + " ";
    text.append(kNames[kind]).append(" stay");
  }
  return text;
}

std::string HeldClients::line() const {
  std::string line;
  for (const Count& count : counts_) {
    line += std::to_string(count.stay) + " " + std::to_string(count.all) + " ";
  }
  return line;
}

std::optional<HeldClients> HeldClients::parse(std::string_view line) {
  HeldClients held;
  const auto take = [&line](uint64_t& number) {
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), number);
    const size_t used = static_cast<size_t>(parsed.ptr - line.data());
    if (parsed.ec != std::errc() || used == line.size() || line[used] != ' ') return false;
    line.remove_prefix(used + 1);
    return true;
  };
  for (Count& count : held.counts_) {
    if (!take(count.stay) || !take(count.all) || count.stay > count.all) return {};
  }
  if (!line.empty()) return {};
  return held;
}

}  // namespace m2
