"""Disconnect notices: once for each client and handler pair, at once, whoever ended the
connection; not for an end that this pair asked for."""

import contextlib
import socket
import struct

import pytest

from lib.client import Client
from lib.deployment import IDENT, Deployment, dir_, handler
from lib.handler import Handler, http
from lib.server import Server
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four

CANCEL = b"22:3:ctl,12:6:cancel,0:,}]"


class Site:
    def __init__(self, deployment, server, handlers):
        self.deployment, self.server, self.handlers = deployment, server, handlers

    def told(self, client, name="a"):
        """A client whose request this pair now has; client.id is its id."""
        client.id = self.handlers[name].recv_request().id
        return client

    def client(self, name="a", **more):
        return self.told(self.server.client().send_request(path=f"/{name}", **more), name)

    def answered(self, client, name="a", **more):
        self.handlers[name].send(client.id, http("ok", **more))
        assert client.answer().body == b"ok"
        return client

    def wait_notice(self, client, name="a"):
        while True:
            message = self.handlers[name].recv()
            if message.is_disconnect() and message.id == client.id:
                return

    def no_notice(self, client, name="a"):
        """Not one has come, and not one comes before those of clients that leave after it, in
        either worker."""
        for _ in range(4):
            last = self.answered(self.client(name), name)
            last.close()
            while True:
                message = self.handlers[name].recv()
                assert message.id != client.id
                if message.id == last.id:
                    break


@contextlib.contextmanager
def running(workers, **settings):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/a": handler("a"), "/b": handler("b")},
                             settings=settings)
        server = Server(deployment, workers=workers)
        handlers = {name: Handler(deployment, name=name) for name in "ab"}
        try:
            yield Site(deployment, server, handlers)
        finally:
            for one in handlers.values():
                one.close()


@pytest.fixture(scope="module")
def site(workers):
    with running(workers) as made:
        yield made


@pytest.fixture(scope="module")
def hasty(workers):
    """One that ends its clients by itself."""
    with running(workers, **{"limits.idle_ms": 1000, "limits.write_ms": 1000}) as made:
        yield made


# Goal: each pair that was told of a client hears once, also with many requests of it.
def test_each_pair_once(site):
    client = site.answered(site.client("a"), "a")
    for name in "abab":
        client.send_request(path=f"/{name}")
        site.answered(site.told(client, name), name)
    client.close()
    for name in "ab":
        site.wait_notice(client, name)
        site.no_notice(client, name)


