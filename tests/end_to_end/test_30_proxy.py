"""Proxy: requests and answers pass through it, streamed both ways, on connections that stay."""

import hashlib
import threading

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import Deployment, dir_, proxy
from lib.server import Server
from lib.waiting import wait_until


def length(body, *fields, status=b"200 OK"):
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), lines, body)


# What the site behind the proxy does, by path.
def script(exchange, head):
    method, target, _ = head.split(b" ", 2)
    path = target.split(b"?")[0]
    if path == b"/upload":
        digest, size = hashlib.sha256(), 0
        left = int(dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                   [b"content-length"])
        while size < left:
            piece = exchange.read(min(65536, left - size))
            digest.update(piece)
            size += len(piece)
        exchange.send(length(digest.hexdigest().encode()))
        return True
    body = exchange.read_body(head)
    if path == b"/echo":
        exchange.send(length(body))
    elif path == b"/head-back":
        exchange.send(length(head))
    elif path == b"/chunked":
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Odd:  kept  \r\n\r\n")
        for piece in (b"5\r\nhello\r\n", b"1;ext=1\r\n \r\n", b"5\r\nworld\r\n", b"0\r\n\r\n"):
            exchange.send(piece)
    elif path == b"/until-close":
        exchange.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/x\r\n\r\nuntil the end")
        return False
    elif path == b"/close":
        exchange.send(length(b"bye", b"Connection: close"))
        return False
    elif path == b"/204":
        exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif path == b"/304":
        exchange.send(b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n")
    elif path == b"/404":
        exchange.send(length(b"not here", b"X-Own: 1", status=b"404 Nowhere To Be Found"))
    elif path == b"/interim":
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + length(b"final"))
    elif path == b"/big":
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (20 << 20))
        for _ in range(20):
            exchange.send(b"x" * (1 << 20))
    elif method == b"HEAD":
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    elif path == b"/bytewise":
        for byte in length(b"slowly"):
            exchange.send(bytes([byte]))
    else:
        exchange.send(length(path))
    return True


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment, Backend(script) as backend:
        deployment.configure({"/": proxy(backend.port), "/dir/": dir_()},
                             settings={"proxy.idle_ms": 15000})
        server = Server(deployment, workers=1)
        server.backend = backend
        yield server


# Goal: a request reaches the backend with its line and fields as they were, and the answer comes
# back unaltered. Method: the backend sends the head back.
def test_transparent(site):
    with site.client() as client:
        body = client.request(path="/head-back?a=%20b&c", headers={
            "X-Mixed-Case": "Value  with  blanks", "Cookie": "a=b"}).body
        lines = body.split(b"\r\n")
        assert lines[0] == b"GET /head-back?a=%20b&c HTTP/1.1"
        assert b"X-Mixed-Case: Value  with  blanks" in lines and b"Cookie: a=b" in lines
        assert b"Host: localhost" in lines
        answer = client.request(path="/404")
        head, date = answer.head.split(b"\r\nDate: ")  # which each answer must have
        assert head == b"HTTP/1.1 404 Nowhere To Be Found\r\nContent-Length: 8\r\nX-Own: 1"
        assert date.endswith(b" GMT")
        assert answer.body == b"not here"


# Goal: every framing of an answer, on one client connection where that can stay.
@pytest.mark.parametrize("path, status, body, stays", [
    ("/plain", 200, b"/plain", True), ("/chunked", 200, b"hello world", True),
    ("/until-close", 200, b"until the end", False), ("/204", 204, b"", True),
    ("/304", 304, b"", True), ("/404", 404, b"not here", True), ("/interim", 200, b"final", True),
    ("/bytewise", 200, b"slowly", True),
])
def test_framings(site, path, status, body, stays):
    with site.client() as client:
        for _ in range(2 if stays else 1):
            answer = client.request(path=path)
            assert (answer.status, answer.body) == (status, body)
        if stays:
            assert client.is_quiet()
        else:
            assert client.is_closed()


# Goal: HEAD through a proxy does not wait for a body, and the connection goes on.
def test_head(site):
    with site.client() as client:
        for _ in range(3):
            answer = client.request("HEAD", "/some")
            assert answer.headers["content-length"] == "1234"
            assert client.request(path="/after").body == b"/after"


