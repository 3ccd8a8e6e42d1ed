// Goal: no spelling of a path leads outside, and every honest one leads where it says. Method:
// tables.
#include "proto/http/uri.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace m2 {
namespace {

TEST(Uri, PercentDecode) {
  const struct {
    std::string_view raw;
    std::string_view decoded;
  } rows[] = {
      {"", ""},
      {"/a/b.html", "/a/b.html"},
      {"/a%20b", "/a b"},
      {"%2F%2f%41", "//A"},
      {"/a+b", "/a+b"},
      {"/%2525", "/%25"},  // once
      {"/%C3%a9%ff", "/\xc3\xa9\xff"},
      {"%2e%2e/", "../"},
  };
  for (const auto& row : rows) {
    std::string out = "left over";
    EXPECT_TRUE(percent_decode(row.raw, out)) << row.raw;
    EXPECT_EQ(out, row.decoded);
  }
}

TEST(Uri, WhatBrowsersLeaveRawIsEncodedInAUri) {
  std::string out = "http://h";
  append_uri("/a[1]|^/{b}%5b;c=d:@", out);
  EXPECT_EQ(out, "http://h/a%5B1%5D%7C%5E/%7Bb%7D%5b;c=d:@");
  out.clear();
  append_uri("?ids[]=1&f=A|B&g=`\\^?/", out);
  EXPECT_EQ(out, "?ids%5B%5D=1&f=A%7CB&g=%60%5C%5E?/");
}

TEST(Uri, BadEscapesAndNulAreRefused) {
  for (const std::string_view raw :
       {std::string_view("%"), std::string_view("a%4"), std::string_view("%4g"),
        std::string_view("%g4"), std::string_view("%%41"), std::string_view("/a%00b"),
        std::string_view("/a\0b", 4)}) {
    std::string out;
    EXPECT_FALSE(percent_decode(raw, out)) << raw;
  }
}

TEST(Uri, RemoveDotSegments) {
  const struct {
    const char* path;
    const char* relative;
  } rows[] = {
      {"", ""},
      {"/", ""},
      {"///", ""},
      {"/a", "a"},
      {"a/b", "a/b"},
      {"/a//b/./c/../d", "a/b/d"},
      {"/a/b/", "a/b/"},
      {"/a/b//", "a/b/"},
      {"/a/.", "a/"},
      {"/a/./", "a/"},
      {"/a/b/..", "a/"},
      {"/a/b/../", "a/"},
      {"/a/..", ""},
      {"/a/../", ""},
      {"/a/../b", "b"},
      {"/./.", ""},
      {"/a/b/c/../../d/../e", "a/e"},
      {"/...", "..."},
      {"/..a/.b/c..", "..a/.b/c.."},
      {"/a\\..\\b", "a\\..\\b"},
  };
  for (const auto& row : rows) {
    std::string out = "left over";
    EXPECT_TRUE(remove_dot_segments(row.path, out)) << row.path;
    EXPECT_EQ(out, row.relative) << row.path;
  }
}

TEST(Uri, ClimbingAboveTheStartIsRefused) {
  for (const char* path : {"..", "/..", "/../", "/../a", "//..", "/./..", "/a/../..", "/a/../../a",
                           "/a/b/../../../a/b", "../a"}) {
    std::string out;
    EXPECT_FALSE(remove_dot_segments(path, out)) << path;
  }
}

}  // namespace
}  // namespace m2
