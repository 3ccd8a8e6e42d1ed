"""The access log: one line for every answer, in the form of Mongrel2 1.x."""

import time

import pytest

from lib.backend import Backend
from lib.deployment import Deployment, dir_, handler, proxy
from lib.handler import Answering, http
from lib.server import Server
from lib.waiting import wait_until


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment, Backend() as backend:
        deployment.write("www/a.txt", "0123456789")
        deployment.configure(hosts={
            "main": {"/": dir_(), "/h": handler(), "/p": proxy(backend.port)},
            "other.host": {"/": dir_()}}, settings={"limits.content_length": 100})
        server = Server(deployment, workers=workers)
        with Answering(deployment, lambda request: http("handled", status="201 Created")):
            yield server


def line_of(site, action):
    before = len(site.access_log())
    action()
    lines = site.wait_access(before + 1)
    assert len(lines) == before + 1, lines[before:]
    return lines[-1]


@pytest.mark.parametrize("method, path, status, size", [
    ("GET", "/a.txt", 200, 10), ("HEAD", "/a.txt", 200, 0), ("GET", "/a.txt?q=1", 200, 10),
    ("GET", "/none", 404, 9), ("POST", "/a.txt", 405, 18), ("GET", "/h", 201, 7),
    ("GET", "/p", 200, 3), ("POST", "/h/x", 201, 7),
])
# Goal: host row, peer, port, time, method, path without query, version, status, bytes of the body.
def test_line(site, method, path, status, size):
    with site.client() as client:
        port = client.socket.getsockname()[1]
        host, peer, peer_port, when, *rest = line_of(site, lambda: client.request(method, path))
    assert (host, peer, peer_port) == (b"main", b"127.0.0.1", port)
    assert abs(when - time.time()) < 60
    assert rest == [method.encode(), path.split("?")[0].encode(), b"HTTP/1.1", status, size]


# Goal: the name of the host row stands there, and 1.0 as version.
def test_host_and_version(site):
    def ask():
        with site.client() as client:
            client.send("GET / HTTP/1.0\r\nHost: WWW.other.host:81\r\n\r\n").answer()
    line = line_of(site, ask)
    assert line[0] == b"other.host" and line[6] == b"HTTP/1.0"


@pytest.mark.parametrize("data, status", [
    (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/9.0\r\n\r\n", 505),
    (b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413),
    (b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: rot13\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
    (b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
])
# Goal: refused requests have their line too.
def test_refusals(site, data, status):
    def ask():
        with site.client() as client:
            client.send(data).answer()
    assert line_of(site, ask)[7] == status


# Goal: several requests of one connection have one line each, in order.
def test_order(site):
    before = len(site.access_log())
    with site.client() as client:
        for number in range(20):
            client.request(path=f"/h/{number}")
    lines = site.wait_access(before + 20)[before:]
    assert [line[5] for line in lines] == [f"/h/{number}".encode() for number in range(20)]


# Goal: a request whose client leaves before the answer has its line.
def test_client_that_left(site):
    def ask():
        with site.client() as client:
            client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhalf")
    ask()  # never complete: it may or may not be worth a line, but it must not disturb the next
    assert line_of(site, lambda: site.get("/a.txt"))[7] in (200, 0)


# Goal: disable.access_logging=1 writes nothing; a flush time gathers lines and then writes them.
def test_settings(deployment):
    deployment.configure(settings={"disable.access_logging": 1})
    with Server(deployment, workers=1) as server:
        assert server.get().status == 200
        assert server.stop() == 0
        assert server.access_log() == []
    deployment.configure(settings={"access_log.flush_ms": 60000})
    with Server(deployment, workers=1) as server:
        for _ in range(10):
            assert server.get().status == 200
        assert server.stop() == 0  # the end writes what was gathered
        assert len(server.access_log()) == 10


# Goal: the log holds thousands of lines of concurrent workers, none torn.
def test_whole_lines(deployment):
    deployment.configure(settings={"access_log.flush_ms": 10})
    with Server(deployment, workers=2) as server:
        for _ in range(4):
            clients = [server.client() for _ in range(25)]
            for _ in range(10):
                for client in clients:
                    client.send_request(path="/" + "x" * 100)
                for client in clients:
                    client.answer()
            for client in clients:
                client.close()
        wait_until(lambda: len(server.access_log()) == 1000, "1,000 lines")
