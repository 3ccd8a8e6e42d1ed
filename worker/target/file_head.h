// The heads of answers about a file. The one of 200 is made once for each state of the file and
// lies ready before its body; the others are made for each answer. Called by Folder and FileAnswer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/http/ranges.h"
#include "worker/target/cached_file.h"

namespace m2 {

// Where in a prepared head the date stands, kHttpDateBytes long: it is written over for each
// answer.
inline constexpr size_t kDateOffset = std::string_view("HTTP/1.1 200 OK\r\nDate: ").size();

// What all answers from one folder have in common.
struct HeadStyle {
  uint32_t max_age_s = 0;  // Cache-Control; 0: none is sent, as in Mongrel2 1.x
  bool vary = false;       // there may be encoded forms: Vary: Accept-Encoding
};

// Sets etc, answer (to the head), head_bytes and modified_at; type, etag, seen and coding are set.
void prepare_head(const HeadStyle& style, CachedFile& file);
// The prepared head for one answer, with fields ("" or header lines) at its end. A modification in
// the future becomes the date of the answer (RFC 9110 8.8.2.1).
std::string head_of_whole(const CachedFile& file, std::string_view date, bool in_future,
                          std::string_view fields);
// 206. type: Content-Type; content_range: its value, "" for multipart.
std::string head_of_part(const CachedFile& file, std::string_view date, bool in_future,
                         std::string_view type, uint64_t length, std::string_view content_range,
                         std::string_view fields);
// "bytes 0-9/100".
std::string content_range(const ByteRange& range, uint64_t size);

}  // namespace m2
