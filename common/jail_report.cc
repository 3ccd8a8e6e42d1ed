#include "common/jail_report.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <span>

#include "common/owned_fd.h"
#include "common/seccomp_filter.h"

namespace m2 {
namespace {

constexpr unsigned kCapabilities = 64;
constexpr unsigned kLandlockWithTcp = 4;

// The fields in their order, for both directions. Visitor: Writer or Reader.
template <typename Visitor, typename Report>
void visit_fields(Visitor& visitor, Report& report) {
  visitor.one("role", report.role);
  visitor.one("pid", report.pid);
  visitor.several("uid", report.uids);
  visitor.several("gid", report.gids);
  visitor.one("groups", report.groups);
  visitor.one("root_device", report.root_device);
  visitor.one("root_inode", report.root_inode);
  visitor.one("effective", report.effective);
  visitor.one("permitted", report.permitted);
  visitor.one("inheritable", report.inheritable);
  visitor.one("bounding", report.bounding);
  visitor.one("ambient", report.ambient);
  visitor.one("no_new_privs", report.no_new_privs);
  visitor.one("seccomp", report.seccomp);
  visitor.one("landlock", report.landlock);
  visitor.one("dumpable", report.dumpable);
  visitor.one("core_bytes", report.core_bytes);
  visitor.several("descriptors", report.descriptors);
}

struct Writer {
  void word(std::string_view name) {
    if (!text.empty()) text += ' ';
    text += name;
  }
  void one(std::string_view name, uint64_t value) {
    word(name);
    text += '=' + std::to_string(value);
  }
  void several(std::string_view name, std::span<const uint64_t> values) {
    one(name, values.front());
    for (const uint64_t value : values.subspan(1)) text += ',' + std::to_string(value);
  }
  std::string text;
};

struct Reader {
  void expect(std::string_view beginning) {
    good = good && rest.starts_with(beginning);
    if (good) rest.remove_prefix(beginning.size());
  }
  void number(uint64_t& value) {
    if (!good) return;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    good = error == std::errc();
    if (good) rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  }
  void one(std::string_view name, uint64_t& value) {
    if (!first) expect(" ");
    first = false;
    expect(name);
    expect("=");
    number(value);
  }
  void several(std::string_view name, std::span<uint64_t> values) {
    one(name, values.front());
    for (uint64_t& value : values.subspan(1)) {
      expect(",");
      number(value);
    }
  }
  std::string_view rest;
  bool good = true;
  bool first = true;
};

Status look_at_ids(JailReport& report) {
  uid_t uids[3];
  gid_t gids[3];
  const int groups = ::getgroups(0, nullptr);
  if (::getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
      ::getresgid(&gids[0], &gids[1], &gids[2]) != 0 || groups < 0) {
    return Status::from_errno("jail: look at ids", errno);
  }
  for (const size_t at : {0, 1, 2}) {
    report.uids[at] = uids[at];
    report.gids[at] = gids[at];
  }
  report.groups = static_cast<uint64_t>(groups);
  return {};
}

Status look_at_capabilities(JailReport& report) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, sets) != 0) return Status::from_errno("jail: capget", errno);
  for (unsigned half = 0; half < _LINUX_CAPABILITY_U32S_3; ++half) {
    report.effective |= uint64_t{sets[half].effective} << (32 * half);
    report.permitted |= uint64_t{sets[half].permitted} << (32 * half);
    report.inheritable |= uint64_t{sets[half].inheritable} << (32 * half);
  }
  for (unsigned number = 0; number < kCapabilities; ++number) {
    const int bounding = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (bounding < 0 && errno == EINVAL) break;  // the kernel knows no more of them
    if (bounding < 0) return Status::from_errno("jail: PR_CAPBSET_READ", errno);
    report.bounding |= uint64_t{bounding == 1} << number;
    const int ambient = ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0);
    report.ambient |= uint64_t{ambient == 1} << number;
  }
  return {};
}

}  // namespace

