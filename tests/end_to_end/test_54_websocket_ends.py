"""How WebSockets end, and what they outlive: reloads, stops, silence, absent handlers."""

import contextlib
import os
import signal
import time

import pytest

from lib.deployment import dir_, handler
from lib.handler import Handler
from lib.server import Server
from lib.waiting import wait_until
from lib.websocket import CLOSE, PING, PONG, TEXT, close_payload
from lib.websocket_site import WebSocketSite

QUICK = {"websocket.close_ms": 300}


@pytest.fixture(params=["messages", "frames"])
def contract(request):
    return request.param


@pytest.fixture
def place(deployment, workers, contract):
    """Configures and starts; returns a site."""
    made = []

    def start(settings=None, **row):
        routes = {"/": dir_(), "/ws": handler(websocket=contract, **row)}
        deployment.configure(routes, settings=settings)
        server = Server(deployment, workers=workers)
        made.append(Handler(deployment))
        wait_until(server.has_handlers, "the handler is connected")
        return WebSocketSite(deployment, server, made[0], contract)
    yield start
    for on in made:
        on.close()


def answer_close(client, code):
    assert client.closed_with() == code
    client.send_frame(close_payload(code), opcode=CLOSE)
    assert client.at_end()


# Goal: a row that a reload leaves as it is goes on unnoticed, though settings, other rows and the
# number of its row change; new limits hold for it. One that a reload changes or removes is closed
# with 1012, and the handlers hear of it.
def test_reload(place, contract):
    site = place()
    client = site.client()
    mine = handler(websocket=contract)
    for number in range(3):
        others = {f"/o{number}{name}": handler(f"a{number}{name}") for name in "abc"[:number]}
        site.deployment.configure({"/": dir_(), "/ws": mine, **others},
                                  settings={"websocket.message_bytes": 1000 + number})
        assert "generation" in site.server.reload()
        client.send_frame("still here")
        assert site.message() == (TEXT, b"still here")
        site.send(client, "and I")
        assert client.text() == "and I"
    client.send_frame("x" * 1003)
    assert client.closed_with() == 1009 and client.at_end()
    assert site.told_of_the_end(client)

    client, other = site.client(), site.client()
    site.deployment.configure({"/": dir_(), "/ws": handler(websocket=contract, raw_payload=1)})
    site.server.reload()
    answer_close(client, 1012)
    answer_close(other, 1012)
    assert {site.on.recv().id, site.on.recv().id} == {client.id, other.id}

    client = site.client()
    site.deployment.configure({"/": dir_()})
    site.server.reload()
    answer_close(client, 1012)
    assert site.told_of_the_end(client)


# Goal: a stop says 1001, waits for the answer, and tells the handlers.
def test_stop(place):
    site = place({"websocket.close_ms": 20000})
    client = site.client()
    site.server.send_signal(signal.SIGTERM)
    assert client.closed_with() == 1001
    client.send_frame(close_payload(1001), opcode=CLOSE)
    assert client.at_end()
    assert site.server.wait_end() == 0
    assert site.told_of_the_end(client)


# Goal: a client that does not answer a close frame is not waited for longer than close_ms, though
# it goes on sending.
def test_close_unanswered(place):
    site = place(QUICK)
    client = site.client()
    site.server.send_signal(signal.SIGTERM)
    assert client.closed_with() == 1001
    client.send_frame("I do not care")
    assert client.at_end()
    assert site.server.wait_end() == 0
    assert site.told_of_the_end(client)


# Goal: a WebSocket on which nothing passes is closed; what passes in either direction counts.
# What speaks has ten times the time it needs: under load a test may stand still for a while.
def test_idle(deployment, contract):
    deployment.configure({"/": dir_(), "/ws": handler(websocket=contract)},
                         settings={"websocket.idle_ms": 4000, "websocket.ping_ms": 0})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        idle(WebSocketSite(deployment, server, on, contract))


