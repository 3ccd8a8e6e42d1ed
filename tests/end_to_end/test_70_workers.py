"""Several workers: they share the port, and one more or less is nobody's business."""

import hashlib
import os

import pytest

from lib.deployment import dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import wait_until


# Goal: each worker takes clients and serves them. Method: clients of one worker after the other.
def test_all_take_clients(deployment):
    deployment.configure()
    with Server(deployment, workers=3) as server:
        for worker in server.workers():
            for client in server.clients_of(worker, 5):
                assert client.request().status == 200
                client.close()


# Goal: answers find their client whichever worker has it, in one message for many workers too.
# Method: 64 clients over 4 workers, one message to all, then one to each.
def test_ids_over_workers(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=4) as server, Handler(deployment) as on:
        clients = [client.send_request(path="/h") for worker in server.workers()
                   for client in server.clients_of(worker, 16)]
        ids = [on.recv().id for _ in clients]
        assert len(set(ids)) == 64
        on.send(ids, http("to all"))
        for client in clients:
            assert client.answer().body == b"to all"
        for client in clients:
            client.send_request(path="/h")
        for _ in clients:
            request = on.recv()
            assert not request.is_disconnect(), "a notice for a client that is there"
            on.reply(request, request.id)
        assert sorted(client.answer().body.decode() for client in clients) == sorted(ids)


# Goal: all targets that a message may have, over all workers: each gets each message exactly
# once, in order, and the end behind them. Method: streams of 128 clients, ids in no order.
@pytest.mark.with_four
def test_most_targets(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        clients = [client.send_request(path="/h") for worker in server.workers()
                   for client in server.clients_of(worker, 128 // workers)]
        ids = sorted((on.recv().id for _ in clients), key=lambda each: each[::-1])
        assert len(set(ids)) == 128
        pieces = [b"HTTP/1.1 200 OK\r\n\r\n"] + [b"<%d>" % number for number in range(20)]
        for piece in pieces + [b""]:
            on.send(ids, piece)
        for client in clients:
            assert client.take_all() == b"".join(pieces)


# Goal: through the relay nothing is dropped at full speed. Method: 64 connections ask 100 times
# each.
def test_nothing_dropped(deployment):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=4) as server, \
            Answering(deployment, lambda request: http(request.path)) as on:
        clients = [server.client() for _ in range(64)]
        for turn in range(50):
            for number, client in enumerate(clients):
                client.send_request(path=f"/h/{turn}/{number}")
            for number, client in enumerate(clients):
                assert client.answer().body == f"/h/{turn}/{number}".encode()
        assert len(on.seen) == 64 * 50


# Goal: the processes have names that an operator understands.
def test_names(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=2) as server:
        assert len(server.workers()) == 2
        assert len(server.relay()) == 1
        wait_until(lambda: len(server.children()) == 4, "nothing else")


# Goal: large bodies pass the relay both ways.
def test_large_through_relay(deployment):
    deployment.configure({"/h": handler()}, settings={"limits.content_length": 8 << 20})
    content = os.urandom(1 << 20) * 5
    with Server(deployment, workers=2) as server, \
            Answering(deployment, lambda request: http(request.body)), server.client() as client:
        for _ in range(3):
            assert client.request("POST", "/h", body=content).body == content


# Goal: an answer of 64 MB reaches a client whole, while others are served. Method: its digest.
def test_very_large_answer(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    piece = os.urandom(1 << 20)
    with Server(deployment, workers=workers) as server, Handler(deployment) as on, \
            server.client() as client:
        client.send_request(path="/h")
        request = on.recv()
        on.reply(request, 64 * piece)
        assert server.get().status == 200
        answer = client.answer().body
        assert len(answer) == 64 << 20
        assert all(answer[at:at + len(piece)] == piece for at in range(0, len(answer), len(piece)))
        client.send_request(path="/h")
        on.reply(on.recv(), "next")
        assert client.answer().body == b"next"


# Goal: a body of exactly limits.content_length reaches the handler in one message, one more byte is
# refused. Method: 16 MB.
def test_largest_request(deployment, workers):
    most = 16 << 20
    deployment.configure({"/h": handler()}, settings={"limits.content_length": most})
    body = os.urandom(1 << 20) * 16
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http(hashlib.sha1(request.body).digest())):
        with server.client() as client:
            assert client.request("POST", "/h", body=body).body == hashlib.sha1(body).digest()
        with server.client() as client:
            client.send(b"POST /h HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                        % (most + 1))
            assert client.answer().status == 413


# Goal: pairs are apart: handlers of one never see requests of another, with any number of workers.
def test_pairs_are_apart(deployment):
    names = [f"p{number}" for number in range(8)]
    deployment.configure({f"/{name}": handler(name) for name in names})
    with Server(deployment, workers=2) as server:
        handlers = [Answering(deployment, lambda request, name=name: http(name), name=name)
                    for name in names]
        for _ in range(5):
            for name in names:
                assert server.get(f"/{name}").body == name.encode()
        for on in handlers:
            on.close()


# Goal: nobody waits while a worker's or the relay's table of descriptors grows, which takes the
# kernel milliseconds in a process with threads. Method: its size (proc(5), FDSize), before clients.
def test_descriptor_table(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"superpoll.max_fd": 4000})
    with Server(deployment, workers=2, prefix=["prlimit", "--nofile=3000:4000"]) as server:
        for pid in server.workers() + server.relay():
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                size = next(int(line.split()[1]) for line in file if line.startswith("FDSize"))
            assert size >= 4000, server.children()[pid]
