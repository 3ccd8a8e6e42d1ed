#include "worker/target/directory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "proto/http/conditions.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"

namespace m2 {
namespace {

constexpr size_t kDateOffset = std::string_view("HTTP/1.1 200 OK\r\nDate: ").size();

FileSettings file_settings(const DirRow& row) {
  return {row.base, row.index_file, row.default_ctype, row.cache_ttl_s};
}

bool equals_lower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] | 0x20) != lower[i]) return false;
  }
  return true;
}

// The If-* fields in one pass; most requests have none.
ConditionFields condition_fields(const Exchange& exchange, bool& any) {
  ConditionFields found;
  any = false;
  for (const HeaderField& field : exchange.head().fields) {
    const std::string_view name = field.name.in(exchange.base());
    if (name.size() < 8 || (name[0] | 0x20) != 'i' || (name[1] | 0x20) != 'f') continue;
    const std::string_view value = field.value.in(exchange.base());
    any = true;
    if (equals_lower(name, "if-match")) found.if_match = value;
    if (equals_lower(name, "if-none-match")) found.if_none_match = value;
    if (equals_lower(name, "if-modified-since")) found.if_modified_since = value;
    if (equals_lower(name, "if-unmodified-since")) found.if_unmodified_since = value;
  }
  return found;
}

}  // namespace

Directory::Directory(Loop& loop, const DirRow& row, FileCacheLimits limits,
                     std::shared_ptr<const MimeTable> mime)
    : cache_(loop, file_settings(row), limits, std::move(mime)) {}

void Directory::start(Exchange& exchange) {
  const std::string_view method = exchange.method();
  if (method != "GET" && !exchange.is_head()) {
    return exchange.answer_status(405, {}, "Allow: GET, HEAD\r\n");
  }
  const FileCache::Look look = cache_.find(file_part(exchange.path(), exchange.route().pattern));
  switch (look.found) {
    case FileCache::Found::kFile:
      return answer_file(exchange, look.file);
    case FileCache::Found::kDirectory:
      return redirect_to_slash(exchange);
    case FileCache::Found::kFailed:
      return answer_failure(exchange, look.error_number);
  }
}

// What follows the route's literal prefix; the whole path when that prefix names the file itself
// ("/favicon.ico" with a Dir).
std::string_view Directory::file_part(std::string_view path, std::string_view route) {
  const std::string_view prefix = route.substr(0, route.find('('));
  if (path.size() == prefix.size() && !prefix.ends_with('/')) return path;
  return path.substr(prefix.size());
}

void Directory::answer_file(Exchange& exchange, const std::shared_ptr<CachedFile>& file) {
  bool conditional = false;
  const ConditionFields fields = condition_fields(exchange, conditional);
  if (conditional) [[unlikely]] {
    switch (evaluate_conditions(fields, file->etag, file->seen.st_mtim.tv_sec)) {
      case Condition::kNotModified:
        return exchange.answer_status(304, {}, "ETag: " + file->etag + "\r\n");
      case Condition::kPreconditionFailed:
        return exchange.answer_status(412);
      case Condition::kProceed:
        break;
    }
  }
  const std::string_view date = exchange.client().date();
  std::memcpy(file->answer.data() + kDateOffset, date.data(), date.size());
  exchange.set_status(200);
  const std::string_view answer = file->answer;
  const std::string_view head = answer.substr(0, file->head_bytes);
  const std::string_view extra = exchange.connection_field();
  const auto keep_file = [&file] { return file; };
  if (exchange.is_head() || !extra.empty() || !file->body_inline) {
    std::string own(head.substr(0, head.size() - 2));
    own.append(extra).append("\r\n");
    // Queued, not sent: head and file leave together.
    exchange.client().enqueue(own, nullptr);
    if (!exchange.is_head()) {
      const uint64_t size = static_cast<uint64_t>(file->seen.st_size);
      exchange.add_body_bytes(size);
      if (file->body_inline) {
        exchange.client().enqueue(answer.substr(file->head_bytes), file);
      } else {
        exchange.send_file(file->fd.get(), 0, size, file);
      }
    }
    return exchange.complete();
  }
  exchange.add_body_bytes(answer.size() - file->head_bytes);
  exchange.send(answer, keep_file);
  exchange.complete();
}

void Directory::redirect_to_slash(Exchange& exchange) {
  std::string location;
  const std::string_view host = exchange.head().host.in(exchange.base());
  if (!host.empty()) location.append("http://").append(host);
  // "//name/" alone would name another host.
  const std::string_view path = exchange.path();
  location.append("/").append(path.substr(std::min(path.find_first_not_of('/'), path.size())));
  location.append("/");
  if (exchange.head().has_query) {
    location.append("?").append(exchange.head().query.in(exchange.base()));
  }
  exchange.answer_status(301, {}, "Location: " + location + "\r\n");
}

void Directory::answer_failure(Exchange& exchange, int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EXDEV:   // it would leave the base
    case EINVAL:  // a bad escape, or a NUL
    case ENXIO:   // a socket
    case ENODEV:
      return exchange.answer_status(404);
    case EACCES:
    case EPERM:
      return exchange.answer_status(403);
    case EMFILE:
    case ENFILE:
      return exchange.answer_status(503, "no descriptors left for " + std::string(exchange.path()) +
                                             " (superpoll.max_fd raises the limit)");
    default:
      return exchange.answer_status(
          500, std::string(exchange.path()) + ": " + std::strerror(error_number));
  }
}

}  // namespace m2
