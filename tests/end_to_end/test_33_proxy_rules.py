"""What RFC 9110 and 9112 demand of a gateway (docs/rfc-gateway.md), with backends and clients that
misbehave on purpose."""

import socket
import struct
import threading

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import Deployment, dir_, proxy
from lib.server import Server
from lib.waiting import free_port, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# By path: the bytes that the backend answers with, and whether its connection goes on.
ANSWERS = {}


def script(exchange, head):
    path = head.split(b" ")[1]
    if path == b"/head-back":
        exchange.read_body(head)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
        return True
    if path == b"/all-back":  # the body with its framing, up to a blank line
        body = b""
        while not body.endswith(b"\r\n\r\n"):
            body += exchange.read(1)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        return True
    data, stays = ANSWERS.get(path, (OK, True))
    exchange.send(data)
    return stays


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment, Backend(script) as backend:
        deployment.configure({"/": proxy(backend.port), "/dir/": dir_()})
        with Server(deployment, workers=1) as server:
            server.backend = backend
            yield server


def answering(data, stays=True):
    path = b"/answer%d" % len(ANSWERS)
    ANSWERS[path] = (data, stays)
    return path.decode()


# Goal: an answer that two readers could take apart differently is 502, its connection is closed,
# and no byte of it becomes part of the answer to the next request.
@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nanything",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n",
])
def test_answers_that_smuggle(site, data):
    path = answering(data)
    with site.client() as client:
        assert client.request(path=path).status == 502
        assert client.request(path="/next").body == b"ok"
        assert client.request(path="/dir/").status == 200
    site.says(f"502: backend 127.0.0.1:{site.backend.port}: ")


# Goal: what stands behind an answer is never the answer to another request (response splitting).
def test_second_answer_is_dropped(site):
    path = answering(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    with site.client() as client:
        for _ in range(3):
            assert client.request(path=path).body == b"ok"
            assert client.request(path="/next").body == b"ok"


# Goal: a number of interim answers is passed on, an endless row of them is not.
def test_interim_flood(site):
    few = answering(b"HTTP/1.1 103 Early Hints\r\nConnection: x\r\nX: 1\r\nA: 2\r\n\r\n" * 16 + OK)
    many = answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 17 + OK)
    with site.client() as client:
        assert client.request(path=few).interim == [103] * 16
        assert client.request(path=many).status == 502


# Goal: Via in each request, behind the one that was there; none with proxy.via=0.
def test_via(site):
    with site.client() as client:
        body = client.request(path="/head-back", headers={"Via": "1.0 other"}).body
        assert body.index(b"Via: 1.0 other\r\n") < body.index(b"Via: 1.1 mongrel2\r\n")
    with Deployment() as deployment:
        deployment.configure({"/": proxy(site.backend.port)}, settings={"proxy.via": 0})
        with Server(deployment, workers=1) as server:
            assert b"Via" not in server.get("/head-back").body


# Goal: OPTIONS counts hops, the last one answers; TRACE goes nowhere and shows nothing.
def test_max_forwards(site):
    with site.client() as client:
        body = client.request("OPTIONS", "/head-back", headers={"Max-Forwards": "3"}).body
        assert b"Max-Forwards: 2\r\n" in body
        seen = len(site.backend.heads)
        answer = client.request("OPTIONS", "/head-back", headers={"Max-Forwards": "0"})
        assert answer.status == 200 and "GET" in answer.headers["allow"]
    with site.client() as client:
        answer = client.request("TRACE", "/head-back",
                                headers={"Max-Forwards": "0", "Cookie": "secret"})
        assert answer.status == 501 and b"secret" not in answer.body
    assert len(site.backend.heads) == seen


# Goal: trailers pass both ways, but for those that must not.
def test_request_trailers(site):
    with site.client() as client:
        client.send("POST /all-back HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3;ext=1\r\nabc\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n")
        assert client.answer().body == b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
        client.send("POST /all-back HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                    "Connection: X-Sum\r\n\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert client.answer().body == b"0\r\n\r\n"


def test_answer_trailers(site):
    body = b"\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    kept = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + body)
    named = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-sum\r\n"
                      + body)
    with site.client() as client:
        client.send_request(path=kept).take_until(b"\r\n\r\n")
        assert client.take(len(body) - 2) == body[2:]
        client.send_request(path=named).take_until(b"\r\n\r\n")
        assert client.take(15) == b"5\r\nhello\r\n0\r\n\r\n"
        assert client.request(path="/next").body == b"ok"


