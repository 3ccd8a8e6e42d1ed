"""Handlers die or hang with requests in their hands: every request ends, and the sum is right."""

import threading

import pytest

from lib.child_handler import ChildHandler
from lib.deployment import dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import DEADLINE, wait_until
from lib.websocket_site import WebSocketSite

pytestmark = pytest.mark.with_four

MANY = 600


def many_requests(server, count=MANY, first=0):
    """That many clients, each with a request of its own."""
    return [server.client().send_request(path=f"/h/{number}")
            for number in range(first, first + count)]


def outcomes(clients):
    """Statuses of all; those with 200 have their own answer, the others the end."""
    statuses = []
    for number, client in enumerate(clients):
        answer = client.answer()
        statuses.append(answer.status)
        if answer.status == 200:
            assert answer.body == f"/h/{number}".encode()
        elif answer.status in (502, 504):
            # A late answer must not become that of the next request.
            assert client.is_closed()
        client.close()
    return statuses


# Goal: requests that a handler had when it died are answered 502 after handler.grace_ms; all that
# it was not given yet is answered by the next handler. Method: hundreds in flight; the handler
# takes some and dies; another comes at once. Sent = answered + refused; what was read was refused.
def test_killed_with_many_in_flight(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={
        "handler.wait_ms": 60000, "handler.grace_ms": 300, "handler.queue": 2000})
    with Server(deployment, workers=workers) as server:
        with Handler(deployment) as on:
            on.requests.rcvhwm = 1
            clients = many_requests(server)
            taken = {on.recv().path for _ in range(100)}
        with Answering(deployment, lambda request: http(request.path)) as on:
            statuses = outcomes(clients)
            assert server.get("/h/again").body == b"/h/again"
        assert statuses.count(200) + statuses.count(502) == MANY
        assert all(statuses[int(path.split("/")[-1])] == 502 for path in taken)
        assert statuses.count(200) == len([request for request in on.seen
                                           if request.path != "/h/again"])
        server.says("handlers that may have had it are gone")


# Goal: handler.timeout ends the wait for a handler that hangs with 504; the one beside it answers
# all it gets, and a late answer reaches nobody. Method: two handlers, one of them never answers.
def test_hung_beside_a_healthy_one(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={
        "handler.timeout": 3000, "handler.send_mark": 4, "handler.wait_ms": 60000})
    with Server(deployment, workers=workers) as server, \
            Handler(deployment) as hung, \
            Answering(deployment, lambda request: http(request.path)) as healthy:
        clients = many_requests(server, 200)
        statuses = outcomes(clients)
        assert statuses.count(200) + statuses.count(504) == 200
        late = []
        while hung.has_message(0):
            request = hung.recv()
            if not request.is_disconnect():
                late.append(request)
        assert statuses.count(504) <= len(late)
        for request in late:
            hung.reply(request, "too late")
        assert server.get().status == 200


# Goal: when one of two handlers is killed, what it had is answered 502 within the grace time and
# everything else by its neighbour; nothing waits for ever. Method: one keeps what it reads until
# it is killed, the other answers.
def test_one_of_two_is_killed(deployment, workers):
    deployment.configure({"/h": handler()}, settings={
        "handler.grace_ms": 300, "handler.wait_ms": 60000})
    go_on = threading.Event()

    def answer(request):
        assert go_on.wait(DEADLINE)
        return http(request.path)
    with Server(deployment, workers=workers) as server, ChildHandler(deployment) as victim, \
            Answering(deployment, answer) as healthy:
        clients = []

        def both_have_one():
            clients.extend(many_requests(server, 1, len(clients)))
            return victim.received() and healthy.seen
        wait_until(both_have_one, "a request at each handler")
        clients += many_requests(server, 40, len(clients))
        victim.wait_received(15)
        victim.kill()
        had = {int(path.split("/")[-1]) for path in victim.received()}
        go_on.set()
        statuses = outcomes(clients)
        assert had <= {number for number, status in enumerate(statuses) if status == 502}
        assert statuses.count(200) + statuses.count(502) == len(clients)
        assert statuses.count(200) >= 15
        assert server.get("/h/again").body == b"/h/again"
        server.says("handlers that may have had it are gone")


# Goal: the same for one that is stopped and then killed: what it cannot have read goes to its
# neighbour. Method: requests that are too large for what the system keeps for it.
def test_one_of_two_is_killed_with_full_sockets(deployment, workers):
    body = b"x" * 20_000
    deployment.configure({"/h": handler()}, settings={
        "handler.grace_ms": 300, "handler.wait_ms": 60000, "handler.send_mark": 64,
        "limits.content_length": len(body)})
    with Server(deployment, workers=workers) as server, ChildHandler(deployment) as victim:
        probe = server.client().send_request(path="/h/probe")
        victim.wait_received(1)
        victim.stop()
        clients = [server.client().send_request("POST", path=f"/h/{number}", body=body)
                   for number in range(120)]
        with Answering(deployment, lambda request: http(request.path)):
            wait_until(lambda: server.handler_peers() == 2, "both handlers")
            victim.kill()
            assert outcomes([probe]) == [502]
            statuses = outcomes(clients)
        assert statuses.count(200) + statuses.count(502) == 120
        assert statuses.count(200) >= 64


