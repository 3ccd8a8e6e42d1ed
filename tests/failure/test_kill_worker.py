"""A worker is killed: another takes its place, and only its own clients notice."""

import os
import signal

import pytest

from lib.deployment import dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import can_connect, wait_until

pytestmark = pytest.mark.with_four


def clients_of_both(server):
    """Twenty clients of each of two workers, in turn; each has sent a request for the handler."""
    first, second = (server.clients_of(worker, 20) for worker in server.workers())
    clients = [client for pair in zip(first, second) for client in pair]
    for number, client in enumerate(clients):
        client.send_request(path=f"/h/{number}")
    return clients


def kill_and_wait(server, pid, count):
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in server.workers() and len(server.workers()) == count,
               "a new worker")


# Goal: killed workers are replaced, nobody gets "connection refused" meanwhile, requests to files
# and handlers work again. Method: kill one after the other, ask all the time.
def test_replaced(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=workers) as server, Answering(
            deployment, lambda request: http("h")):
        assert server.get("/h").body == b"h"
        for _ in range(4):
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            assert can_connect(deployment.port)
            wait_until(lambda: len(server.workers()) == workers and victim not in server.workers(),
                       "a new worker")
            for _ in range(10):
                assert server.get().status == 200
                assert server.get("/h").body == b"h"


# Goal: clients of the other workers notice nothing, not even those whose request a handler holds.
# Method: many clients over two workers hold a request; kill one worker; its clients see the end of
# their connection, all others get their answer.
def test_others_go_on(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=2) as server, Handler(deployment) as on:
        clients = clients_of_both(server)
        requests = {}
        for _ in clients:
            request = on.recv()
            requests[int(request.path.split("/")[-1])] = request
        kill_and_wait(server, server.workers()[0], 2)
        for request in requests.values():
            on.reply(request, request.path)
        answered, closed = [], []
        for number, client in enumerate(clients):
            try:
                data = client.take_until(b"\r\n\r\n")
                assert client.take(len(f"/h/{number}")) == f"/h/{number}".encode(), data
                answered.append(number)
            except (AssertionError, ConnectionResetError):
                closed.append(number)
        assert len(answered) + len(closed) == 40
        assert len(answered) == len(closed) == 20
        # Those that stayed go on in order.
        for number in answered:
            assert clients[number].request().status == 200


# Goal: the handlers of a pair hear of every connection that a dead worker had with them, once.
# Method: as above, with clients that were answered and clients that wait.
def test_handlers_are_told(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=2) as server, Handler(deployment) as on:
        clients = clients_of_both(server)
        requests = [on.recv() for _ in clients]
        for request in requests[:20]:
            on.reply(request, "answered")
        kill_and_wait(server, server.workers()[0], 2)
        lost = []
        for request, client in zip(requests, clients_by_path(clients, requests)):
            client.socket.settimeout(0.2)
            try:
                while client.more():
                    pass
                lost.append(request.id)
            except ConnectionResetError:
                lost.append(request.id)
            except TimeoutError:
                pass
        assert lost
        told = set()

        def all_told():
            while on.has_message(0):
                message = on.recv()
                assert message.is_disconnect() and message.id not in told
                told.add(message.id)
            return told >= set(lost)
        wait_until(all_told, "a notice for every lost connection")
        assert told == set(lost)


def clients_by_path(clients, requests):
    return [clients[int(request.path.split("/")[-1])] for request in requests]


# Goal: ids of a dead worker never come back: a late reply reaches nobody.
def test_ids_do_not_return(deployment, workers):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        seen = set()
        for _ in range(4):
            clients = [server.client().send_request(path="/h") for _ in range(10)]
            for _ in clients:
                request = on.recv()
                while request.is_disconnect():
                    request = on.recv()
                assert request.id not in seen
                seen.add(request.id)
            for victim in server.workers():
                os.kill(victim, signal.SIGKILL)
                wait_until(lambda victim=victim: victim not in server.workers() and
                           len(server.workers()) == workers, "a new worker")
            for known in list(seen):
                on.send(known, http("too late"))


# Goal: a new worker serves the configuration of now, not that of the start.
def test_new_worker_new_configuration(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server:
        deployment.configure({"/": dir_(), "/new/": dir_()})
        server.reload()
        deployment.write("config.sqlite", b"garbage that nobody must read now")
        for victim in server.workers():
            kill_and_wait(server, victim, workers)
        for _ in range(20):
            assert server.get("/new/").status == 200


def can_answer(client):
    """False: the client was unlucky, its connection is the stopped worker's."""
    client.send_request()
    client.socket.settimeout(0.3)
    try:
        return client.answer().status == 200
    except TimeoutError:
        return False


# Goal: a worker killed during a reload costs that reload or not, but never the server; the next
# reload works. Method: kill right after HUP, many times.
def test_killed_during_reload(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=2) as server:
        for number in range(10):
            deployment.configure({"/": dir_(), f"/n{number}/": dir_()})
            victim = server.workers()[number % 2]
            server.send_signal(signal.SIGHUP)
            os.kill(victim, signal.SIGKILL)
            server.wait_notified("READY")
            wait_until(lambda victim=victim: victim not in server.workers() and
                       len(server.workers()) == 2, "a new worker")
        server.reload()
        wait_until(lambda: all(server.get("/n9/").status == 200 for _ in range(20)),
                   "the last state")
        assert server.stop() == 0


# Goal: a worker that is stopped (SIGSTOP) refuses a reload by its silence, and nothing else: others
# serve, and when it goes on the next reload works.
def test_stopped_worker(deployment):
    deployment.configure(settings={"reload.prepare_ms": 2000})
    with Server(deployment, workers=2) as server:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        deployment.sql("UPDATE route SET path = '/new/'")
        server.reload()
        server.says("did not answer in time")
        other = server.client()
        while not can_answer(other):
            other = server.client()
        os.kill(victim, signal.SIGCONT)
        server.clients_of(victim, 1)  # it has caught up
        assert "serves" in server.reload()
        for _ in range(20):
            assert server.get("/new/").status == 200
