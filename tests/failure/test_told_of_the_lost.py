"""Handlers hear of every connection that ended with its worker, also when they heard of it first
through a relay that is no more, or before there was one."""

import os
import signal
import time

import pytest

from lib.deployment import dir_, handler
from lib.handler import Handler
from lib.server import Server
from lib.waiting import is_alive, wait_until


def goes_through(server, on):
    """A request of another client reaches the handler and its answer comes back. One of a probe
    before may still come first."""
    path = f"/h/probe-{time.monotonic_ns()}"
    with server.client() as probe:
        probe.send_request(path=path)
        while on.has_message(1):
            request = on.recv()
            if request.path == path:
                on.reply(request, "probe")
                return probe.answer().body == b"probe"
    return False


# Goal: after the relay was killed, or the one worker became two, a worker dies: its clients are
# reported, answered ones and waiting ones, and no others. Method: clients of that worker and of
# another; then the change, a probe that shows that the new way is open, and the kill.
@pytest.mark.parametrize("change", ["relay killed", "1 worker to 2"])
def test_lost_after(deployment, change):
    before = 1 if "2" in change else 2
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"workers": before})
    with Server(deployment) as server, Handler(deployment) as on:
        victim = server.workers()[0]
        clients = server.clients_of(victim, 8)
        for number, client in enumerate(clients):
            client.send_request(path=f"/h/{number}")
        requests = [on.recv() for _ in clients]
        for request in requests[:4]:
            on.reply(request, "answered")
        # Which clients those are is known by their answers.
        for request in requests[:4]:
            assert clients[int(request.path[3:])].answer().body == b"answered"
        if before == 2:
            relay = server.relay()[0]
            os.kill(relay, signal.SIGKILL)
            wait_until(lambda: server.relay() and server.relay() != [relay], "a new relay")
        else:
            deployment.sql("UPDATE setting SET value = '2' WHERE key = 'workers'")
            assert "2 workers" in server.reload()
        wait_until(lambda: goes_through(server, on), "a request through the new relay")
        survivor = next(pid for pid in server.workers() if pid != victim)
        other = server.clients_of(survivor, 1)[0].send_request(path="/h/other")
        stays = on.recv()
        while stays.path != "/h/other":
            stays = on.recv()  # the probes' notices
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not is_alive(victim), "the worker to end")
        lost, told = {request.id for request in requests}, set()
        while not lost <= told:
            message = on.recv()
            if message.path.startswith("/h/probe"):
                continue  # of one that has given up
            assert message.is_disconnect(), message.message
            assert message.id not in told, "told twice"
            told.add(message.id)
        assert stays.id not in told
        on.reply(stays, "goes on")
        assert other.answer().body == b"goes on"
