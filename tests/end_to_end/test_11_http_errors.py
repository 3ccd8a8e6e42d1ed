"""What is refused, with which answer, and that nothing of it costs another client anything."""

import socket

import pytest

from lib.deployment import Deployment, dir_, handler
from lib.handler import Answering, http
from lib.server import Server, standing_still
from lib.waiting import wait_until

HOST = b"Host: localhost\r\n"


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/h": handler()}, settings={
            "limits.content_length": 1000, "limits.url_path": 256, "limits.buffer_size": 4096,
            "limits.header_count": 50})
        server = Server(deployment, workers=workers)
        with Answering(deployment, lambda request: http(b"got " + request.body)):
            yield server


BAD = {
    "no version": (b"GET /\r\n\r\n", 400),
    "no spaces": (b"GET\r\n\r\n", 400),
    "garbage": (b"\x00\x01\x02\x03 \xff\xfe\r\n\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "lower-case version": (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    "bad method": (b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "folded line": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400),
    "no colon": (b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n", 400),
    "empty name": (b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n", 400),
    "NUL in value": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n", 400),
    "bare CR": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n", 400),
    "NUL in path": (b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "high byte in path": (b"GET /\xe9 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "length and chunked": (b"POST /h HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (b"POST /h HTTP/1.1\r\n" + HOST +
                    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    "signed length": (b"POST /h HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nhello", 400),
    "negative length": (b"POST /h HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
    "hex length": (b"POST /h HTTP/1.1\r\n" + HOST + b"Content-Length: 0x5\r\n\r\nhello", 400),
    "length too large": (
        b"POST /h HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999999\r\n\r\n",
        400,
    ),
    "bad chunk size": (
        b"POST /h HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    "huge chunk size": (
        b"POST /h HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        400,
    ),
    "chunk without end": (
        b"POST /h HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        400,
    ),
    "chunked in 1.0": (
        b"POST /h HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "unknown coding": (
        b"POST /h HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "body too large": (b"POST /h HTTP/1.1\r\n" + HOST + b"Content-Length: 1001\r\n\r\n", 413),
    "path too long": (b"GET /" + b"x" * 300 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "head too large": (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 5000 + b"\r\n\r\n", 431),
    "too many headers": (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 60 + b"\r\n", 431),
    "version 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "version 3": (b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", 505),
}


# Goal: each kind of bad request gets its answer and the end of the connection, in one piece and
# byte by byte. Method: send, read one answer, expect the end.
@pytest.mark.parametrize("name", BAD)
def test_refused(site, name):
    data, status = BAD[name]
    with site.client() as client:
        answer = client.send(data).answer()
        assert answer.status == status, answer
        assert answer.headers["connection"] == "close"
        assert int(answer.headers["content-length"]) == len(answer.body)
        assert client.is_closed()
    if len(data) > 400:
        return
    with site.client() as client:
        try:
            for byte in data:
                client.send(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before its end
        assert client.answer().status == status


# Goal: 400s leave the reason in the log. Method: a server that has refused nothing else.
def test_reason_in_log(deployment):
    deployment.configure()
    with Server(deployment, workers=1) as server:
        with server.client() as client:
            assert client.send(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n").answer().status == 400
        server.says("bad request from 127.0.0.1 at byte ")


# Goal: 404 and 405 have their form; 405 says what is allowed.
def test_404_405(site):
    with site.client() as client:
        answer = client.request(path="/nothing")
        assert (answer.status, answer.reason, answer.body) == (404, "Not Found", b"Not Found")
        answer = client.request("DELETE", "/")
        assert answer.status == 405 and answer.body == b"Method Not Allowed"
        assert {word.strip() for word in answer.headers["allow"].split(",")} == {"GET", "HEAD"}


# Goal: HEAD never gets a body, errors included.
@pytest.mark.parametrize("path, status", [("/", 200), ("/nothing", 404)])
def test_head(site, path, status):
    with site.client() as client:
        for _ in range(2):
            assert client.request("HEAD", path).status == status
        assert client.request().status == 200


# Goal: the most a request may be still passes: path, head and header count at their limits.
def test_at_the_limits(site):
    with site.client() as client:
        assert client.request(path="/" + "x" * 255).status == 404
        rest = 4096 - len(b"GET / HTTP/1.1\r\n" + HOST + b"X: \r\n\r\n")
        assert client.request(headers={"X": "x" * rest}).status == 200
        assert client.request(headers={f"X{i}": "y" for i in range(49)}).status == 200


# Goal: without any setting, what browsers and forms of today send is served: a path and a query of
# 8,000 bytes, cookies of 15 KB, a body of 1 MB in one message; one byte more is refused, and the
# log names limit and client, and the route where one was found.
def test_defaults(deployment, workers):
    deployment.configure({"/": dir_(), "/form": handler()})
    with Server(deployment, workers=workers) as server, Answering(
            deployment, lambda request: http(str(len(request.body)))):
        with server.client() as client:
            assert client.request(path="/" + "x" * 7999).status == 404
            assert client.request(path="/?" + "x" * 7998).status == 200
            assert client.request(headers={"Cookie": "c=" + "x" * 15000}).status == 200
            assert client.request("POST", "/form", body=b"x" * (1 << 20)).body == b"1048576"
        body = b"x" * ((1 << 20) + 1)
        chunked = b"%x\r\n" % len(body) + body
        for request, status, line in [
                (b"GET /" + b"x" * 8192 + b" HTTP/1.1\r\n", 414,
                 "bad request from 127.0.0.1 at byte 4: path longer than limits.url_path"),
                (b"GET /?" + b"x" * 16384, 414,
                 "bad request from 127.0.0.1 at byte 16384: request line longer than limits.b"),
                (b"GET / HTTP/1.1\r\nX: " + b"x" * 16384, 431,
                 "bad request from 127.0.0.1 at byte 16384: header fields longer than limits."),
                (b"POST /form HTTP/1.1\r\n" + HOST + b"Content-Length: 1048577\r\n\r\n", 413,
                 "413: a body of 1048577 bytes is above limits.content_length=1048576 "
                 "(client 127.0.0.1, route /form)"),
                (b"POST /form HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" +
                 chunked, 413, "413: a chunked body is above limits.content_length=1048576 "
                 "(client 127.0.0.1, route /form)")]:
            with server.client() as client:
                assert client.send(request).answer().status == status
            server.says(line)


# Goal: a client that goes away in the middle of anything leaves the server as it was.
def test_half_requests(site):
    whole = b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    for length in range(0, len(whole), 3):
        with site.client() as client:
            client.send(whole[:length])
        with site.client() as client:  # with a reset
            client.send(whole[:length])
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert site.get("/h").body == b"got "
    with site.client() as client:
        client.send(whole[:-1]).half_close()
        assert client.is_closed()


# Goal: slow clients get 408 when a limit of time has passed, others are served meanwhile. Method:
# workers stand still until all has been sent, so that only the server's clock counts.
def test_408(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={
        "limits.head_ms": 300, "limits.body_ms": 300, "limits.idle_ms": 300})
    with Server(deployment, workers=workers) as server:
        with standing_still(server.workers()):
            head, body, other = server.client(), server.client(), server.client()
            head.send(b"GET / HT")
            body.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
            other.send_request()
        assert other.answer().status == 200
        for client in (head, body):
            answer = client.answer()
            assert answer.status == 408 and answer.headers["connection"] == "close"
            assert client.is_closed()
        assert other.is_closed()
        with standing_still(server.workers()):
            silent, idle = server.client(), server.client()
            idle.send_request()
        assert idle.answer().status == 200
        assert silent.is_closed() and idle.is_closed()


# Goal: a client that does not read what it is owed is cut off after limits.write_ms.
def test_unread_answer(deployment):
    deployment.write("www/large", b"x" * (32 << 20))
    deployment.configure(settings={"limits.write_ms": 500}, error_log_level=3)
    with Server(deployment, workers=1) as server:
        with server.client() as client:
            client.send_request(path="/large")
            wait_until(lambda: "took nothing" in server.log(), "the end of the slow client")
            received = 0
            try:
                while data := client.socket.recv(1 << 20):
                    received += len(data)
            except ConnectionResetError:
                pass
            assert received < 32 << 20


# Goal: beyond limits.connections a client gets 503 at once, and service when another has left.
def test_connection_limit(deployment):
    deployment.configure(settings={"limits.connections": 5})
    with Server(deployment, workers=1) as server:
        clients = [server.client() for _ in range(5)]
        for client in clients:
            assert client.request().status == 200
        with server.client() as refused:
            assert refused.answer().status == 503
            assert refused.is_closed()
        clients.pop().close()
        wait_until(lambda: server.get().status == 200, "service again")
