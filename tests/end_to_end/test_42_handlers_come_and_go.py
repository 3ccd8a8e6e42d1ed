"""No handler, late handlers, several, new ones: a bounded wait, and no first reply is lost."""

import subprocess
import sys
import time

import pytest

from lib.deployment import dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four

# A handler as a program of its own: the manual's order of connecting, no settings; it answers the
# number of requests it is told, and ends.
PROGRAM = """
import sys, zmq
context = zmq.Context()
requests = context.socket(zmq.PULL)
requests.connect(sys.argv[1])
replies = context.socket(zmq.PUB)
replies.connect(sys.argv[2])
left = int(sys.argv[3])
while left:
    sender, conn_id, path, rest = requests.recv().split(b" ", 3)
    if path == b"@*":
        continue
    body = b"by " + sys.argv[4].encode()
    http = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)
    replies.send(b"%s %d:%s, %s" % (sender, len(conn_id), conn_id, http))
    left -= 1
# A Python that just ends takes along what its 0MQ has not sent yet.
requests.close()
replies.close()
context.term()
"""


def program(deployment, count, name):
    return subprocess.Popen([sys.executable, "-c", PROGRAM, deployment.endpoint("ipc://run/h-q"),
                             deployment.endpoint("ipc://run/h-r"), str(count), name])


# Goal: without a handler a request gets 503 with Retry-After after handler.wait_ms, no sooner and
# not much later; other targets answer meanwhile; keep-alive survives. Method: a reload lets the
# next request wait for its handler, however long that takes to come.
def test_no_handler(deployment, workers):
    routes = {"/": dir_(), "/h": handler()}
    deployment.configure(routes, settings={"handler.wait_ms": 400})
    with Server(deployment, workers=workers) as server, server.client() as client:
        begin = time.monotonic()
        client.send_request(path="/h")
        for _ in range(20):
            assert server.get().status == 200
        answer = client.answer()
        assert time.monotonic() - begin >= 0.39
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
        assert client.request().status == 200
        # The request that was given up is not handed out later.
        deployment.configure(routes, settings={"handler.wait_ms": 30000})
        server.reload()
        with Handler(deployment) as on:
            client.send_request(path="/h/second")
            request = on.recv()
            assert request.path == "/h/second"
            on.reply(request, "ok")
            assert client.answer().body == b"ok"


# Goal: a request that was sent before its handler starts is answered when the handler comes in
# time.
def test_handler_comes_later(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=workers) as server:
        clients = [server.client().send_request(path=f"/h/{number}") for number in range(20)]
        with Answering(deployment, lambda request: http(request.path)):
            for number, client in enumerate(clients):
                assert client.answer().body == f"/h/{number}".encode()


# Goal: a request whose client leaves while it waits for a handler is not handed out.
def test_client_leaves_while_waiting(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.wait_ms": 20000,
                                                      "limits.write_ms": 300})
    with Server(deployment, workers=workers) as server:
        before = server.access_log()
        for number in range(5):
            server.client().send_request(path=f"/h/gone{number}").close()
        server.wait_access(len(before) + 5)  # the server has seen them go
        client = server.client().send_request(path="/h/here")
        with Handler(deployment) as on:
            request = on.recv()
            while request.is_disconnect():
                request = on.recv()
            assert request.path == "/h/here"
            on.reply(request, "ok")
            assert client.answer().body == b"ok"


# Goal: the queue in front of a pair is bounded: what is above it gets 503 at once, what is in it is
# answered when a handler comes.
def test_queue_is_bounded(deployment):
    deployment.configure({"/h": handler()},
                         settings={"handler.wait_ms": 20000, "handler.queue": 10})
    with Server(deployment, workers=1) as server:
        clients = {server.client().send_request(path="/h") for _ in range(15)}

        def refused():
            return {client for client in clients if not client.is_quiet()}
        wait_until(lambda: len(refused()) == 5, "503 for five of them")
        for client in refused():
            assert client.answer().status == 503
            clients.remove(client)
        with Answering(deployment, lambda request: http("ok")):
            for client in clients:
                assert client.answer().body == b"ok"


# Goal: so is it in bytes, however few the requests are, and the log names the setting. Method: each
# body is a third of what may wait.
def test_queue_is_bounded_in_bytes(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={
        "handler.wait_ms": 60000, "handler.queue_bytes": 300_000})
    body = b"x" * 100_000
    with Server(deployment, workers=workers) as server:
        clients = server.clients_of(server.workers()[0], 8)
        for client in clients:
            client.send_request("POST", "/h", body=body)

        def refused():
            return [client for client in clients if not client.is_quiet()]
        wait_until(lambda: len(refused()) == 5, "503 for five of them")
        others = refused()
        for client in others:
            assert client.answer().status == 503
        server.says("wait already (handler.queue_bytes), request of connection")
        with Answering(deployment, lambda request: http(str(len(request.body)))):
            for client in clients:
                if client not in others:
                    assert client.answer().body == b"100000"
            assert others[0].request("POST", "/h", body=body).body == b"100000"


# Goal: a client that shuts down its sending side while its request still waits for a handler gets
# the answer that it is owed.
def test_half_close_while_waiting(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=workers) as server:
        client = server.client().send_request(path="/h").half_close()
        assert server.get("/nothing").status == 404  # it has been read by now, or soon will
        with Answering(deployment, lambda request: http("owed")):
            assert client.answer().body == b"owed"


