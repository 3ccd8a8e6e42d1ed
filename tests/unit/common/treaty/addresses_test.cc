// Goal: what the resolver writes is what workers read, and anything else is refused. Method: both
// ends against each other, then bytes that are wrong.
#include "common/treaty/addresses.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(Addresses, ComeBackAsTheyWere) {
  const NamedAddresses addresses = {{"a.test", {"127.0.0.1", "::1"}}, {"b", {"fe80::1%eth0"}}};
  const auto read = read_addresses(write_addresses(addresses));
  ASSERT_TRUE(read.ok()) << read.message();
  EXPECT_EQ(read.value(), addresses);
  EXPECT_TRUE(read_addresses("").ok());
}

TEST(Addresses, RefuseWhatIsNotTheirs) {
  for (const std::string_view bytes : {"a 127.0.0.1", "a\n", "\n", "a b\n", "a 127.0.0.1 \n\n",
                                       "a 127.0.0.256\n", "a  127.0.0.1\n"}) {
    EXPECT_FALSE(read_addresses(bytes).ok()) << bytes;
  }
}

}  // namespace
}  // namespace m2
