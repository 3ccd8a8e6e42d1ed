"""Handlers that send nonsense: nothing happens to anybody else, and the log says what it was."""

import os
import random
import time

import pytest
import zmq

from lib.deployment import IDENT, Deployment, dir_, handler
from lib.handler import Answering, Handler, http, reply_message
from lib.server import Server
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/h": handler(), "/good": handler("good")},
                             settings={"handler.wait_ms": 20000})
        server = Server(deployment, workers=workers)
        with Answering(deployment, lambda request: http("good"), name="good"), \
                Handler(deployment) as server.bad:
            # What it floods with arrives, and so does the good message behind it.
            server.bad.replies.setsockopt(zmq.XPUB_NODROP, 1)
            yield server


def ask(site, client):
    """The request of this client, as the handler that misbehaves has it."""
    client.send_request(path="/h")
    request = site.bad.recv()
    while request.is_disconnect():
        request = site.bad.recv()
    return request


BAD = [
    b"", b" ", b"x", b"garbage", b"\x00" * 50, b"\xff" * 50, IDENT.encode(), IDENT.encode() + b" ",
    b"uuid 1:", b"uuid 1:1", b"uuid 1:1,", b"uuid 5:1, x", b"uuid 1:12, x", b"uuid 0:, x",
    b"uuid -1:1, x", b"uuid +1:1, x", b"uuid 01:1, x", b"uuid 99999999999999999999:1, x",
    b"uuid 1:1,x", b"uuid 4:1  2, x", b"uuid 1:x, y", b"uuid 2:-1, y", b"uuid 1: , x",
    b"uuid 20:99999999999999999999, x", b"uuid 1:0, x", b"uuid\x001:1, x", b"u" * 100_000,
    b"uuid 3:X 1, not a tnetstring", b"uuid 1:X, 5:hello,",
    b"uuid 3:X 1, 22:3:ctl,12:6:cancel,0:,}]",
    b"uuid 3:X 1, 27:3:ctl,17:10:keep-alive,0:,}]", b"uuid 3:X 1, ", b"uuid 3:X 1, 0:]",
]


# Goal: each kind of bad message is dropped; the very next good message is heard.
@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad(site, number):
    with site.client() as client:
        request = ask(site, client)
        for _ in range(3):
            site.bad.replies.send(BAD[number])
        site.bad.reply(request, "still heard")
        assert client.answer().body == b"still heard"
        assert site.get("/good").body == b"good"


# Goal: a flood of random and half-right messages holds nobody up and does not fill the log.
def test_flood(site):
    noise = random.Random(1)
    with site.client() as client:
        on, request = site.bad, ask(site, client)
        before = len(site.log())
        right = reply_message([request.id], http("x"))
        for number in range(20000):
            if number % 2:
                on.replies.send(noise.randbytes(noise.randrange(200)))
            else:
                cut = bytearray(right)
                cut[noise.randrange(len(right) - 45)] = noise.randrange(256)
                if bytes(cut[:60]).find(request.id.encode()) < 0:
                    on.replies.send(bytes(cut))
            if number % 1000 == 0:
                assert site.get("/good").body == b"good"
        assert site.get("/").status == 200
        wait_until(lambda: "Skipped invalid message from handler" in site.log(), "a line")
        on.reply(request, "still heard")
        assert client.answer().body == b"still heard"
        assert len(site.log()) - before < 200_000


# Goal: a thousand unknown ids over a few messages: a notice for each; nobody else waits.
def test_thousand_unknown_ids(site):
    with site.client() as client:
        site.bad.reply(ask(site, client), "ok")
        assert client.answer().body == b"ok"
        ids = [str(10 ** 9 + number) for number in range(1000)]
        for at in range(0, 1000, 100):
            site.bad.send(ids[at:at + 100], http("nobody"))
        told = set()

        def all_told():
            while site.bad.has_message(0):
                message = site.bad.recv()
                assert message.is_disconnect()
                told.add(message.id)
            return set(ids) <= told
        wait_until(all_told, "notices for all of them")
        assert site.get("/good").body == b"good"


# Goal: other socket types and raw TCP at the endpoints of a pair do no harm.
def test_wrong_sockets(site):
    for kind in (zmq.REQ, zmq.PUSH, zmq.DEALER, zmq.SUB, zmq.PULL, zmq.PUB):
        context = zmq.Context()
        for name in ("h-q", "h-r"):
            wrong = context.socket(kind)
            wrong.linger = 0
            wrong.connect(site.deployment.endpoint(f"ipc://run/{name}"))
            if kind in (zmq.REQ, zmq.DEALER, zmq.PUB):
                try:
                    wrong.send(os.urandom(100), zmq.NOBLOCK)
                except zmq.Again:
                    pass
        assert site.get("/good").body == b"good"
        context.destroy(linger=0)

    def goes_through():
        """The PULL socket was a handler, too, until the server saw it go: it may get one more."""
        path = f"/h/{time.monotonic_ns()}"
        with site.client() as client:
            client.send_request(path=path)
            while site.bad.has_message(1):
                request = site.bad.recv()
                if request.path == path:
                    site.bad.reply(request, "ok")
                    return client.answer().body == b"ok"
        return False
    wait_until(goes_through, "a request that reaches the handler")
