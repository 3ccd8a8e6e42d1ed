// Goal: the client of a request that came through trusted proxies is the rightmost stranger, in
// both fields and every spelling; nobody left of it can pose as somebody else.
#include "proto/http/forwarded.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace m2 {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

ForwardedRequest read(const Fields& fields) {
  std::string bytes;
  RequestHead head;
  const auto slice = [&bytes](const std::string& text) {
    const Slice made{static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(text.size())};
    bytes += text;
    return made;
  };
  for (const auto& [name, value] : fields) {
    const Slice at = slice(name);
    head.fields.push_back({at, slice(value)});
  }
  const NetworkList trusted = NetworkList::parse("10.0.0.0/8, fd00::/8").value();
  return read_forwarded(head, bytes.data(), trusted);
}
std::string client(const Fields& fields) { return ip_text(read(fields).client); }
std::string scheme(const Fields& fields) {
  switch (read(fields).scheme) {
    case ForwardedScheme::kNotSaid:
      return "";
    case ForwardedScheme::kHttp:
      return "http";
    case ForwardedScheme::kHttps:
      return "https";
  }
  return "?";
}
std::string xff(const std::string& value) { return client({{"X-Forwarded-For", value}}); }
std::string forwarded(const std::string& value) { return client({{"Forwarded", value}}); }