# Goal: Expect: 100-continue reaches the backend, and its word reaches the client: 100, or a final
# answer instead of the body; a backend that says nothing does not keep the client waiting, and one
# that is late comes second.
def test_expect(deployment):
    silent = threading.Event()

    def asked(exchange, head):
        assert b"\r\nExpect: 100-continue\r\n" in head
        if head.startswith(b"POST /no"):
            exchange.send(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
            return False
        if head.startswith(b"POST /yes"):
            exchange.send(b"HTTP/1.1 100 Continue\r\nX-Backend: 1\r\n\r\n")
        else:
            silent.set()
        return Backend.hello(exchange, head)
    with Backend(asked) as backend:
        deployment.configure({"/": proxy(backend.port)})
        with Server(deployment, workers=1) as server:
            expect = {"Expect": "100-continue", "Content-Length": "4"}
            with server.client() as client:
                client.send_request("POST", "/yes", headers=expect)
                word = client.take_until(b"\r\n\r\n")
                if word == b"HTTP/1.1 100 Continue":  # ours, after a second
                    word = client.take_until(b"\r\n\r\n")
                assert b"X-Backend: 1" in word
                client.send("body")
                answer = client.answer()
                assert answer.body == b"/yes body" and answer.interim == []
                client.send_request("POST", "/silent", headers=expect)
                assert client.take_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
                wait_until(silent.is_set, "the backend to be asked")
                client.send("body")
                assert client.answer().body == b"/silent body"
                client.send_request("POST", "/no", headers=expect)
                answer = client.answer()
                assert (answer.status, answer.headers["connection"]) == (403, "close")
                assert client.is_closed()


# Goal: what browsers leave raw reaches the backend as it came.
def test_raw_target(site):
    target = "/head-back/a[1]|^?ids[]=1&f=A|B^{`\\}"
    ANSWERS[target.encode()] = (OK, True)
    assert site.get(target).body == b"ok"
    assert site.backend.heads[-1].startswith(f"GET {target} HTTP/1.1\r\n".encode())


# Goal: a target with a fragment is refused: without it another thing might be changed than was
# meant. Method: the backend hears of no such request.
def test_fragment(site):
    seen = len(site.backend.heads)
    for target in ("/coll/#frag", "/coll#", "/coll?a#b", "http://localhost/coll#f"):
        with site.client() as client:
            assert client.request("DELETE", target).status == 400
            assert client.is_closed()
    assert len(site.backend.heads) == seen
    site.says("400: a fragment in the target")


# Goal: a proxy that leads to itself ends with a refusal, not with all connections in use.
def test_loop_ends(deployment):
    deployment.configure({"/": proxy(deployment.port)}, settings={"limits.buffer_size": 1024})
    with Server(deployment, workers=1) as server:
        assert server.get("/loop").status == 431
        wait_until(lambda: server.get("/loop").status == 431, "the same again")


# Goal: a backend that resets, half closes early, or answers before it has read, each has its clear
# end; the reason stands in the log.
@pytest.mark.parametrize("how, status", [("reset", 502), ("half close", 502), ("early", 413),
                                         ("half close behind the answer", 200)])
def test_ends(deployment, how, status):
    def end(exchange, _):
        if how == "reset":
            exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "half close":
            exchange.socket.shutdown(socket.SHUT_WR)
            exchange.socket.recv(1)
        elif how == "early":
            exchange.send(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
        else:
            exchange.send(b"HTTP/1.1 200 OK\r\n\r\nto the end")
            exchange.socket.shutdown(socket.SHUT_WR)
            exchange.socket.recv(1)
        return False
    with Backend(end) as backend:
        deployment.configure({"/": proxy(backend.port)})
        with Server(deployment, workers=1) as server, server.client() as client:
            body = "x" * 1000 if how == "early" else ""
            client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{body}"
                        if how == "early" else "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = client.answer()
            assert answer.status == status
            if status == 502:
                server.says(f"502: backend 127.0.0.1:{backend.port}: ")
            else:
                assert client.is_closed()


# Goal: a fast uploader and a backend that reads nothing: the client is slowed down, memory stays.
def test_slow_backend_of_a_fast_uploader(deployment):
    go_on = threading.Event()
    size = 20 << 20

    def slow(exchange, head):
        if head.startswith(b"GET"):
            return Backend.hello(exchange, head)
        go_on.wait(60)
        total = 0
        while total < size:
            total += len(exchange.read(min(1 << 16, size - total)))
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return False

    def memory(server):
        with open(f"/proc/{server.workers()[0]}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096
    with Backend(slow) as backend:
        deployment.configure({"/": proxy(backend.port)})
        with Server(deployment, workers=1) as server:
            server.get("/warm")
            before = memory(server)
            with server.client() as client:
                client.send(f"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
                sent = 0
                client.socket.settimeout(0.5)
                try:
                    while sent < size:
                        sent += client.socket.send(b"x" * (1 << 16))
                except TimeoutError:
                    pass
                assert sent < size, "nobody slowed the client down"
                assert memory(server) - before < 8 << 20
                assert server.get("/other").body == b"/other "
                go_on.set()
                client.socket.settimeout(60)
                client.send(b"x" * (size - sent))
                assert client.answer().body == b"ok"


# Goal: clients of HTTP/1.0 get what they can read, and keep their connection if they ask for it.
def test_http10_client(site):
    with site.client() as client:
        for _ in range(2):
            client.send("GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = client.answer()
            assert (answer.body, answer.headers["connection"]) == (b"ok", "keep-alive")
    chunked = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"3\r\nabc\r\n0\r\nX: 1\r\n\r\n")
    with site.client() as client:
        client.send(f"GET {chunked} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = client.answer()
        assert "transfer-encoding" not in answer.headers and answer.body == b"abc"


# Goal: a backend that speaks HTTP/1.0 does not end the client's connection.
def test_http10_backend(site):
    path = answering(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", stays=False)
    with site.client() as client:
        for _ in range(3):
            answer = client.request(path=path)
            assert answer.head.startswith(b"HTTP/1.1 200") and answer.body == b"ok"


# Goal: half-closed clients get their answer.
def test_half_closed_client(site):
    with Client(site.deployment.port) as client:
        client.send_request(path="/plain").half_close()
        assert client.answer().body == b"ok"


# Goal: a port where nobody listens: the names of backend and cause are in the log.
def test_reason_in_the_log(deployment):
    port = free_port()
    deployment.configure({"/": proxy(port)})
    with Server(deployment, workers=1) as server:
        assert server.get().status == 502
        server.says(f"502: backend 127.0.0.1:{port}: Connection refused")
