// Goal: byte for byte what a handler receives, whatever the client sent.
// Method: heads filled by hand; whole messages compared.
#include "proto/handler/request_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace m2 {
namespace {

// A request head over bytes of its own.
class Request {
 public:
  Request(std::string_view method, std::string_view path) {
    head_.method = slice(method);
    head_.path = slice(path);
    request_.send_ident = "11111111-aaaa";
    request_.id = 7;
    request_.pattern = "/h";
    request_.remote_addr = "127.0.0.1";
  }
  Request& field(std::string_view name, std::string_view value) {
    head_.fields.push_back({slice(name), slice(value)});
    return *this;
  }
  Request& query(std::string_view text) {
    head_.has_query = true;
    head_.query = slice(text);
    return *this;
  }
  Request& fragment(std::string_view text) {
    head_.has_fragment = true;
    head_.fragment = slice(text);
    return *this;
  }
  HandlerRequest& also() { return request_; }
  RequestHead& head() { return head_; }

  std::string json() { return written(HeaderFormat::kJson); }
  std::string tnet() { return written(HeaderFormat::kTnetstring); }
  // Only what stands between the size and the comma.
  std::string json_block() { return block(json()); }

  void write(HeaderFormat format, std::string& out) {
    request_.base = bytes_.data();
    request_.head = &head_;
    write_request(request_, format, out);
  }

