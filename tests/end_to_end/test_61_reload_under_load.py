"""Reload while 32 connections ask all the time: no request fails, no connection is closed."""

import os
import signal

import pytest

from lib.deployment import dir_, handler
from lib.handler import Answering, Handler, http
from lib.load import Load
from lib.server import Server
from lib.waiting import can_connect, free_port, wait_until


def served_on(load, count):
    """Waits until the load has got count more answers."""
    goal = load.total() + count
    wait_until(lambda: load.total() >= goal or load.failures, f"{count} more answers")


# Goal: twenty reloads under load: 0 failures, 0 connections closed, the last configuration in use,
# no descriptor left behind. Method: files and handlers are asked for; routes and endpoints come and
# go.
def test_twenty_reloads(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Answering(
            deployment, lambda request: http("h")):
        assert server.get("/h").status == 200
        with Load(deployment.port, ["/", "/h"]) as load:
            served_on(load, 100)
            counts = []
            for number in range(20):
                more = {f"/n{number}/": dir_()}
                if number % 2:
                    more[f"/e{number}"] = handler(f"e{number}")
                deployment.configure({"/": dir_(), "/h": handler(), **more})
                server.reload()
                assert server.get(f"/n{number}/").status == 200
                served_on(load, 50)
                counts.append(open_descriptors(server))
            deployment.configure({"/": dir_(), "/h": handler(), "/n/": dir_()})
            server.reload()
            # A pair that goes has descriptors for a moment more.
            wait_until(lambda: open_descriptors(server) <= min(counts[2:10]) + 2 * workers,
                       "descriptors to be given back")
        assert load.failures == []
        assert load.closed == 0
        assert set(load.answered) == {200}


def open_descriptors(server):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in [server.pid, *server.children()])


# Goal: bad databases under load change nothing.
def test_refused_reloads(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Answering(
            deployment, lambda request: http("h")):
        assert server.get("/h").status == 200
        deployment.sql("UPDATE directory SET base = 'bad'")
        with Load(deployment.port, ["/", "/h"]) as load:
            for _ in range(5):
                server.reload()
                served_on(load, 50)
        assert (load.failures, load.closed, set(load.answered)) == ([], 0, {200})


# Goal: 2 workers become 3 and 2 again under load: no request fails; connections of a worker that
# leaves may be closed between two requests, told by "Connection: close". Handlers with PUB drop
# what they say in the moment in which they connect again, so they must owe nothing then.
@pytest.mark.parametrize("replies", ["sub", "pull"])
def test_number_of_workers(deployment, replies):
    deployment.configure({"/": dir_(), "/h": handler(replies=replies)}, settings={"workers": 2})
    with Server(deployment) as server, Answering(
            deployment, lambda request: http("h"), replies=replies):
        assert server.get("/h").status == 200
        for expected in (3, 2, 1, 2):
            with Load(deployment.port, ["/", "/h"]) as load:
                served_on(load, 100)
                deployment.sql(f"UPDATE setting SET value = '{expected}' WHERE key = 'workers'")
                server.reload()
                wait_until(lambda expected=expected: len(server.workers()) == expected,
                           f"{expected} workers")
                served_on(load, 200)
            assert load.failures == []
            assert set(load.answered) == {200}
            for _ in range(30):
                assert server.get("/h").body == b"h"


# Goal: the same for requests that a handler holds while the number of workers changes.
@pytest.mark.parametrize("replies", ["sub", "pull"])
def test_held_while_workers_change(deployment, replies):
    for before, after in ((2, 3), (3, 2), (1, 2), (2, 1)):
        deployment.configure({"/": dir_(), "/h": handler(replies=replies)},
                             settings={"workers": before})
        with Server(deployment) as server, Handler(deployment, replies=replies) as on:
            clients = [server.client().send_request(path=f"/h/{i}") for i in range(20)]
            requests = [on.recv() for _ in clients]
            deployment.sql(f"UPDATE setting SET value = '{after}' WHERE key = 'workers'")
            server.reload()
            for request in requests:
                on.reply(request, request.path)
            for number, client in enumerate(clients):
                assert client.answer().body == f"/h/{number}".encode()
                client.close()


# Goal: a port that changes under load: clients that are connected finish on the old one.
def test_port_under_load(deployment, workers):
    deployment.configure()
    with Server(deployment, workers=workers) as server:
        old = deployment.port
        with Load(old) as load:
            served_on(load, 100)
            deployment.port = free_port()
            deployment.configure()
            server.reload()
            served_on(load, 100)
            assert server.get().status == 200
        assert (load.failures, load.closed, set(load.answered)) == ([], 0, {200})
        wait_until(lambda: not can_connect(old), "the old port to close")


# Goal: a graceful stop under load: every request that was taken is answered; clients see a clean
# end between requests, and then nobody listens.
def test_stop_under_load(deployment, workers):
    deployment.configure()
    with Server(deployment, workers=workers) as server:
        with Load(deployment.port) as load:
            served_on(load, 200)
            server.send_signal(signal.SIGTERM)
            assert server.wait_end() == 0
        assert set(load.answered) == {200}
        for failure in load.failures:  # closed between two requests; then nobody listens
            assert any(word in failure
                       for word in ("IncompleteRead", "Connection", "BrokenPipe", "connect again"))
