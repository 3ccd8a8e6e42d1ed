#include "master/config_child.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "common/config/diff.h"
#include "common/config/image.h"
#include "common/jail.h"
#include "common/sealed_memory.h"
#include "common/treaty/channel.h"
#include "common/treaty/jailed.h"
#include "common/treaty/plan.h"
#include "master/author.h"
#include "master/database_writers.h"
#include "master/store/load.h"

namespace m2 {
namespace {

// More than the largest configuration needs, so that a hostile file cannot take the machine.
constexpr rlim_t kMemoryBytes = rlim_t{2} << 30;
constexpr rlim_t kFileBytes = rlim_t{1} << 30;
constexpr rlim_t kCpuSeconds = 25;
constexpr rlim_t kOpenFiles = 256;

Status limit(int resource, rlim_t most, const char* name) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return Status::from_errno(name, errno);
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most) most = now.rlim_max;
  const rlimit lower{most, most};
  return ::setrlimit(resource, &lower) == 0 ? Status() : Status::from_errno(name, errno);
}

Status limit_resources() {
#ifndef __SANITIZE_ADDRESS__  // which maps terabytes of shadow
  if (Status s = limit(RLIMIT_DATA, kMemoryBytes, "RLIMIT_DATA"); !s.ok()) return s;
#endif
  if (Status s = limit(RLIMIT_FSIZE, kFileBytes, "RLIMIT_FSIZE"); !s.ok()) return s;
  if (Status s = limit(RLIMIT_CPU, kCpuSeconds, "RLIMIT_CPU"); !s.ok()) return s;
  if (Status s = limit(RLIMIT_CORE, 0, "RLIMIT_CORE"); !s.ok()) return s;
  return limit(RLIMIT_NOFILE, kOpenFiles, "RLIMIT_NOFILE");
}

// Where the database really lies, wherever it is named from; "": nowhere.
std::string folder_of(const std::string& database) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(database.c_str(), nullptr),
                                                    std::free);
  if (real == nullptr) return {};
  const std::string path(real.get());
  return path.substr(0, path.rfind('/') + 1);
}

Status send_author(int channel, const Author& author) {
  Message message;
  message.type = MessageType::kAuthor;
  message.text = write_author(author);
  return send_and_wait(channel, message);
}

// A file that only root can change is read as root; any other as the user who can, to whom a
// hostile file that takes SQLite over gives nothing that he had not. SQLite may keep files beside
// the database.
Status become_author(const ReaderTask& task, const Origin& origin, int channel) {
  Result<Author> found = task.as_root ? author_of_database(task.database) : Author{};
  if (!found.ok()) return std::move(found).status();
  const Author& author = found.value();
  if (Status told = send_author(channel, author); !told.ok()) return told;
  Jail jail;
  if (author.bounded) jail = Jail{true, author.uid, author.groups.front()};
  jail.landlock = task.landlock;
  jail.seccomp = task.seccomp;
  const Result<JailReport> entered =
      enter_jail(jail, JailRole::kConfigReader, {folder_of(task.database)});
  if (!entered.ok()) return Status::error(entered.message());
  if (Status told = send_jailed(channel, entered.value()); !told.ok()) return told;
  if (!jail.drop) return {};
  const bool back = ::fchdir(origin.folder.get()) == 0 || task.database.starts_with('/');
  if (!back || ::access(task.database.c_str(), R_OK) != 0) {
    const std::string why = std::strerror(errno);
    return Status::error("database " + task.database + ": cannot be read by uid " +
                         std::to_string(author.uid) + " (" + why + ")" + way_out(author));
  }
  return {};
}

Message finding(bool error, std::string text) {
  if (text.size() > kMessageTextMax) text.resize(kMessageTextMax);
  Message message;
  message.type = MessageType::kFinding;
  message.number = error ? 1 : 0;
  message.text = std::move(text);
  return message;
}

Status send_refusal(int channel) {
  Message message;
  message.type = MessageType::kRefused;
  return send_and_wait(channel, message);
}

std::string changes_from(int current_image, const Config& next) {
  if (current_image < 0) return {};
  const auto image = SealedView::map(current_image, kImageBytesMax);
  if (!image.ok()) return {};
  const auto current = read_image(image.value().bytes());
  return current.ok() ? describe_changes(current.value(), next) : std::string();
}

Status send_plan(int channel, const Config& config, std::string changes) {
  Plan facts = make_plan(config);
  facts.changes = std::move(changes);
  Result<OwnedFd> plan = seal_bytes("mongrel2-plan", write_plan(facts));
  if (!plan.ok()) return std::move(plan).status();
  Result<OwnedFd> image = seal_bytes("mongrel2-image", write_image(config));
  if (!image.ok()) return std::move(image).status();
  Message message;
  message.type = MessageType::kPlan;
  message.descriptors.push_back(std::move(plan).value());
  message.descriptors.push_back(std::move(image).value());
  return send_and_wait(channel, message);
}

}  // namespace

Status go_back(const ReaderTask& task, const Origin& origin) {
  if (task.as_root) {
    if (::fchdir(origin.root.get()) != 0) return Status::from_errno("back to /", errno);
    if (::chroot(".") != 0) return Status::from_errno("chroot back to /", errno);
  }
  if (::fchdir(origin.folder.get()) != 0) {
    return Status::from_errno("back to the folder of the start", errno);
  }
  return {};
}

Result<Origin> Origin::remember() {
  Origin origin;
  origin.root.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!origin.root.valid()) return Status::from_errno("open /", errno);
  origin.folder.reset(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!origin.folder.valid()) return Status::from_errno("open the current folder", errno);
  return origin;
}

int read_configuration(const ReaderTask& task, const Origin& origin, int current_image,
                       int channel) {
  Status ready = limit_resources();
  if (ready.ok()) ready = go_back(task, origin);
  if (ready.ok()) ready = become_author(task, origin, channel);
  if (!ready.ok()) {
    const bool told = send_and_wait(channel, finding(true, ready.message())).ok();
    return told && send_refusal(channel).ok() ? 0 : 1;
  }
  const Loaded loaded = load_config(task.database, task.server, task.as_root);
  for (const Finding& found : loaded.findings) {
    const bool error = found.severity == Finding::Severity::kError;
    if (!send_and_wait(channel, finding(error, found.text)).ok()) return 1;
  }
  if (!loaded.config) return send_refusal(channel).ok() ? 0 : 1;
  const Status sent =
      send_plan(channel, *loaded.config, changes_from(current_image, *loaded.config));
  if (sent.ok()) return 0;
  const bool told = send_and_wait(channel, finding(true, sent.message())).ok();
  return told && send_refusal(channel).ok() ? 0 : 1;
}

}  // namespace m2
