"""The relay is killed: it comes back and requests work again. The master is killed: nothing
stays."""

import os
import signal
import time

from lib.deployment import dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import can_connect, is_alive, wait_until


# Goal: files are served all the time, handlers again as soon as the new relay is there; handlers
# stay connected by themselves. Method: kill the relay three times.
def test_relay(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=2) as server, Answering(
            deployment, lambda request: http("h")), server.client() as client:
        assert server.get("/h").body == b"h"
        workers = server.workers()
        for _ in range(3):
            victim = server.relay()[0]
            os.kill(victim, signal.SIGKILL)
            assert client.request().status == 200
            wait_until(lambda victim=victim: server.relay() and server.relay() != [victim],
                       "a new relay")
            # What a worker gives the relay as it dies is lost with it.
            wait_until(lambda: server.answers("/h"), "an answer through the new relay")
            assert client.request(path="/h").body == b"h"
            for _ in range(10):
                assert server.get("/h").body == b"h"
        assert server.workers() == workers


# Goal: requests that a handler holds while the relay dies are still answered afterwards. (A relay
# tells of what it has passed on within some ms; what it could not tell of is refused after the
# grace time.)
def test_held_over_relay(deployment):
    deployment.configure({"/h": handler()}, settings={"handler.wait_ms": 20000,
                                                      "handler.grace_ms": 60000})
    with Server(deployment, workers=2) as server, Handler(deployment) as on:
        clients = [server.client().send_request(path=f"/h/{number}") for number in range(10)]
        requests = [on.recv() for _ in clients]
        victim = server.relay()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: server.relay() and server.relay() != [victim], "a new relay")
        # A request that goes through shows that the handler's sockets are connected again.
        def goes_through():
            path = f"/h/probe-{time.monotonic_ns()}"  # one of a probe before may still come
            with server.client() as probe:
                probe.send_request(path=path)
                while on.has_message(1):
                    request = on.recv()
                    if request.path == path:
                        on.reply(request, "probe")
                        return probe.answer().body == b"probe"
            return False
        wait_until(goes_through, "a request through the new relay")
        for request in requests:
            on.reply(request, request.path)
        for number, client in enumerate(clients):
            assert client.answer().body == f"/h/{number}".encode()


# Goal: a reload during which the relay dies is refused or completed; the next one works.
def test_relay_during_reload(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=2) as server, Answering(deployment, lambda request: http("h")):
        for number in range(6):
            deployment.configure({"/": dir_(), "/h": handler(), f"/n{number}": handler("n")})
            victims = server.relay()
            server.send_signal(signal.SIGHUP)
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            server.wait_notified("READY")
            wait_until(lambda: server.relay() and server.relay() != victims, "a new relay")
        server.reload()
        wait_until(lambda: server.answers("/h"), "an answer through the new relay")
        assert server.get().status == 200


# Goal: when the master is killed its children finish what is in flight and end; the port is free
# then and a new server starts. Method: kill -9 while a handler holds a request.
def test_master(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    server = Server(deployment, workers=workers)
    children = server.children()
    with Handler(deployment) as on:
        client = server.client().send_request(path="/h")
        request = on.recv()
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        on.reply(request, "late")
        assert client.answer().body == b"late"
        wait_until(lambda: not any(map(is_alive, children)), "the children to end")
    assert not can_connect(deployment.port)
    with Server(deployment, workers=workers) as server:
        assert server.get().status == 200


# Goal: every child at once, again and again: the server survives.
def test_all_children(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=2) as server, Answering(deployment, lambda request: http("h")):
        for _ in range(3):
            victims = server.children()
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            wait_until(lambda victims=victims: len(server.children()) == 4 and
                       not set(victims) & set(server.children()), "new children")
            assert server.get().status == 200
            wait_until(lambda: server.answers("/h"), "an answer through new processes")
        assert server.stop() == 0
