// The common case, a whole file in memory, is one send() of what lies ready.
#include "worker/target/file_answer.h"

#include <sys/random.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "common/check.h"
#include "proto/handler/netstring.h"
#include "proto/http/date.h"
#include "proto/http/ranges.h"
#include "worker/http/exchange.h"
#include "worker/target/file_head.h"

namespace m2 {
namespace {

// Bytes of the body to the queue, behind what is there.
void enqueue_body(Exchange& exchange, const std::shared_ptr<CachedFile>& file, uint64_t offset,
                  uint64_t length) {
  exchange.add_body_bytes(length);
  if (file->body_inline) {
    const std::string_view body = file->body();
    exchange.client().enqueue(body.substr(static_cast<size_t>(offset), static_cast<size_t>(length)),
                              file);
  } else {
    exchange.send_file(file, offset, length);
  }
}

void answer_whole(Exchange& exchange, const std::shared_ptr<CachedFile>& file, bool in_future) {
  const std::string_view date = exchange.client().date();
  const std::string_view fields = exchange.connection_field();
  exchange.set_status(200);
  if (exchange.is_head() || in_future || !fields.empty() || !file->body_inline) [[unlikely]] {
    exchange.client().hold_output();
    exchange.client().enqueue(head_of_whole(*file, date, in_future, fields), nullptr);
    if (!exchange.is_head()) enqueue_body(exchange, file, 0, file->size());
    return exchange.complete();
  }
  std::memcpy(file->answer.data() + kDateOffset, date.data(), date.size());
  const std::string_view answer = file->answer;
  exchange.add_body_bytes(file->size());
  size_t sent = exchange.client().send_now(answer);
  if (sent < file->head_bytes) {
    // The rest of the head is copied: the date in the prepared one is written over.
    exchange.client().enqueue(file->head().substr(sent), nullptr);
    sent = file->head_bytes;
  }
  if (sent < answer.size()) exchange.client().enqueue(answer.substr(sent), file);
  exchange.complete();
}

// No content has it inside, whoever wrote that: nobody can know it.
std::string make_boundary() {
  uint64_t random[2];
  CHECK(::getrandom(random, sizeof random, 0) == sizeof random);
  char text[36];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(random[0]),
                static_cast<unsigned long long>(random[1]));
  return text;
}

// multipart/byteranges (RFC 9110 14.6).
void answer_parts(Exchange& exchange, const std::shared_ptr<CachedFile>& file,
                  const std::vector<ByteRange>& ranges, bool in_future) {
  const std::string boundary = make_boundary();
  const std::string part_begin =
      "\r\n--" + boundary + "\r\nContent-Type: " + file->type + "\r\nContent-Range: ";
  const std::string end = "\r\n--" + boundary + "--\r\n";
  std::vector<std::string> heads;
  uint64_t length = end.size();
  for (const ByteRange& range : ranges) {
    heads.push_back(part_begin + content_range(range, file->size()) + "\r\n\r\n");
    length += heads.back().size() + range.length();
  }
  exchange.client().enqueue(head_of_part(*file, exchange.client().date(), in_future,
                                         "multipart/byteranges; boundary=" + boundary, length, {},
                                         exchange.connection_field()),
                            nullptr);
  for (size_t i = 0; i < ranges.size(); ++i) {
    exchange.add_body_bytes(heads[i].size());
    exchange.client().enqueue(heads[i], nullptr);
    enqueue_body(exchange, file, ranges[i].first, ranges[i].length());
  }
  exchange.add_body_bytes(end.size());
  exchange.client().enqueue(end, nullptr);
}

void answer_ranges(Exchange& exchange, const std::shared_ptr<CachedFile>& file,
                   const std::vector<ByteRange>& ranges, bool in_future) {
  exchange.set_status(206);
  exchange.client().hold_output();
  if (ranges.size() > 1) {
    answer_parts(exchange, file, ranges, in_future);
    return exchange.complete();
  }
  const ByteRange& range = ranges.front();
  exchange.client().enqueue(
      head_of_part(*file, exchange.client().date(), in_future, file->type, range.length(),
                   content_range(range, file->size()), exchange.connection_field()),
      nullptr);
  enqueue_body(exchange, file, range.first, range.length());
  exchange.complete();
}

// Range counts for GET alone, and only if If-Range lets it.
Ranges wanted_ranges(const Exchange& exchange, const CachedFile& file, const FileFields& fields,
                     std::time_t now) {
  if (fields.range.data() == nullptr || exchange.is_head()) return {};
  if (fields.if_range.data() != nullptr &&
      !if_range_holds(fields.if_range, file.etag, file.modified(), now)) {
    return {};
  }
  Ranges ranges = parse_ranges(fields.range, file.size());
  // In a multipart answer Content-Encoding could mean the parts or the whole of it.
  if (ranges.list.size() > 1 && file.coding != ContentCoding::kIdentity) return {};
  return ranges;
}

}  // namespace

void answer_with_file(Exchange& exchange, const std::shared_ptr<CachedFile>& file,
                      const FileFields& fields, std::time_t now) {
  if (fields.conditional) [[unlikely]] {
    switch (evaluate_conditions(fields.conditions, file->etag, file->modified())) {
      case Condition::kNotModified:
        return exchange.answer_status(304, {}, file->etc);
      case Condition::kPreconditionFailed:
        return exchange.answer_status(412);
      case Condition::kProceed:
        break;
    }
  }
  const bool in_future = file->modified() > now;
  const Ranges ranges = wanted_ranges(exchange, *file, fields, now);
  switch (ranges.verdict) {
    case RangeVerdict::kWhole:
      return answer_whole(exchange, file, in_future);
    case RangeVerdict::kPartial:
      return answer_ranges(exchange, file, ranges.list, in_future);
    case RangeVerdict::kUnsatisfiable: {
      std::string range = "Content-Range: bytes */";
      append_decimal(range, file->size());
      return exchange.answer_status(416, {}, range + "\r\n");
    }
  }
}

}  // namespace m2
