// Goal: the control port answers both languages, asks workers for what they know, waits for no
// longer than it must, and "control stop" is final. Method: a REQ socket as in the manual's
// example.
#include "worker/relay/control_port.h"

#include <gtest/gtest.h>

#include <csignal>

#include "proto/handler/netstring.h"
#include "tests/unit/worker/link/peers.h"

namespace m2 {
namespace {

class ControlPortTest : public testing::Test, protected ControlPortUser {
 protected:
  std::vector<ControlTask> tasks() const override {
    return {{"relay", "running"}, {"worker 0", "running"}};
  }
  ControlInfo info() const override {
    return {6767, "0.0.0.0", "the-uuid", "./", "/a.log", "/e.log", "/pid", "localhost"};
  }
  void ask_workers(const std::string& question, ConnectionId id,
                   WorkerQueries::Done done) override {
    questions.emplace_back(question, id);
    pending = std::move(done);
  }
  void signal_server(int number) override { signals.push_back(number); }
  void SetUp() override {
    test::Listener listener = test::listen_ipc(directory.ipc("control"));
    ControlPortUser& user = *this;
    auto opened = ControlPort::open(turns.loop, turns.context, listener.endpoint,
                                    std::move(listener.fd), "", user);
    ASSERT_TRUE(opened.ok()) << opened.message();
    port = std::move(opened).value();
    client.set(zmq::sockopt::linger, 0);
    client.connect(directory.ipc("control"));
  }
  std::string ask(std::string_view command) {
    test::send_text(client, command);
    return answer();
  }
  std::string answer() {
    std::optional<std::string> text;
    EXPECT_TRUE(turns.until([&] { return (text = test::receive_text(client)).has_value(); }));
    return text.value_or("nothing");
  }
  std::string ask_workers_and_answer(std::string_view command, QueryAnswers answers) {
    test::send_text(client, command);
    EXPECT_TRUE(turns.until([&] { return pending != nullptr; }));
    std::exchange(pending, nullptr)(std::move(answers));
    return answer();
  }

