// Goal: all sockets of a plan or none; kept over generations by key; files and ports let go when no
// generation needs them; errors name the endpoint and a way out.
#include "master/listeners.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "master/endpoint.h"
#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

// A port that was free a moment ago.
uint16_t free_port() {
  const OwnedFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

std::string tcp(uint16_t port) { return "tcp://127.0.0.1:" + std::to_string(port); }

void drop(OwnedFd, const PlanListener&) {}

bool answers(const std::string& spec) {
  const Endpoint endpoint = parse_endpoint(spec).value();
  const OwnedFd fd(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&endpoint.address),
                   endpoint.address_bytes) == 0;
}

class ListenersTest : public testing::Test {
 protected:
  std::string ipc(const std::string& name) { return "ipc://" + (folder_ / name); }
  ScratchFolder folder_;
  Listeners listeners_{Jail{}};
};

TEST_F(ListenersTest, OpensEverythingReadyForChildren) {
  Plan plan;
  plan.listeners = {{tcp(free_port())}};
  plan.endpoints = {tcp(free_port()), ipc("handler")};
  plan.control_port = ipc("control");
  const Result<Listeners::Count> opened = listeners_.open(plan);
  ASSERT_TRUE(opened.ok()) << opened.message();
  EXPECT_EQ(opened.value().listeners, 1u);
  EXPECT_EQ(opened.value().endpoints, 3u);
  for (const std::string& key : {http_key(plan.listeners[0].spec), zmq_key(plan.endpoints[0]),
                                 zmq_key(plan.endpoints[1]), control_key(plan.control_port)}) {
    const int fd = listeners_.fd(key);
    ASSERT_GE(fd, 0) << key;
    EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
    EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
  }
  for (const std::string& spec : {plan.listeners[0].spec, plan.endpoints[1]})
    EXPECT_TRUE(answers(spec));
  struct stat file;
  ASSERT_EQ(::stat((folder_ / "control").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0660u);
}

TEST_F(ListenersTest, KeepsWhatTheNextPlanNeedsAndClosesTheRest) {
  Plan first;
  first.listeners = {{tcp(free_port())}};
  first.endpoints = {ipc("a"), ipc("b")};
  ASSERT_TRUE(listeners_.open(first).ok());
  const int kept = listeners_.fd(zmq_key(ipc("a")));
  Plan second;
  second.listeners = {{tcp(free_port())}};
  second.endpoints = {ipc("a"), ipc("c")};
  const Result<Listeners::Count> opened = listeners_.open(second);
  ASSERT_TRUE(opened.ok()) << opened.message();
  EXPECT_EQ(opened.value().listeners, 1u);
  EXPECT_EQ(opened.value().endpoints, 1u);
  EXPECT_TRUE(answers(first.listeners[0].spec));  // both until the decision
  const Listeners::Count closed = listeners_.keep_only(second, drop);
  EXPECT_EQ(closed.listeners, 1u);
  EXPECT_EQ(closed.endpoints, 1u);
  EXPECT_EQ(listeners_.fd(zmq_key(ipc("a"))), kept);
  EXPECT_FALSE(answers(first.listeners[0].spec));
  EXPECT_FALSE(folder_.exists("b"));
  EXPECT_TRUE(answers(ipc("c")));
}

TEST_F(ListenersTest, AllOrNothing) {
  Plan first;
  first.endpoints = {ipc("a")};
  ASSERT_TRUE(listeners_.open(first).ok());
  folder_.write("taken", "precious");
  Plan second;
  second.listeners = {{tcp(free_port())}};
  second.endpoints = {ipc("a"), ipc("b"), ipc("taken")};
  const Result<Listeners::Count> opened = listeners_.open(second);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.message().find(ipc("taken")), std::string::npos) << opened.message();
  EXPECT_EQ(listeners_.fd(http_key(second.listeners[0].spec)), -1);
  EXPECT_FALSE(answers(second.listeners[0].spec));
  EXPECT_FALSE(folder_.exists("b"));
  EXPECT_TRUE(answers(ipc("a")));
  EXPECT_EQ(folder_.read("taken"), "precious");
}

