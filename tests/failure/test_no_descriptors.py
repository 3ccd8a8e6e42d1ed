"""A worker that has no descriptors left: whoever used them up, handlers can connect, nobody dies,
and whoever is refused hears it."""

import contextlib
import os
import resource

import pytest

from lib.backend import Backend
from lib.deployment import dir_, handler, proxy
from lib.handler import Answering, http
from lib.server import Server
from lib.waiting import free_port, wait_until

FILES = 256  # open files that each process may have
LARGE = 32_000_000  # too large for the cache and for the buffers of the system
MANY = 40  # more than are left when clients have taken what they may


class Site:
    def __init__(self, deployment, backend, specs):
        self.deployment, self.backend, self.specs = deployment, backend, specs
        self.server = Server(deployment, workers=1, start=False)
        self.server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                                                (FILES, FILES)))
        self.worker = wait_until(self.server.workers, "the worker")[0]

    def fill(self):
        """As many clients as the worker takes; each was served."""
        clients, line = [], "clients wait"
        while True:
            clients.append(self.server.client().send_request(path="/a/none"))
            wait_until(lambda: not clients[-1].is_quiet() or line in self.server.log(),
                       "an answer, or the line that clients wait")
            if clients[-1].is_quiet():
                clients.pop().close()
                return clients
            assert clients[-1].answer().status == 404

    def uploads(self):
        return len(os.listdir(self.deployment.path("tmp")))

    def use_up(self, clients):
        """Each client that is there has the worker open something, until all of it is refused."""
        refused = set()
        ask = "{} HTTP/1.1\r\nHost: a\r\n{}\r\n".format
        works = [("download", lambda number: ask(f"GET /a/{number}", ""), int),
                 ("proxy", lambda _: ask("GET /p", ""), lambda: len(self.backend.heads)),
                 ("upload", lambda _: ask("POST /h", "Content-Length: 90000\r\n"), self.uploads)]
        for number in range(MANY):
            name, request, progress = works[number % len(works)]
            client, before = clients.pop(), progress()
            client.send(request(number))
            wait_until(lambda: not client.is_quiet() or progress() > before, f"{name} {number}")
            if not client.received:
                continue
            head = client.take_until(b"\r\n\r\n")
            if b" 503 " not in head:
                assert name == "download" and b" 200 " in head
                continue
            assert b"Retry-After: " in head
            refused.add(name)
        assert refused == {"download", "proxy", "upload"}

    def lives(self):
        return self.server.workers() == [self.worker]


@pytest.fixture
def site(deployment):
    for number in range(MANY):
        deployment.write(f"a/{number}", b"")
        os.truncate(deployment.path(f"a/{number}"), LARGE)
    specs = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(Backend(lambda exchange, _: bool(exchange.socket.recv(1))))
        deployment.configure(
            {"/a/": dir_("a/"), "/p": proxy(port=backend.port), "/h": handler(),
             "/t": handler(send_spec=specs[0], recv_spec=specs[1])},
            settings={"upload.temp_store": "tmp/body.XXXXXX", "limits.content_length": 20480,
                      "handler.wait_ms": 30000})
        made = Site(deployment, backend, specs)
        stack.enter_context(made.server)
        yield made


# Goal: clients, and then what is opened for them, leave the descriptors that handlers need: these
# connect and answer, by ipc and by tcp, in the same worker; later everybody is served as before.
def test_handlers_connect(site):
    clients = site.fill()
    answered = clients[:2]
    working = clients[2:]
    site.use_up(working[:])
    with Answering(site.deployment, lambda request: http("ipc")), \
            Answering(site.deployment, lambda request: http("tcp"), specs=site.specs):
        assert answered[0].request(path="/h").body == b"ipc"
        assert answered[1].request(path="/t").body == b"tcp"
        assert site.lives()
        for client in working:
            client.close()
        assert site.server.get("/a/0").status == 200
        assert site.server.get("/h").body == b"ipc"
    assert site.lives()


# Goal: more handlers than there is room for are sent away with a line in the log, one after the
# other; those that are in are served, and so are all when there is room again.
def test_too_many_handlers(site):
    clients = site.fill()
    answered = clients.pop()
    site.use_up(clients[:])
    sent_away = "a peer that connects to a 0MQ endpoint is sent away"
    waits = "handlers wait"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Answering(site.deployment, lambda request: http("first")))
        assert answered.request(path="/h/1").body == b"first"
        others = 0
        while sent_away not in site.server.log():
            assert others < MANY
            taken = len(os.listdir(f"/proc/{site.worker}/fd"))
            waiting = site.server.log().count(waits)
            stack.enter_context(Answering(site.deployment, lambda request: http("other"),
                                          specs=site.specs if others % 2 else None))
            others += 1
            # Its request socket may find the last descriptor taken by its reply socket.
            wait_until(lambda: sent_away in site.server.log() or
                       site.server.log().count(waits) > waiting or
                       len(os.listdir(f"/proc/{site.worker}/fd")) >= min(taken + 2, FILES - 3),
                       "the handler's connections")
        for number in range(10):
            assert answered.request(path=f"/h/{number}").body in (b"first", b"other")
        assert first.seen and site.lives()
        for client in clients:
            client.close()
        with Answering(site.deployment, lambda request: http("late")) as late:
            wait_until(lambda: answered.request(path="/h").body == b"late", "a handler that waited")
            assert late.seen
    assert site.lives()
