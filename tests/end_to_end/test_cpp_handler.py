"""deploy/include/mongrel2/handler.hpp: what a program in C++ sees and sends. Method: a small
program that checks by itself, compiled like a reader would do it."""

import os
import subprocess

from lib.deployment import TOP

PROGRAM = r"""
#include <mongrel2/handler.hpp>

#include <cstdio>

int faults = 0;

void check(bool right, const char* what) {
  if (right) return;
  std::printf("%s\n", what);
  ++faults;
}

mongrel2::Request request(const std::string& path, const std::string& headers,
                          const std::string& body) {
  return mongrel2::Request::parse("u 5 " + path + " " + std::to_string(headers.size()) + ":" +
                                  headers + "," + std::to_string(body.size()) + ":" + body + ",");
}

int main() {
  using mongrel2::Connection;
  const std::string bye = R"({"type":"disconnect"})";
  check(request("@*", R"({"METHOD":"JSON"})", bye).is_disconnect(), "a notice");
  check(!request("@chat", R"({"PATH":"@chat","METHOD":"JSON"})", bye).is_disconnect(),
        "a client's message");
  check(!request("@*", R"({"PATH":"@*","METHOD":"JSON"})", bye).is_disconnect(),
        "a client's message for @*");
  const auto got = request("/", R"({"METHOD":"GET","content-length":"3","method":"JSON"})", "");
  check(got.header("Content-Length") == "3" && got.header("CONTENT-LENGTH") == "3", "spelling");
  check(got.header("METHOD") == "GET" && got.header("QUERY").empty(), "the server's keys");
  const auto forged = request("/", R"({"METHOD":"GET","query":"x"})", "");
  check(forged.header("QUERY").empty() && forged.header("query") == "x", "a forged key");
  for (const int code : {103, 204, 304}) {
    const std::string text = Connection::http("body", {code, "X", {{"A", "b"}}});
    check(text == "HTTP/1.1 " + std::to_string(code) + " X\r\nA: b\r\n\r\n", "no body");
  }
  const std::string cookies =
      Connection::http("", {200, "OK", {{"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}}});
  check(cookies.find("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n") != std::string::npos, "cookies");
  return faults;
}
"""


# Goal: notices are the server's alone, headers are found in any spelling and not forged, answers
# without a body have no length, and a header may come twice.
def test_header(tmp_path):
    source, program = tmp_path / "check.cc", tmp_path / "check"
    source.write_text(PROGRAM)
    subprocess.run(["g++", "-std=c++20", "-O0", "-Wall", "-Wextra", "-Werror", "-isystem",
                    os.path.join(TOP, "deploy", "include"), str(source), "-o", str(program),
                    "-lzmq", "-lsimdjson"], check=True, timeout=300)
    done = subprocess.run([str(program)], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
