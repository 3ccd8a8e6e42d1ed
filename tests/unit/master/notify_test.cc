// Goal: the datagrams are those that systemd expects, by path and by abstract name; without a
// manager nothing happens.
#include "master/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

class NotifyTest : public testing::Test {
 protected:
  ~NotifyTest() override { ::unsetenv("NOTIFY_SOCKET"); }
  void listen_on(std::string name) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    manager_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(manager_.get(), reinterpret_cast<sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
              0);
  }
  std::string heard() {
    char text[512];
    const ssize_t size = ::recv(manager_.get(), text, sizeof text, 0);
    return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
  }
  OwnedFd manager_;
};

TEST_F(NotifyTest, SaysWhatHappens) {
  const ScratchFolder folder;
  listen_on(folder / "notify");
  const Notify notify = Notify::from_environment();
  EXPECT_TRUE(notify.active());
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  notify.ready("generation 1 serves");
  EXPECT_EQ(heard(), "READY=1\nSTATUS=generation 1 serves");
  notify.reloading();
  const std::string reloading = heard();
  EXPECT_EQ(reloading.find("RELOADING=1\nMONOTONIC_USEC="), 0u);
  EXPECT_GT(std::stoll(reloading.substr(reloading.rfind('=') + 1)), 0);
  notify.stopping();
  EXPECT_EQ(heard(), "STOPPING=1");
}

// A status with a line end would be a message of its own.
TEST_F(NotifyTest, AStatusIsOneLine) {
  const ScratchFolder folder;
  listen_on(folder / "notify");
  const Notify notify = Notify::from_environment();
  notify.ready("base \"x\nMAINPID=1\"");
  EXPECT_EQ(heard(), "READY=1\nSTATUS=base \"x\\x0aMAINPID=1\"");
  notify.alive("x\nMAINPID=1");
  EXPECT_EQ(heard(), "STATUS=x\\x0aMAINPID=1");
}

TEST_F(NotifyTest, AbstractName) {
  listen_on("@m2-notify-test-" + std::to_string(::getpid()));
  const Notify notify = Notify::from_environment();
  ASSERT_TRUE(notify.active());
  notify.stopping();
  EXPECT_EQ(heard(), "STOPPING=1");
}

TEST_F(NotifyTest, NobodyThere) {
  EXPECT_FALSE(Notify::from_environment().active());
  for (const char* name : {"", "/nonexistent/socket"}) {
    ::setenv("NOTIFY_SOCKET", name, 1);
    const Notify notify = Notify::from_environment();
    EXPECT_FALSE(notify.active());
    notify.ready("x");
    notify.stopping();
  }
}

}  // namespace
}  // namespace m2