 private:
  std::string written(HeaderFormat format) {
    std::string out = "left over from the message before";
    write(format, out);
    return out;
  }
  static std::string block(const std::string& message) {
    const size_t colon = message.find(':');
    const size_t start = message.rfind(' ', colon) + 1;
    return message.substr(colon + 1, std::stoul(message.substr(start, colon - start)));
  }
  Slice slice(std::string_view text) {
    const Slice slice{static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(text.size())};
    bytes_ += text;
    return slice;
  }
  std::string bytes_ = "bytes before";
  RequestHead head_;
  HandlerRequest request_;
};

TEST(RequestWriter, Json) {
  Request request("GET", "/h/a%20b");
  request.query("x=1&y=%41").fragment("frag");
  request.field("Host", "localhost:20000").field("User-Agent", "T").field("X-Dup", "one");
  request.field("x-dup", "two").field("X-Q", "a\"b\\c\ttab");
  EXPECT_EQ(request.json(),
            "11111111-aaaa 7 /h/a%20b 300:"
            "{\"PATH\":\"/h/a%20b\",\"x-forwarded-for\":\"127.0.0.1\","
            "\"host\":\"localhost:20000\",\"user-agent\":\"T\",\"x-dup\":[\"one\",\"two\"],"
            "\"x-q\":\"a\\\"b\\\\c\\u0009tab\",\"METHOD\":\"GET\",\"VERSION\":\"HTTP/1.1\","
            "\"URI\":\"/h/a%20b?x=1&y=%41\",\"QUERY\":\"x=1&y=%41\",\"FRAGMENT\":\"frag\","
            "\"PATTERN\":\"/h\",\"URL_SCHEME\":\"http\",\"REMOTE_ADDR\":\"127.0.0.1\"},0:,");
}

TEST(RequestWriter, JsonWithBody) {
  Request request("POST", "/h");
  request.field("content-length", "5").field("host", "localhost");
  request.also().body = "hello";
  EXPECT_EQ(request.json(),
            "11111111-aaaa 7 /h 192:"
            "{\"PATH\":\"/h\",\"x-forwarded-for\":\"127.0.0.1\",\"content-length\":\"5\","
            "\"host\":\"localhost\",\"METHOD\":\"POST\",\"VERSION\":\"HTTP/1.1\",\"URI\":\"/h\","
            "\"PATTERN\":\"/h\",\"URL_SCHEME\":\"http\",\"REMOTE_ADDR\":\"127.0.0.1\"},5:hello,");
}

TEST(RequestWriter, Tnetstring) {
  Request request("GET", "/t/a");
  request.query("x=1").fragment("frag");
  request.field("X-Q", "a\"b\\c\ttab").field("Host", "localhost:20000").field("User-Agent", "T");
  request.field("X-Dup", "one").field("X-Dup", "two");
  request.also().send_ident = "ident-tnet";
  request.also().pattern = "/t";
  EXPECT_EQ(request.tnet(),
            "ident-tnet 7 /t/a 279:"
            "11:REMOTE_ADDR,9:127.0.0.1,6:METHOD,3:GET,10:URL_SCHEME,4:http,7:PATTERN,2:/t,"
            "8:FRAGMENT,4:frag,5:QUERY,3:x=1,3:URI,8:/t/a?x=1,7:VERSION,8:HTTP/1.1,"
            "4:PATH,4:/t/a,15:x-forwarded-for,9:127.0.0.1,3:x-q,9:a\"b\\c\ttab,"
            "4:host,15:localhost:20000,10:user-agent,1:T,5:x-dup,12:3:one,3:two,]}0:,");
}

TEST(RequestWriter, QueryAndFragmentMayBeEmpty) {
  Request request("GET", "/h");
  request.query("").fragment("");
  EXPECT_EQ(request.json_block(),
            "{\"PATH\":\"/h\",\"x-forwarded-for\":\"127.0.0.1\",\"METHOD\":\"GET\","
            "\"VERSION\":\"HTTP/1.1\",\"URI\":\"/h?\",\"QUERY\":\"\",\"FRAGMENT\":\"\","
            "\"PATTERN\":\"/h\",\"URL_SCHEME\":\"http\",\"REMOTE_ADDR\":\"127.0.0.1\"}");
  EXPECT_NE(request.tnet().find("8:FRAGMENT,0:,5:QUERY,0:,3:URI,3:/h?,"), std::string::npos);
}

TEST(RequestWriter, VersionSchemeAddress) {
  Request request("HEAD", "/h");
  request.head().minor_version = 0;
  request.also().scheme = "https";
  request.also().remote_addr = "::1";
  EXPECT_EQ(request.json_block(),
            "{\"PATH\":\"/h\",\"x-forwarded-for\":\"::1\",\"METHOD\":\"HEAD\","
            "\"VERSION\":\"HTTP/1.0\",\"URI\":\"/h\",\"PATTERN\":\"/h\","
            "\"URL_SCHEME\":\"https\",\"REMOTE_ADDR\":\"::1\"}");
}

TEST(RequestWriter, ForwardedForOfClientsIsReplaced) {
  Request request("GET", "/h");
  request.field("X-Forwarded-For", "6.6.6.6").field("a", "1").field("x-forwarded-for", "7.7.7.7");
  EXPECT_TRUE(request.json_block().starts_with(
      "{\"PATH\":\"/h\",\"x-forwarded-for\":\"127.0.0.1\",\"a\":\"1\",\"METHOD\""));
  EXPECT_EQ(request.tnet().find(".6.6"), std::string::npos);
}

TEST(RequestWriter, ForwardedForOfClientsIsKept) {
  Request request("GET", "/h");
  request.also().keep_client_xff = true;
  EXPECT_EQ(request.json().find("x-forwarded-for"), std::string::npos);
  EXPECT_EQ(request.tnet().find("x-forwarded-for"), std::string::npos);
  request.field("a", "1").field("X-Forwarded-For", "6.6.6.6").field("x-forwarded-for", "7.7.7.7");
  EXPECT_TRUE(request.json_block().starts_with(
      "{\"PATH\":\"/h\",\"a\":\"1\",\"x-forwarded-for\":[\"6.6.6.6\",\"7.7.7.7\"],\"METHOD\""));
}

TEST(RequestWriter, ClientsCannotForge) {
  Request request("GET", "/h");
  request.field("X-Mongrel2-Upload-Done", "/etc/passwd").field("x-mongrel2-", "1");
  request.field("PATH", "/forged").field("Method", "JSON").field("X-Mongrel", "kept");
  EXPECT_EQ(request.json_block(),
            "{\"PATH\":\"/h\",\"x-forwarded-for\":\"127.0.0.1\",\"path\":\"/forged\","
            "\"method\":\"JSON\",\"x-mongrel\":\"kept\",\"METHOD\":\"GET\","
            "\"VERSION\":\"HTTP/1.1\",\"URI\":\"/h\",\"PATTERN\":\"/h\","
            "\"URL_SCHEME\":\"http\",\"REMOTE_ADDR\":\"127.0.0.1\"}");
  EXPECT_EQ(request.tnet().find("passwd"), std::string::npos);
}

TEST(RequestWriter, JsonIsValidWhateverAClientSends) {
  Request request("G\"T", "/\xe4\"");
  request.query("\xc3\xa4\x01").field("A\"\\B\xff", "\xff\x80");
  request.also().pattern = "/h/(\\d+)";
  EXPECT_EQ(request.json(),
            "11111111-aaaa 7 /\xe4\" 231:"
            "{\"PATH\":\"/\\u00e4\\\"\",\"x-forwarded-for\":\"127.0.0.1\","
            "\"a\\\"\\\\b\\u00ff\":\"\\u00ff\\u0080\",\"METHOD\":\"G\\\"T\","
            "\"VERSION\":\"HTTP/1.1\",\"URI\":\"/\\u00e4\\\"?\xc3\xa4\\u0001\","
            "\"QUERY\":\"\xc3\xa4\\u0001\",\"PATTERN\":\"/h/(\\\\d+)\","
            "\"URL_SCHEME\":\"http\",\"REMOTE_ADDR\":\"127.0.0.1\"},0:,");
}

// Few fields are grouped by comparing, many by sorting: the result must be the same at both sides
// of the border.
TEST(RequestWriter, ManyFields) {
  for (const int count : {10, 47, 48, 49, 50, 100, 1280}) {
    Request request("GET", "/h");
    std::vector<std::pair<std::string, std::string>> groups;
    for (int i = 0; i < count; ++i) {
      const size_t name = i * 7 % 23;
      const std::string value = "\"v" + std::to_string(i) + "\"";
      request.field((i % 2 ? "Field-" : "fIELD-") + std::string(name, 'a'),
                    value.substr(1, value.size() - 2));
      const std::string key = ",\"field-" + std::string(name, 'a') + "\":";
      size_t group = 0;
      while (group < groups.size() && groups[group].first != key) ++group;
      if (group == groups.size()) groups.push_back({key, ""});
      std::string& values = groups[group].second;
      values += (values.empty() ? "" : ",") + value;
    }
    std::string expected;
    for (const auto& [key, values] : groups) {
      const bool many = values.find(',') != std::string::npos;
      expected += key + (many ? "[" + values + "]" : values);
    }
    EXPECT_NE(request.json_block().find("\"127.0.0.1\"" + expected + ",\"METHOD\""),
              std::string::npos)
        << count;
  }
}

// More texts than the first pass can remember as clean.
TEST(RequestWriter, EscapesFarBehind) {
  Request request("GET", "/h");
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    request.field("n" + std::to_string(i), "\"");
    expected += ",\"n" + std::to_string(i) + "\":\"\\\"\"";
  }
  EXPECT_NE(request.json_block().find(expected + ",\"METHOD\""), std::string::npos);
}

