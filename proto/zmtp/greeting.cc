#include "proto/zmtp/greeting.h"

#include <algorithm>

namespace m2 {
namespace {

constexpr size_t kSignatureEndAt = 9;
constexpr size_t kMajorAt = 10;
constexpr size_t kMechanismAt = 12;
constexpr size_t kMechanismBytes = 20;
constexpr char kMajor = 3;

// Signature, version, mechanism, as-server, filler.
constexpr char kOurs[kZmtpGreetingBytes + 1] =
    "\xff\0\0\0\0\0\0\0\0\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

constexpr ZmtpGreeting refused(std::string_view why) {
  return {ZmtpGreeting::State::kRefused, why};
}

}  // namespace

std::string_view zmtp_greeting() { return {kOurs, kZmtpGreetingBytes}; }

ZmtpGreeting read_zmtp_greeting(std::string_view bytes) {
  constexpr std::string_view kStranger = "it speaks ZMTP 1, or no ZMTP at all";
  if (!bytes.empty() && bytes[0] != '\xff') return refused(kStranger);
  // Older versions have the length of an identity there, which libzmq makes odd on purpose.
  if (bytes.size() > kSignatureEndAt && (bytes[kSignatureEndAt] & 1) == 0) {
    return refused(kStranger);
  }
  if (bytes.size() > kMajorAt && bytes[kMajorAt] < kMajor) return refused("it speaks ZMTP 1 or 2");
  const std::string_view ours = zmtp_greeting().substr(kMechanismAt, kMechanismBytes);
  const std::string_view mechanism =
      bytes.substr(std::min(bytes.size(), kMechanismAt), kMechanismBytes);
  if (mechanism != ours.substr(0, mechanism.size())) {
    return refused("it wants another mechanism than NULL");
  }
  if (bytes.size() < kZmtpGreetingBytes) return {};
  return {ZmtpGreeting::State::kComplete};
}

}  // namespace m2
