// A handler lets the server send a file ("sendfile" of Mongrel2 1.8): it goes out where the next
// message would, behind the headers that the handler has sent. Never leaves handler.sendfile's
// folder, by any spelling or link, and never sends what is not a regular file.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "worker/http/exchange.h"
#include "worker/target/file_cache.h"
#include "worker/target/handler_responder.h"

namespace m2 {
namespace {

struct OpenFile {
  OwnedFd fd;
  uint64_t size = 0;
};

// Descriptors are dear: of the files that wait for one client only so many are open.
constexpr size_t kFilesMax = 4;

Result<OpenFile> open_file(const std::string& base, std::string_view path) {
  if (base.empty()) return Status::error("the setting handler.sendfile is empty");
  if (path.find('\0') != std::string_view::npos) return Status::error("there is a NUL in the path");
  while (path.starts_with('/')) path.remove_prefix(1);
  OpenFile file{open_beneath(base.ends_with('/') ? base : base + '/', std::string(path))};
  struct stat facts;
  if (!file.fd.valid() || ::fstat(file.fd.get(), &facts) != 0) {
    return Status::error(std::strerror(errno));
  }
  if (!S_ISREG(facts.st_mode)) return Status::error("not a regular file");
  file.size = static_cast<uint64_t>(facts.st_size);
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
  auto opened = open_file(target_->sendfile_base(), path);
  if (!opened.ok()) {
    end_broken(what + opened.message());
    return true;
  }
  if (exchange_->output.files() >= kFilesMax) {
    end_broken(what + "the client has not taken the files before it");
    return true;
  }
  const uint64_t size = opened.value().size;
  if (!reader_.pass_over(size)) {
    end_broken(what + "its " + std::to_string(size) +
               " bytes do not fit the answer (Content-Length, chunked)");
    return true;
  }
  exchange_->add_body_bytes(size);
  auto file = std::make_shared<OpenFile>(std::move(opened).value());
  const int fd = file->fd.get();
  exchange_->send_file(fd, 0, size, std::move(file));
  if (reader_.state() == State::kComplete) answer_complete(0);
  return true;
}

}  // namespace m2
