"""A child that lives but does nothing is found and replaced."""

import os
import signal

from lib.deployment import dir_, handler
from lib.handler import Answering, http
from lib.server import Server
from lib.waiting import wait_until


# Goal: a worker that says nothing for heartbeat_ms is killed and replaced, and clients of the other
# notice nothing.
def test_worker(deployment):
    deployment.configure({"/": dir_()}, settings={"heartbeat_ms": 2000})
    with Server(deployment, workers=2) as server:
        victim, other = server.workers()
        client = server.clients_of(other, 1)[0]
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: victim not in server.workers() and len(server.workers()) == 2,
                   "a new worker")
        server.says("has said nothing for heartbeat_ms=2000")
        assert client.request().status == 200


# Goal: the same for the relay; handlers connect to the new one by themselves.
def test_relay(deployment):
    deployment.configure({"/h": handler()}, settings={"heartbeat_ms": 2000})
    with Server(deployment, workers=2) as server, Answering(deployment, lambda _: http("yes")):
        assert server.get("/h").body == b"yes"
        victim = server.relay()[0]
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: server.relay() and victim not in server.relay(), "a new relay")
        wait_until(lambda: server.get("/h").body == b"yes", "an answer through the new relay")


# Goal: systemd's watchdog is fed while all answer, and again after one that did not was replaced.
def test_watchdog(deployment):
    deployment.configure({"/": dir_()}, settings={"heartbeat_ms": 2000})
    environment = {"WATCHDOG_USEC": "600000"}
    with Server(deployment, workers=1, start=False) as server:
        server.start(environment=environment)
        for _ in range(3):
            assert "connection" in server.wait_notified("WATCHDOG")["STATUS"]
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: "has said nothing" in server.log(), "the kill")
        wait_until(lambda: victim not in server.workers() and server.workers(), "a new worker")
        server.wait_notified("WATCHDOG")

