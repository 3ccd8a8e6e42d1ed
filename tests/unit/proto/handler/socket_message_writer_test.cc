// Messages of JSSockets for handlers, byte for byte as Mongrel2 1.x writes them.
#include "proto/handler/socket_message_writer.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

constexpr SocketMessageParts kJoin{
    "ident", 77, "@j", "JSON", "@j", "127.0.0.1", "{\"type\":\"join\",\"user\":\"bob\"}"};

TEST(SocketMessageWriter, Json) {
  std::string out = "old";
  write_socket_message(kJoin, HeaderFormat::kJson, out);
  EXPECT_EQ(out,
            "ident 77 @j 120:{\"PATH\":\"@j\",\"x-forwarded-for\":\"127.0.0.1\",\"METHOD\":"
            "\"JSON\",\"PATTERN\":\"@j\",\"URL_SCHEME\":\"http\",\"REMOTE_ADDR\":\"127.0.0.1\"},"
            "28:{\"type\":\"join\",\"user\":\"bob\"},");
}

TEST(SocketMessageWriter, Tnetstring) {
  std::string out;
  write_socket_message(kJoin, HeaderFormat::kTnetstring, out);
  EXPECT_EQ(out,
            "ident 77 @j 122:11:REMOTE_ADDR,9:127.0.0.1,6:METHOD,4:JSON,10:URL_SCHEME,4:http,"
            "7:PATTERN,2:@j,4:PATH,2:@j,15:x-forwarded-for,9:127.0.0.1,}"
            "28:{\"type\":\"join\",\"user\":\"bob\"},");
}

}  // namespace
}  // namespace m2
