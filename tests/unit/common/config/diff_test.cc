// What a reload changes, in words.
#include "common/config/diff.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

Config site() {
  Config config;
  config.dirs = {{1, "www/", "index.html", "text/plain", 0}};
  config.proxies.resize(1);
  config.hosts = {{1, "a", "a", {{1, "/", TargetKind::kDir, 0}, {2, "/p", TargetKind::kProxy, 0}}}};
  return config;
}

TEST(Diff, NothingChanged) {
  Config other = site();
  other.dirs[0].id = 7;  // written anew by m2sh
  other.hosts[0].routes[0].id = 9;
  EXPECT_EQ(describe_changes(site(), other), "nothing changed");
}

TEST(Diff, RoutesAndHosts) {
  Config other = site();
  other.hosts[0].routes.push_back({3, "/new", TargetKind::kDir, 0});
  other.hosts.push_back({2, "b", "b", {}});
  EXPECT_EQ(describe_changes(site(), other), "1 host added, 1 route added");
  EXPECT_EQ(describe_changes(other, site()), "1 host removed, 1 route removed");
  other = site();
  other.dirs[0].base = "elsewhere/";
  EXPECT_EQ(describe_changes(site(), other), "1 route changed");
  other = site();
  other.hosts[0].routes[1] = {2, "/p", TargetKind::kDir, 0};
  other.hosts[0].matching = "x";
  EXPECT_EQ(describe_changes(site(), other), "1 host changed, 1 route changed");
}

TEST(Diff, SettingsAndColumns) {
  Config other = site();
  for (const char* key : {"workers", "drain_ms"})
    ASSERT_TRUE(other.settings.set(key, "200").ok() || other.settings.set(key, "2").ok());
  EXPECT_EQ(describe_changes(site(), other), "settings drain_ms workers changed");
  EXPECT_EQ(describe_changes(other, site()), "settings drain_ms workers changed");
  other = site();
  other.server.port = 80;
  other.mimetypes.push_back({".x", "a/b"});
  EXPECT_EQ(describe_changes(site(), other), "server column port changed, table mimetype changed");
  other = site();
  for (const char* key : {"limits.head_ms", "limits.body_ms", "limits.idle_ms", "limits.write_ms",
                          "drain_ms", "proxy.idle_ms", "proxy.answer_ms"}) {
    ASSERT_TRUE(other.settings.set(key, "999").ok());
  }
  EXPECT_EQ(describe_changes(site(), other),
            "settings drain_ms limits.body_ms limits.head_ms limits.idle_ms limits.write_ms and 2 "
            "more changed");
}

}  // namespace
}  // namespace m2