Result<JailReport> look_at_jail(JailRole role, unsigned landlock) {
  JailReport report;
  report.role = static_cast<uint64_t>(role);
  report.pid = static_cast<uint64_t>(::getpid());
  if (Status ids = look_at_ids(report); !ids.ok()) return ids;
  if (Status sets = look_at_capabilities(report); !sets.ok()) return sets;
  struct stat root;
  rlimit core{};
  if (::stat("/", &root) != 0) return Status::from_errno("jail: look at /", errno);
  if (::getrlimit(RLIMIT_CORE, &core) != 0) return Status::from_errno("jail: RLIMIT_CORE", errno);
  report.root_device = root.st_dev;
  report.root_inode = root.st_ino;
  report.core_bytes = core.rlim_max;
  report.no_new_privs = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
  report.dumpable = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0;
  report.seccomp = our_filter_answers();
  report.landlock = landlock;
  const Result<DescriptorCounts> open = count_own_descriptors();
  if (!open.ok()) return Status::error("jail: " + open.message());
  report.descriptors = open.value();
  return report;
}

std::string write_jail_report(const JailReport& report) {
  Writer writer;
  visit_fields(writer, report);
  return std::move(writer.text);
}

Result<JailReport> read_jail_report(std::string_view text) {
  JailReport report;
  Reader reader{.rest = text};
  visit_fields(reader, report);
  const bool known = report.role <= static_cast<uint64_t>(JailRole::kLog);
  if (!reader.good || !reader.rest.empty() || !known) {
    return Status::error("the report of a jail is not well formed");
  }
  return report;
}

namespace {

std::string hex(uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return "0x" + std::string(digits, end);
}

struct Differences {
  void add(bool weaker, const std::string& what) {
    if (!weaker) return;
    if (!text.empty()) text += "; ";
    text += what;
  }
  void capabilities(uint64_t asked, uint64_t has, const std::string& set) {
    add((has & ~asked) != 0, set + " capabilities " + hex(has & ~asked) + " remain");
  }
  void descriptors(const DescriptorCounts& asked, const DescriptorCounts& has) {
    for (size_t kind = 0; kind < kDescriptorKinds; ++kind) {
      add(has[kind] > asked[kind], std::to_string(has[kind]) + " descriptors of kind \"" +
                                       kDescriptorKindNames[kind] + "\" are open, " +
                                       std::to_string(asked[kind]) + " were given");
    }
  }
  std::string text;
};

}  // namespace

std::string weaker_than_asked(const JailReport& asked, const JailReport& has) {
  Differences found;
  found.add(has.role != asked.role, "it is in the jail of another role");
  found.add(has.uids != asked.uids, "user ids are not all " + std::to_string(asked.uids[0]));
  found.add(has.gids != asked.gids, "group ids are not all " + std::to_string(asked.gids[0]));
  found.add(has.groups > asked.groups, std::to_string(has.groups) + " supplementary groups remain");
  found.add(has.root_device != asked.root_device || has.root_inode != asked.root_inode,
            "its root directory is another one");
  found.capabilities(asked.effective, has.effective, "effective");
  found.capabilities(asked.permitted, has.permitted, "permitted");
  found.capabilities(asked.inheritable, has.inheritable, "inheritable");
  found.capabilities(asked.bounding, has.bounding, "bounding");
  found.capabilities(asked.ambient, has.ambient, "ambient");
  found.add(has.no_new_privs < asked.no_new_privs, "no_new_privs is off");
  found.add(has.seccomp < asked.seccomp, "seccomp is off");
  found.add(has.landlock < asked.landlock, "Landlock is at " + std::to_string(has.landlock) +
                                               " instead of " + std::to_string(asked.landlock));
  found.add(has.dumpable > asked.dumpable, "others of its user may trace it");
  found.add(has.core_bytes > asked.core_bytes, "it may leave core files");
  found.descriptors(asked.descriptors, has.descriptors);
  return found.text;
}

}  // namespace m2
