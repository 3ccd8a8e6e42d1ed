"""Clients that do not take what handlers send them: what they are owed is bounded, by the policy of
the handler's row, and nobody else waits for them."""

import contextlib
import re

import pytest

from lib.client import Client
from lib.deployment import Deployment, handler
from lib.handler import Handler, http
from lib.server import Server
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four

LIMIT = 256 * 1024
PIECE = 32 * 1024
COUNT = 600  # pieces: far more than the sockets between server and client hold


class Site:
    def __init__(self, deployment, server, handlers):
        self.deployment, self.server, self.handlers = deployment, server, handlers

    def told(self, name):
        return self.handlers[name].recv_request().id

    def slow(self, name, path=None):
        """A client that asks and then takes nothing; its id."""
        client = Client(self.deployment.port, receive_buffer=4096)
        client.send_request(path=path or f"/{name}")
        client.id = self.told(name)
        return client

    def drops(self):
        """{id: messages it did not get}; a socket may be too slow several times."""
        found = {}
        for number, count in re.findall(r"connection (\d+) did not get (\d+) messages",
                                        self.server.log()):
            found[number] = found.get(number, 0) + int(count)
        return found

    def wait_drops(self, client, name):
        wait_until(lambda: f"ipc://run/{name}-q: connection {client.id} does not take"
                   in self.server.log(), "a line about its drops")


POLICIES = ["close", "drop_newest", "drop_oldest"]


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        routes = {f"/{name}": handler(name, slow_clients=name) for name in POLICIES}
        routes.update({f"@{name}": handler(name, slow_clients=name) for name in POLICIES})
        deployment.configure(routes, settings={"handler.output_bytes": LIMIT})
        server = Server(deployment, workers=workers)
        handlers = {}
        try:
            for name in POLICIES:
                handlers[name] = Handler(deployment, name=name)
                handlers[name].replies.sndhwm = 0  # our own socket shall drop nothing
            yield Site(deployment, server, handlers)
        finally:
            for one in handlers.values():
                one.close()


def piece(number):
    return (b"%08d:" % number).ljust(PIECE - 1, b"x") + b"\n"


def numbers(data):
    """The numbers of the pieces, each of which must be whole."""
    assert len(data) % PIECE == 0
    found = [int(data[at:at + 8]) for at in range(0, len(data), PIECE)]
    assert all(data[at:at + PIECE] == piece(number)
               for at, number in zip(range(0, len(data), PIECE), found))
    return found


# Goal: a raw stream loses whole messages only, the newest or the oldest, and what it gets is in
# order; the policy decides which; drops are logged with connection and pair. Method: the client
# reads only when all was sent and everything but what it is owed has been dropped.
@pytest.mark.parametrize("name", ["drop_newest", "drop_oldest"])
def test_stream(site, name):
    on = site.handlers[name]
    client = site.slow(name)
    on.send(client.id, b"HTTP/1.1 200 OK\r\n\r\n")
    for number in range(COUNT):
        on.send(client.id, piece(number))
    site.wait_drops(client, name)
    on.heard(client.id)
    # The end comes behind what is owed; it is never dropped.
    on.send(client.id, b"")
    client.take_until(b"\r\n\r\n")
    got = numbers(client.take_all())
    assert got == sorted(set(got)) and got[0] == 0
    assert len(got) < COUNT
    if name == "drop_oldest":
        assert got[-1] == COUNT - 1
    else:
        assert got == list(range(len(got)))
    wait_until(lambda: site.drops().get(client.id) == COUNT - len(got), "the sum of its drops")


# Goal: by default such a client is closed at once, and its handler hears of it.
def test_close(site):
    on = site.handlers["close"]
    client = site.slow("close")
    on.send(client.id, b"HTTP/1.1 200 OK\r\n\r\n")
    for number in range(COUNT):
        on.send(client.id, piece(number))
    message = on.recv()
    while not (message.is_disconnect() and message.id == client.id):
        message = on.recv()
    site.server.says(f"connection {client.id}: it has not taken")
    site.server.says("above handler.output_bytes=262144")


# Goal: a handler that sends much at once makes no client slow: who reads gets all of it. Method:
# eight times as much as may wait, in one go, with a length, in chunks and without an end.
@pytest.mark.parametrize("path, head", [
    ("/close", "Content-Length: 2097152"), ("/close", "Transfer-Encoding: chunked"),
    ("/close", "X: y"), ("/drop_newest", "Content-Length: 2097152"),
    ("/drop_newest", "Transfer-Encoding: chunked")])