# Goal: bodies by length and chunked arrive at the backend, empty ones too.
def test_bodies(site):
    with site.client() as client:
        for body in (b"", b"x", b"y" * 100_000, bytes(range(256))):
            assert client.request("POST", "/echo", body=body).body == body
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\nhello\r\n6\r\n there\r\n0\r\n\r\n")
        assert client.answer().body == b"hello there"
        for byte in b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
            client.send(bytes([byte]))
        assert client.answer().body == b"abc"


# Goal: keep-alive towards the backend: many requests, few connections. Method: count its accepts.
def test_reuse(site):
    before = site.backend.accepted
    with site.client() as client:
        for number in range(50):
            assert client.request(path=f"/{number}").body == f"/{number}".encode()
    with site.client() as client:
        for number in range(50):
            assert client.request("POST", "/echo", body=b"x").body == b"x"
    assert site.backend.accepted - before <= 2


# Goal: a backend that closes after an answer costs its own connection, not a request and not the
# client's connection.
def test_backend_closes(site):
    with site.client() as client:
        for _ in range(5):
            answer = client.request(path="/close")
            assert answer.body == b"bye" and "connection" not in answer.headers
            assert client.request(path="/plain").body == b"/plain"


# Goal: a large upload is streamed, not gathered: above limits.content_length, and right to the
# byte.
def test_large_upload(site):
    content = hashlib.sha256(b"seed").digest() * (1 << 17)  # 4 MB
    with site.client() as client:
        for _ in range(2):
            answer = client.request("POST", "/upload", body=content)
            assert answer.body == hashlib.sha256(content).hexdigest().encode()


# Goal: a large answer to a slow reader: whole, and the server does not take it all into memory.
def test_large_answer_slow_reader(site):
    def memory():
        with open(f"/proc/{site.workers()[0]}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096
    before = memory()
    with Client(site.deployment.port, receive_buffer=4096) as client:
        client.send_request(path="/big")
        client.take_until(b"\r\n\r\n")
        total = len(client.received)
        client.received = b""
        for _ in range(50):
            assert site.get("/plain").status == 200
        assert memory() - before < 8 << 20
        while total < 20 << 20 and (data := client.socket.recv(1 << 20)):
            total += len(data)
        assert total == 20 << 20
        assert client.request(path="/plain").body == b"/plain"


# Goal: one connection visits Proxy and Dir in turn.
def test_targets_in_turn(site):
    with site.client() as client:
        for _ in range(5):
            assert client.request(path="/dir/").body == b"<h1>hello</h1>\n"
            assert client.request(path="/plain").body == b"/plain"


# Goal: 1.0 clients and "Connection: close" clients are closed behind the answer.
def test_old_clients(site):
    with site.client() as client:
        client.send("GET /plain HTTP/1.0\r\n\r\n")
        assert client.answer().body == b"/plain"
        assert client.is_closed()
    with site.client() as client:
        assert client.request(path="/plain", headers={"Connection": "close"}).body == b"/plain"
        assert client.is_closed()


# Goal: a chunked answer to a 1.0 client is nothing it could read: it gets the body without chunks,
# or with the end of the connection as its end; never a hang.
def test_chunked_to_http10(site):
    with site.client() as client:
        client.send("GET /chunked HTTP/1.0\r\nHost: a\r\n\r\n")
        data = client.take_all()
        assert b"hello" in data and b"world" in data


# Goal: hop-by-hop fields of the client stay with us (RFC 9110, 7.6.1), and what a client smuggles
# into Connection does not remove the framing.
def test_hop_by_hop(site):
    with site.client() as client:
        body = client.request(path="/head-back", headers={
            "Connection": "X-Private, keep-alive", "X-Private": "1", "Keep-Alive": "timeout=9",
            "TE": "trailers"}).body.lower()
        assert b"x-private" not in body and b"keep-alive: timeout" not in body


# Goal: a request in flight during which the client leaves does not disturb the next one.
def test_client_leaves(site):
    for _ in range(5):
        client = site.client().send_request(path="/big")
        client.take_until(b"\r\n\r\n")
        client.close()
    with site.client() as client:
        assert client.request(path="/plain").body == b"/plain"
    wait_until(lambda: len(site.backend.open) < 5, "connections to the backend to be given up")


# Goal: many clients at once, each gets its own answer.
def test_concurrent(site):
    faults = []

    def ask(name):
        try:
            with site.client() as client:
                for number in range(20):
                    path = f"/{name}-{number}"
                    assert client.request(path=path).body == path.encode()
        except Exception as fault:
            faults.append(fault)
    threads = [threading.Thread(target=ask, args=(name,)) for name in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
