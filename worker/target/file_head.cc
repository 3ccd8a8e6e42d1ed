// Order and spelling of the fields are those of Mongrel2 1.x; what it has not comes before Server.
#include "worker/target/file_head.h"

#include "proto/handler/netstring.h"
#include "proto/http/date.h"

namespace m2 {
namespace {

void append_coding(const CachedFile& file, std::string& out) {
  for (const CodingName& name : kCodingNames) {
    if (name.coding == file.coding)
      out.append("Content-Encoding: ").append(name.name).append("\r\n");
  }
}

// Returns where the date begins.
size_t append_modified(const CachedFile& file, std::string& out) {
  char modified[kHttpDateBytes];
  write_http_date(file.modified(), modified);
  out.append("Last-Modified: ");
  const size_t at = out.size();
  out.append(modified, sizeof modified).append("\r\n");
  return at;
}

constexpr std::string_view kEnd = "Accept-Ranges: bytes\r\nServer: Mongrel2/" M2_VERSION "\r\n";

}  // namespace

void prepare_head(const HeadStyle& style, CachedFile& file) {
  file.etc = "ETag: " + file.etag + "\r\n";
  if (style.max_age_s > 0) {
    file.etc += "Cache-Control: max-age=";
    append_decimal(file.etc, style.max_age_s);
    file.etc += "\r\n";
  }
  if (style.vary) file.etc += "Vary: Accept-Encoding\r\n";

  std::string& head = file.answer;
  head = "HTTP/1.1 200 OK\r\nDate: ";
  head.append(kHttpDateBytes, ' ').append("\r\nContent-Type: ").append(file.type).append("\r\n");
  append_coding(file, head);
  head += "Content-Length: ";
  append_decimal(head, file.size());
  head += "\r\n";
  file.modified_at = append_modified(file, head);
  head.append(file.etc).append(kEnd).append("\r\n");
  file.head_bytes = head.size();
}

std::string head_of_whole(const CachedFile& file, std::string_view date, bool in_future,
                          std::string_view fields) {
  std::string head(file.head().substr(0, file.head_bytes - 2));
  head.replace(kDateOffset, kHttpDateBytes, date);
  if (in_future) head.replace(file.modified_at, kHttpDateBytes, date);
  head.append(fields).append("\r\n");
  return head;
}

std::string head_of_part(const CachedFile& file, std::string_view date, bool in_future,
                         std::string_view type, uint64_t length, std::string_view content_range,
                         std::string_view fields) {
  std::string head = "HTTP/1.1 206 Partial Content\r\nDate: ";
  head.append(date).append("\r\nContent-Type: ").append(type).append("\r\n");
  append_coding(file, head);
  head += "Content-Length: ";
  append_decimal(head, length);
  head += "\r\n";
  if (!content_range.empty()) {
    head.append("Content-Range: ").append(content_range).append("\r\n");
  }
  const size_t modified_at = append_modified(file, head);
  if (in_future) head.replace(modified_at, kHttpDateBytes, date);
  head.append(file.etc).append(kEnd).append(fields).append("\r\n");
  return head;
}

std::string content_range(const ByteRange& range, uint64_t size) {
  std::string text = "bytes ";
  append_decimal(text, range.first);
  text += '-';
  append_decimal(text, range.last);
  text += '/';
  append_decimal(text, size);
  return text;
}

}  // namespace m2
