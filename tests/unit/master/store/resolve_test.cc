// Goal: names become numeric addresses, or findings within the limit. Method: numbers, localhost,
// and a name under the top-level domain that never exists (RFC 6761).
#include "master/store/resolve.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace m2 {
namespace {

TEST(Resolve, KeepsNumbersAsTheyAre) {
  std::vector<ProxyRow> proxies = {{1, "192.0.2.7", 80, {}}, {2, "2001:db8::1", 80, {}}};
  Findings findings;
  resolve_proxies(proxies, 0, findings);
  EXPECT_TRUE(findings.take().empty());
  EXPECT_EQ(proxies[0].addresses, std::vector<std::string>{"192.0.2.7"});
  EXPECT_EQ(proxies[1].addresses, std::vector<std::string>{"2001:db8::1"});
}

TEST(Resolve, LooksUpEachNameForAllItsRows) {
  std::vector<ProxyRow> proxies = {{1, "localhost", 80, {}}, {2, "localhost", 81, {}}};
  Findings findings;
  resolve_proxies(proxies, 20'000, findings);
  EXPECT_TRUE(findings.take().empty());
  ASSERT_FALSE(proxies[0].addresses.empty());
  EXPECT_EQ(proxies[0].addresses, proxies[1].addresses);
  const bool known = proxies[0].addresses[0] == "127.0.0.1" || proxies[0].addresses[0] == "::1";
  EXPECT_TRUE(known) << proxies[0].addresses[0];
  // IPv4 first.
  const auto& all = proxies[0].addresses;
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return (a.find(':') == std::string::npos) > (b.find(':') == std::string::npos);
  }));
}

TEST(Resolve, ReportsNamesWithoutAnAddressAndLeavesEmptyOnesAlone) {
  std::vector<ProxyRow> proxies = {{1, "backend.invalid", 80, {}}, {2, "", 80, {}}};
  Findings findings;
  resolve_proxies(proxies, 20'000, findings);
  const std::vector<Finding> found = findings.take();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].severity, Finding::Severity::kError);
  EXPECT_TRUE(
      found[0].text.starts_with("proxy row 1, addr \"backend.invalid\": cannot be resolved ("))
      << found[0].text;
  EXPECT_TRUE(proxies[0].addresses.empty());
}

}  // namespace
}  // namespace m2
