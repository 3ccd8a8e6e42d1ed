// Goal: sockets of systemd are found by their addresses, and only those meant for us. Method: a
// child that is given them as systemd would.
#include "master/inherited_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <functional>

#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

OwnedFd listen_at(const Endpoint& endpoint) {
  OwnedFd fd(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int off = 0;
  if (endpoint.family() == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
  if (::bind(fd.get(), address, endpoint.address_bytes) != 0 || ::listen(fd.get(), 5) != 0) {
    fd.reset();
  }
  return fd;
}

Endpoint at(const std::string& text) { return parse_endpoint(text).value(); }

// The status of the check in a process that has these as 3, 4, ... and LISTEN_PID.
int in_child(const std::vector<int>& sockets, bool ours, const std::function<int()>& check) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::vector<int> high;
    for (const int fd : sockets) high.push_back(::fcntl(fd, F_DUPFD, 100));
    int number = InheritedSockets::kFirst;
    for (const int fd : high) ::dup2(fd, number++);
    ::setenv("LISTEN_PID", std::to_string(ours ? ::getpid() : 1).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
    ::setenv("LISTEN_FDNAMES", "a:b", 1);
    ::_exit(check());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(InheritedSockets, AreFoundByTheirAddresses) {
  const ScratchFolder folder;
  const OwnedFd tcp = listen_at(at("tcp://127.0.0.1:0"));
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ASSERT_EQ(::getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
  const std::string port = std::to_string(ntohs(bound.sin_port));
  const OwnedFd file = listen_at(at("unix:" + (folder / "run")));
  ASSERT_TRUE(tcp.valid() && file.valid());
  const int status = in_child({tcp.get(), file.get()}, true, [&] {
    InheritedSockets inherited = InheritedSockets::from_environment();
    inherited.set_folder(folder.path());
    if (std::getenv("LISTEN_FDS") != nullptr || inherited.size() != 2) return 1;
    if (!inherited.find(at("tcp://127.0.0.1:" + port)).valid()) return 2;
    if (inherited.find(at("tcp://127.0.0.2:" + port)).valid()) return 3;
    if (inherited.find(at("tcp://0.0.0.0:" + port)).valid()) return 4;
    if (!inherited.find(at("unix:run")).valid()) return 5;  // inside the folder
    if (inherited.find(at("unix:other")).valid()) return 6;
    if (inherited.names() != "a:b" || inherited.descriptors().size() != 2) return 7;
    const auto unused = inherited.unused({at("unix:run")});
    if (unused.size() != 1 || unused[0].find(":" + port + " (a), ") == std::string::npos) return 8;
    return inherited.unused({at("unix:run"), at("tcp://127.0.0.1:" + port)}).empty() ? 0 : 9;
  });
  EXPECT_EQ(status, 0);
}

TEST(InheritedSockets, OneForBothFamiliesIsEnough) {
  const OwnedFd both = listen_at(at("tcp://[::]:0"));
  if (!both.valid()) GTEST_SKIP() << "needs IPv6";
  sockaddr_in6 bound{};
  socklen_t size = sizeof bound;
  ASSERT_EQ(::getsockname(both.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
  const std::string port = std::to_string(ntohs(bound.sin6_port));
  const int status = in_child({both.get()}, true, [&] {
    const InheritedSockets inherited = InheritedSockets::from_environment();
    if (!inherited.find(at("tcp://0.0.0.0:" + port)).valid()) return 1;
    if (!inherited.find(at("tcp://[::]:" + port)).valid()) return 2;
    return inherited.find(at("tcp://127.0.0.1:" + port)).valid() ? 3 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(InheritedSockets, OfAnotherProcessOrOfNoUse) {
  const OwnedFd tcp = listen_at(at("tcp://127.0.0.1:0"));
  EXPECT_EQ(in_child({tcp.get()}, false,
                     [] { return static_cast<int>(InheritedSockets::from_environment().size()); }),
            0);
  const OwnedFd silent(::socket(AF_INET, SOCK_STREAM, 0));
  const int status = in_child({silent.get()}, true, [] {
    const InheritedSockets inherited = InheritedSockets::from_environment();
    const auto unused = inherited.unused({});
    const bool said = unused.size() == 1 && unused[0].find("no listening") != std::string::npos;
    return inherited.size() == 1 && said ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace m2
