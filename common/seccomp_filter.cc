#include "common/seccomp_filter.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <string>

namespace m2 {
namespace {

// Asked for the personality, no kernel and no other filter gives this answer.
constexpr int kOurAnswer = EUCLEAN;
constexpr unsigned long kAskPersonality = 0xFFFFFFFF;
constexpr unsigned kSocketTypeMask = 0xF;

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {}
  ~Filter() {
    if (context_ != nullptr) ::seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  void set(scmp_filter_attr attribute, uint32_t value) {
    note(context_ == nullptr ? -ENOMEM : ::seccomp_attr_set(context_, attribute, value));
  }

  // A call that this architecture does not have needs no rule.
  void add(uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    if (failed_ != 0) return;
    const int error = ::seccomp_rule_add_array(
        context_, action, call, static_cast<unsigned>(conditions.size()), conditions.begin());
    note(error == -EDOM ? 0 : error);
  }
  void allow(int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    add(SCMP_ACT_ALLOW, call, conditions);
  }
  void end_process(int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    add(SCMP_ACT_KILL_PROCESS, call, conditions);
  }

  Status load() {
    if (failed_ == 0) note(::seccomp_load(context_));
    if (failed_ == 0) return {};
    return Status::error(std::string("seccomp: the filter is not taken: ") +
                         std::strerror(-failed_) + " (jail.seccomp = 0 serves without it)");
  }

 private:
  void note(int result) {
    if (failed_ == 0 && result < 0) failed_ = result;
  }

  const scmp_filter_ctx context_;
  int failed_ = 0;
};

scmp_arg_cmp is(unsigned argument, uint64_t value) {
  return scmp_arg_cmp{argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp masked(unsigned argument, uint64_t mask, uint64_t value) {
  return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, mask, value};
}

// Threads of our own, no processes. clone3 hides its flags in memory, where no filter can look; it
// is on no list, and the C library takes clone when there is no clone3.
void threads_only(Filter& filter) {
  filter.allow(SCMP_SYS(clone), {masked(0, CLONE_THREAD, CLONE_THREAD)});
  filter.end_process(SCMP_SYS(clone), {masked(0, CLONE_THREAD, 0)});
  filter.allow(SCMP_SYS(tgkill), {is(0, static_cast<uint64_t>(::getpid()))});  // abort()
  filter.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill));
}

void memory(Filter& filter, bool executable) {
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    if (executable) {
      filter.allow(call);
      continue;
    }
    filter.allow(call, {masked(2, PROT_EXEC, 0)});
    filter.add(SCMP_ACT_ERRNO(EPERM), call, {masked(2, PROT_EXEC, PROT_EXEC)});
  }
}

void sockets(Filter& filter, unsigned which) {
  const auto may = [&](int family, unsigned type, uint64_t protocol) {
    filter.allow(SCMP_SYS(socket), {is(0, static_cast<uint64_t>(family)),
                                    masked(1, kSocketTypeMask, type), is(2, protocol)});
  };
  if ((which & kUnixStreams) != 0) may(AF_UNIX, SOCK_STREAM, 0);
  for (const int family : {AF_INET, AF_INET6}) {
    if ((which & kTcpStreams) != 0) may(family, SOCK_STREAM, 0);
    if ((which & kTcpStreams) != 0) may(family, SOCK_STREAM, IPPROTO_TCP);
    if ((which & kNameService) != 0) may(family, SOCK_DGRAM, 0);
    if ((which & kNameService) != 0) may(family, SOCK_DGRAM, IPPROTO_UDP);
  }
  if ((which & kNameService) != 0) {
    may(AF_UNIX, SOCK_DGRAM, 0);
    may(AF_NETLINK, SOCK_RAW, 0 /* NETLINK_ROUTE */);
  } else {
    // libzmq asks for the names of interfaces and takes this answer for "there are none".
    filter.add(SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(socket), {is(0, AF_NETLINK)});
  }
  if (which != 0) filter.allow(SCMP_SYS(connect));
  filter.allow(SCMP_SYS(socketpair), {is(0, AF_UNIX)});
}

// Looking at oneself is free; changing oneself is not.
void own_state(Filter& filter) {
  for (const int option : {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS,
                           PR_GET_SECCOMP, PR_CAPBSET_READ}) {
    filter.allow(SCMP_SYS(prctl), {is(0, static_cast<uint64_t>(option))});
  }
  filter.allow(SCMP_SYS(prctl), {is(0, PR_CAP_AMBIENT), is(1, PR_CAP_AMBIENT_IS_SET)});
  filter.allow(SCMP_SYS(prlimit64), {is(0, 0), is(2, 0)});
  filter.add(SCMP_ACT_ERRNO(kOurAnswer), SCMP_SYS(personality), {is(0, kAskPersonality)});
  for (const unsigned long request : {FIONREAD, FIONBIO, SIOCOUTQ, TCGETS}) {
    filter.allow(SCMP_SYS(ioctl), {is(1, request)});
  }
}

}  // namespace

Status enter_filter(const CallRules& rules) {
  if (!kConfinementIsBuilt) return {};
  Filter filter;
  filter.set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  filter.set(SCMP_FLTATR_CTL_NNP, 0);       // is on already
  filter.set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree by number, not a list
  for (const std::span<const int> group : rules.allowed) {
    for (const int call : group) filter.allow(call);
  }
  for (const int call : rules.fatal) filter.end_process(call);
  threads_only(filter);
  memory(filter, rules.executable_memory);
  sockets(filter, rules.sockets);
  own_state(filter);
  if (Status loaded = filter.load(); !loaded.ok()) return loaded;
  if (!our_filter_answers()) return Status::error("seccomp: the filter is on, but does not answer");
  return {};
}

bool our_filter_answers() {
  errno = 0;
  return ::personality(kAskPersonality) == -1 && errno == kOurAnswer;
}

}  // namespace m2
