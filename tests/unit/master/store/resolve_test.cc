// Goal: names become numeric addresses, or findings within the limit. Method: numbers, localhost,
// and a name under the top-level domain that never exists (RFC 6761).
#include "master/store/resolve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace m2 {
namespace {

ProxyRow row(int64_t id, std::vector<std::string> hosts) {
  ProxyRow made{id, "as written", 80, {}};
  for (std::string& host : hosts) made.backends.push_back({std::move(host), 80, {}});
  return made;
}

TEST(Resolve, KeepsNumbersAsTheyAre) {
  Config config;
  std::vector<ProxyRow>& proxies = config.proxies;
  proxies = {row(1, {"192.0.2.7", "2001:db8::1"})};
  Findings findings;
  resolve_proxies(config, 0, findings);
  EXPECT_TRUE(findings.take().empty());
  EXPECT_EQ(proxies[0].backends[0].addresses, std::vector<std::string>{"192.0.2.7"});
  EXPECT_EQ(proxies[0].backends[1].addresses, std::vector<std::string>{"2001:db8::1"});
}

TEST(Resolve, LooksUpEachNameForAllItsRows) {
  Config config;
  std::vector<ProxyRow>& proxies = config.proxies;
  proxies = {row(1, {"localhost"}), row(2, {"127.0.0.1", "localhost"})};
  EXPECT_EQ(names_of(proxies), std::vector<std::string>{"localhost"});
  Findings findings;
  resolve_proxies(config, 20'000, findings);
  EXPECT_TRUE(findings.take().empty());
  const auto& all = proxies[0].backends[0].addresses;
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all, proxies[1].backends[1].addresses);
  EXPECT_TRUE(all[0] == "127.0.0.1" || all[0] == "::1") << all[0];
  // IPv4 first.
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return (a.find(':') == std::string::npos) > (b.find(':') == std::string::npos);
  }));
}

TEST(Resolve, ReportsNamesWithoutAnAddress) {
  Config config;
  std::vector<ProxyRow>& proxies = config.proxies;
  proxies = {row(1, {"backend.invalid"}), row(2, {"backend.invalid", "127.0.0.1"})};
  config.hosts = {{1, "localhost", "localhost", {{1, "/shop", TargetKind::kProxy, 0}}}};
  Findings findings;
  resolve_proxies(config, 20'000, findings);
  const std::vector<Finding> found = findings.take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].severity, Finding::Severity::kWarning);
  EXPECT_TRUE(
      found[0].text.starts_with("proxy row 1, addr \"as written\": cannot be resolved "
                                "(\"backend.invalid\": "))
      << found[0].text;
  EXPECT_NE(found[0].text.find("route \"/shop\" of host \"localhost\" will answer 502"),
            std::string::npos)
      << found[0].text;
  EXPECT_EQ(found[1].severity, Finding::Severity::kWarning);  // one of two serves
  EXPECT_TRUE(found[1].text.starts_with("proxy row 2, addr \"as written\": serves without"))
      << found[1].text;
  EXPECT_TRUE(proxies[0].backends[0].addresses.empty());
}

// Goal: look-ups that get done while others do, or while the wait for them ends, harm nobody.
// Method: numbers, which are known at once; a race that is lost ends the whole program.
TEST(Resolve, AnswersMayComeAtAnyMoment) {
  std::vector<std::string> names;
  for (int number = 1; number <= 30; ++number) names.push_back("127.0.0." + std::to_string(number));
  for (int round = 0; round < 500; ++round) {
    std::map<std::string, std::string> failures;
    const size_t found = look_up(names, round % 2, failures).size();
    ASSERT_EQ(found + failures.size(), names.size());
  }
}

}  // namespace
}  // namespace m2
