"""HTTP/1.1 as clients speak it: keep-alive, bodies, pieces, pipelining, half-close."""

import pytest

from lib.client import Client
from lib.deployment import Deployment, dir_, handler
from lib.handler import Answering, http
from lib.server import Server


@pytest.fixture(scope="module")
def site(workers):
    """A server with a folder and a handler that answers with what it was told."""
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/h": handler()},
                             settings={"limits.content_length": 20000})
        server = Server(deployment, workers=workers)
        with Answering(deployment, lambda request: http(
                request.headers["METHOD"].encode() + b" " + request.body)):
            yield server


# Goal: a 1.1 connection stays open over targets of both kinds, and the answers are in order.
def test_keep_alive(site):
    with site.client() as client:
        for _ in range(20):
            assert client.request().body == b"<h1>hello</h1>\n"
            assert client.request("POST", "/h", body=b"x").body == b"POST x"
            assert client.request(path="/nothing").status == 404
            answer = client.request("HEAD", "/")
            assert answer.headers["content-length"] == "15"
        assert client.is_quiet()


# Goal: "Connection: close" is honoured, in any case and in a list, for every kind of target.
@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close", "close, TE"])
@pytest.mark.parametrize("path, status", [("/", 200), ("/h", 200), ("/nothing", 404)])
def test_close(site, value, path, status):
    with site.client() as client:
        answer = client.request(path=path, headers={"Connection": value})
        assert answer.status == status
        assert client.is_closed()


# Goal: HTTP/1.0 is answered and closed; with keep-alive it stays open and is told so.
@pytest.mark.parametrize("path", ["/", "/h", "/nothing"])
def test_http10(site, path):
    with site.client() as client:
        client.send(f"GET {path} HTTP/1.0\r\n\r\n")
        client.answer()
        assert client.is_closed()


def test_http10_keep_alive(site):
    with site.client() as client:
        for _ in range(3):
            client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = client.answer()
            assert answer.body == b"<h1>hello</h1>\n"
            assert answer.headers["connection"].lower() == "keep-alive"


# Goal: bodies by length and chunked reach the handler whole, in one piece on the wire and byte by
# byte; chunk extensions and trailers are accepted and leave no trace.
@pytest.mark.parametrize("request_bytes, body", [
    (b"Content-Length: 5\r\n\r\nhello", b"hello"),
    (b"Content-Length: 0\r\n\r\n", b""),
    (b"Content-Length: 3\r\n\r\n\x00\r\n", b"\x00\r\n"),
    (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
    (b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", b""),
    (b"Transfer-Encoding: chunked\r\n\r\nA;name=value\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n",
     b"0123456789"),
])
def test_bodies(site, request_bytes, body):
    whole = b"POST /h HTTP/1.1\r\nHost: localhost\r\n" + request_bytes
    with site.client() as client:
        assert client.send(whole).answer().body == b"POST " + body
        for byte in whole:
            client.send(bytes([byte]))
        assert client.answer().body == b"POST " + body
        assert client.request("GET", "/h").body == b"GET "


# Goal: a body up to the limit passes, in many pieces; one byte more does not.
def test_body_limit(site):
    with site.client() as client:
        for size in (1, 4096, 19999, 20000):
            body = bytes(range(256)) * 80
            answer = client.request("POST", "/h", body=body[:size])
            assert answer.body == b"POST " + body[:size]
    with site.client() as client:
        assert client.request("POST", "/h", body=b"x" * 20001).status == 413
        assert client.is_closed()
    with site.client() as client:
        client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(21):
            client.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        assert client.answer().status == 413
        assert client.is_closed()


# Goal: a request head in pieces of any size means the same.
@pytest.mark.parametrize("size", [1, 2, 3, 7, 16])
def test_head_in_pieces(site, size):
    head = b"GET /h?a=b HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"v" * 50 + b"\r\n\r\n"
    with site.client() as client:
        for at in range(0, len(head), size):
            client.send(head[at:at + size])
        assert client.answer().body == b"GET "


# Goal: a second request that arrives before the first is answered is not served: the answer to the
# first says "Connection: close" and the connection is closed behind it (the default).
@pytest.mark.parametrize("path, body", [("/", b"<h1>hello</h1>\n"), ("/h", b"GET ")])
def test_pipelined(site, path, body):
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with site.client() as client:
        answer = client.send(request * 2).answer()
        assert answer.body == body
        assert client.is_closed()


# Goal: a client that shuts down its sending side still gets the answer it is owed.
@pytest.mark.parametrize("path, body", [("/", b"<h1>hello</h1>\n"), ("/h", b"POST abc")])
def test_half_close(site, path, body):
    with site.client() as client:
        method = "GET" if path == "/" else "POST"
        client.send_request(method, path, body=b"abc" if path == "/h" else b"").half_close()
        assert client.answer().body == body
        assert client.is_closed()


# Goal: "Expect: 100-continue" gets its interim answer where a target wants the body, before the
# body is sent; another expectation is refused.
def test_expect(site):
    with site.client() as client:
        client.send("POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                    "Expect: 100-continue\r\n\r\n")
        assert client.take_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        assert client.send(b"ok").answer().body == b"POST ok"
    with site.client() as client:
        assert client.request(headers={"Expect": "a-miracle"}).status == 417


# Goal: absolute-form targets name path and host (RFC 9112, 3.2.2).
def test_absolute_form(site):
    with site.client() as client:
        assert client.request(path="http://localhost/").body == b"<h1>hello</h1>\n"
        assert client.request(path="http://localhost/h").body == b"GET "


# Goal: every answer of our own has a date and says who made it.
def test_own_fields(site):
    for path in ("/", "/nothing"):
        answer = site.get(path)
        assert answer.headers["date"].endswith(" GMT")
        assert answer.headers["server"].startswith("Mongrel2/")


# Goal: a hundred connections open at once are all served. Method: open all, then ask on each twice.
def test_many_connections(site):
    clients = [site.client() for _ in range(100)]
    try:
        for _ in range(2):
            for client in clients:
                client.send_request(path="/h")
            for client in clients:
                assert client.answer().body == b"GET "
    finally:
        for client in clients:
            client.close()


# Goal: methods a handler may want reach it.
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_methods(site, method):
    with site.client() as client:
        assert client.request(method, "/h", body=b"1").body == method.encode() + b" 1"


# Goal: IPv6 is an address to listen on like others, and the peer's address is told.
def test_ipv6(deployment):
    deployment.configure({"/": handler()}, bind_addr="::1")
    with Server(deployment, workers=1), Answering(
            deployment, lambda request: http(request.headers["REMOTE_ADDR"])):
        with Client(deployment.port, "::1") as client:
            assert client.request().body == b"::1"