TEST_F(ListenersTest, PortInUseSaysHowToFindOut) {
  Listeners other{Jail{}};
  Plan plan;
  plan.listeners = {{tcp(free_port())}};
  ASSERT_TRUE(other.open(plan).ok());
  const Result<Listeners::Count> opened = listeners_.open(plan);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.message().find("cannot listen on " + plan.listeners[0].spec), 0u);
  EXPECT_NE(opened.message().find("ss -ltnp"), std::string::npos) << opened.message();
}

TEST_F(ListenersTest, LiveSocketFileOfAnotherIsNeverTaken) {
  Listeners other{Jail{}};
  Plan plan;
  plan.endpoints = {ipc("a")};
  ASSERT_TRUE(other.open(plan).ok());
  EXPECT_FALSE(listeners_.open(plan).ok());
  EXPECT_TRUE(answers(ipc("a")));
}

TEST_F(ListenersTest, AFileThatIsNotOursAnyMoreStays) {
  Plan plan;
  plan.endpoints = {ipc("a")};
  ASSERT_TRUE(listeners_.open(plan).ok());
  ASSERT_EQ(::unlink((folder_ / "a").c_str()), 0);
  folder_.write("a", "of somebody else");
  listeners_.keep_only(Plan{}, drop);
  EXPECT_EQ(folder_.read("a"), "of somebody else");
}

TEST_F(ListenersTest, WhoHasConnectedToWhatGoesIsHandedOver) {
  for (const std::string& spec : {tcp(free_port()), "unix:" + (folder_ / "web")}) {
    Plan plan;
    plan.listeners = {{spec, 0660, true}};
    plan.backlog = 64;
    ASSERT_TRUE(listeners_.open(plan).ok());
    const Endpoint endpoint = parse_endpoint(spec).value();
    std::vector<OwnedFd> clients;
    for (char sign = 'a'; sign < 'f'; ++sign) {
      clients.emplace_back(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
      const int fd = clients.back().get();
      ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&endpoint.address),
                          endpoint.address_bytes),
                0);
      ASSERT_EQ(::send(fd, &sign, 1, 0), 1);
    }
    std::string heard;
    const auto take = [&heard](OwnedFd client, const PlanListener& listener) {
      EXPECT_TRUE(listener.proxy_protocol);
      char sign = '-';
      EXPECT_EQ(::recv(client.get(), &sign, 1, 0), 1);
      heard += sign;
    };
    EXPECT_EQ(listeners_.keep_only(Plan{}, take).listeners, 1u);
    EXPECT_EQ(heard, "abcde");
    EXPECT_FALSE(answers(spec));
  }
  EXPECT_FALSE(folder_.exists("web"));
}

TEST_F(ListenersTest, FilesHaveTheModeOfThePlan) {
  Plan plan;
  const auto mode = [this] {
    struct stat file;
    EXPECT_EQ(::stat((folder_ / "web").c_str(), &file), 0);
    return file.st_mode & 0777;
  };
  plan.listeners = {{"unix:" + (folder_ / "web"), 0666}};
  plan.backlog = 1;
  ASSERT_TRUE(listeners_.open(plan).ok());
  EXPECT_EQ(mode(), 0666u);
  const int fd = listeners_.fd(http_key(plan.listeners[0].spec));
  plan.listeners[0].mode = 0600;
  EXPECT_EQ(listeners_.open(plan).value().listeners, 0u);
  EXPECT_EQ(mode(), 0666u);  // until the decision
  listeners_.keep_only(plan, drop);
  EXPECT_EQ(mode(), 0600u);
  EXPECT_EQ(listeners_.fd(http_key(plan.listeners[0].spec)), fd);
  // A file that has taken its place is not touched.
  ASSERT_EQ(::unlink((folder_ / "web").c_str()), 0);
  folder_.write("web", "of somebody else");
  ASSERT_EQ(::chmod((folder_ / "web").c_str(), 0640), 0);
  plan.listeners[0].mode = 0666;
  listeners_.keep_only(plan, drop);
  EXPECT_EQ(mode(), 0640u);
}

