#include "worker/target/directory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proto/handler/netstring.h"
#include "proto/http/file_fields.h"
#include "proto/http/uri.h"
#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/target/dir_listing.h"
#include "worker/target/file_answer.h"

namespace m2 {

Directory::Directory(Loop& loop, FolderSettings settings, Resolver resolver,
                     std::shared_ptr<FileCache> cache, std::shared_ptr<const MimeTable> mime)
    : loop_(loop),
      folder_(loop, std::move(settings), resolver, std::move(cache), std::move(mime)) {}

void Directory::start(Exchange& exchange) {
  if (exchange.method() != "GET" && !exchange.is_head()) {
    return exchange.answer_status(405, {}, "Allow: GET, HEAD\r\n");
  }
  const FileFields fields(exchange.head(), exchange.base());
  const std::string_view path = file_part(exchange.path(), exchange.route().pattern);
  Folder::Look look = folder_.find(path, fields.accept_encoding);
  switch (look.found) {
    case Folder::Found::kFile:
      // The second that Exchange::date() names.
      return answer_with_file(exchange, look.file, fields, static_cast<std::time_t>(loop_.wall()));
    case Folder::Found::kDirectory:
      return redirect_to_slash(exchange);
    case Folder::Found::kListing:
      return answer_listing(exchange, std::move(look));
    case Folder::Found::kNoFormFits:
      return exchange.answer_status(406, {}, "Vary: Accept-Encoding\r\n");
    case Folder::Found::kFailed:
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

void Directory::redirect_to_slash(Exchange& exchange) {
  std::string location;
  const std::string_view host = exchange.head().host.in(exchange.base());
  if (!host.empty()) location.append(exchange.scheme()).append("://").append(host);
  // "//name/" alone would name another host.
  const std::string_view path = exchange.path();
  location += '/';
  append_uri(path.substr(std::min(path.find_first_not_of('/'), path.size())), location);
  location += '/';
  if (exchange.head().has_query) {
    location += '?';
    append_uri(exchange.head().query.in(exchange.base()), location);
  }
  exchange.answer_status(301, {}, "Location: " + location + "\r\n");
}

void Directory::answer_listing(Exchange& exchange, Folder::Look look) {
  const std::string page =
      list_folder(folder_, std::move(look.folder), look.relative, exchange.path());
  std::string answer = "HTTP/1.1 200 OK\r\nDate: ";
  answer.append(exchange.client().date());
  answer += "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: ";
  append_decimal(answer, page.size());
  answer += "\r\nServer: Mongrel2/" M2_VERSION "\r\n";
  answer.append(exchange.connection_field()).append("\r\n");
  if (!exchange.is_head()) answer += page;
  exchange.set_status(200);
  exchange.add_body_bytes(exchange.is_head() ? 0 : page.size());
  exchange.send(answer);
  exchange.complete();
}

void Directory::answer_failure(Exchange& exchange, int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EXDEV:   // it would leave the base
    case EINVAL:  // a bad escape, an encoded slash or NUL
    case ENXIO:   // a FIFO, socket or device
      return exchange.answer_status(404);
    case EACCES:
    case EPERM:
      return exchange.answer_status(403);
    case EMFILE:
    case ENFILE:
      return exchange.answer_status(503,
                                    "no descriptors left for " + std::string(exchange.path()) +
                                        " (superpoll.max_fd raises the limit)",
                                    "Retry-After: 1\r\n");
    default:
      return exchange.answer_status(
          500, std::string(exchange.path()) + ": " + std::strerror(error_number));
  }
}

}  // namespace m2
