// Goal: the two settings about the store are taken exactly. Method: each rule and its neighbours.
#include "common/config/upload_store.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(UploadStore, IsAPathWithSixLettersToBeChosen) {
  for (const std::string path : {"XXXXXX", "tmp/body.XXXXXX", "/tmp/a b/XXXXXXXX"}) {
    EXPECT_TRUE(check_temp_store(path).ok()) << path;
  }
  const std::string name_too_long = "tmp/" + std::string(250, 'a') + "XXXXXX";
  const std::string path_too_long = std::string(4096, '/') + "XXXXXX";
  for (const std::string& path :
       {std::string("tmp/body"), std::string("tmp/XXXXX"), std::string("tmp/XXXXXX/"),
        std::string("tmp/xxxxxx"), std::string("a\nXXXXXX"), name_too_long, path_too_long}) {
    EXPECT_FALSE(check_temp_store(path).ok()) << path;
  }
}

TEST(UploadStore, ModeIsOctal) {
  EXPECT_EQ(parse_temp_store_mode("0600").value(), 0600u);
  EXPECT_EQ(parse_temp_store_mode("0664").value(), 0664u);
  EXPECT_EQ(parse_temp_store_mode("0777").value(), 0777u);
  for (const char* text : {"", "0", "600", "384", "0x180", "0400", "0200", "01600", "0800", "-0600",
                           "0600 ", " 0600", "07777777777777777"}) {
    EXPECT_FALSE(parse_temp_store_mode(text).ok()) << text;
  }
}

}  // namespace
}  // namespace m2
