#include "common/jail_roles.h"

#include <linux/capability.h>
#include <seccomp.h>

#include "common/check.h"

namespace m2 {
namespace {

// ---- what everybody calls. Which arguments some calls may have stands in seccomp_filter.cc:
// clone, tgkill, mmap, mprotect, socket, socketpair, connect, prctl, prlimit64, ioctl, personality.

// First what a request costs; these are looked up by the kernel without running the filter.
constexpr int kTraffic[] = {
    SCMP_SYS(recvfrom),    SCMP_SYS(sendto),       SCMP_SYS(epoll_wait),  SCMP_SYS(epoll_pwait),
    SCMP_SYS(writev),      SCMP_SYS(write),        SCMP_SYS(read),        SCMP_SYS(readv),
    SCMP_SYS(recvmsg),     SCMP_SYS(sendmsg),      SCMP_SYS(accept4),     SCMP_SYS(accept),
    SCMP_SYS(epoll_ctl),   SCMP_SYS(close),        SCMP_SYS(futex),       SCMP_SYS(poll),
    SCMP_SYS(ppoll),       SCMP_SYS(setsockopt),   SCMP_SYS(getsockopt),  SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(shutdown),     SCMP_SYS(fcntl),       SCMP_SYS(epoll_create1),
    SCMP_SYS(eventfd2),    SCMP_SYS(epoll_create), SCMP_SYS(epoll_pwait2)};

constexpr int kProcess[] = {SCMP_SYS(mlock),
                            SCMP_SYS(munlock),
                            SCMP_SYS(munmap),
                            SCMP_SYS(mremap),
                            SCMP_SYS(madvise),
                            SCMP_SYS(brk),
                            SCMP_SYS(rt_sigaction),
                            SCMP_SYS(rt_sigprocmask),
                            SCMP_SYS(rt_sigreturn),
                            SCMP_SYS(sigaltstack),
                            SCMP_SYS(clock_gettime),
                            SCMP_SYS(clock_getres),
                            SCMP_SYS(clock_nanosleep),
                            SCMP_SYS(nanosleep),
                            SCMP_SYS(gettimeofday),
                            SCMP_SYS(time),
                            SCMP_SYS(getrandom),
                            SCMP_SYS(getpid),
                            SCMP_SYS(gettid),
                            SCMP_SYS(getuid),
                            SCMP_SYS(geteuid),
                            SCMP_SYS(getgid),
                            SCMP_SYS(getegid),
                            SCMP_SYS(getresuid),
                            SCMP_SYS(getresgid),
                            SCMP_SYS(getgroups),
                            SCMP_SYS(capget),
                            SCMP_SYS(exit),
                            SCMP_SYS(exit_group),
                            SCMP_SYS(restart_syscall),
                            SCMP_SYS(sched_yield),
                            SCMP_SYS(sched_getaffinity),
                            SCMP_SYS(sched_getparam),
                            SCMP_SYS(sched_getscheduler),
                            SCMP_SYS(sched_setscheduler),
                            SCMP_SYS(set_robust_list),
                            SCMP_SYS(rseq),
                            SCMP_SYS(membarrier),
                            SCMP_SYS(getcpu),
                            SCMP_SYS(uname),
                            SCMP_SYS(sysinfo),
                            SCMP_SYS(getrusage),
                            SCMP_SYS(getrlimit),
                            SCMP_SYS(pipe2),
                            SCMP_SYS(dup),
                            SCMP_SYS(dup2),
                            SCMP_SYS(dup3),
                            SCMP_SYS(close_range),
                            SCMP_SYS(select),
                            SCMP_SYS(pselect6),
                            SCMP_SYS(timerfd_create),
                            SCMP_SYS(timerfd_settime),
                            SCMP_SYS(umask)};

// Landlock, or the chroot, says which files.
constexpr int kReadFiles[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),    SCMP_SYS(openat2),    SCMP_SYS(stat),
    SCMP_SYS(lstat),      SCMP_SYS(fstat),     SCMP_SYS(newfstatat), SCMP_SYS(fstatat64),
    SCMP_SYS(statx),      SCMP_SYS(lseek),     SCMP_SYS(pread64),    SCMP_SYS(getdents64),
    SCMP_SYS(access),     SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
    SCMP_SYS(readlinkat), SCMP_SYS(fadvise64), SCMP_SYS(getcwd)};

// ---- what only some roles call

constexpr int kSendFiles[] = {SCMP_SYS(sendfile)};
constexpr int kUploads[] = {SCMP_SYS(flock),     SCMP_SYS(fchmod),    SCMP_SYS(unlink),
                            SCMP_SYS(unlinkat),  SCMP_SYS(pwrite64),  SCMP_SYS(ftruncate),
                            SCMP_SYS(fallocate), SCMP_SYS(fdatasync), SCMP_SYS(fsync)};
// The end of a line that broke off is taken back.
constexpr int kLogFiles[] = {SCMP_SYS(ftruncate)};
// Written whole, by renaming.
constexpr int kSmallFiles[] = {SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
                               SCMP_SYS(unlink), SCMP_SYS(unlinkat)};
// The private endpoints between workers and the relay.
constexpr int kListen[] = {SCMP_SYS(bind), SCMP_SYS(listen)};
constexpr int kNames[] = {SCMP_SYS(bind), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(statfs),
                          SCMP_SYS(fstatfs)};
// SQLite locks, and looks for journals; what it found goes to the master in sealed memory.
constexpr int kDatabase[] = {SCMP_SYS(pwrite64),         SCMP_SYS(ftruncate),    SCMP_SYS(fsync),
                             SCMP_SYS(fdatasync),        SCMP_SYS(fchmod),       SCMP_SYS(unlink),
                             SCMP_SYS(unlinkat),         SCMP_SYS(memfd_create), SCMP_SYS(fchdir),
                             SCMP_SYS(sched_setaffinity)};
constexpr int kSealed[] = {SCMP_SYS(memfd_create), SCMP_SYS(ftruncate)};

// ---- what nobody calls by mistake: the process ends, and its death is in the error log

constexpr int kFatal[] = {
    // another program, another process, the memory of another process
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp),
    // another user
    SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid),
    SCMP_SYS(setresgid), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    // another place
    SCMP_SYS(chroot), SCMP_SYS(pivot_root), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount),
    SCMP_SYS(umount2), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
    SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at),
    // the kernel
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    // the machine
    SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl),
    SCMP_SYS(syslog), SCMP_SYS(vhangup), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname)};

