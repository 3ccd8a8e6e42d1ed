// Goal: addresses are read as written or refused; a socket file is removed only when it is a socket
// that nobody listens on.
#include "master/endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "common/owned_fd.h"
#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

std::string printed(const Endpoint& endpoint) {
  char text[INET6_ADDRSTRLEN] = {};
  if (endpoint.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&endpoint.address);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return std::string(text) + " " + std::to_string(ntohs(v4->sin_port));
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&endpoint.address);
  ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  return std::string(text) + " " + std::to_string(ntohs(v6->sin6_port));
}

TEST(Endpoint, Tcp) {
  EXPECT_EQ(printed(parse_endpoint("tcp://127.0.0.1:80").value()), "127.0.0.1 80");
  EXPECT_EQ(printed(parse_endpoint("tcp://*:65535").value()), "0.0.0.0 65535");
  EXPECT_EQ(printed(parse_endpoint("tcp://[::1]:6767").value()), "::1 6767");
  EXPECT_EQ(printed(parse_endpoint("tcp://[::]:1").value()), ":: 1");
  EXPECT_TRUE(parse_endpoint("tcp://*:1").value().path.empty());
}

TEST(Endpoint, Ipc) {
  const Endpoint endpoint = parse_endpoint("ipc://run/control").value();
  EXPECT_EQ(endpoint.family(), AF_UNIX);
  EXPECT_EQ(endpoint.path, "run/control");
  EXPECT_STREQ(reinterpret_cast<const sockaddr_un*>(&endpoint.address)->sun_path, "run/control");
  EXPECT_TRUE(parse_endpoint("ipc://" + std::string(107, 'x')).ok());
}

TEST(Endpoint, RefusedWithItsName) {
  for (const std::string& text :
       {std::string("tcp://127.0.0.1"), std::string("tcp://127.0.0.1:"),
        std::string("tcp://127.0.0.1:0"), std::string("tcp://127.0.0.1:65536"),
        std::string("tcp://127.0.0.1:80x"), std::string("tcp://localhost:80"),
        std::string("tcp://:80"), std::string("tcp://1.2.3:80"), std::string("tcp://[::1:80"),
        std::string("tcp://*:*"), std::string("ipc://"), std::string("ipc://@abstract"),
        "ipc://" + std::string(108, 'x'), std::string("inproc://x"), std::string("")}) {
    const Result<Endpoint> endpoint = parse_endpoint(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint.message().find(text), 0u) << endpoint.message();
  }
}

// A listening socket at path; closed, its file stays, as that of a killed process does.
OwnedFd listen_at(const std::string& path) {
  OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Endpoint endpoint = parse_endpoint("ipc://" + path).value();
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&endpoint.address),
                   endpoint.address_bytes),
            0);
  EXPECT_EQ(::listen(fd.get(), 1), 0);
  return fd;
}

TEST(SocketFile, NothingThereIsFine) {
  const ScratchFolder folder;
  EXPECT_TRUE(clear_socket_file(folder / "none").ok());
}

TEST(SocketFile, StaleIsRemoved) {
  const ScratchFolder folder;
  listen_at(folder / "stale").reset();
  ASSERT_TRUE(folder.exists("stale"));
  EXPECT_TRUE(clear_socket_file(folder / "stale").ok());
  EXPECT_FALSE(folder.exists("stale"));
}

TEST(SocketFile, InUseStays) {
  const ScratchFolder folder;
  const OwnedFd listening = listen_at(folder / "live");
  EXPECT_FALSE(clear_socket_file(folder / "live").ok());
  EXPECT_TRUE(folder.exists("live"));
}

TEST(SocketFile, InUseWithAFullBacklogStays) {
  const ScratchFolder folder;
  const OwnedFd listening = listen_at(folder / "live");
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(clear_socket_file(folder / "live").ok());
  EXPECT_TRUE(folder.exists("live"));
}

TEST(SocketFile, AnythingElseStays) {
  const ScratchFolder folder;
  folder.write("file", "precious");
  ASSERT_EQ(::mkdir((folder / "folder").c_str(), 0755), 0);
  ASSERT_EQ(::symlink("file", (folder / "link").c_str()), 0);
  for (const char* name : {"file", "folder", "link"}) {
    EXPECT_FALSE(clear_socket_file(folder / name).ok());
    EXPECT_TRUE(folder.exists(name));
  }
  EXPECT_EQ(folder.read("file"), "precious");
}

TEST(SocketFile, RemovesOnlyStaleOnesOfThePrefix) {
  const ScratchFolder folder;
  listen_at(folder / "m2-0-7-a-q").reset();
  listen_at(folder / "m2-1-8-a-q").reset();
  const OwnedFd live = listen_at(folder / "m2-0-7-b-q");
  folder.write("m2-0-7-file", "x");
  remove_stale_sockets(folder.path(), "m2-0-7-");
  EXPECT_FALSE(folder.exists("m2-0-7-a-q"));
  EXPECT_TRUE(folder.exists("m2-1-8-a-q"));
  EXPECT_TRUE(folder.exists("m2-0-7-b-q"));
  EXPECT_TRUE(folder.exists("m2-0-7-file"));
  remove_stale_sockets(folder / "no such folder", "m2-");
}

}  // namespace
}  // namespace m2
