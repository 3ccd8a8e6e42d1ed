// A handler in C++: answers every request with its path. Debian: cppzmq-dev libsimdjson-dev
//   g++ -std=c++20 echo.cc -o echo -lzmq -lsimdjson && ./echo SEND_SPEC RECV_SPEC
#include <mongrel2/handler.hpp>

int main(int, char** argv) {
  mongrel2::Connection connection("", argv[1], argv[2]);
  connection.serve([&](const mongrel2::Request& request) {
    connection.reply_http(request,
                          "C++: " + request.header("METHOD") + " " + request.path + ", " +
                              std::to_string(request.body.size()) + " bytes\n",
                          {.headers = {{"Content-Type", "text/plain"}}});
  });
}
