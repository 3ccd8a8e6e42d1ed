// Goal: the longest extension that ends the file name decides, in any case of letters. Method: a
// small table.
#include "proto/http/mime.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

TEST(Mime, EmptyTableFindsNothing) {
  const MimeTable table;
  EXPECT_TRUE(table.find("/a.html").empty());
  EXPECT_TRUE(table.find("").empty());
}

TEST(Mime, LongestExtensionWins) {
  MimeTable table;
  table.add(".html", "text/html");
  table.add(".gz", "application/x-gzip");
  table.add(".tar.gz", "application/x-gtar-compressed");
  table.add(".pcf.Z", "application/x-font-pcf");
  table.add(".html", "text/other");
  const struct {
    const char* path;
    const char* type;
  } rows[] = {
      {"/a.html", "text/html"},
      {"a.html", "text/html"},
      {".html", "text/html"},
      {"/A.HtMl", "text/html"},
      {"/very/long/path/with/many/segments/index.en.html", "text/html"},
      {"/a.gz", "application/x-gzip"},
      {"/a.tar.gz", "application/x-gtar-compressed"},
      {"/tar.gz", "application/x-gzip"},
      {"/a.b.TAR.gz", "application/x-gtar-compressed"},
      {"/font.pcf.Z", "application/x-font-pcf"},
      {"/font.pcf.z", "application/x-font-pcf"},
      {"/a.htm", ""},
      {"/a.htmlx", ""},
      {"/a.html/", ""},
      {"/a.html/b", ""},
      {"/html", ""},
      {"/a.", ""},
      {"/", ""},
      {"", ""},
      {"..........", ""},
  };
  for (const auto& row : rows) EXPECT_EQ(table.find(row.path), row.type) << row.path;
}

TEST(Mime, ExtensionsHaveALimit) {
  MimeTable table;
  const std::string longest = '.' + std::string(MimeTable::kExtensionBytesMax - 1, 'x');
  table.add(longest, "text/long");
  table.add(longest + 'x', "text/too-long");
  EXPECT_EQ(table.find("/a" + longest), "text/long");
  EXPECT_EQ(table.find("/a" + longest + 'x'), "");
}

}  // namespace
}  // namespace m2
