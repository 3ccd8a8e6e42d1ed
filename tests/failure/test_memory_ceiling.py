"""The most that a client can make a worker remember, whatever it is in the middle of
(docs/sizing.md)."""

import resource
import threading

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import dir_, handler, proxy
from lib.handler import Handler
from lib.server import Server
from lib.waiting import wait_until
from lib.websocket import BINARY, frame
from lib.websocket_site import WebSocketSite

CLIENTS = 40
KB = 1024
MUCH = b"x" * (8 << 20)  # more than the kernel takes on the way
SETTINGS = {"limits.buffer_size": 64 * KB, "limits.content_length": 256 * KB,
            "websocket.message_bytes": 256 * KB, "handler.output_bytes": 256 * KB,
            "limits.head_ms": 600000, "limits.body_ms": 600000, "limits.write_ms": 600000}


@pytest.fixture
def site(deployment):
    end = threading.Event()

    def stands_still(exchange, head):
        """A backend that answers with much, and takes nothing of a body."""
        if head.startswith(b"GET"):
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(MUCH))
            exchange.send(MUCH)
        end.wait()
        return False

    with Backend(stands_still) as backend:
        deployment.configure({
            "/": dir_(), "/h": handler(), "/proxy": proxy(backend.port),
            "/ws": handler("ws", websocket="messages", slow_clients="drop_newest",
                           replies="pull")}, settings=SETTINGS)
        with Server(deployment, workers=1) as server, \
                Handler(deployment, "ws", replies="pull") as on:
            assert server.get("/").status == 200
            yield WebSocketSite(deployment, server, on)
        end.set()


class Slow:
    """Clients that take nothing, or never come to an end. begin() is once for each, more() again
    and again. In KB for each: the worker comes to hold least, and by the page no more than most."""

    def __init__(self, site):
        self.site = site

    def open(self):
        return Client(self.site.deployment.port, receive_buffer=4096)

    def begin(self, client):
        """The first thing that it does."""

    def more(self, client):
        """Whatever it does besides."""


class Heads(Slow):
    least, most = 60, 64

    def begin(self, client):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (63 * KB))


class Bodies(Slow):
    least, most = 250, 256

    def begin(self, client):
        client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (256 * KB))
        client.send(b"x" * (256 * KB - 1))


class ChunkedBodies(Slow):
    least, most = 250, 256

    def begin(self, client):
        client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"400\r\n%s\r\n" % (b"x" * KB) * 255)


class Messages(Slow):
    least, most = 250, 256

    def open(self):
        return self.site.client()

    def begin(self, client):
        client.send_frame(b"", opcode=BINARY, fin=False)
        piece = frame(b"x" * KB, opcode=0, fin=False)
        client.send(piece * 255)


class Owed(Slow):
    least, most = 256, 256 + 64

    def open(self):
        return self.site.client()

    def more(self, client):
        self.site.on.send(client.id, client.id.encode() + b"x" * (64 * KB))


class Downloads(Slow):
    least, most = 256, 384

    def begin(self, client):
        client.send_request(path="/proxy")


class Uploads(Slow):
    least, most = 64, 128

    def begin(self, client):
        client.send(b"POST /proxy HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(MUCH))
        client.socket.setblocking(False)

    def more(self, client):
        try:
            client.socket.send(MUCH)
        except BlockingIOError:
            pass


# Goal: no client makes a worker hold more than docs/sizing.md says, however long it goes on.
# Method: many that do the same, until the worker holds what it may; then they go on, and others
# are served.
@pytest.mark.parametrize("kind", [Heads, Bodies, ChunkedBodies, Messages, Owed, Downloads, Uploads])
def test_ceiling(site, kind):
    pid = site.server.workers()[0]
    slow = kind(site)
    clients = [slow.open() for _ in range(CLIENTS)]
    before = memory(pid)
    for client in clients:
        slow.begin(client)

    def held():
        for client in clients:
            slow.more(client)
        return (memory(pid) - before) / CLIENTS / KB
    wait_until(lambda: held() >= kind.least, "the worker to hold what it may")
    for _ in range(20):
        assert site.server.get("/").status == 200
        assert held() <= 2 * kind.most  # with what the allocator holds back
    for client in clients:
        client.close()


def memory(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
