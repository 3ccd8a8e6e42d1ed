// Which form of a file a client wants: Accept-Encoding against the forms that there are (RFC 9110
// 12.5.3). Called by what serves files; never touches content.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace m2 {

enum class ContentCoding : uint8_t { kIdentity, kBrotli, kZstd, kGzip, kNone };

struct CodingName {
  ContentCoding coding;
  std::string_view name;       // in Accept-Encoding and Content-Encoding
  std::string_view extension;  // of a file that holds it
};
// The smallest form first: it is taken when a client likes several of them equally.
inline constexpr std::array<CodingName, 3> kCodingNames = {{
    {ContentCoding::kBrotli, "br", ".br"},
    {ContentCoding::kZstd, "zstd", ".zst"},
    {ContentCoding::kGzip, "gzip", ".gz"},
}};

// A set of codings; kIdentity is always there and needs no bit.
using CodingSet = uint8_t;
constexpr CodingSet coding_bit(ContentCoding coding) {
  return static_cast<CodingSet>(1u << static_cast<unsigned>(coding));
}

// accept: the value, several fields joined by commas; data() == nullptr: there is no such field.
// The liked most of what is offered; of equals a coding comes before identity. kNone: the client
// accepts nothing that is offered, and not identity either. An element with a bad weight counts as
// absent.
ContentCoding choose_coding(std::string_view accept, CodingSet offered);

}  // namespace m2
