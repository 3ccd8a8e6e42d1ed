// Goal: the form that a client likes best, by RFC 9110 12.5.3. Method: a table against all forms,
// then against some.
#include "proto/http/accept_encoding.h"

#include <gtest/gtest.h>

#include <ostream>

namespace m2 {

void PrintTo(ContentCoding coding, std::ostream* out) { *out << static_cast<int>(coding); }

namespace {

constexpr ContentCoding kPlain = ContentCoding::kIdentity;
constexpr ContentCoding kBr = ContentCoding::kBrotli;
constexpr ContentCoding kZstd = ContentCoding::kZstd;
constexpr ContentCoding kGzip = ContentCoding::kGzip;
constexpr ContentCoding kNone = ContentCoding::kNone;
constexpr CodingSet kAll =
    static_cast<CodingSet>(coding_bit(kBr) | coding_bit(kZstd) | coding_bit(kGzip));

TEST(AcceptEncoding, AmongAllForms) {
  const struct {
    const char* accept;
    ContentCoding expected;
  } rows[] = {
      {"gzip, deflate, br, zstd", kBr},
      {"gzip, deflate", kGzip},
      {"gzip", kGzip},
      {"GZip", kGzip},
      {"x-gzip", kGzip},
      {"zstd,gzip", kZstd},
      {"br;q=0.1, gzip;q=0.2", kGzip},
      {"br ; q=0.1 ,gzip;Q=0.2", kGzip},
      {"br;q=0, gzip", kGzip},
      {"br;q=0.000", kPlain},
      {"*", kBr},
      {"*;q=0.5, gzip", kGzip},
      {"br;q=0, *", kZstd},
      {"", kPlain},
      {"deflate", kPlain},
      {"gzipp", kPlain},
      {"identity", kPlain},
      {"identity, gzip", kGzip},
      {"identity;q=1, gzip;q=0.5", kPlain},
      {"identity;q=0.5, gzip;q=0.501", kGzip},
      {"*, gzip;q=0.5, br;q=0.5, zstd;q=0.5", kPlain},  // "*" is identity alone then
      {"identity;q=0", kNone},
      {"*;q=0", kNone},
      {"*;q=0, identity", kPlain},
      {"*;q=0, identity;q=0.001", kPlain},
      {"identity;q=0, gzip", kGzip},
      {"gzip;q=1.000", kGzip},
      // A bad weight makes an element count as absent.
      {"gzip;q=1.001", kPlain},
      {"gzip;q=2", kPlain},
      {"gzip;q=", kPlain},
      {"gzip;q=-1", kPlain},
      {"gzip;q=0.1234", kPlain},
      {"gzip;q=.5", kPlain},
      {"gzip;level=9", kPlain},
      {"gzip;", kPlain},
      {"identity;q=x", kPlain},
      {",,gzip,,", kGzip},
  };
  for (const auto& row : rows)
    EXPECT_EQ(choose_coding(row.accept, kAll), row.expected) << row.accept;
}

TEST(AcceptEncoding, NoFieldMeansTheFileItself) { EXPECT_EQ(choose_coding({}, kAll), kPlain); }

TEST(AcceptEncoding, AmongSomeForms) {
  EXPECT_EQ(choose_coding("br, gzip", coding_bit(kGzip)), kGzip);
  EXPECT_EQ(choose_coding("br, gzip", 0), kPlain);
  EXPECT_EQ(choose_coding("*", coding_bit(kZstd)), kZstd);
  EXPECT_EQ(choose_coding("br, identity;q=0", coding_bit(kGzip)), kNone);
  EXPECT_EQ(choose_coding("gzip;q=0.5, *;q=0", 0), kNone);
}

}  // namespace
}  // namespace m2