# Goal: without handler.timeout a long poll waits as long as its handler is there, and its client
# hears 502 when the only handler dies, within the grace time and not before.
def test_long_poll(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.grace_ms": 500})
    with Server(deployment, workers=workers) as server, server.client() as client:
        with Handler(deployment) as on:
            client.send_request(path="/h")
            on.recv()
        assert client.answer().status == 502
        assert client.is_closed()


# Goal: a handler that comes back within the grace time may still answer. Method: the same handler
# with new sockets answers what its old ones received.
def test_comes_back_in_time(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.grace_ms": 60000})
    with Server(deployment, workers=workers) as server, server.client() as client:
        with Handler(deployment) as on:
            client.send_request(path="/h/first")
            held = on.recv()
        server.says("no handler is connected")
        with Handler(deployment) as on, server.client() as probe:
            probe.send_request(path="/h/second")
            on.reply(on.recv(), "second")  # it is heard from here on
            assert probe.answer().body == b"second"
            on.reply(held, "first")
            assert client.answer().body == b"first"


# Goal: an answer that has begun is cut off with its handlers, whether it says where it ends or not:
# an event stream that stays open makes its client wait for ever. Method: one of each kind.
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
                                  b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n",
                                  b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
                                  b"ICY 200 OK\r\n\r\n",
                                  b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"])
def test_begun_answers(deployment, workers, head):
    deployment.configure({"/h": handler()}, settings={"handler.grace_ms": 300})
    with Server(deployment, workers=workers) as server, server.client() as client:
        with Handler(deployment) as on:
            client.send_request(path="/h", headers={"Upgrade": "x", "Connection": "upgrade"})
            on.send(on.recv().id, head + b"one ")
            client.take_until(b"\r\n\r\n" + head.partition(b"\r\n\r\n")[2] + b"one ")
        assert client.is_closed()


# Goal: a stream goes on beyond the grace time when a handler comes back within it and sends more;
# its neighbour, of which none of them speaks, ends. Method: the end of the one is the sign that the
# time is over.
def test_stream_is_taken_up(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.grace_ms": 3000})
    with Server(deployment, workers=workers) as server, server.client() as left, \
            server.client() as taken_up:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        ids = {}
        with Handler(deployment) as on:
            for client in (left, taken_up):
                client.send_request(path="/h")
                ids[client] = on.recv().id
                on.send(ids[client], head + b"one ")
                client.take_until(b"one ")
        server.says("no handler is connected")
        with Handler(deployment) as on, server.client() as probe:
            probe.send_request(path="/h/probe")
            on.reply(on.recv_request(), "probe")
            assert probe.answer().status == 200
            on.send(ids[taken_up], b"two ")
            taken_up.take_until(b"two ")
            assert left.is_closed()
            on.send(ids[taken_up], b"three")
            taken_up.take_until(b"three")


def streams(server, on, other, count=2):
    """Event streams of one handler with the ids of their connections, and those of its neighbour
    that came about meanwhile."""
    clients, others = {}, []
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    while len(clients) < count:
        client = server.client().send_request(path="/h")
        wait_until(lambda: on.has_message(0) or other.has_message(0), "the request at a handler")
        has_it = on if on.has_message(0) else other
        request = has_it.recv_request()
        has_it.send(request.id, head + b"one ")
        client.take_until(b"one ")
        if has_it is on:
            clients[client] = request.id
        else:
            others.append(client)
    return clients, others


# Goal: the same for one of several handlers that lost only its connection for requests and comes
# back: what it sends on with goes on beyond the grace time. Its neighbour's streams never end.
def test_one_of_two_loses_its_connection(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.grace_ms": 3000})
    place = deployment.endpoint("ipc://run/h-q")
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        wait_until(server.has_handlers, "the first")
        with Handler(deployment) as other:
            wait_until(lambda: server.handler_peers() == 2, "2 at the endpoint")
            clients, others = streams(server, on, other)
            (left, _), (taken_up, id_) = clients.items()
            on.requests.disconnect(place)
            wait_until(lambda: not on.has_message(0) and server.handler_peers() == 1, "its end")
            on.requests.connect(place)
            probes, more = streams(server, on, other, 1)  # it is there again
            on.send(id_, b"two ")
            taken_up.take_until(b"two ")
            assert left.is_closed()  # none has spoken of it, and the time is over
            on.send(id_, b"three ")
            taken_up.take_until(b"three ")
            assert all(client.is_quiet() for client in others)
            assert all(client.is_quiet() for client in probes)
            for client in [taken_up, *others, *probes, *more]:
                client.close()


# Goal: one that does not come back takes its streams along, though its neighbour lives and its
# reply socket goes on speaking.
def test_one_of_two_stays_away(deployment, workers):
    deployment.configure({"/h": handler()}, settings={"handler.grace_ms": 500})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        wait_until(server.has_handlers, "the first")
        with Handler(deployment) as other:
            wait_until(lambda: server.handler_peers() == 2, "2 at the endpoint")
            clients, others = streams(server, on, other)
            on.requests.disconnect(deployment.endpoint("ipc://run/h-q"))
            wait_until(lambda: not on.has_message(0) and server.handler_peers() == 1, "its end")
            for client in clients:
                on.send(clients[client], b"two ")
                client.take_until(b"two ")
            assert all(client.is_closed() for client in clients)
            assert all(client.is_quiet() for client in others)
            for client in others:
                client.close()


# Goal: a WebSocket outlives its handlers: what its client says next is for those that come.
@pytest.mark.parametrize("contract", ["frames", "messages"])
def test_websocket_stays(deployment, workers, contract):
    deployment.configure({"/": handler(websocket=contract)}, settings={"handler.grace_ms": 200})
    with Server(deployment, workers=workers) as server, server.client() as poll:
        with Handler(deployment) as on:
            client = WebSocketSite(deployment, server, on, contract).client()
            poll.send_request(path="/poll")
            on.recv_request()
        assert poll.answer().status == 502  # the time is over for both
        with Handler(deployment) as on:
            client.send_frame("hello")
            assert on.recv_request().body == b"hello"