TEST(Forwarded, TheRightmostStrangerIsTheClient) {
  EXPECT_EQ(xff("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(xff("6.6.6.6, 192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(xff("6.6.6.6, 192.0.2.1, 10.0.0.1"), "192.0.2.1");
  EXPECT_EQ(xff("6.6.6.6,10.0.0.3 ,192.0.2.1,10.0.0.2,10.0.0.1"), "192.0.2.1");
  EXPECT_EQ(xff("10.0.0.2, 10.0.0.1"), "10.0.0.2");  // all trusted: a client inside
  EXPECT_EQ(xff("2001:db8::1, fd00::1"), "2001:db8::1");
  EXPECT_EQ(xff("::ffff:192.0.2.1"), "192.0.2.1");
}

TEST(Forwarded, SeveralFieldsAreOneList) {
  EXPECT_EQ(client({{"x-forwarded-for", "6.6.6.6"},
                    {"Host", "a"},
                    {"X-FORWARDED-FOR", "192.0.2.1"},
                    {"X-Forwarded-For", "10.0.0.1"}}),
            "192.0.2.1");
  EXPECT_EQ(client({{"Forwarded", "for=6.6.6.6"}, {"forwarded", "for=192.0.2.1"}}), "192.0.2.1");
}

TEST(Forwarded, WhatIsNoAddressHidesWhatIsLeftOfIt) {
  EXPECT_EQ(xff("192.0.2.1, unknown, 10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(xff("192.0.2.1, unknown, 10.0.0.2, 10.0.0.1"), "10.0.0.2");
  EXPECT_EQ(xff("unknown"), "-");
  EXPECT_EQ(xff("192.0.2.1, <script>"), "-");
  EXPECT_EQ(xff("unknown, 192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(xff(""), "-");
  EXPECT_EQ(xff(" , ,"), "-");
  EXPECT_EQ(xff("192.0.2.1,,"), "192.0.2.1");
}

TEST(Forwarded, ReadsPortsAndBrackets) {
  EXPECT_EQ(xff("192.0.2.1:4711"), "192.0.2.1");
  EXPECT_EQ(xff("[2001:db8::1]"), "2001:db8::1");
  EXPECT_EQ(xff("[2001:db8::1]:4711"), "2001:db8::1");
  EXPECT_EQ(xff("[2001:db8::1"), "-");
  EXPECT_EQ(xff("[2001:db8::1]x"), "-");
  EXPECT_EQ(xff("[]"), "-");
}

TEST(Forwarded, ReadsTheStandardField) {
  EXPECT_EQ(forwarded("for=192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(forwarded("For=192.0.2.1;proto=http;by=10.0.0.1"), "192.0.2.1");
  EXPECT_EQ(forwarded("by=10.0.0.1;FOR=\"192.0.2.1:4711\""), "192.0.2.1");
  EXPECT_EQ(forwarded("for=\"[2001:db8::1]:4711\""), "2001:db8::1");
  EXPECT_EQ(forwarded("for=6.6.6.6, for=192.0.2.1 , for=10.0.0.1;proto=https"), "192.0.2.1");
  EXPECT_EQ(forwarded("for=6.6.6.6;host=\"a,for=7.7.7.7\", for=192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(forwarded("for=\"_hidden\", for=10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(forwarded("for=192.0.2.1, for=unknown"), "-");
  EXPECT_EQ(forwarded("for=192.0.2.1, proto=http"), "-");  // a proxy that does not say for whom
  EXPECT_EQ(forwarded("for=192.0.2.1;, ,"), "192.0.2.1");
}

TEST(Forwarded, WhatBreaksTheGrammarHidesWhatIsLeftOfIt) {
  for (const char* tail : {"for", "for =1.1.1.1", "for=\"1.1.1.1", "for=\"\\", "=", "for=1.1.1.1 x",
                           "for=\"192.0.2.\\1\"", "for=[::1]", "\"for=1.1.1.1\""}) {
    EXPECT_EQ(forwarded(std::string("for=192.0.2.1, ") + tail), "-") << tail;
  }
}

TEST(Forwarded, TheSchemeIsWhatTheTrustedPeerSays) {
  const auto proto = [](const std::string& value) {
    return scheme({{"X-Forwarded-Proto", value}});
  };
  EXPECT_EQ(proto("https"), "https");
  EXPECT_EQ(proto("HTTPS"), "https");
  EXPECT_EQ(proto("http"), "http");
  EXPECT_EQ(proto("wss"), "https");
  EXPECT_EQ(proto("ws"), "http");
  EXPECT_EQ(proto("http, https"), "https");  // left of the last one a client may have written
  EXPECT_EQ(proto("https,http "), "http");
  for (const char* bad : {"", "on", "https,", "https x", "\"https\"", "https://"}) {
    EXPECT_EQ(proto(bad), "") << bad;
  }
  EXPECT_EQ(scheme({{"X-Forwarded-Proto", "https"}, {"x-forwarded-proto", "http"}}), "http");
  EXPECT_EQ(scheme({{"X-Forwarded-For", "192.0.2.1"}}), "");
  EXPECT_EQ(scheme({{"X-Forwarded-Ssl", "on"}, {"X-Forwarded-Scheme", "https"}}), "");
}

TEST(Forwarded, TheSchemeOfTheStandardFieldStandsBesideTheClient) {
  const auto standard = [](const std::string& value) { return scheme({{"Forwarded", value}}); };
  EXPECT_EQ(standard("for=192.0.2.1;proto=https"), "https");
  EXPECT_EQ(standard("proto=\"HTTPS\";for=192.0.2.1"), "https");
  EXPECT_EQ(standard("for=192.0.2.1;proto=https, for=10.0.0.1;proto=http"), "https");
  EXPECT_EQ(standard("for=6.6.6.6;proto=https, for=192.0.2.1"), "");
  EXPECT_EQ(standard("for=6.6.6.6;proto=https, for=192.0.2.1;proto=http"), "http");
  EXPECT_EQ(standard("for=10.0.0.2;proto=https, for=10.0.0.1;proto=http"), "https");
  EXPECT_EQ(standard("proto=https"), "https");
  EXPECT_EQ(standard("for=192.0.2.1;proto=https, for="), "");
  EXPECT_EQ(standard("for=192.0.2.1;proto=https, x"), "");
  // Beside the older fields it may be the client's own.
  EXPECT_EQ(scheme({{"Forwarded", "for=192.0.2.1;proto=https"}, {"X-Forwarded-For", "192.0.2.1"}}),
            "");
  EXPECT_EQ(scheme({{"Forwarded", "for=192.0.2.1;proto=https"}, {"X-Forwarded-Proto", "http"}}),
            "http");
}

TEST(Forwarded, KnowsTheFieldsByWhichProxiesSpeak) {
  for (const char* name :
       {"X-Forwarded-For",  "x-forwarded-proto",  "X-Forwarded-Host",    "X-Forwarded-Port",
        "X-Forwarded-Ssl",  "X-FORWARDED-PREFIX", "X_Forwarded_Proto",   "X-Forwarded_For",
        "Forwarded",        "X-Forwarded",        "Forwarded-For",       "X-Real-IP",
        "x_real_ip",        "X-Client-IP",        "X-Cluster-Client-IP", "True-Client-IP",
        "CF-Connecting-IP", "Fastly-Client-IP",   "Front-End-Https",     "X-Url-Scheme",
        "X-Scheme"}) {
    EXPECT_TRUE(is_forwarding_field(name)) << name;
  }
  for (const char* name : {"", "X", "Host", "X-Forwarded-", "X-Forwardedfor", "X-Real-IPs",
                           "X-Request-Id", "Authorization", "Via", "X-Clients-IP"}) {
    EXPECT_FALSE(is_forwarding_field(name)) << name;
  }
}

TEST(Forwarded, TheOlderFieldComesFirst) {
  EXPECT_EQ(client({{"Forwarded", "for=6.6.6.6"}, {"X-Forwarded-For", "192.0.2.1"}}), "192.0.2.1");
  EXPECT_EQ(client({{"Forwarded", "for=6.6.6.6"}, {"X-Forwarded-For", "unknown"}}), "-");
  EXPECT_EQ(client({{"Forwarded", "for=6.6.6.6"}, {"X-Forwarded-Proto", "https"}}), "-");
  EXPECT_EQ(client({{"X-Forwarded-Host", "192.0.2.1"}, {"Host", "192.0.2.1"}}), "-");
}

}  // namespace
}  // namespace m2
