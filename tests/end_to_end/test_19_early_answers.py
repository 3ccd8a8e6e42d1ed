"""Answers that are given before the request is read whole, and bytes behind a request that are none
of the next: whoever is to be closed is told so, whoever is not is served."""

import shutil
import socket

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import Deployment, dir_, handler, proxy
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four

SIZE = 5000  # of a body; above limits.content_length it is an upload
LARGE = 50_000


@pytest.fixture(scope="module")
def site(workers):
    def script(exchange, head):
        if b"/silent" in head:
            exchange.read_body(head)
            exchange.read_head()  # b"": the proxy has lost its patience
            return False
        if b"/early" in head:
            exchange.send(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")
            return False
        if b"/bad" in head:
            exchange.send(b"nonsense\r\n\r\n")
            return False
        try:
            return Backend.hello(exchange, head)
        except AssertionError:  # the rest of the body does not come any more
            return False

    with Deployment() as deployment, Backend(script) as backend, socket.socket() as full:
        full.bind(("127.0.0.1", 0))  # and never listens
        deployment.write("uploads/x", "")
        deployment.give_away()
        deployment.configure(
            {"/files": dir_(), "/h": handler(), "/p": proxy(backend.port),
             "/refused": proxy(full.getsockname()[1]), "/queue": handler("none")},
            settings={"limits.content_length": 20000, "proxy.answer_ms": 300,
                      "handler.wait_ms": 100, "upload.temp_store": "uploads/body.XXXXXX"})
        server = Server(deployment, workers=workers)
        shutil.rmtree(deployment.path("uploads"))
        with Answering(deployment):
            wait_until(lambda: server.answers("/h"), "the handler")
            yield deployment, server


CASES = [("/none", 404, SIZE), ("/files/index.html", 405, SIZE), ("/refused", 502, SIZE),
         ("/p/bad", 502, SIZE), ("/p/early", 401, SIZE), ("/p/silent", 504, SIZE),
         ("/p/hello", 200, SIZE), ("/h", 500, LARGE), ("/queue", 503, SIZE), ("/h", 200, SIZE)]
WHOLE = ["all at once", "head and body"]
PARTS = ["half of the body", *WHOLE, "head alone"]


def is_early(path, status, chunked):
    """Whether the answer can come before the whole body is there."""
    return path not in ("/h", "/p/hello", "/p/silent", "/queue") or (status == 500 and not chunked)


WAYS = [pytest.param(*case, chunked, parts, id="-".join(
            [case[0][1:].replace("/", "-"), str(case[1]), "chunked" if chunked else "length",
             parts]))
        for case in CASES for chunked in (False, True)
        for parts in (PARTS if is_early(case[0], case[1], chunked) else WHOLE)]


# Goal: an answer says that it is the last if and only if the connection ends behind it (RFC 9112
# 9.6): otherwise the client's next request, which may be on its way, is answered. Method: answers
# of every target, before, within and behind bodies of both framings.
@pytest.mark.parametrize("path, status, size, chunked, parts", WAYS)
def test_last_or_not(site, path, status, size, chunked, parts):
    deployment, _ = site
    field = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n".encode()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size) if chunked else b"x" * size
    with Client(deployment.port) as client:
        if parts == "all at once":
            client.send(head + body)
        else:
            client.send(head)
            part = {"half of the body": body[:size // 2], "head alone": b""}.get(parts, body)
            with_suppressed_reset(client, part)
        answer = client.answer()
        assert answer.status == status
        if answer.headers.get("connection") == "close":
            assert client.more() is False
        else:
            assert not parts.startswith("half") and parts != "head alone"
            assert client.request("GET", "/files/index.html").body == b"<h1>hello</h1>\n"


def with_suppressed_reset(client, data):
    try:
        client.send(data)
    except ConnectionResetError:  # answered and closed: the answer is here
        pass


@pytest.fixture(scope="module", params=[0, 1], ids=["one", "pipelining"])
def plain(request, workers):
    with Deployment() as deployment, Backend() as backend:
        deployment.configure(
            {"/": dir_(), "/h": handler(), "/p": proxy(backend.port)},
            settings={"pipelining": request.param, "limits.head_ms": 600, "limits.idle_ms": 1500,
                      "limits.content_length": 20000})
        with Server(deployment, workers=workers) as server, Answering(
                deployment, lambda request: http(request.body)):
            wait_until(lambda: server.answers("/h"), "the handler")
            yield server


LENGTH = b" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


# Goal: line ends behind a body, which old clients send, are no request (RFC 9112 2.2): the
# connection goes on, whenever they come and in whatever pieces.
@pytest.mark.parametrize("rest", [LENGTH, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("path", [b"/h", b"/p"])
@pytest.mark.parametrize("pieces", [[b"\r\n"], [b"\r\n\r\n"], [b"", b"\r\n"], [b"", b"\r", b"\n"],
                                    [b"\r", b"\n"], [b"\r\n", b"\r", b"\n"]], ids=repr)
def test_line_ends_behind_a_body(plain, pieces, path, rest):
    with plain.client() as client:
        for _ in range(3):
            client.send(b"POST " + path + rest + pieces[0])
            for piece in pieces[1:]:
                client.send(piece)
            answer = client.answer()
            assert answer.status == 200 and "connection" not in answer.headers
        assert client.request("GET", "/").status == 200


# Goal: nor do they begin one whose rest is awaited: who says no more is idle, and closed as such,
# without a 408.
def test_idle_behind_line_ends(plain):
    with plain.client() as client:
        assert client.send(b"POST /h" + LENGTH + b"\r\n").answer().status == 200
        client.send(b"\r\n")
        assert client.is_closed()


# Goal: the line ends do not hide a client that leaves a long poll.
def test_leaving_behind_line_ends(deployment):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        client = server.client().send(b"POST /h" + LENGTH + b"\r\n")
        asked = on.recv_request()
        client.send(b"\r\n")
        client.close()
        notice = on.recv()
        assert notice.is_disconnect() and notice.id == asked.id


# Goal: an upload that its handler kills is not read on for long, however fast its client sends.
def test_killed_upload_is_not_read(deployment):
    deployment.configure({"/h": handler()}, settings={
        "upload.temp_store": "tmp/body.XXXXXX", "upload.max_bytes": 1 << 40})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        with server.client() as client:
            client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n")
            on.send(on.recv_request().id, b"")
            sent = 0
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                while sent < 400 << 20:
                    sent += client.socket.send(b"x" * (1 << 20))
            assert sent < 64 << 20
        assert not server.log().count("died")
