"""One connection that visits Dir, Handler and Proxy in turn: requests are answered in their order,
each reaches one target, once and whole, and never while another of the connection is under way."""

import random
import resource
import threading

import pytest

from lib.backend import Backend
from lib.deployment import Deployment, dir_, handler, proxy
from lib.handler import Answering, http
from lib.server import Server
from lib.waiting import wait_until


class Targets:
    """A handler and a backend that note when each request begins and ends with them."""

    def __init__(self, deployment):
        self.events = []
        self.lock = threading.Lock()
        self.deployment = deployment
        self.backend = Backend(self.script)

    def note(self, what, token):
        with self.lock:
            self.events.append((what, token))

    def answer(self, request):
        token = request.path.rsplit("/", 1)[1]
        self.note("begin", token)
        body = request.path.encode() + b"|" + request.body
        self.note("end", token)
        return http(body)

    def script(self, exchange, head):
        path = head.split(b" ")[1]
        token = path.decode().rsplit("/", 1)[1]
        self.note("begin", token)
        text = path + b"|" + exchange.read_body(head)
        self.note("end", token)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        return True


@pytest.fixture
def targets(deployment):
    made = Targets(deployment)
    with made.backend:
        for number in range(100):
            deployment.write(f"www/d/{number}", f"/d/{number}|".encode())
        deployment.configure({"/d/": dir_("www/d/"), "/h/": handler(),
                              "/p/": proxy(made.backend.port)}, settings={"pipelining": 1})
        with Answering(deployment, made.answer):
            yield made


def some_request(number, chance):
    """A request, and the body that its answer has to have."""
    kind = chance.choice("dhp")
    path = f"/{kind}/{number}"
    body = b"" if kind == "d" else chance.randbytes(chance.choice([0, 0, 1, 100, 5000]))
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if not body:
        data = head.encode() + b"\r\n"
    elif chance.random() < 0.5:
        data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    else:
        cut = chance.randrange(len(body))
        data = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        for piece in (body[:cut], body[cut:]):
            data += b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""
        data += b"0\r\n\r\n"
    return data, path.encode() + b"|" + body


# Goal: no request is reordered, split, doubled or sent ahead of the one before it. Method: a random
# mix on one connection, one by one, then all at once in pieces of random size; every answer tells
# its request, and both targets note when they began and ended with which.
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "pipelined"])
def test_random_mix(targets, workers, seed, at_once):
    chance = random.Random(seed)
    requests = [some_request(number, chance) for number in range(60)]
    with Server(targets.deployment, workers=workers) as server, server.client() as client:
        if at_once:
            def send():
                data = b"".join(data for data, _ in requests)
                while data:
                    size = chance.choice([1, 10, 1000, 30000])
                    client.socket.sendall(data[:size])
                    data = data[size:]
            sender = threading.Thread(target=send)
            sender.start()
            bodies = [client.answer().body for _ in requests]
            sender.join()
        else:
            bodies = [client.send(data).answer().body for data, _ in requests]
        assert bodies == [body for _, body in requests]
        assert client.is_quiet()
        visited = [body.split(b"|")[0].decode().rsplit("/", 1)[1] for _, body in requests
                   if not body.startswith(b"/d/")]
        expected = [(what, token) for token in visited for what in ("begin", "end")]
        assert targets.events == expected


# Goal: without the setting the second request reaches nobody, however it comes, and the log says
# so.
@pytest.mark.parametrize("kind", "dhp")
def test_not_pipelined(targets, kind):
    targets.deployment.configure(
        {"/d/": dir_("www/d/"), "/h/": handler(), "/p/": proxy(targets.backend.port)})
    with Server(targets.deployment, workers=1) as server:
        first, second = (f"GET /{kind}/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                         for number in (1, 2))
        with server.client() as client:
            answer = client.send(first + second).answer()
            assert answer.body == f"/{kind}/1|".encode()
            if kind == "d":
                assert answer.headers["connection"] == "close"
            assert client.is_closed()
        wait_until(lambda: "pipelined request from 127.0.0.1 not served" in server.log(), "the log")
        assert ("begin", "2") not in targets.events


# Goal: who goes on sending while a request waits costs no memory: the input stays with its sender.
# Method: a handler that does not answer; send until nothing more is taken.
def test_pipelined_input_is_bounded(deployment):
    deployment.configure({"/": handler()}, settings={"pipelining": 1})
    with Server(deployment, workers=1) as server, server.client() as client:
        pid = server.workers()[0]

        def memory():
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * resource.getpagesize()
        before = memory()
        client.socket.setblocking(False)
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000
        sent = 0
        try:
            while sent < 256 << 20:
                sent += client.socket.send(request)
        except BlockingIOError:
            pass
        assert sent < 256 << 20, "the server takes everything"
        assert memory() - before < 4 << 20
