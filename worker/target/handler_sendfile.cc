// A handler lets the server send a file ("sendfile" of Mongrel2 1.8): it goes out where the next
// message would, behind the headers that the handler has sent. Never leaves handler.sendfile's
// folder, by any spelling or link, and never sends what is not a regular file.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "common/log_limit.h"
#include "worker/http/exchange.h"
#include "worker/target/handler_responder.h"
#include "worker/target/open_beneath.h"

namespace m2 {
namespace {

struct OpenFile final : SentFile {
  OwnedFd file;
  struct stat seen {};

  int fd() const override { return file.get(); }
  uint64_t size() const { return static_cast<uint64_t>(seen.st_size); }
  // Written to by somebody who makes it shorter, it is not what was promised.
  State state() const override {
    struct stat now;
    const bool same = ::fstat(file.get(), &now) == 0 && now.st_size >= seen.st_size;
    static LogLimit limit("files of handlers that became shorter", LogLevel::kWarn);
    if (!same) limit.write("a file that a handler let us send has become shorter meanwhile");
    return same ? State::kSame : State::kChanged;
  }
};

// Descriptors are dear: of the files that wait for one client only so many are open.
constexpr size_t kFilesMax = 4;

bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, slash);
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return false;
}

Result<std::shared_ptr<OpenFile>> open_file(const SendfilePlace& place, std::string_view path) {
  if (place.base.empty()) return Status::error("the setting handler.sendfile is empty");
  if (path.find('\0') != std::string_view::npos) return Status::error("there is a NUL in the path");
  while (path.starts_with('/')) path.remove_prefix(1);
  if (has_dot_segment(path)) return Status::error("\".\" and \"..\" are not taken");
  auto file = std::make_shared<OpenFile>();
  file->file = open_beneath(place.base, std::string(path), place.resolver);
  if (!file->file.valid() || ::fstat(file->fd(), &file->seen) != 0) {
    return Status::error(std::strerror(errno));
  }
  if (!S_ISREG(file->seen.st_mode)) return Status::error("not a regular file");
  return file;
}

}  // namespace

bool HandlerResponder::send_file(std::string_view path) {
  using State = ResponseReader::State;
  const std::string what = "names the file " + std::string(path.substr(0, 256)) + ": ";
  if (!reader_.head_complete() || reader_.state() == State::kSwitched) {
    end_broken(what + "its headers must come first");
    return true;
  }
  auto opened = open_file(target_->sendfile(), path);
  if (!opened.ok()) {
    end_broken(what + opened.message());
    return true;
  }
  if (exchange_->output.files() >= kFilesMax) {
    end_broken(what + "the client has not taken the files before it");
    return true;
  }
  const std::shared_ptr<OpenFile> file = std::move(opened).value();
  const uint64_t size = file->size();
  if (!reader_.pass_over(size)) {
    end_broken(
        what + "its " + std::to_string(size) +
        " bytes do not fit the answer: what is left of Content-Length, or of the chunk whose "
        "size line came last");
    return true;
  }
  exchange_->add_body_bytes(size);
  exchange_->send_file(file, 0, size);
  if (reader_.state() == State::kComplete) answer_complete(0);
  return true;
}

}  // namespace m2