# Goal: at once when the server ends the connection: idle for too long; a client that has to read
# the answer first (lingering).
@pytest.mark.parametrize("behind", [b"", b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_closed_by_the_server(hasty, behind):
    site = hasty
    client = site.client(body=b"")
    client.send(behind)
    if behind:
        assert site.server.get().status == 200
    site.answered(client)
    site.wait_notice(client)
    site.no_notice(client)
    client.close()


ENDS = [("HTTP/1.1", {"Connection": "close"}, {}), ("HTTP/1.1", {}, {"Connection": "close"}),
        ("HTTP/1.0", {}, {})]


# Goal: a connection that ends as was agreed, behind a whole answer, needs no notice, not even to a
# pair that had an earlier request of it.
@pytest.mark.parametrize("version, fields, answer_fields", ENDS)
def test_ends_as_agreed(site, version, fields, answer_fields):
    client = site.answered(site.client("b"), "b")
    client.send_request(path="/a", version=version, headers=fields, body=b"")
    site.answered(site.told(client), headers=answer_fields)
    assert client.is_closed()
    for name in "ab":
        site.no_notice(client, name)
    # A handler that goes on with it hears that it has gone.
    site.handlers["a"].send(client.id, b"more")
    site.wait_notice(client)


# Goal: the same agreement is worth nothing while the answer is not whole, or too late.
@pytest.mark.parametrize("version, fields, answer_fields", ENDS)
def test_agreed_but_not_answered(site, version, fields, answer_fields):
    client = site.client(version=version, headers=fields, body=b"")
    head = http("12345", headers=answer_fields)[:-1]
    site.handlers["a"].send(client.id, head)
    assert client.take_until(b"1234")
    client.close()
    site.wait_notice(client)
    site.no_notice(client)


# Goal: the same when a client takes nothing of what it is owed.
def test_slow_client(hasty):
    site = hasty
    client = Client(site.deployment.port, receive_buffer=4096)
    site.told(client.send_request(path="/a"))
    site.handlers["a"].send(client.id, http(b"x" * (32 << 20)))
    site.wait_notice(client)
    site.no_notice(client)


# Goal: a broken request on a connection that a pair knows ends it, and the pair hears.
def test_bad_request(site):
    client = site.answered(site.client())
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert client.answer().status == 400
    site.wait_notice(client)
    client.close()


# Goal: a pair that ends a connection itself, by the zero-length message or by cancel, gets no
# notice of it; another pair that knows the client does.
@pytest.mark.parametrize("cancel", [False, True])
@pytest.mark.parametrize("idle", [False, True])
def test_asked_for(site, cancel, idle):
    client = site.answered(site.client("b"), "b")
    site.told(client.send_request(path="/a"))
    if idle:
        site.answered(client)
    if cancel:
        ids = f"X {client.id}"
        site.handlers["a"].replies.send(f"{IDENT} {len(ids)}:{ids}, ".encode() + CANCEL)
    else:
        site.handlers["a"].send(client.id, b"")
    assert client.is_closed()
    site.wait_notice(client, "b")
    site.no_notice(client, "a")


# Goal: a client that shuts down its sending side is told of at once, and once, and still gets what
# it is owed.
def test_half_close(site):
    client = site.client()
    client.half_close()
    site.wait_notice(client)
    site.answered(client)
    assert client.is_closed()
    site.no_notice(client)


# Goal: a row that a reload changes does not lose the clients that handlers know: the pair hears of
# them.
def test_changed_row(deployment):
    deployment.configure({"/a": handler("a")})
    with Server(deployment, workers=1) as server, Handler(deployment, name="a") as on:
        site = Site(deployment, server, {"a": on})
        idle, waiting = site.answered(site.client()), site.client()
        deployment.configure({"/a": handler("a", raw_payload=1, slow_clients="drop_newest")})
        assert "generation 2" in server.reload()
        idle.close()
        site.wait_notice(idle)
        site.answered(waiting)
        waiting.close()
        site.wait_notice(waiting)


# Goal: a pair that answered a client hears of its end also when a later request of it still waits
# for a handler then; of a client whose only request waits it hears nothing. Method: the handler
# goes; both kinds of clients ask and leave; another one comes.
def test_waiting_request(deployment):
    deployment.configure({"/": dir_(), "/a": handler("a")}, settings={"handler.wait_ms": 60000})
    with Server(deployment, workers=1) as server:
        with Handler(deployment, name="a") as on:
            site = Site(deployment, server, {"a": on})
            known = site.answered(site.client())
        wait_until(lambda: "no handler is connected" in server.log(), "the end of the handler")
        known.send_request(path="/a/known")
        unknown = server.client().send_request(path="/a/unknown")
        staying = server.client().send_request(path="/a/staying")
        for _ in range(3):
            assert server.get().status == 200  # they have come in meanwhile
        for client in (known, unknown):  # by a reset: else they might only have closed one side
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        # Their ends are seen when each has a line in the log; one request of "known" was answered.
        wait_until(lambda: len([line for line in server.access_log()
                                if line[5] in (b"/a/known", b"/a/unknown")]) == 2, "their ends")
        with Handler(deployment, name="a") as on:
            messages = [on.recv(), on.recv()]
            assert sorted(message.path for message in messages) == ["/a/staying", "@*"]
            notice = next(message for message in messages if message.is_disconnect())
            assert notice.id == known.id
            assert not on.has_message(0)
        staying.close()


# Goal: a client whose only request no handler took in time is nobody's: no notice of it.
def test_refused_request(deployment):
    deployment.configure({"/a": handler("a")}, settings={"handler.wait_ms": 300})
    with Server(deployment, workers=1) as server:
        with server.client() as client:
            assert client.send_request(path="/a").answer().status == 503
        deployment.configure({"/a": handler("a")}, settings={"handler.wait_ms": 30000})
        server.reload()
        with Handler(deployment, name="a") as on:
            with server.client() as client:
                client.send_request(path="/a/next")
                assert on.recv().path == "/a/next"
