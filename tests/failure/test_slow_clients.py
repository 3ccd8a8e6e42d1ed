"""Very many clients that take their time: nobody waits for them, and their memory is bounded."""

import resource
import selectors

import pytest

from lib.client import Client
from lib.deployment import Deployment, dir_, handler
from lib.handler import Answering, http
from lib.server import Server
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four

SLOW = 2000
HEAD = b"GET /h HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BODY = b"POST /h HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture
def site():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * SLOW), hard))
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/h": handler()}, settings={
            "limits.connections": SLOW + 100, "superpoll.max_fd": SLOW + 500,
            "limits.head_ms": 600_000, "limits.body_ms": 600_000, "handler.queue": 3 * SLOW})
        with Server(deployment, workers=1) as server, Answering(
                deployment, lambda request: http(request.body)):
            yield server
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# Goal: 2,000 clients that send a byte of their request now and then keep nobody waiting and cost
# no more than the bytes they have sent and a few hundred besides. Method: all of them begin a
# request; between their further bytes another client asks for a file and a handler's answer. When
# they finish, they are served like anybody.
@pytest.mark.parametrize("beginning, rest", [
    (HEAD, b"\r\n\r\n"), (BODY, b"x" * (1000 - 3))], ids=["heads", "bodies"])
def test_slow_senders(site, beginning, rest):
    with site.client() as other:
        assert other.request("GET", "/h").status == 200
        pid = site.workers()[0]
        before = memory(pid)
        clients = [site.client() for _ in range(SLOW)]
        try:
            for client in clients:
                client.send(beginning)
            for _ in range(3):
                for number, client in enumerate(clients):
                    client.send(b"x")
                    if number % 50 == 0:
                        assert other.request().body == b"<h1>hello</h1>\n"
                        assert other.request("POST", "/h", body=b"me").body == b"me"
            assert (memory(pid) - before) / SLOW < 8192
            # Not all at once: a stock PUB socket drops replies above its mark of 1,000.
            for first in range(0, SLOW, 200):
                for client in clients[first:first + 200]:
                    client.send(rest)
                for client in clients[first:first + 200]:
                    assert client.answer().status == 200
        finally:
            for client in clients:
                client.close()


# Goal: so many that read nothing of a large file cost no memory either, and keep nobody waiting.
def test_slow_readers(site):
    site.deployment.write("www/large", b"x" * (8 << 20))
    with site.client() as other:
        assert other.request().status == 200
        pid = site.workers()[0]
        before = memory(pid)
        clients = [Client(site.deployment.port, receive_buffer=4096) for _ in range(200)]
        try:
            for client in clients:
                client.send_request(path="/large")
            for _ in range(50):
                assert other.request().body == b"<h1>hello</h1>\n"
            assert (memory(pid) - before) / len(clients) < 16384
            assert len(clients[7].answer().body) == 8 << 20
        finally:
            for client in clients:
                client.close()


# Goal: they are cut off when their time is over, all of them, by one timer.
def test_slow_clients_end(site):
    site.deployment.configure({"/": dir_(), "/h": handler()}, settings={
        "limits.connections": SLOW + 100, "superpoll.max_fd": SLOW + 500, "limits.head_ms": 3000})
    assert "serves" in site.reload()
    clients = []
    open_ones = selectors.DefaultSelector()
    try:
        for _ in range(SLOW):  # each sends at once what it sends: later it may have been cut off
            clients.append(site.client().send(HEAD))
            open_ones.register(clients[-1].socket, selectors.EVENT_READ, clients[-1])

        def all_ended():
            for key, _ in open_ones.select(0.1):
                if not key.data.more():
                    assert key.data.received.startswith(b"HTTP/1.1 408 ")
                    open_ones.unregister(key.fileobj)
            return not open_ones.get_map()
        wait_until(all_ended, "408 for each")
        assert site.get().status == 200
    finally:
        for client in clients:
            client.close()
