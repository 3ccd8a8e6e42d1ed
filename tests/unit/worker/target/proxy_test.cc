// Goal: requests reach a backend and its answers reach the client as HTTP says and otherwise
// unaltered, streamed and bounded both ways. Method: proxy_fixture.h; bytes are compared whole.
#include "worker/target/proxy.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/worker/target/proxy_fixture.h"

namespace m2 {
namespace {

// Not compressible, not periodic: shows every byte that is lost, repeated or out of place.
std::string noise(size_t size) {
  std::minstd_rand random(static_cast<unsigned>(size));
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>('a' + random() % 26);
  return bytes;
}

TEST_F(ProxyTest, ForwardsTheRequestAndPassesTheAnswerUnaltered) {
  configure();
  auto client = connect_client();
  client->send(
      "GET /a%2Fb?c=d HTTP/1.1\r\nHost: Site:1\r\nCookie: x\r\nConnection: keep-alive\r\n"
      "X-Forwarded-For: 9.9.9.9\r\n\r\n");
  auto backend = accept();
  EXPECT_EQ(expect(*backend, "\r\n\r\n"),
            "GET /a%2Fb?c=d HTTP/1.1\r\nHost: Site:1\r\nCookie: x\r\n"
            "X-Forwarded-For: 9.9.9.9, 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n");
  const std::string fine = "HTTP/1.1 200 Fine\r\nDate: x\r\nx-ODD:   spaced  \r\n";
  const std::string rest = "Content-Length: 5\r\n\r\nhello";
  backend->send(fine + "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n" + rest);
  EXPECT_EQ(expect(*client, "hello"), fine + rest);
  EXPECT_EQ(pool().idle_count(), 1u);
}

TEST_F(ProxyTest, KeepsClientsForwardedForWhenTheSettingSaysSo) {
  ASSERT_TRUE(settings_.set("no_clobber_xff", "1").ok());
  configure();
  auto client = connect_client();
  client->send("GET / HTTP/1.1\r\nX-Forwarded-For: 9.9.9.9\r\nHost: a\r\n\r\n");
  auto backend = accept();
  EXPECT_EQ(
      expect(*backend, "\r\n\r\n"),
      "GET / HTTP/1.1\r\nX-Forwarded-For: 9.9.9.9\r\nHost: a\r\nX-Forwarded-Proto: http\r\n\r\n");
}

TEST_F(ProxyTest, AnswerInSingleBytesIsTheSame) {
  configure();
  auto client = connect_client();
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  auto backend = accept();
  expect(*backend, "\r\n\r\n");
  const std::string answer =
      "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
      "5;ext=1\r\nhello\r\n0\r\nX: y\r\n\r\n";
  for (const char byte : answer) {
    backend->send({&byte, 1});
    loop_.run_once();
  }
  EXPECT_EQ(expect(*client, "X: y\r\n\r\n"), answer);
  serve(*client, *backend, "/next");  // the end was found: both connections go on
}

TEST_F(ProxyTest, BodyByLengthArrivesWholeAndInPieces) {
  configure();
  auto client = connect_client();
  const std::string head = "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n";
  const std::string forwarded =
      head + "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n";
  client->send(head + "\r\n0123456789");
  auto backend = accept();
  EXPECT_EQ(expect(*backend, "789"), forwarded + "0123456789");
  backend->send("HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n");
  expect(*client, "\r\n\r\n");

  // The head does not wait for a body that is slow to come.
  client->send(head + "\r\n");
  EXPECT_EQ(expect(*backend, "\r\n\r\n"), forwarded);
  client->send("01234");
  EXPECT_EQ(expect(*backend, "01234"), "01234");
  client->send("56789");
  EXPECT_EQ(expect(*backend, "56789"), "56789");
  backend->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n");
  expect(*client, "\r\n\r\n");
  EXPECT_EQ(pool().idle_count(), 1u);
}

TEST_F(ProxyTest, ChunkedBodyIsFramedAnew) {
  configure();
  auto client = connect_client();
  client->send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0005;name=value\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n");
  auto backend = accept();
  const std::string before = expect(*backend, "xyz\r\n");
  EXPECT_TRUE(before.ends_with("\r\n\r\n5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n"))
      << before;
  EXPECT_NE(before.find("\r\nTransfer-Encoding: chunked\r\n"), std::string::npos);
  client->send("0\r\nKept: trailer\r\nHost: dropped\r\n\r\n");
  EXPECT_EQ(expect(*backend, "\r\n\r\n"), "0\r\nKept: trailer\r\n\r\n");
  backend->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
  expect(*client, "ok");
  serve(*client, *backend, "/next");
}

// The backend is asked; if it says nothing, this server speaks for it.
TEST_F(ProxyTest, ExpectationIsMetByTheBackendOrHere) {
  configure();
  auto client = connect_client();
  std::unique_ptr<Peer> backend;
  for (const std::string_view word : {"HTTP/1.1 100 Go\r\n\r\n", ""}) {
    client->send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    if (backend == nullptr) backend = accept();
    EXPECT_NE(expect(*backend, "\r\n\r\n").find("Expect: 100-continue"), std::string::npos);
    backend->send(word);
    EXPECT_EQ(expect(*client, "\r\n\r\n"), word.empty() ? "HTTP/1.1 100 Continue\r\n\r\n" : word);
    client->send("hi");
    EXPECT_EQ(expect(*backend, "hi"), "hi");
    backend->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_EQ(expect(*client, "ok"), "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
  }
}

TEST_F(ProxyTest, AnswersWithoutABodyLeaveTheConnectionInStep) {
  configure();
  auto client = connect_client();
  std::unique_ptr<Peer> backend;
  const struct {
    const char* method;
    const char* answer;
  } kCases[] = {{"HEAD", "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 1000\r\n\r\n"},
                {"HEAD", "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n"},
                {"HEAD", "HTTP/1.1 404 Not Found\r\nDate: x\r\n\r\n"},
                {"GET", "HTTP/1.1 204 No Content\r\nDate: x\r\nX: 1\r\n\r\n"},
                {"GET", "HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 1000\r\n\r\n"}};
  for (const auto& c : kCases) {
    client->send(std::string(c.method) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    if (backend == nullptr) backend = accept();
    expect(*backend, "\r\n\r\n");
    backend->send(c.answer);
    EXPECT_EQ(expect(*client, "\r\n\r\n"), c.answer);
  }
  serve(*client, *backend, "/next");
}

TEST_F(ProxyTest, InterimAnswersGoOutAtOnce) {
  configure();
  auto client = connect_client();
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  auto backend = accept();
  expect(*backend, "\r\n\r\n");
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  backend->send(hints);
  EXPECT_EQ(expect(*client, "\r\n\r\n"), hints);
  backend->send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nDate: x\r\nContent-Le");
  run_for(10);
  backend->send("ngth: 2\r\n\r\nok");
  EXPECT_EQ(
      expect(*client, "ok"),
      "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
  serve(*client, *backend, "/next");
}

TEST_F(ProxyTest, Http10ClientGetsNoInterimAnswer) {
  configure();
  std::unique_ptr<Peer> backend;
  for (const size_t step : {1000, 30, 1}) {
    auto client = connect_client();
    client->send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    if (backend == nullptr) backend = accept();
    EXPECT_EQ(expect(*backend, "\r\n\r\n"),
              "GET /old HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: "
              "127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n");
    const std::string all =
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok";
    for (size_t at = 0; at < all.size(); at += step) {
      backend->send(std::string_view(all).substr(at, step));
      loop_.run_once();
    }
    EXPECT_EQ(
        expect(*client, "ok"),
        "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
  }
}

// A client of HTTP/1.0 knows no chunks: it gets the content, up to the end of the connection.
TEST_F(ProxyTest, Http10ClientGetsChunksUnpacked) {
  configure();
  for (const size_t step : {1000, 30, 1}) {
    auto client = connect_client();
    client->send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    auto backend = accept();
    expect(*backend, "\r\n\r\n");
    const std::string all =
        "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n";
    for (size_t at = 0; at < all.size(); at += step) {
      backend->send(std::string_view(all).substr(at, step));
      loop_.run_once();
    }
    EXPECT_TRUE(run_until([&] { return client->closed(); }));
    EXPECT_EQ(client->take(), "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\n\r\nhello world");
    backend->close();
    EXPECT_TRUE(run_until([&] { return pool().idle_count() == 0; }));
  }
}

TEST_F(ProxyTest, CloseDelimitedAnswerEndsWithTheConnection) {
  configure();
  auto client = connect_client();
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  auto backend = accept();
  expect(*backend, "\r\n\r\n");
  backend->send("HTTP/1.1 200 OK\r\nDate: x\r\n\r\nfirst ");
  EXPECT_EQ(expect(*client, "first "),
            "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close\r\n\r\nfirst ");
  backend->send("last");
  backend->close();
  EXPECT_TRUE(run_until([&] { return client->closed(); }));
  EXPECT_EQ(client->take(), "last");
}

TEST_F(ProxyTest, ConnectionCloseOfTheBackendIsForThatHopOnly) {
  configure();
  auto client = connect_client();
  for (const std::string first_lines : {"1.1 200 OK\r\nConnection: close", "1.0 200 OK\r\nX: y"}) {
    client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    auto backend = accept();
    expect(*backend, "\r\n\r\n");
    backend->send("HTTP/" + first_lines + "\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
    const std::string answer = expect(*client, "ok");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_EQ(answer.find("Connection"), std::string::npos) << answer;
    EXPECT_TRUE(run_until([&] { return backend->closed(); }));
    EXPECT_FALSE(client->closed());
  }
}

TEST_F(ProxyTest, ClientsOwnCloseLeavesTheBackendOpen) {
  configure();
  auto client = connect_client();
  client->send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  auto backend = accept();
  EXPECT_EQ(expect(*backend, "\r\n\r\n").find("close"), std::string::npos);
  backend->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(run_until([&] { return client->closed(); }));
  EXPECT_FALSE(backend->closed());
  auto second = connect_client();
  serve(*second, *backend, "/second");
}

TEST_F(ProxyTest, PipelinedRequestsGoOneAfterTheOther) {
  ASSERT_TRUE(settings_.set("pipelining", "1").ok());
  configure();
  auto client = connect_client();
  client->send(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\n"
      "Content-Length: 4\r\n\r\nbodyGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  auto backend = accept();
  for (const char* number : {"1", "2", "3"}) {
    const std::string request = expect(*backend, *number == '2' ? "body" : "\r\n\r\n");
    EXPECT_NE(request.find(std::string("/") + number + " HTTP/1.1"), std::string::npos) << request;
    run_for(20);
    EXPECT_EQ(backend->take(), "");
    backend->send(std::string("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 1\r\n\r\n") + number);
  }
  EXPECT_TRUE(run_until([&] { return client->has("\n3"); }));
  EXPECT_EQ(pool().open_count(), 1u);
}

// A backend that takes nothing stops the client, not the server's memory.
TEST_F(ProxyTest, SlowBackendSlowsTheClient) {
  backend_ = TestBackend(64, 32 * 1024);
  row_.backends[0].port = backend_.port();
  configure();
  for (const bool chunked : {false, true}) {
    auto client = connect_client(64 * 1024);
    std::string body = noise(24 << 20);
    const std::string framing =
        chunked ? "Transfer-Encoding: chunked" : "Content-Length: " + std::to_string(body.size());
    client->send("PUT / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n");
    auto backend = accept();
    expect(*backend, "\r\n\r\n");
    const size_t data = body.size();
    if (chunked) body = "1800000\r\n" + body + "\r\n0\r\n\r\n";
    size_t sent = send_until_stuck(*client, body);
    EXPECT_LT(sent, size_t{12} << 20);  // what kernel buffers hold, and our bound
    std::string got;
    EXPECT_TRUE(run_until([&] {
      sent += client->send_some(std::string_view(body).substr(sent));
      got += (backend->read(), backend->take());
      return chunked ? got.ends_with("\r\n0\r\n\r\n") : got.size() >= data;
    }));
    if (!chunked) {
      EXPECT_EQ(got == body, true);
    } else {
      std::string plain;
      for (size_t at = 0; at < got.size();) {
        const size_t size = std::stoul(got.substr(at, 8), nullptr, 16);
        at = got.find("\r\n", at) + 2;
        plain.append(got, at, size);
        at += size + 2;
      }
      EXPECT_EQ(plain == body.substr(9, data), true);
    }
    backend->send("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok");
    expect(*client, "ok");
    client->close();
    backend->close();
  }
}

// A client that takes nothing stops the backend, not the server's memory.
TEST_F(ProxyTest, SlowClientSlowsTheBackend) {
  configure();
  auto client = connect_client(64 * 1024);
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  auto backend = accept();
  expect(*backend, "\r\n\r\n");
  const std::string body = noise(32 << 20);
  const std::string answer =
      "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
      body;
  size_t sent = send_until_stuck(*backend, answer);
  EXPECT_LT(sent, size_t{20} << 20);
  std::string got;
  EXPECT_TRUE(run_until([&] {
    sent += backend->send_some(std::string_view(answer).substr(sent));
    got += (client->read(), client->take());
    return got.size() >= answer.size();
  }));
  EXPECT_EQ(got == answer, true);
  serve(*client, *backend, "/next");
}

// An echo: the answer grows while the body still comes, and the client reads it late.
TEST_F(ProxyTest, BothDirectionsAtOnce) {
  configure();
  auto client = connect_client(64 * 1024);
  const std::string body = noise(8 << 20);
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  client->send("POST / HTTP/1.1\r\nHost: a\r\n" + length);
  auto backend = accept();
  expect(*backend, "\r\n\r\n");
  backend->send("HTTP/1.1 200 OK\r\nDate: x\r\n" + length);
  size_t sent = 0;
  std::string echo, got;
  EXPECT_TRUE(run_until([&] {
    sent += client->send_some(std::string_view(body).substr(sent));
    echo += (backend->read(), backend->take());
    echo.erase(0, backend->send_some(echo));
    if (sent > body.size() / 2) got += (client->read(), client->take());
    return got.ends_with(body.substr(body.size() - 100));
  }));
  // An answer that begins before its request has ended says that it is the last one.
  const std::string head = "HTTP/1.1 200 OK\r\nDate: x\r\n" + length.substr(0, length.size() - 2);
  EXPECT_EQ(got == head + "Connection: close\r\n\r\n" + body, true);
}

}  // namespace
}  // namespace m2
