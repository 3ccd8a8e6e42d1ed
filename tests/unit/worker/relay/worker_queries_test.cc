// Goal: a question reaches the workers it is for, and the wait ends with the last answer, with the
// death of who owes one, or with patience. Method: query ports as workers have them.
#include "worker/relay/worker_queries.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/link/peers.h"
#include "worker/client_report.h"
#include "worker/link/query_port.h"

namespace m2 {
namespace {

class WorkerQueriesTest : public testing::Test {
 protected:
  struct Worker final : QueryUser {
    std::string answer_query(std::string_view question) override {
      asked.emplace_back(question);
      return "answer of " + name;
    }
    std::string name;
    std::vector<std::string> asked;
    std::unique_ptr<QueryPort> port;
  };
  std::unique_ptr<Worker> start(unsigned slot) {
    auto worker = std::make_unique<Worker>();
    worker->name = std::to_string(slot);
    const std::string endpoint = directory.ipc("query-" + worker->name);
    auto opened = QueryPort::open(turns.loop, turns.context, endpoint, *worker);
    EXPECT_TRUE(opened.ok()) << opened.message();
    worker->port = std::move(opened).value();
    EXPECT_TRUE(queries.add(turns.context, {slot, 1}, endpoint).ok());
    return worker;
  }
  QueryAnswers ask(std::string_view question, std::optional<unsigned> slot = {}) {
    std::optional<QueryAnswers> answers;
    queries.ask(question, slot, [&](QueryAnswers all) { answers = std::move(all); });
    EXPECT_FALSE(answers.has_value());
    EXPECT_TRUE(turns.until([&] { return answers.has_value(); }));
    return std::move(answers).value_or(QueryAnswers());
  }
  // Until all that were added are connected.
  void warm_up(size_t count) {
    ASSERT_TRUE(turns.until([&] { return ask("warm").texts.size() == count; }));
  }

  test::Turns turns;
  test::TempDir directory;
  WorkerQueries queries{turns.loop, 0.3};
};

TEST_F(WorkerQueriesTest, AsksAllOrOne) {
  auto zero = start(0), three = start(3);
  warm_up(2);
  EXPECT_EQ(ask("net").texts.size(), 2u);
  const QueryAnswers one = ask("kill 5", 3);
  EXPECT_EQ(one.texts, std::vector<std::string>{"answer of 3"});
  EXPECT_EQ(zero->asked.back(), "net");
  EXPECT_EQ(three->asked.back(), "kill 5");
  const QueryAnswers none = ask("kill 5", 9);
  EXPECT_TRUE(none.texts.empty());
  EXPECT_EQ(none.silent, 0u);
}

TEST_F(WorkerQueriesTest, WaitsForNobodyForLong) {
  auto zero = start(0);
  zmq::context_t context{1};
  zmq::socket_t hung(context, ZMQ_PAIR);
  hung.bind(directory.ipc("hung"));
  ASSERT_TRUE(queries.add(turns.context, {1, 1}, directory.ipc("hung")).ok());
  warm_up(1);
  const QueryAnswers answers = ask("net");
  EXPECT_EQ(answers.texts, std::vector<std::string>{"answer of 0"});
  EXPECT_EQ(answers.silent, 1u);
  // Who dies while it is asked is not waited for.
  std::optional<QueryAnswers> last;
  queries.ask("net", 1, [&](QueryAnswers all) { last = std::move(all); });
  queries.remove({1, 1});
  ASSERT_TRUE(turns.until([&] { return last.has_value(); }));
  EXPECT_EQ(last->silent, 1u);
}

TEST(ClientLineTest, ReadsWhatItWrites) {
  std::string text;
  append_client_line(text, {9007199254740991, 20, 1, 3, 2, 1, 1ull << 40, 7});
  append_client_line(text, {});
  std::string_view rest = text;
  const auto line = read_client_line(rest);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->id, 9007199254740991u);
  EXPECT_EQ(line->bytes_read, 1ull << 40);
  EXPECT_EQ(line->bytes_written, 7u);
  EXPECT_TRUE(read_client_line(rest).has_value());
  EXPECT_FALSE(read_client_line(rest).has_value());
  for (std::string_view bad : {"1 2 3\n", "a b c d e f g h\n", "1 2 3 4 5 6 7 8 9\n", "\n"}) {
    EXPECT_FALSE(read_client_line(bad).has_value());
  }
}

}  // namespace
}  // namespace m2
