// What a connection has done so far, for "status net" of the control port: 32 bytes, a store or two
// for each read and write.
#pragma once

#include <cstdint>

namespace m2 {

struct Traffic {
  // Seconds of the loop; 0: never.
  uint32_t pinged = 0;  // connected, or the last ping of a message socket (manual 3.8)
  uint32_t read = 0;
  uint32_t wrote = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;

  void note_read(double now, uint64_t bytes) {
    read = static_cast<uint32_t>(now);
    bytes_read += bytes;
  }
  void note_written(double now, uint64_t bytes) {
    if (bytes == 0) return;
    wrote = static_cast<uint32_t>(now);
    bytes_written += bytes;
  }
};

}  // namespace m2
