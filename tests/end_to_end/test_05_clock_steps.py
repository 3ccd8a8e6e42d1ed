"""A wall clock that is stepped, by NTP or because the machine was resumed: dates follow it, and
nothing that is a span of time does."""

import email.utils
import json
import os
import signal
import time

import pytest

from lib.backend import Backend
from lib.deployment import Deployment, dir_, handler, proxy
from lib.handler import Handler, http
from lib.server import Server
from lib.stepped_clock import SteppedClock
from lib.waiting import wait_until
from lib.websocket import PING, PONG, WebSocketClient, frame

HOUR = 3600


class Site:
    def __init__(self, deployment, server, clock, on):
        self.deployment, self.server, self.clock, self.on = deployment, server, clock, on

    def told(self, client):
        client.id = self.on.recv_request().id
        return client

    def step(self, seconds):
        """Until the workers have seen it: they tell the date."""
        self.clock.step(seconds)

        def seen():
            for _ in range(4):  # whichever worker it is
                date = email.utils.parsedate_to_datetime(self.server.get().headers["date"])
                if abs(date.timestamp() - time.time() - seconds) > 60:
                    return False
            return True
        wait_until(seen, "dates of the new time")


@pytest.fixture
def site(workers):
    def script(exchange, head):
        if b"/tunnel" not in head:
            return Backend.hello(exchange, head)
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      b"Connection: Upgrade\r\n\r\n")
        while data := exchange.socket.recv(100):
            exchange.send(data)
        return False

    two = Backend()
    with Deployment() as deployment, Backend(script) as one:
        both = f"127.0.0.1:{one.port}, 127.0.0.1:{two.port}"
        deployment.configure(
            {"/": dir_(), "/h": handler(), "/ws": handler("m", websocket="messages"),
             "/p": proxy(one.port), "/both": proxy(9, both)},
            settings={"websocket.ping_ms": 200, "websocket.pong_ms": 60000,
                      "proxy.eject_after": 1, "proxy.eject_ms": 500,
                      "access_log.format": "json", "handler.timeout": 60000})
        clock = SteppedClock(deployment)
        server = Server(deployment, workers=workers, start=False)
        server.start(environment=clock.environment)
        with Handler(deployment) as on, Handler(deployment, "m") as messages:
            made = Site(deployment, server, clock, on)
            made.messages, made.two = messages, two
            yield made
    if not two.closing:
        two.close()


def pinged(client):
    while (got := client.frame()).opcode == PING:
        client.send(frame(got.payload, opcode=PONG))
        return True
    raise AssertionError(f"{got} instead of a ping")


# Goal: whoever is silent within the bounds stays: WebSockets, tunnels, long polls, keep-alive
# connections. Method: one of each, from before the step, is used after it.
@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forward", "backward"])
def test_who_is_here_stays(site, seconds):
    websocket = WebSocketClient(site.deployment.port).handshake("/ws")
    assert site.messages.recv().headers["EVENT"] == "open"
    websocket.opened()
    tunnel = site.server.client().send_request(path="/p/tunnel", headers={
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    assert tunnel.answer().status == 101
    poll = site.told(site.server.client().send_request(path="/h"))
    kept = site.server.client()
    assert kept.request().status == 200
    site.step(seconds)
    for _ in range(3):
        assert pinged(websocket)
    websocket.send(frame("still here"))
    assert site.messages.recv().body == b"still here"
    assert tunnel.send("echo").take(4) == b"echo"
    other = site.told(site.server.client().send_request(path="/h"))
    site.on.send(other.id, http("other"))
    assert other.answer().body == b"other"
    site.on.send(poll.id, http("polled"))
    assert poll.answer().body == b"polled"
    assert kept.request().status == 200
    lines = [json.loads(line) for line in site.deployment.read("logs/access.log").splitlines()]
    assert all(0 <= line["ms"] < 60_000 for line in lines), lines


# Goal: backward: a file that changes is seen, and a backend that was out of turn comes back.
def test_looks_go_on(site):
    assert site.server.get().body == b"<h1>hello</h1>\n"
    for _ in range(4):
        assert site.server.get("/both").status == 200
    port = site.two.port
    site.two.close()

    def out_of_turn():
        site.server.get("/both")
        return "is out of turn" in site.server.log()
    wait_until(out_of_turn, "the backend to be out of turn")
    site.step(-HOUR)
    site.deployment.write("www/index.html", "<h1>other</h1>\n")
    wait_until(lambda: site.server.get().body == b"<h1>other</h1>\n", "the new file")
    with Backend(port=port):
        def in_turn():
            site.server.get("/both")
            return "is in turn again" in site.server.log()
        wait_until(in_turn, "the backend to be in turn again")


# Goal: ids never come back, also not from a worker that takes the place of a dead one after a step.
def test_ids_do_not_come_back(site):
    def ids():
        clients = [site.told(site.server.client().send_request(path="/h")) for _ in range(200)]
        seen = {client.id for client in clients}
        for client in clients:
            client.close()
        assert len(seen) == 200
        return seen
    before = ids()
    site.step(-HOUR)
    old = site.server.workers()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(site.server.workers()) == len(old) and
               not set(site.server.workers()) & set(old), "new workers")
    assert not before & ids()