# Goal: a handler that is stuck costs its prefetch and no more; pairs do not wait for each other.
# Method: one pair whose handler does not read, another that answers.
def test_stuck_handler(deployment, workers):
    deployment.configure({"/h": handler(), "/other": handler("other")},
                         settings={"handler.wait_ms": 30000, "handler.send_mark": 2})
    with Server(deployment, workers=workers) as server, Handler(deployment), \
            Answering(deployment, name="other"):
        stuck = [server.client().send_request(path="/h") for _ in range(20)]
        for _ in range(20):
            assert server.get("/other").status == 200
        for client in stuck:
            client.close()


# Goal: the slow joiner loses nothing: each fresh handler process gets its first reply through.
# Method: thirty processes one after the other, each answers one request and ends.
def test_slow_joiner(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.wait_ms": 30000})
    with Server(deployment, workers=workers) as server, server.client() as client:
        for number in range(30):
            process = program(deployment, 1, str(number))
            try:
                answer = client.request(path="/h")
                assert (answer.status, answer.body) == (200, f"by {number}".encode())
            finally:
                process.wait(30)
            # What is given to a handler that has just ended is another matter. (The log, which
            # bounds its lines about handlers that come and go, may not name each.)
            wait_until(lambda: server.handler_peers() == 0, "the end of its connection")


# Goal: the same when the request is there first and several handlers start at once.
def test_slow_joiners_together(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.wait_ms": 30000})
    with Server(deployment, workers=workers) as server:
        for number in range(3):
            clients = [server.client().send_request(path="/h") for _ in range(12)]
            handlers = [Answering(deployment, lambda request: http("ok")) for _ in range(4)]
            for client in clients:
                assert client.answer().body == b"ok"
                client.close()
            for on in handlers:
                on.close()
            server.handlers_gone(number + 1)


# Goal: two handlers of one pair share the work in turn.
def test_round_robin(deployment, workers):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http("one")) as one, server.client() as client:
        assert client.request(path="/h").body == b"one"
        with Answering(deployment, lambda request: http("two")) as two:
            wait_until(lambda: client.request(path="/h").body == b"two", "the second handler")
            before = len(one.seen), len(two.seen)
            for _ in range(100):
                assert client.request(path="/h").status == 200
            shares = len(one.seen) - before[0], len(two.seen) - before[1]
            assert sum(shares) == 100 and min(shares) >= 40, shares
        wait_until(lambda: server.handler_peers() == 1, "the server to see that one has gone")
        for _ in range(20):  # all goes to the other
            assert client.request(path="/h").body == b"one"


# Goal: one-shot requests share out evenly, whatever notices there are, and the notice of a client
# reaches the handler that had its request. Method: sixty clients, one after the other, each asks
# once and leaves; the next asks when that was heard.
def test_one_shot_clients_share_evenly(deployment, workers):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http("one")) as one, server.client() as first:
        assert first.request(path="/h").body == b"one"
        with Answering(deployment, lambda request: http("two")) as two:
            wait_until(lambda: first.request(path="/h").body == b"two", "the second handler")
            before = len(one.seen), len(two.seen)
            for number in range(60):
                with server.client() as client:
                    assert client.request(path=f"/h/{number}").status == 200
                wait_until(lambda: len(one.notices) + len(two.notices) > number, "its notice")
            shares = len(one.seen) - before[0], len(two.seen) - before[1]
            assert sum(shares) == 60 and min(shares) >= 25, shares
            for on in (one, two):
                assert set(on.notices) <= {request.id for request in on.seen}


# Goal: a handler that is restarted again and again loses nothing that was not yet handed to it.
# Method: each handler answers ten requests and ends, the next one starts; every client gets an
# answer.
def test_restart(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.wait_ms": 30000})
    with Server(deployment, workers=workers) as server, server.client() as client:
        for number in range(8):
            process = program(deployment, 10, str(number))
            try:
                for _ in range(10):
                    assert client.request(path="/h").body == f"by {number}".encode()
            finally:
                process.wait(30)
            server.handlers_gone(number + 1)


# Goal: ids do not come back after a restart of the server. Method: compare those of several runs.
def test_ids_over_restarts(deployment, workers):
    deployment.configure({"/h": handler()})
    seen = set()
    with Handler(deployment) as on:
        for _ in range(4):
            with Server(deployment, workers=workers) as server:
                for _ in range(20):
                    with server.client() as client:
                        client.send_request(path="/h")
                        request = on.recv()
                        while request.is_disconnect():
                            request = on.recv()
                        assert request.id not in seen
                        seen.add(request.id)
                        on.reply(request, "ok")
                        client.answer()
                assert server.stop() == 0
    assert len(seen) == 80


# Goal: requests of one connection reach a handler in order, and a thousand in a row are all
# answered.
@pytest.mark.parametrize("count", [1000])
def test_many_in_a_row(deployment, workers, count):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http(request.path)) as on, \
            server.client() as client:
        for number in range(count):
            assert client.request(path=f"/h/{number}").body == f"/h/{number}".encode()
        assert [request.path for request in on.seen] == [f"/h/{n}" for n in range(count)]
