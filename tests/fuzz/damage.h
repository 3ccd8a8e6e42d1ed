// For formats that change with every field added: the input says how sound bytes are damaged, so
// that no kept corpus grows stale. Used by fuzz targets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

// Reads the input in fours: a place (two bytes), what is done there, a byte to do it with.
inline std::string damaged(std::string bytes, const uint8_t* data, size_t size) {
  for (size_t at = 0; at + 4 <= size && !bytes.empty(); at += 4) {
    const size_t place = (size_t{data[at]} << 8 | data[at + 1]) % bytes.size();
    const char with = static_cast<char>(data[at + 3]);
    switch (data[at + 2] % 4) {
      case 0:
        bytes[place] = with;
        break;
      case 1:
        bytes.insert(place, 1, with);
        break;
      case 2:
        bytes.erase(place, data[at + 3]);
        break;
      case 3:  // a piece of it once more
        bytes.insert(place, bytes.substr(place, data[at + 3]));
        break;
    }
    if (bytes.size() > 1 << 16) bytes.resize(1 << 16);
  }
  return bytes;
}

}  // namespace m2
