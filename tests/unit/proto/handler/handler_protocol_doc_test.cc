// Goal: the examples of docs/handler-protocol.md are what the server writes and reads, byte for
// byte. Method: the blocks of the page are compared and parsed. Runs in the top folder, as `make
// unit` does.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "proto/handler/reply_parser.h"
#include "proto/handler/request_writer.h"

namespace m2 {
namespace {

constexpr std::string_view kIdent = "34f9ceee-cd52-4b7f-b197-88bf2f0ec378";

// Lines of each block by the word behind its ```, with "·" as a space.
std::map<std::string, std::vector<std::string>> read_blocks() {
  std::ifstream file("docs/handler-protocol.md");
  EXPECT_TRUE(file.is_open()) << "docs/handler-protocol.md: run the tests in the top folder";
  std::map<std::string, std::vector<std::string>> blocks;
  const std::string dot = "\xc2\xb7";
  std::string block;
  for (std::string line; std::getline(file, line);) {
    for (size_t at; (at = line.find(dot)) != std::string::npos;) line.replace(at, dot.size(), " ");
    if (line.starts_with("```")) {
      block = line.substr(3);
    } else if (!block.empty()) {
      blocks[block].push_back(line);
    }
  }
  return blocks;
}

std::string request(HeaderFormat format) {
  std::string bytes;
  const auto slice = [&](std::string_view text) {
    bytes += text;
    return Slice{static_cast<uint32_t>(bytes.size() - text.size()),
                 static_cast<uint32_t>(text.size())};
  };
  RequestHead head;
  head.method = slice("GET");
  head.path = slice("/h/a%20b");
  head.has_query = true;
  head.query = slice("x=1&y=%41");
  const std::vector<std::pair<const char*, const char*>> fields = {{"Host", "localhost:6767"},
                                                                   {"X-Dup", "one"},
                                                                   {"User-Agent", "T"},
                                                                   {"x-dup", "two"},
                                                                   {"X-Q", "\"quoted\""}};
  for (const auto& [name, value] : fields) {
    const Slice name_slice = slice(name);
    head.fields.push_back({name_slice, slice(value)});
  }
  HandlerRequest request;
  request.send_ident = kIdent;
  request.id = 5;
  request.base = bytes.data();
  request.head = &head;
  request.pattern = "/h";
  request.remote_addr = "127.0.0.1";
  std::string out;
  write_request(request, format, out);
  return out;
}

std::string disconnect(HeaderFormat format) {
  std::string out;
  write_disconnect(kIdent, 5, format, out);
  return out;
}

std::string credits(HeaderFormat format) {
  std::string out;
  write_credits(kIdent, 5, 43, format, out);
  return out;
}

TEST(HandlerProtocolDoc, Messages) {
  using Lines = std::vector<std::string>;
  auto blocks = read_blocks();
  EXPECT_EQ(blocks["json"], Lines{request(HeaderFormat::kJson)});
  EXPECT_EQ(blocks["tnetstring"], Lines{request(HeaderFormat::kTnetstring)});
  EXPECT_EQ(blocks["disconnect-json"], Lines{disconnect(HeaderFormat::kJson)});
  EXPECT_EQ(blocks["disconnect-tnetstring"], Lines{disconnect(HeaderFormat::kTnetstring)});
  EXPECT_EQ(blocks["credits-json"], Lines{credits(HeaderFormat::kJson)});
  EXPECT_EQ(blocks["credits-tnetstring"], Lines{credits(HeaderFormat::kTnetstring)});
}

TEST(HandlerProtocolDoc, Replies) {
  auto blocks = read_blocks();
  ASSERT_EQ(blocks["reply"].size(), 5u);
  for (const std::string& message : blocks["reply"]) {
    const Result<Reply> reply = parse_reply(message, 128);
    EXPECT_TRUE(reply.ok()) << reply.message();
  }
  ASSERT_EQ(blocks["refused"].size(), 10u);
  for (const std::string& message : blocks["refused"]) {
    EXPECT_FALSE(parse_reply(message, 128).ok()) << message;
  }
}

}  // namespace
}  // namespace m2
