#include "master/jail_book.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/jail_roles.h"
#include "common/log.h"
#include "master/small_file.h"

namespace m2 {
namespace {

constexpr uint64_t bit(unsigned capability) { return uint64_t{1} << capability; }

bool lives_for_a_moment(JailRole role) {
  return role == JailRole::kConfigReader || role == JailRole::kResolver;
}

}  // namespace

Result<JailBook> JailBook::open(const Jail& jail, const Origin& origin, std::string path,
                                RunFiles& files) {
  Result<JailReport> own = look_at_jail(JailRole::kWorker, 0);
  if (!own.ok()) return std::move(own).status();
  struct stat root;
  if (::fstat(origin.root.get(), &root) != 0) return Status::from_errno("look at /", errno);
  JailBook book;
  book.jail_ = jail;
  book.master_ = own.value();
  book.origin_.root_device = root.st_dev;
  book.origin_.root_inode = root.st_ino;
  book.path_ = std::move(path);
  book.files_ = &files;
  return book;
}

// The config reader becomes whoever owns the database, which the master does not look at: there the
// ids only have to agree with each other.
JailReport JailBook::asked_of(JailRole role, const JailReport& has) const {
  const bool as_root = master_.uids[1] == 0;
  const bool outside = as_root && lives_for_a_moment(role);
  const bool anybody = as_root && role == JailRole::kConfigReader;
  const uint64_t uid = anybody ? has.uids[0] : jail_.drop ? jail_.uid : master_.uids[1];
  const uint64_t gid = anybody ? has.gids[0] : jail_.drop ? jail_.gid : master_.gids[1];
  const JailReport& root = outside ? origin_ : master_;
  JailReport asked;
  asked.role = static_cast<uint64_t>(role);
  asked.pid = has.pid;
  asked.uids = {uid, uid, uid};
  asked.gids = {gid, gid, gid};
  asked.groups = master_.groups;
  asked.root_device = root.root_device;
  asked.root_inode = root.root_inode;
  asked.permitted = uid == 0 ? jail_rules(role).root_keeps : 0;
  asked.effective = asked.permitted;
  asked.bounding = (master_.effective & bit(CAP_SETPCAP)) != 0 ? 0 : master_.bounding;
  asked.no_new_privs = 1;
  asked.seccomp = jail_.seccomp && kConfinementIsBuilt;
  asked.landlock = jail_.landlock ? landlock_version() : 0;
  asked.dumpable = as_root ? 0 : 1;
  asked.core_bytes = as_root ? 0 : RLIM_INFINITY;
  return asked;
}

std::string JailBook::judge(const std::string& name, JailRole role, pid_t pid,
                            std::string_view report, const DescriptorCounts& given) {
  if (report.empty()) return "it has not said what it has";
  const Result<JailReport> read = read_jail_report(report);
  if (!read.ok()) return read.message();
  const JailReport& has = read.value();
  JailReport asked = asked_of(role, has);
  asked.descriptors = given;
  put_down({name, static_cast<pid_t>(has.pid),
            name + '\t' + write_jail_report(asked) + '\t' + write_jail_report(has) + '\n'});
  if (pid != 0 && has.pid != static_cast<uint64_t>(pid)) return "it speaks of another process";
  return weaker_than_asked(asked, has);
}

// Of those that live for a moment the latest stays on record.
void JailBook::put_down(Page page) {
  std::erase_if(pages_, [&page](const Page& old) { return old.name == page.name; });
  pages_.push_back(std::move(page));
  write();
}

void JailBook::forget(pid_t pid) {
  if (std::erase_if(pages_, [pid](const Page& page) { return page.pid == pid; }) != 0) write();
}

void JailBook::keep_quiet(bool quiet) {
  quiet_ = quiet;
  if (!quiet) write();
}

void JailBook::write() const {
  if (quiet_) return;
  std::string text;
  for (const Page& page : pages_) text += page.line;
  if (Status written = files_->write(path_, text); !written.ok()) {
    log_warn("the file for m2sh jail is not written: " + written.message());
  }
}

std::string JailBook::shortcomings() const {
  std::string text;
  const auto add = [&text](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  if (!kConfinementIsBuilt) add("this build has neither Landlock nor seccomp filters");
  if (kConfinementIsBuilt && jail_.landlock && landlock_version() == 0) {
    add("this kernel has no Landlock, processes go without");
  }
  if (!jail_.landlock) add("jail.landlock is 0, so processes are not held by Landlock");
  if (!jail_.seccomp) add("jail.seccomp is 0, so processes may make every system call");
  return text;
}

void JailBook::remove() {
  if (quiet_) return;
  (void)files_->remove(path_);
}

std::string jail_book_path(std::string pid_path) {
  return beside_pid_file(std::move(pid_path), ".jail");
}

}  // namespace m2
