// Names the connection of one handler to a PUSH socket. Never used again while anybody may remember
// it, but the place is.
#pragma once

#include <cstdint>

namespace m2 {

using PeerId = uint32_t;  // a serial number above, the number of its place in the socket below
inline constexpr PeerId kUnknownPeer = 0;

inline constexpr unsigned kPeerPlaceBits = 11;
inline constexpr uint32_t kPeerPlacesMax = (1u << kPeerPlaceBits) - 1;  // 1 to this

inline constexpr uint32_t place_of(PeerId peer) { return peer & kPeerPlacesMax; }

}  // namespace m2