using Calls = std::span<const int>;
constexpr Calls kWorkerCalls[] = {kTraffic, kSendFiles, kProcess, kReadFiles, kUploads, kListen};
constexpr Calls kRelayCalls[] = {kTraffic, kProcess, kReadFiles, kLogFiles};
constexpr Calls kReaderCalls[] = {kTraffic, kProcess, kReadFiles, kDatabase, kNames};
constexpr Calls kLogCalls[] = {kTraffic, kProcess, kReadFiles, kLogFiles, kSmallFiles};
constexpr Calls kResolverCalls[] = {kTraffic, kProcess, kReadFiles, kSealed, kNames};

// ---- the table

constexpr JailRules kWorkerRules = {
    .name = "worker",
    .root_keeps = uint64_t{1} << CAP_DAC_OVERRIDE,
    .below_folder = kMayRead | kMayWrite,  // any Dir base or upload store that a reload may bring
    .connect_tcp = true,                   // proxied sites
    .calls = {.allowed = kWorkerCalls, .fatal = kFatal, .sockets = kUnixStreams | kTcpStreams}};

// Its public sockets are handed to it; it only calls workers, at their files.
constexpr JailRules kRelayRules = {
    .name = "relay", .calls = {.allowed = kRelayCalls, .fatal = kFatal, .sockets = kUnixStreams}};

constexpr JailRules kReaderRules = {.name = "config reader",
                                    .root_keeps = uint64_t{1} << CAP_DAC_OVERRIDE,
                                    .below_root = kMayRead,
                                    .connect_tcp = true,  // long answers of name servers
                                    .abstract_sockets = true,
                                    .calls = {.allowed = kReaderCalls,
                                              .fatal = kFatal,
                                              .sockets = kUnixStreams | kTcpStreams | kNameService,
                                              .executable_memory = true}};

constexpr JailRules kResolverRules = {
    .name = "resolver",
    .below_root = kMayRead,
    .connect_tcp = true,
    .abstract_sockets = true,
    .calls = {.allowed = kResolverCalls,
              .fatal = kFatal,
              .sockets = kUnixStreams | kTcpStreams | kNameService,
              .executable_memory = true}};

// Its log is handed to it, and so is each new one; in the folder of the pid file it makes files.
constexpr JailRules kLogRules = {.name = "log",
                                 .root_keeps = uint64_t{1} << CAP_DAC_OVERRIDE,
                                 .calls = {.allowed = kLogCalls, .fatal = kFatal, .sockets = 0}};

}  // namespace

const JailRules& jail_rules(JailRole role) {
  switch (role) {
    case JailRole::kWorker:
      return kWorkerRules;
    case JailRole::kRelay:
      return kRelayRules;
    case JailRole::kConfigReader:
      return kReaderRules;
    case JailRole::kResolver:
      return kResolverRules;
    case JailRole::kLog:
      return kLogRules;
  }
  CHECK(false);
  return kWorkerRules;
}

}  // namespace m2