def test_burst(site, path, head):
    on = site.handlers[path[1:]]
    with site.server.client() as client:
        client.send_request(path=path)
        client.id = site.told(path[1:])
        parts = [bytes([number]) * LIMIT for number in range(8)]
        on.send(client.id, f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        for part in parts:
            chunk = b"%x\r\n%s\r\n" % (LIMIT, part)
            on.send(client.id, chunk if "chunked" in head else part)
        if "chunked" in head:
            on.send(client.id, b"0\r\n\r\n")
        if head == "X: y":
            on.send(client.id, b"")
        assert client.answer().body == b"".join(parts)


# Goal: time tells who is slow: a client that goes on taking a little, and so is not cut off for
# taking nothing, is too slow once more than the mark has waited for limits.write_ms.
def test_slow_reader_of_a_burst(deployment):
    deployment.configure({"/h": handler()}, settings={
        "handler.output_bytes": LIMIT, "limits.write_ms": 1000})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        client = Client(deployment.port, receive_buffer=4096)
        client.send_request(path="/h")
        client.id = on.recv().id
        on.send(client.id, b"HTTP/1.1 200 OK\r\n\r\n")
        on.send(client.id, b"x" * (16 << 20))  # one message may be of any size

        def cut():
            client.take(4096)
            on.send(client.id, b"more")
            return "above handler.output_bytes" in server.log()
        on.heard(client.id)
        with contextlib.suppress(ConnectionResetError):
            wait_until(cut, "the end of its patience")
        server.says(f"connection {client.id}: it has not taken")


# Goal: all bursts of a worker together are bounded. Method: clients that take nothing of 9 MB each,
# sent at once: no more than 64 MB above the marks wait, so that the last are closed.
def test_all_bursts(deployment):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        on.replies.sndhwm = 0
        clients = []
        for _ in range(20):
            clients.append(Client(deployment.port, receive_buffer=4096))
            clients[-1].send_request(path="/h")
            clients[-1].id = on.recv().id
        for client in clients:
            on.send(client.id, b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(9):
                on.send(client.id, b"x" * (1 << 20))
        closed = [message.id for message in on.heard(clients[0].id) if message.is_disconnect()]
        assert 0 < len(closed) < 20 and clients[0].id not in closed
        for client in clients:  # who leaves makes room for others
            client.close()
        with server.client() as client:
            client.send_request(path="/h")
            client.id = on.recv_request().id
            on.send(client.id, b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(8):
                on.send(client.id, b"y" * (1 << 20))
            client.take_until(b"\r\n\r\n")
            assert client.take(8 << 20) == b"y" * (8 << 20)


# Goal: an answer with a length or in chunks cannot go on without a part, whatever the policy: the
# client is closed, never served a part less.
@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("framing", [b"Content-Length: 1000000000", b"Transfer-Encoding: chunked"])
def test_framed(site, name, framing):
    on = site.handlers[name]
    client = site.slow(name)
    on.send(client.id, b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
    for number in range(COUNT):
        data = piece(number)
        on.send(client.id, data if b"Length" in framing else b"%x\r\n%s\r\n" % (len(data), data))
    message = on.recv()
    while not (message.is_disconnect() and message.id == client.id):
        message = on.recv()
    assert client.id not in site.drops()


# Goal: answers to a message socket are whole messages: the policy holds for them too.
@pytest.mark.parametrize("name", ["drop_newest", "drop_oldest"])
def test_message_socket(site, name):
    on = site.handlers[name]
    client = Client(site.deployment.port, receive_buffer=4096)
    client.send(f'@{name} {{"type":"join"}}\0')
    client.id = site.told(name)
    for number in range(COUNT):
        on.send(client.id, b"%08d" % number + b"x" * (PIECE - 8))
    site.wait_drops(client, name)
    on.heard(client.id)
    on.send(client.id, b"")
    data = client.take_all()
    messages = data.split(b"\0")
    assert messages.pop() == b"" and 1 < len(messages) < COUNT
    assert len({len(message) for message in messages}) == 1, "a message is not whole"
    wait_until(lambda: site.drops().get(client.id) == COUNT - len(messages), "the sum of them")


# Goal: one slow client among many targets of the same messages delays nobody and costs nobody a
# message.
@pytest.mark.parametrize("name", POLICIES)
def test_others_do_not_wait(site, name):
    on = site.handlers[name]
    slow = site.slow(name)
    fast = []
    for _ in range(5):
        client = site.server.client()
        client.send_request(path=f"/{name}")
        client.id = site.told(name)
        fast.append(client)
    ids = [slow.id] + [client.id for client in fast]
    on.send(ids, b"HTTP/1.1 200 OK\r\n\r\n")
    for client in fast:
        client.take_until(b"\r\n\r\n")
    for number in range(COUNT):
        on.send(ids, piece(number))
        for client in fast:
            assert client.take(PIECE) == piece(number)
    slow.close()
    for client in fast:
        client.close()


# Goal: what a slow client is owed is not copied: 100 clients that take nothing of one message of
# 4 MB cost the worker that message, not 400 MB.
def test_one_copy(deployment):
    deployment.configure({"/h": handler()}, settings={"limits.write_ms": 60000})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        clients = []
        for _ in range(100):
            client = Client(deployment.port, receive_buffer=4096)
            client.send_request(path="/h")
            client.id = on.recv().id
            clients.append(client)

        def memory():
            with open(f"/proc/{server.workers()[0]}/status", encoding="ascii") as file:
                return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024
        before = memory()
        size = 4 << 20
        on.send([client.id for client in clients], http(b"y" * size))
        for client in clients:
            client.take_until(b"\r\n\r\n")
        assert memory() - before < 8 * size
        for client in clients[:3]:
            assert client.take(size) == b"y" * size