def idle(site):
    quiet, spoken_to, kept = site.client(), site.client(), site.client()
    while quiet.is_quiet():
        site.send(spoken_to, "tick")
        assert spoken_to.text() == "tick"
        site.on.send_extended(kept.id, b"27:3:ctl,17:10:keep-alive,0:,}]")
        time.sleep(0.1)
    answer_close(quiet, 1001)
    assert site.told_of_the_end(quiet)
    for client in (spoken_to, kept):
        site.send(client, "still there")
        assert client.text() == "still there"


# Goal: with 'messages' a silent client is pinged, again and again while it answers; how long an
# answer may take says nothing of the next ping.
def test_pinged_again(deployment):
    with pinging(deployment, 3600000) as site:
        client = site.client()
        for _ in range(3):
            got = client.frame()
            assert got.opcode == PING
            client.send_frame(got.payload, opcode=PONG)


# Goal: with 'messages' a pinged client that stays silent is closed.
def test_no_pong(deployment):
    with pinging(deployment, 1000) as site:
        client = site.client()
        assert client.frame().opcode == PING
        got = client.frame()
        assert got.code == 1001 and client.at_end()
        assert site.told_of_the_end(client)


@contextlib.contextmanager
def pinging(deployment, pong_ms):
    deployment.configure({"/": dir_(), "/ws": handler(websocket="messages")},
                         settings={"websocket.ping_ms": 300, "websocket.pong_ms": pong_ms,
                                   "websocket.idle_ms": 0})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        yield WebSocketSite(deployment, server, on)


# Goal: without a handler an open WebSocket is closed with 1013 when its message has waited, and
# a handshake is answered 503 ('frames') or closed ('messages').
def test_no_handler(place, contract):
    site = place()
    client = site.client()
    site.on.close()
    site.server.handlers_gone(1)
    site.deployment.configure({"/": dir_(), "/ws": handler(websocket=contract)},
                              settings={"handler.wait_ms": 300})
    site.server.reload()
    client.send_frame("anybody?")
    assert client.closed_with() == 1013
    client.send_frame(close_payload(1013), opcode=CLOSE)
    assert client.at_end()
    late = site.handshake()
    if site.frames:
        assert late.answer().status == 503
    else:
        late.opened()
        assert late.closed_with() == 1013


# Goal: a handler that restarts finds its WebSockets as they were, and what was sent meanwhile.
def test_handler_restart(place):
    site = place({"handler.wait_ms": 20000})
    clients = [site.client() for _ in range(3)]
    site.on.close()
    site.server.handlers_gone(1)
    for client in clients:
        for number in range(5):
            client.send_frame(f"{client.id} {number}")
    with Handler(site.deployment) as on:
        site.on = on
        seen = {client.id: [] for client in clients}
        for _ in range(15):
            request = site.next()
            seen[request.id].append(request.body.decode())
        for client in clients:
            assert seen[client.id] == [f"{client.id} {number}" for number in range(5)]
            site.send(client, "back again")
            assert client.text() == "back again"


# Goal: handlers hear of every WebSocket of workers that are killed (the relay speaks for the dead).
def test_worker_killed(deployment, contract):
    deployment.configure({"/": dir_(), "/ws": handler(websocket=contract)})
    with Server(deployment, workers=2) as server, Handler(deployment) as on:
        site = WebSocketSite(deployment, server, on, contract)
        clients = [site.client() for _ in range(6)]
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        assert {on.recv().id for _ in clients} == {client.id for client in clients}


# Goal: with 1.x a handler that never answers the client's close frame does not keep it for ever.
def test_handler_does_not_close(deployment, workers):
    deployment.configure({"/": dir_(), "/ws": handler()}, settings=QUICK)
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        site = WebSocketSite(deployment, server, on, "frames")
        wait_until(server.has_handlers, "the handler is connected")
        client = site.client()
        client.send_frame(close_payload(1000), opcode=CLOSE)
        assert site.message() == (CLOSE, close_payload(1000))
        assert client.closed_with() == 1000 and client.at_end()
        assert site.told_of_the_end(client)