  test::Turns turns;
  test::TempDir directory;
  std::unique_ptr<ControlPort> port;
  std::vector<std::pair<std::string, ConnectionId>> questions;
  WorkerQueries::Done pending;
  std::vector<int> signals;
  zmq::context_t context{1};
  zmq::socket_t client{context, ZMQ_REQ};
};

TEST_F(ControlPortTest, TellsTheTime) {
  const std::string text = ask("time");
  ASSERT_TRUE(text.starts_with("{\"time\": ")) << text;
  EXPECT_NEAR(std::stod(text.substr(9)), turns.loop.wall(), 5);
}

TEST_F(ControlPortTest, ListsTheProcesses) {
  EXPECT_EQ(ask("status tasks"),
            R"({"task_list":[{"id":1,"system":0,"name":"relay","state":"running","extra":""},)"
            R"({"id":2,"system":0,"name":"worker 0","state":"running","extra":""}]})"
            "\n");
}

TEST_F(ControlPortTest, TellsWhatWorkersSayOfTheirClients) {
  EXPECT_EQ(ask_workers_and_answer("status net", {{"", ""}, 0}), "{\"total\": 0}");
  EXPECT_EQ(ask_workers_and_answer(
                "status net", {{"5 20 1 3 1 1 36 0\n7 21 2 10 1 1 9 9\n", "9 4 1 0 0 0 0 0\n"}, 0}),
            "{\"5\":3,\"7\":10,\"9\":0,\"total\": 3}");
  EXPECT_EQ(ask_workers_and_answer("status net", {{"5 20 1 3 1 1 36 0\n"}, 1}),
            "{\"5\":3,\"silent_workers\": 1, \"total\": 1}");
  EXPECT_EQ(ask_workers_and_answer("26:6:status,13:4:what,3:net,}]", {{"1 31 1 1 0 0 36 0\n"}, 0}),
            "149:7:headers,86:2:id,2:fd,4:type,9:last_ping,9:last_read,10:last_write,"
            "10:bytes_read,13:bytes_written,]4:rows,38:34:1:1#2:31#1:1#1:1#1:0#1:0#2:36#1:0#]]}");
  EXPECT_EQ(questions.back(), (std::pair<std::string, ConnectionId>{"net", 0}));
}

TEST_F(ControlPortTest, KillsAConnection) {
  EXPECT_EQ(ask_workers_and_answer("kill 5", {{"done"}, 0}), "{\"result\": \"killed 5\"}");
  EXPECT_EQ(questions.back(), (std::pair<std::string, ConnectionId>{"kill 5", 5}));
  EXPECT_EQ(ask_workers_and_answer("kill 5", {{""}, 0}), "{\"error\": \"does not exist: 5\"}");
  EXPECT_EQ(ask_workers_and_answer("kill 5", {{}, 1}),
            "{\"error\": \"the worker of this connection did not answer\"}");
  EXPECT_EQ(ask("kill x"), "{\"error\": \"invalid id: x\"}");
  EXPECT_EQ(ask("kill 99999999999999999999"), "{\"error\": \"invalid id: 99999999999999999999\"}");
  EXPECT_EQ(ask_workers_and_answer("19:4:kill,9:2:id,1:5#}]", {{"done"}, 0}),
            "40:7:headers,9:6:status,]4:rows,8:5:2:OK,]]}");
  EXPECT_EQ(ask_workers_and_answer("19:4:kill,9:2:id,1:5,}]", {{""}, 0}),
            "57:4:code,13:NOT_CONNECTED,5:error,21:Socket not connected.,}");
}

// The bytes of Mongrel2 1.12.
TEST_F(ControlPortTest, SpeaksTnetstrings) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"5:hello,",
       "101:4:code,15:INVALID_REQUEST,5:error,63:Invalid request format, must be a list with two "
       "elements in it.,}"},
      {"0:]",
       "97:4:code,12:INVALID_DATA,5:error,62:Invalid data, expecting a list with a string and a "
       "hash in it.,}"},
      {"7:1:5#0:}]",
       "97:4:code,12:INVALID_DATA,5:error,62:Invalid data, expecting a list with a string and a "
       "hash in it.,}"},
      {"10:4:nope,0:}]",
       "74:4:code,18:CALLBACK_NOT_FOUND,5:error,33:Callback requested was not found.,}"},
      {"12:6:status,0:}]", "61:4:code,16:INVALID_ARGUMENT,5:error,22:Invalid argument type.,}"},
      {"24:6:status,11:4:what,1:x,}]", "51:5:error,39:Expected argument what=['net'|'tasks'].,}"},
      {"10:4:kill,0:}]", "61:4:code,16:INVALID_ARGUMENT,5:error,22:Invalid argument type.,}"},
      {"10:4:uuid,0:}]", "46:7:headers,7:4:uuid,]4:rows,15:11:8:the-uuid,]]}"},
      {"10:4:help,0:}]",
       "416:7:headers,14:4:name,4:help,]4:rows,376:35:4:stop,24:stop the server (SIGINT),]"
       "30:6:reload,17:reload the server,]23:4:help,12:this command,]37:12:control_stop,17:stop "
       "control port,]28:4:kill,17:kill a connection,]41:6:status,28:status, "
       "what=['net'|'tasks'],]46:9:terminate,30:terminate the server (SIGTERM),]28:4:time,17:the "
       "server's time,]28:4:uuid,17:the server's uuid,]40:4:info,29:information about this "
       "server,]]}"},
  };
  for (const auto& [request, expected] : rows) EXPECT_EQ(ask(request), expected) << request;
  EXPECT_TRUE(ask(std::string_view("10:4:time,0:}]\0", 15)).starts_with("49:7:headers,7:4:time,]"));
  EXPECT_TRUE(ask("10:4:info,0:}]").find("9:localhost,") != std::string::npos);
}

TEST_F(ControlPortTest, PassesOrdersOnToTheServer) {
  EXPECT_EQ(ask("reload"), "{\"msg\": \"signal sent to server\"}");
  EXPECT_EQ(ask("10:4:stop,0:}]"),
            "59:7:headers,6:3:msg,]4:rows,29:25:21:signal sent to server,]]}");
  EXPECT_EQ(ask("terminate"), "{\"msg\": \"signal sent to server\"}");
  EXPECT_EQ(signals, (std::vector<int>{SIGHUP, SIGINT, SIGTERM}));
}

TEST_F(ControlPortTest, RefusesWhatIsNoCommand) {
  for (const char* command : {"", "status", "killer", "kill", "time and tide", "26:6:status,"}) {
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

// A port that a reload replaces may go while workers are being asked.
TEST_F(ControlPortTest, MayGoWhileWorkersAreAsked) {
  test::send_text(client, "status net");
  ASSERT_TRUE(turns.until([&] { return pending != nullptr; }));
  port.reset();
  pending({{""}, 0});
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