TEST_F(ListenersTest, OnlyListenersOfOneServerMayOverlap) {
  const uint16_t port = free_port();
  Plan narrow, wide, endpoint;
  narrow.listeners = {{tcp(port)}};
  wide.listeners = {{"tcp://0.0.0.0:" + std::to_string(port)}};
  endpoint.endpoints = {"tcp://0.0.0.0:" + std::to_string(port)};
  ASSERT_TRUE(listeners_.open(narrow).ok());
  EXPECT_FALSE(listeners_.open(endpoint).ok());
  ASSERT_TRUE(listeners_.open(wide).ok());
  Listeners other{Jail{}};
  EXPECT_FALSE(other.open(wide).ok());
  EXPECT_FALSE(other.open(narrow).ok());
  listeners_.keep_only(wide, drop);
  EXPECT_TRUE(answers(tcp(port)));
  EXPECT_TRUE(listeners_.open(narrow).ok());  // and back
  listeners_.keep_only(narrow, drop);
  EXPECT_TRUE(answers(tcp(port)));
}

TEST_F(ListenersTest, CloseHttpLeavesHandlersTheirEndpoints) {
  Plan plan;
  plan.listeners = {{tcp(free_port())}};
  plan.listeners.push_back({"unix:" + (folder_ / "web"), 0660});
  plan.endpoints = {ipc("a")};
  ASSERT_TRUE(listeners_.open(plan).ok());
  listeners_.close_http();
  EXPECT_FALSE(answers(plan.listeners[0].spec));
  EXPECT_FALSE(folder_.exists("web"));
  EXPECT_TRUE(answers(ipc("a")));
  listeners_.close_all();
  EXPECT_FALSE(folder_.exists("a"));
}

TEST_F(ListenersTest, BothFamiliesOnOnePort) {
  const std::string port = std::to_string(free_port());
  Plan plan;
  plan.listeners = {{"tcp://0.0.0.0:" + port}, {"tcp://[::]:" + port}};
  const Result<Listeners::Count> opened = listeners_.open(plan);
  if (!opened.ok() && opened.message().find("family") != std::string::npos) GTEST_SKIP();
  EXPECT_TRUE(opened.ok()) << opened.message();
}

TEST_F(ListenersTest, IpcFilesBelongToTheJail) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 65534), 0);
  Listeners jailed{Jail{true, 65534, 65534}};
  Plan plan;
  plan.endpoints = {ipc("a")};
  ASSERT_TRUE(jailed.open(plan).ok());
  struct stat file;
  ASSERT_EQ(::stat((folder_ / "a").c_str(), &file), 0);
  EXPECT_EQ(file.st_uid, 65534u);
  EXPECT_EQ(file.st_gid, 65534u);
  EXPECT_EQ(::geteuid(), 0u);
  // Where that user may not write, root does not write for him.
  ASSERT_EQ(::chown(folder_.path().c_str(), 0, 0), 0);
  plan.endpoints = {ipc("b")};
  const Result<Listeners::Count> opened = jailed.open(plan);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.message().find("owner of server.chroot"), std::string::npos);
  ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 65534), 0);
}

TEST(ListenerKeys, HandlersGoToTheWorkerOrToTheRelay) {
  Plan plan;
  plan.listeners = {{"tcp://*:80"}};
  plan.endpoints = {"tcp://*:1", "tcp://*:2"};
  plan.control_port = "ipc://run/control";
  using Keys = std::vector<std::string>;
  EXPECT_EQ(Listeners::worker_keys(plan, 1),
            (Keys{"http tcp://*:80", "zmq tcp://*:1", "zmq tcp://*:2"}));
  EXPECT_EQ(Listeners::relay_keys(plan, 1), (Keys{"control ipc://run/control"}));
  EXPECT_EQ(Listeners::worker_keys(plan, 2), (Keys{"http tcp://*:80"}));
  EXPECT_EQ(Listeners::relay_keys(plan, 2),
            (Keys{"zmq tcp://*:1", "zmq tcp://*:2", "control ipc://run/control"}));
  plan.control_port.clear();
  EXPECT_EQ(Listeners::relay_keys(plan, 1), Keys{});
}

}  // namespace
}  // namespace m2
