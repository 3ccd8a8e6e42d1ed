// Goal: the commands of the manual (3.8) get their answers, anything else an error, and "control
// stop" is final. Method: a REQ socket as in the manual's own example.
#include "worker/relay/control_port.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/link/peers.h"

namespace m2 {
namespace {

class ControlPortTest : public testing::Test, protected ControlPortUser {
 protected:
  std::vector<ControlTask> tasks() const override {
    return {{"relay", "running"}, {"worker 0", "running"}};
  }
  void SetUp() override {
    test::Listener listener = test::listen_ipc(directory.ipc("control"));
    auto opened = ControlPort::open(turns.loop, turns.context, listener.endpoint,
                                    std::move(listener.fd), *this);
    ASSERT_TRUE(opened.ok()) << opened.message();
    port = std::move(opened).value();
    client.set(zmq::sockopt::linger, 0);
    client.connect(directory.ipc("control"));
  }
  std::string ask(std::string_view command) {
    test::send_text(client, command);
    std::optional<std::string> text;
    EXPECT_TRUE(turns.until([&] { return (text = test::receive_text(client)).has_value(); }));
    return text.value_or("nothing");
  }

  test::Turns turns;
  test::TempDir directory;
  std::unique_ptr<ControlPort> port;
  zmq::context_t context{1};
  zmq::socket_t client{context, ZMQ_REQ};
};

TEST_F(ControlPortTest, TellsTheTime) {
  const std::string text = ask("time");
  ASSERT_TRUE(text.starts_with("{\"time\": ")) << text;
  EXPECT_NEAR(std::stod(text.substr(9)), turns.loop.now(), 5);
}

TEST_F(ControlPortTest, ListsTheProcesses) {
  EXPECT_EQ(ask("status tasks"),
            R"({"task_list":[{"id":1,"system":0,"name":"relay","state":"running","extra":""},)"
            R"({"id":2,"system":0,"name":"worker 0","state":"running","extra":""}]})"
            "\n");
}

TEST_F(ControlPortTest, SaysWhatItCannotDo) {
  for (const char* command : {"status net", "kill 5"}) {
    EXPECT_TRUE(ask(command).starts_with("{\"error\": \"not available")) << command;
  }
  for (const char* command : {"", "status", "killer", "time and tide", "26:6:status,"}) {
    EXPECT_EQ(ask(command), "{\"error\": \"invalid command\"}") << command;
  }
}

TEST_F(ControlPortTest, TakesCommandsAsPeopleAndCClientsSendThem) {
  EXPECT_TRUE(ask(" time\r\n").starts_with("{\"time\": "));
  EXPECT_TRUE(ask(std::string_view("time\0", 5)).starts_with("{\"time\": "));
}

TEST_F(ControlPortTest, StopsForGood) {
  EXPECT_EQ(ask("control stop"), "{\"msg\": \"stopping control port\"}");
  test::send_text(client, "time");
  zmq::socket_t other(context, ZMQ_REQ);
  other.set(zmq::sockopt::linger, 0);
  other.connect(directory.ipc("control"));
  test::send_text(other, "time");
  for (int turn = 0; turn < 50; ++turn) turns.loop.run_once();
  EXPECT_EQ(test::receive_text(client), std::nullopt);
  EXPECT_EQ(test::receive_text(other), std::nullopt);
}

// A command that is too large ends the connection of its sender, who comes back; nobody else
// notices.
TEST_F(ControlPortTest, GoesOnAfterNonsense) {
  zmq::socket_t rude(context, ZMQ_DEALER);
  rude.set(zmq::sockopt::linger, 0);
  rude.connect(directory.ipc("control"));
  test::send_text(rude, std::string(100'000, 'x'));
  test::send_text(rude, "without the empty part that REQ sends");
  EXPECT_TRUE(ask("time").starts_with("{\"time\": "));
}

}  // namespace
}  // namespace m2