TEST(RequestWriter, LongNamesBecomeLowerWhole) {
  for (size_t size = 1; size < 40; ++size) {
    Request request("GET", "/h");
    request.field(std::string(size, 'Q') + "[@`{", "ABC");
    const std::string name = std::string(size, 'q') + "[@`{";
    EXPECT_NE(request.json().find(",\"" + name + "\":\"ABC\",\"METHOD\":\"GET\""),
              std::string::npos);
    // The last field of all: nothing but the end of the message stands behind it.
    EXPECT_TRUE(request.tnet().ends_with(std::to_string(name.size()) + ':' + name + ",3:ABC,}0:,"));
  }
}

TEST(RequestWriter, EmptyValueAndName) {
  Request request("GET", "/h");
  request.field("Accept", "").field("", "");
  EXPECT_NE(request.json().find(",\"accept\":\"\",\"\":\"\",\"METHOD\""), std::string::npos);
  EXPECT_TRUE(request.tnet().ends_with("6:accept,0:,0:,0:,}0:,"));
}

TEST(RequestWriter, OutIsReplacedAndKeepsItsRoom) {
  std::string out;
  Request large("GET", "/h");
  const std::string body(100'000, 'b');
  large.also().body = body;
  large.write(HeaderFormat::kJson, out);
  EXPECT_TRUE(out.ends_with("},100000:" + body + ","));
  const char* room = out.data();
  Request small("GET", "/h");
  small.write(HeaderFormat::kJson, out);
  EXPECT_TRUE(out.ends_with("},0:,"));
  EXPECT_EQ(out, small.json());
  large.write(HeaderFormat::kJson, out);
  EXPECT_EQ(out.data(), room);
}

TEST(RequestWriter, LargestId) {
  Request request("GET", "/h");
  request.also().id = (1ull << 53) - 1;
  EXPECT_TRUE(request.json().starts_with("11111111-aaaa 9007199254740991 /h "));
}

TEST(RequestWriter, PieceOfABody) {
  const std::vector<ExtraField> keys{{"UPLOAD_STREAM", "5000"}, {"UPLOAD_STREAM_DONE", "1"}};
  HandlerPiece piece{.send_ident = "ident", .id = 42, .path = "/h", .keys = keys, .body_bytes = 7};
  std::string out = "left over";
  write_piece_head(piece, HeaderFormat::kJson, out);
  EXPECT_EQ(out, "ident 42 /h 49:{\"UPLOAD_STREAM\":\"5000\",\"UPLOAD_STREAM_DONE\":\"1\"},7:");
  write_piece_head(piece, HeaderFormat::kTnetstring, out);
  EXPECT_EQ(out, "ident 42 /h 50:13:UPLOAD_STREAM,4:5000,18:UPLOAD_STREAM_DONE,1:1,}7:");
  piece.keys = piece.keys.first(1);
  piece.body_bytes = 0;
  write_piece_head(piece, HeaderFormat::kJson, out);
  EXPECT_EQ(out, "ident 42 /h 24:{\"UPLOAD_STREAM\":\"5000\"},0:");
}

// FLAGS of a WebSocket's message and the like: behind the client's own fields, as 1.x has them.
TEST(RequestWriter, FieldsAndMethodOfTheServersOwn) {
  Request request("GET", "/h/ws");
  request.field("Host", "a");
  const ExtraField extra[] = {{"FLAGS", "0x81"}, {"DOWNLOAD_CREDITS", "102400"}};
  request.also().method = "WEBSOCKET";
  request.also().extra = extra;
  request.also().body = "hi";
  EXPECT_EQ(
      request.json(),
      "11111111-aaaa 7 /h/ws 217:"
      R"({"PATH":"/h/ws","x-forwarded-for":"127.0.0.1","host":"a","FLAGS":"0x81",)"
      R"("DOWNLOAD_CREDITS":"102400","METHOD":"WEBSOCKET","VERSION":"HTTP/1.1","URI":"/h/ws",)"
      R"("PATTERN":"/h","URL_SCHEME":"http","REMOTE_ADDR":"127.0.0.1"},2:hi,)");
  EXPECT_EQ(request.tnet(),
            "11111111-aaaa 7 /h/ws 220:11:REMOTE_ADDR,9:127.0.0.1,6:METHOD,9:WEBSOCKET,"
            "10:URL_SCHEME,4:http,7:PATTERN,2:/h,3:URI,5:/h/ws,7:VERSION,8:HTTP/1.1,4:PATH,5:/h/ws,"
            "5:FLAGS,4:0x81,16:DOWNLOAD_CREDITS,6:102400,15:x-forwarded-for,9:127.0.0.1,4:host,1:a,"
            "}2:hi,");
}

// The messages of the compatibility sheet, byte for byte.
TEST(RequestWriter, Credits) {
  std::string out = "before";
  write_credits("11111111-aaaa", 7, 43, HeaderFormat::kJson, out);
  EXPECT_EQ(out, R"(11111111-aaaa 7 @* 41:{"METHOD":"JSON","DOWNLOAD_CREDITS":"43"},)"
                 R"(18:{"type":"credits"},)");
  write_credits("11111111-aaaa", 7, 43, HeaderFormat::kTnetstring, out);
  EXPECT_EQ(out,
            "11111111-aaaa 7 @* 41:16:DOWNLOAD_CREDITS,2:43,6:METHOD,4:JSON,}"
            R"(18:{"type":"credits"},)");
}

TEST(RequestWriter, Disconnect) {
  std::string out = "left over";
  write_disconnect("ident", 42, HeaderFormat::kJson, out);
  EXPECT_EQ(out, "ident 42 @* 17:{\"METHOD\":\"JSON\"},21:{\"type\":\"disconnect\"},");
  write_disconnect("ident", 42, HeaderFormat::kTnetstring, out);
  EXPECT_EQ(out, "ident 42 @* 16:6:METHOD,4:JSON,}21:{\"type\":\"disconnect\"},");
}

}  // namespace
}  // namespace m2
