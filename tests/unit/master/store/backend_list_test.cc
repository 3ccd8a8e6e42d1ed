// Goal: proxy.addr is read as people write it. Method: lists and what they mean; what is refused is
// shown by end_to_end/test_32_proxy_many.py.
#include "master/store/backend_list.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

using Rows = std::vector<BackendRow>;

Rows parse(std::string_view addr) {
  auto rows = parse_backends(addr, 80);
  return rows.ok() ? std::move(rows).value() : Rows();
}

TEST(BackendList, HostsWithAndWithoutPorts) {
  EXPECT_EQ(parse("app"), (Rows{{"app", 80, {}}}));
  EXPECT_EQ(parse("127.0.0.1:65535"), (Rows{{"127.0.0.1", 65535, {}}}));
  EXPECT_EQ(parse("::1"), (Rows{{"::1", 80, {}}}));
  EXPECT_EQ(parse("[::1]"), (Rows{{"::1", 80, {}}}));
  EXPECT_EQ(parse(" app_1.test:81 ,10.0.0.1,\n[2001:db8::1]:8080, app_1.test "),
            (Rows{{"app_1.test", 81, {}},
                  {"10.0.0.1", 80, {}},
                  {"2001:db8::1", 8080, {}},
                  {"app_1.test", 80, {}}}));
}

TEST(BackendList, RefusesWhatIsNone) {
  for (const std::string_view addr :
       {"", " ", ",", "a,", "a:", "a:65536", "a:-1", "a:80:81", "http://a", "-a", "[127.0.0.1]:80",
        "[::1", "[]", "a,b,a", "a/b", "a@b"}) {
    EXPECT_FALSE(parse_backends(addr, 80).ok()) << addr;
  }
}

}  // namespace
}  // namespace m2
