"""mongrel2.wsgi: clients that leave, take little, or ask for much, and applications that fail."""

import contextlib
import hashlib
import os
import threading
import time

import pytest

from lib import m2sh_tools  # noqa: F401  (the package's place)
from lib.client import Client
from lib.deployment import IDENT, Deployment, handler
from lib.server import Server
from lib.waiting import DEADLINE, wait_until
from mongrel2.handler import Connection
from mongrel2.wsgi import Bridge, Site, bridge
from mongrel2.wsgi.response import FileWrapper

SIZE = 60_000_000
BLOCK = bytes(range(256)) * 256
BYTES = (BLOCK * (SIZE // len(BLOCK) + 1))[:SIZE]
MD5 = hashlib.md5(BYTES).hexdigest()
THREADS = 4


class App:
    """What it does is the path."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.streams = 0  # that are open
        self.closed = 0
        self.release = threading.Event()

    def __call__(self, environ, start_response):
        return getattr(self, environ["PATH_INFO"].strip("/"))(environ, start_response)

    def quick(self, environ, start_response):
        start_response("200 OK", [])
        return [b"quick"]

    def endless(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return self.stream()

    def stream(self):
        self.streams += 1
        try:
            while True:
                yield b"data: tick\n\n"
                time.sleep(0.01)
        finally:
            self.streams -= 1
            self.closed += 1

    def hang(self, environ, start_response):
        start_response("200 OK", [])
        yield b"begun"
        self.release.wait()

    def upload(self, environ, start_response):
        start_response("200 OK", [])
        digest = hashlib.md5()
        while data := environ["wsgi.input"].read(1 << 20):
            digest.update(data)
        return [f"{environ['CONTENT_LENGTH']} {digest.hexdigest()}".encode()]

    def exit(self, environ, start_response):
        raise SystemExit(3)

    def bad_close(self, environ, start_response):
        class Result:
            def __iter__(self):
                return iter([b"answer"])

            def close(self):
                raise RuntimeError("on purpose")
        start_response("200 OK", [("Content-Length", "6")])
        return Result()

    def bad_status(self, environ, start_response):
        start_response("200 OK\r\nX: y", [])
        return [b""]

    def bad_header(self, environ, start_response):
        start_response("204 No Content", [("X", "\u20ac")])
        return [b""]

    def text(self, environ, start_response):
        start_response("200 OK", [])
        return ["text"]

    def whole(self, environ, start_response):
        start_response("200 OK", [])
        return [BYTES[:SIZE // 2], BYTES[SIZE // 2:]]

    def pieces(self, environ, start_response):
        start_response("200 OK", [("Content-Length", str(SIZE))])
        return (BYTES[at:at + 1_000_000] for at in range(0, SIZE, 1_000_000))

    def chunks(self, environ, start_response):
        start_response("200 OK", [])
        return (BYTES[at:at + 1_000_000] for at in range(0, SIZE, 1_000_000))

    def file(self, environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](open(self.deployment.path("www/large"), "rb"))

    def short(self, environ, start_response):
        start_response("200 OK", [("Content-Length", "10")])
        return [b"five!"]

    def long(self, environ, start_response):
        start_response("200 OK", [("Content-Length", "4")])
        return iter([b"four", b"and more"])


class Running:
    def __init__(self, deployment, app, bridge_, thread):
        self.deployment, self.app, self.bridge, self.thread = deployment, app, bridge_, thread

    def client(self, path, **more):
        return Client(self.deployment.port, **more).send_request(path=path)

    def hold_all_threads(self):
        self.held = []
        for _ in range(THREADS):
            self.held.append(self.client("/hang"))
            self.held[-1].take_until(b"begun")

    def serves(self):
        """More requests than there are threads are answered."""
        clients = [self.client("/quick") for _ in range(2 * THREADS)]
        assert [one.answer().body for one in clients] == [b"quick"] * len(clients)


@contextlib.contextmanager
def running(settings=None, site=True, **more):
    settings = {"download.flow_control": 1, "limits.content_length": 10_000,
                "upload.temp_store": "tmp/body.XXXXXX", "upload.temp_store_mode": "0644",
                **(settings or {})}
    with Deployment() as deployment:
        deployment.configure({"/": handler(), "@say": handler()}, settings=settings)
        app = App(deployment)
        with Server(deployment, workers=1):
            conn = Connection(IDENT, deployment.endpoint("ipc://run/h-q"),
                              deployment.endpoint("ipc://run/h-r"))
            made = Bridge(conn, app, THREADS, site=Site(deployment.folder if site else None),
                          **more)
            thread = threading.Thread(target=made.serve)
            thread.start()
            try:
                yield Running(deployment, app, made, thread)
            finally:
                app.release.set()
                made.stop()
                thread.join(DEADLINE)
                assert not thread.is_alive()
                conn.shutdown()


@pytest.fixture(scope="module")
def site():
    with running() as made:
        yield made


# Goal: clients that leave an endless stream free their threads, and the stream is closed.
def test_streams_that_are_left(site):
    closed = site.app.closed
    for _ in range(2):
        clients = [site.client("/endless") for _ in range(THREADS)]
        for client in clients:
            client.take_until(b"tick")
        waiting = site.client("/quick")
        for client in clients:
            client.close()
        assert waiting.answer().body == b"quick"
    wait_until(lambda: site.app.streams == 0, "the end of the streams")
    assert site.app.closed == closed + 2 * THREADS
    site.serves()


# Goal: HEAD for an endless stream is answered, and ends it.
def test_head(site):
    client = Client(site.deployment.port)
    assert client.request("HEAD", "/endless").status == 200
    assert client.request(path="/quick").body == b"quick"
    wait_until(lambda: site.app.streams == 0, "the end of the stream")


# Goal: an application that goes on for ever for clients that have left keeps nobody from an answer.
def test_threads_that_hang(site, monkeypatch):
    monkeypatch.setattr(bridge, "STUCK_SECONDS", 0.1)
    for client in [site.client("/hang") for _ in range(THREADS)]:
        client.take_until(b"begun")
        client.close()
    site.serves()
    site.app.release.set()
    wait_until(lambda: site.bridge._alive == THREADS or site.serves(), "the spare threads' end")
    site.app.release.clear()


# Goal: no failure of an application ends a thread: each costs its own request.
@pytest.mark.parametrize("path", ["exit", "bad_status", "bad_header", "text", "none_of_it"])
def test_failures(site, path):
    for _ in range(THREADS + 1):
        assert site.client("/" + path).answer().status == 500
    site.serves()


def test_a_close_that_fails(site):
    for _ in range(THREADS + 1):
        assert site.client("/bad_close").take_until(b"answer") is not None
    site.serves()


# Goal: a wrong Content-Length neither leaves a client waiting nor spoils the next answer.
def test_wrong_lengths(site):
    client = site.client("/short")
    client.take_until(b"five!")
    assert client.is_closed()
    client = site.client("/long")
    assert client.answer().body == b"four"
    assert client.request(path="/quick").body == b"quick"


# Goal: answers of 60 MB arrive whole, also at clients slower than the application.
# Method: known at once, with a length, in chunks, from a file; with flow control, and without it
# those whose length is known.
@pytest.mark.parametrize("flow, path, shared", [
    (1, "whole", True), (1, "pieces", True), (1, "chunks", True), (1, "file", True),
    (1, "file", False), (0, "whole", True), (0, "pieces", True), (0, "file", True),
    (0, "file", False)])
def test_large(flow, path, shared, monkeypatch):
    def read(self):
        raise AssertionError("the server sends this file")
    if path == "file" and shared:
        monkeypatch.setattr(FileWrapper, "__next__", read)
    with running({"download.flow_control": flow}, site=shared) as site:
        site.deployment.write("www/large", BYTES)
        clients = [Client(site.deployment.port, receive_buffer=65536).send_request(path="/" + path)
                   for _ in range(2)]
        for client in clients:
            client.more()
        answers = [[] for _ in clients]
        threads = [threading.Thread(target=lambda one=client, put=into: put.append(one.answer()))
                   for client, into in zip(clients, answers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for answer in answers:
            assert hashlib.md5(answer[0].body).hexdigest() == MD5
        site.serves()


# Goal: no more than the window is ahead of a client that takes nothing; its thread ends with it.
def test_a_client_that_takes_nothing(site):
    client = Client(site.deployment.port, receive_buffer=4096).send_request(path="/chunks")
    client.more()
    site.serves()
    account = next(iter(site.bridge.pace._accounts.values()))
    assert account.ahead <= site.bridge.pace.window
    client.close()
    wait_until(lambda: not site.bridge._open, "the end of the answer")
    site.serves()


# Goal: an upload arrives from the server's folder wherever the bridge runs; the file is gone after.
@pytest.mark.parametrize("chunked", [False, True])
def test_upload(site, chunked):
    body = os.urandom(300_000)
    client = Client(site.deployment.port)
    if chunked:
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    else:
        client.send_request("POST", "/upload", body=body)
    assert client.answer().body.decode() == f"300000 {hashlib.md5(body).hexdigest()}"
    wait_until(lambda: not os.listdir(site.deployment.path("tmp")), "the end of the file")


# Goal: an upload that the bridge does not find is answered by 500, and the log says what to do;
# no number of them ends the service.
def test_upload_that_is_elsewhere(capfd):
    with running(site=False) as site:
        for _ in range(THREADS + 1):
            client = Client(site.deployment.port)
            client.send_request("POST", "/upload", body=b"x" * 300_000)
            assert client.answer().status == 500
        site.serves()
    said = capfd.readouterr().err
    assert "is not at" in said and "--site" in said


# Goal: JSON sockets and WebSockets get an end and not silence.
def test_what_wsgi_is_not_for(site):
    client = Client(site.deployment.port).send(b'@say {"type":"disconnect"}\0')
    assert client.is_closed()
    client = Client(site.deployment.port).send_request(path="/", headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    assert client.answer().status == 501
    site.serves()


# Goal: more than may wait is refused with 503 and not kept without end.
def test_too_many_wait(monkeypatch):
    monkeypatch.setattr(bridge, "WAITING_MAX", 2)
    with running() as site:
        site.hold_all_threads()
        waiting = [site.client("/quick") for _ in range(2)]
        wait_until(lambda: len(site.bridge.waiting) == 2, "the requests")
        answer = site.client("/quick").answer()
        assert answer.status == 503 and answer.headers["retry-after"] == "1"
        site.app.release.set()
        assert [one.answer().status for one in waiting] == [200, 200]


# Goal: the end is bounded: stop() returns after the grace, with streams under way and threads that
# hang; their clients are closed, not left.
def test_bounded_end():
    with running(grace=0.2) as site:
        stream, hung = site.client("/endless"), site.client("/hang")
        stream.take_until(b"tick")
        hung.take_until(b"begun")
        site.bridge.stop()
        site.thread.join(DEADLINE)
        assert not site.thread.is_alive()
        stream.take_all()
        hung.take_all()


# Goal: what has arrived before the stop is answered.
def test_the_end_finishes_what_is_there():
    with running() as site:
        site.hold_all_threads()
        waiting = [site.client("/quick") for _ in range(10)]
        wait_until(lambda: len(site.bridge.waiting) == 10, "the requests")
        site.bridge.stop()
        site.app.release.set()
        assert [one.answer().body for one in waiting] == [b"quick"] * 10
