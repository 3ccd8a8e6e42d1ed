// Goal: status lines carry the usual words. Method: the numbers that this server itself sends, and
// the ends of the table.
#include "proto/http/status_text.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

TEST(StatusText, ReasonPhrases) {
  const struct {
    int status;
    const char* text;
  } rows[] = {
      {100, "Continue"},
      {200, "OK"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {412, "Precondition Failed"},
      {413, "Request Entity Too Large"},
      {414, "URI Too Long"},
      {417, "Expectation Failed"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {511, "Network Authentication Required"},
      {0, "Status"},
      {-1, "Status"},
      {299, "Status"},
      {599, "Status"},
  };
  for (const auto& row : rows) EXPECT_EQ(reason_phrase(row.status), row.text) << row.status;
}

TEST(StatusText, EveryNumberIsFoundInItsPlace) {
  // A number out of order would hide from the search.
  int known = 0;
  for (int status = 0; status < 1000; ++status) known += reason_phrase(status) != "Status" ? 1 : 0;
  EXPECT_EQ(known, 51);
}

}  // namespace
}  // namespace m2
