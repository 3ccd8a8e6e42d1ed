// Goal: values are taken exactly or refused with bounds, never bent. Method: each type at and
// beyond its bounds, and the defaults that the manual and Mongrel2 1.x give.
#include "common/config/settings.h"

#include <gtest/gtest.h>

#include <set>

namespace m2 {
namespace {

TEST(Settings, HasTheDefaultsOfTheManualAndOf1x) {
  const Settings settings;
  EXPECT_EQ(settings.text("control_port"), "ipc://run/control");
  EXPECT_EQ(settings.number("limits.buffer_size"), 16384);
  EXPECT_EQ(settings.number("limits.content_length"), 1048576);
  EXPECT_EQ(settings.number("limits.handler_targets"), 128);
  EXPECT_EQ(settings.number("limits.header_count"), 1280);
  EXPECT_EQ(settings.number("limits.dir_max_path"), 256);
  EXPECT_EQ(settings.number("superpoll.max_fd"), 10240);
  EXPECT_EQ(settings.number("zeromq.threads"), 1);
  EXPECT_EQ(settings.number("workers"), 0);
  EXPECT_TRUE(settings.flag("server.daemonize"));
  EXPECT_FALSE(settings.flag("disable.access_logging"));
  EXPECT_EQ(settings.text("upload.temp_store"), "");
  EXPECT_TRUE(settings.explicit_values().empty());
}

TEST(Settings, GivesBackWhatWasSet) {
  Settings settings;
  ASSERT_TRUE(settings.set("limits.buffer_size", "512").ok());
  ASSERT_TRUE(settings.set("limits.buffer_size", "1048576").ok());
  ASSERT_TRUE(settings.set("server.daemonize", "0").ok());
  ASSERT_TRUE(settings.set("control_port", "tcp://127.0.0.1:9000").ok());
  EXPECT_EQ(settings.number("limits.buffer_size"), 1048576);
  EXPECT_FALSE(settings.flag("server.daemonize"));
  EXPECT_EQ(settings.text("control_port"), "tcp://127.0.0.1:9000");
  EXPECT_EQ(settings.explicit_values().size(), 3u);
}

TEST(Settings, RefusesAndKeepsTheOldValue) {
  Settings settings;
  ASSERT_TRUE(settings.set("limits.buffer_size", "600").ok());
  for (const char* value : {"63", "16777217", "", "abc", "600x", " 600", "0x600", "6e2", "-1",
                            "99999999999999999999"}) {
    EXPECT_FALSE(settings.set("limits.buffer_size", value).ok()) << value;
  }
  EXPECT_EQ(settings.number("limits.buffer_size"), 600);
  EXPECT_FALSE(settings.set("server.daemonize", "2").ok());
  EXPECT_FALSE(settings.set("server.daemonize", "true").ok());
  EXPECT_FALSE(settings.set("limits.no_such_thing", "1").ok());
}

// What people wrote for 1.x, which checked nothing, must not keep the server from starting.
TEST(Settings, TakesWhatDatabasesOf1xHold) {
  Settings settings;
  for (const auto& [key, value] :
       {std::pair("superpoll.max_fd", "64"), std::pair("superpoll.max_fd", "0"),
        std::pair("limits.content_length", "2147483647"), std::pair("limits.host_name", "1024"),
        std::pair("limits.url_path", "256"), std::pair("limits.buffer_size", "65536"),
        std::pair("limits.min_read_rate", "0"), std::pair("limits.min_write_rate", "0"),
        std::pair("zeromq.threads", "32"), std::pair("limits.header_count", "5")}) {
    EXPECT_TRUE(settings.set(key, value).ok()) << key;
  }
}

TEST(Settings, SumUpWhatWasSetInTheOrderOfTheTable) {
  Settings settings;
  EXPECT_EQ(settings.summary(), "");
  ASSERT_TRUE(settings.set("pipelining", "1").ok());
  ASSERT_TRUE(settings.set("workers", "2").ok());
  EXPECT_EQ(settings.summary(), "workers=2, pipelining=1");
}

TEST(Settings, NamesKeyValueAndBoundsWhenRefusing) {
  Settings settings;
  EXPECT_EQ(settings.set("limits.buffer_size", "9\n").message(),
            "limits.buffer_size \"9\\x0a\": must be a whole number from 64 to 16777216 (bytes); "
            "the default is 16384");
  EXPECT_EQ(settings.set("request.relaxed", "yes").message(),
            "request.relaxed \"yes\": must be 0 or 1; the default is 0");
}

// The table itself: keys once, defaults within bounds and acceptable to set(), a sentence each.
TEST(Settings, TableIsSound) {
  std::set<std::string_view> keys;
  for (const SettingSpec& spec : setting_specs()) {
    EXPECT_TRUE(keys.insert(spec.key).second) << spec.key;
    EXPECT_EQ(find_setting(spec.key), &spec);
    EXPECT_TRUE(spec.help.ends_with('.')) << spec.key;
    EXPECT_EQ(spec.help.find('|'), std::string_view::npos) << spec.key;  // it is a table cell
    if (spec.type == SettingType::kText) continue;
    if (spec.type == SettingType::kChoice) {
      Settings chosen;
      EXPECT_TRUE(chosen.set(spec.key, spec.default_text).ok()) << spec.key;
      EXPECT_EQ(chosen.text(spec.key), spec.default_text);
      EXPECT_FALSE(chosen.set(spec.key, "").ok()) << spec.key;
      EXPECT_FALSE(chosen.set(spec.key, spec.unit).ok()) << spec.key;
      continue;
    }
    EXPECT_LT(spec.least, spec.most) << spec.key;
    Settings settings;
    EXPECT_TRUE(settings.set(spec.key, std::to_string(spec.default_number)).ok()) << spec.key;
    EXPECT_FALSE(settings.set(spec.key, std::to_string(spec.most + 1)).ok()) << spec.key;
  }
}

}  // namespace
}  // namespace m2
