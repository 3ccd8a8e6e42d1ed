"""Uploads to disk: bodies above limits.content_length, two messages, one file (manual 5.5)."""

import hashlib
import os
import re
import stat
import subprocess

import pytest

from lib.deployment import TOP, Deployment, handler
from lib.handler import Handler
from lib.server import Server
from lib.waiting import wait_until

LIMIT = 20480
START, DONE = "x-mongrel2-upload-start", "x-mongrel2-upload-done"


class Site:
    def __init__(self, deployment, server):
        self.deployment, self.server = deployment, server
        self.on = Handler(deployment)
        self.tnet = Handler(deployment, name="t", ident="ident-tnet", tnetstring=True)

    def next(self, on=None):
        """The next message that is not about the end of an earlier connection."""
        return (on or self.on).recv_request()

    def files(self):
        return sorted(os.listdir(self.deployment.path("tmp")))

    def no_files(self):
        wait_until(lambda: not self.files(), "the file to go")


def store(request):
    return request.headers[START]


def post(client, body, path="/h", **headers):
    return client.send_request("POST", path, body=body, headers=headers)


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure(
            {"/h": handler(), "/t": handler("t", ident="ident-tnet", protocol="tnetstring")},
            settings={"upload.temp_store": "tmp/body.XXXXXX", "limits.content_length": LIMIT,
                      "limits.body_ms": 60000})
        made = Site(deployment, Server(deployment, workers=workers))
        with made.on, made.tnet:
            yield made


# Goal: both messages, byte for byte but for the letters: all headers, one key more, then two; the
# file has exactly the body and the configured mode; the connection stays. Method: two in turn.
@pytest.mark.parametrize("size", [LIMIT + 1, 1_000_000])
def test_two_messages(site, size):
    body = os.urandom(size)
    with site.server.client() as client:
        client.send(b"POST /h/up?q=1 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        first = site.next()
        name = store(first)
        assert re.fullmatch(r"tmp/body\.[A-Za-z0-9]{6}", name)
        block = ('{"PATH":"/h/up","x-forwarded-for":"127.0.0.1","host":"a",'
                 f'"content-length":"{size}","{START}":"{name}","METHOD":"POST",'
                 '"VERSION":"HTTP/1.1","URI":"/h/up?q=1","QUERY":"q=1","PATTERN":"/h",'
                 '"URL_SCHEME":"http","REMOTE_ADDR":"127.0.0.1"}')
        prefix = first.message[:first.message.index(b" ", first.message.index(b" ") + 1)]
        assert first.message == prefix + f" /h/up {len(block)}:{block},0:,".encode()
        path = site.deployment.path(name)
        assert os.stat(path).st_mode & 0o777 == 0o600
        client.send(body)
        second = site.next()
        block = block.replace(f'"{START}":"{name}"', f'"{START}":"{name}","{DONE}":"{name}"')
        assert second.message == prefix + f" /h/up {len(block)}:{block},0:,".encode()
        with open(path, "rb") as file:
            assert file.read() == body
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        site.on.reply(second, "stored")
        assert client.answer().body == b"stored"
        os.unlink(path)
        # Goes on: a body at the limit is inline.
        post(client, b"x" * LIMIT)
        inline = site.next()
        assert inline.id == second.id and inline.body == b"x" * LIMIT
        assert START not in inline.headers
        site.on.reply(inline, "inline")
        assert client.answer().body == b"inline"
    assert site.files() == []


# Goal: the same for handlers that read tnetstrings.
def test_tnetstring(site):
    with site.server.client() as client:
        post(client, b"y" * 50_000, path="/t")
        first, second = site.next(site.tnet), site.next(site.tnet)
        name = first.headers[START]
        assert DONE not in first.headers and first.headers["content-length"] == b"50000"
        assert second.headers == {**first.headers, DONE: name}
        assert second.message.endswith(b"}0:,")
        assert site.deployment.read(name.decode()) == b"y" * 50_000
        os.unlink(site.deployment.path(name.decode()))
        site.tnet.reply(second, "ok")
        assert client.answer().body == b"ok"


def chunks(data, size):
    pieces = [data[at:at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


LARGE = b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
CHUNKED = b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


# Goal: a chunked body is inline while it fits, an upload from the byte on with which it does not,
# and decoded in either case; what comes behind it is not in the file. Method: at the limit and one
# byte above, in one piece and in pieces, a second request right behind.
@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 300_000])
@pytest.mark.parametrize("piece", [1000, 70_000])
def test_chunked(site, size, piece):
    body = os.urandom(size)
    with site.server.client() as client:
        client.send(CHUNKED + chunks(body, piece) + b"0\r\n\r\nGET /h/behind HTTP/1.1\r\n\r\n")
        last = site.next()
        if size <= LIMIT:
            assert last.body == body and START not in last.headers
        else:
            assert DONE not in last.headers and "content-length" not in last.headers
            last = site.next()
            assert store(last) == last.headers[DONE]
            assert last.headers["content-length"] == str(size)
            assert site.deployment.read(store(last)) == body
            os.unlink(site.deployment.path(store(last)))
        site.on.reply(last, "ok")
        assert client.answer().body == b"ok"
        assert client.is_closed()  # pipelining is off: the second request is not served


# Goal: bytes behind a body with a length are not in the file either; with pipelining they are the
# next request.
def test_pipelined(deployment, workers):
    deployment.configure({"/h": handler()}, settings={
        "upload.temp_store": "tmp/b.XXXXXX", "limits.content_length": LIMIT, "pipelining": 1})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        with server.client() as client:
            body = os.urandom(100_000)
            post(client, body).send_request(path="/h/second")
            on.recv()
            done = on.recv()
            assert deployment.read(store(done)) == body
            on.reply(done, "one")
            assert client.answer().body == b"one"
            second = on.recv()
            assert second.path == "/h/second" and START not in second.headers
            on.reply(second, "two")
            assert client.answer().body == b"two"


# Goal: no client can say that an upload is done, in whatever spelling, with or without a body; a
# name with underscores is another name.
@pytest.mark.parametrize("size", [0, 10, LIMIT + 1])
def test_forged(site, size):
    with site.server.client() as client:
        forged = {"X-Mongrel2-Upload-Done": "/etc/passwd", "x-mongrel2-upload-start": "/etc/passwd",
                  "X-MONGREL2-UPLOAD-START": "/etc/passwd", "UPLOAD_STREAM": "7",
                  "x_mongrel2_upload_done": "other"}
        client.send_request("POST", "/h", headers=forged, body=b"z" * size)
        told = [site.next() for _ in range(2 if size > LIMIT else 1)]
        for request in told:
            assert b"/etc/passwd" not in request.message
            assert "UPLOAD_STREAM" not in request.headers
            assert request.headers["x_mongrel2_upload_done"] == "other"
            assert (DONE in request.headers) == (request is told[-1] and size > LIMIT)
        if size > LIMIT:
            os.unlink(site.deployment.path(store(told[0])))
        site.on.reply(told[-1], "ok")
        client.answer()


# Goal: without upload.temp_store a large body is refused before it is sent: no 100, no byte read.
@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_no_store(deployment, expect):
    deployment.configure({"/h": handler()}, settings={"limits.content_length": LIMIT})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        with server.client() as client:
            client.send(f"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: {LIMIT + 1}\r\n"
                        f"{expect}\r\n")
            answer = client.answer()
            assert answer.status == 413 and answer.body == b"Entity Too Large"
            assert answer.interim == [] and answer.headers["connection"] == "close"
        with server.client() as client:
            client.send(CHUNKED + chunks(b"x" * (LIMIT + 1), 1000))
            assert client.answer().status == 413
        assert not on.has_message(0)


# Goal: 100 Continue comes when the upload is accepted, which is when its file is there; then the
# body is taken.
def test_expect(site):
    with site.server.client() as client:
        client.send(b"PUT /h HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n"
                    b"Expect: 100-continue\r\n\r\n")
        assert client.take_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        first = site.next()
        assert os.path.exists(site.deployment.path(store(first)))
        client.send(b"c" * 30000)
        second = site.next()
        os.unlink(site.deployment.path(store(second)))
        site.on.reply(second, "ok")
        assert client.answer().interim == []


# Goal: the handler refuses by a kill message, after an error answer or without one: the file goes,
# the connection ends, and nobody tells it what it has done itself.
@pytest.mark.parametrize("answer", [None, "403 Forbidden"])
def test_kill(site, answer):
    with site.server.client() as client:
        client.send(LARGE + b"a" * 50_000)
        first = site.next()
        if answer:
            site.on.reply(first, "no", status=answer)
        site.on.send(first.id, b"")
        if answer:
            assert client.answer().status == 403
        assert client.is_closed()
        site.no_files()
    with site.server.client() as other:
        other.send_request(path="/h")
        following = site.on.recv()
        while following.is_disconnect():
            assert following.id != first.id
            following = site.on.recv()
        site.on.reply(following, "ok")
        other.answer()


# Goal: an answer before the end of the body ends the upload.
def test_early_answer(site):
    with site.server.client() as client:
        client.send(LARGE + b"a" * 50_000)
        site.on.reply(site.next(), "enough")
        assert client.answer().body == b"enough"
        site.no_files()
        assert client.is_closed()


# Goal: a client that leaves within its body: the file goes, the handler is told, once.
@pytest.mark.parametrize("path", ["/h", "/t"])
def test_client_leaves(site, path):
    on = site.on if path == "/h" else site.tnet
    client = site.server.client()
    client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + "a" * 50_000)
    first = site.next(on)
    client.close()
    while True:
        notice = on.recv()
        assert notice.is_disconnect()
        if notice.id == first.id:
            break
    site.no_files()


# Goal: a client that shuts down its sending side behind its body is served to the end; the handler
# hears of it behind the upload, not within.
def test_half_close(site):
    with site.server.client() as client:
        post(client, b"h" * 100_000).half_close()
        first = site.next()
        second = site.on.recv()
        while second.is_disconnect() and second.id != first.id:
            second = site.on.recv()
        assert second.headers[DONE] == store(first)
        assert len(site.deployment.read(store(first))) == 100_000
        os.unlink(site.deployment.path(store(first)))
        site.on.reply(second, "there")
        assert client.answer().body == b"there"
        assert client.is_closed()


# Goal: sizes beyond 32 bits are taken as they are. Method: 5 GB announced, a little sent.
def test_five_gigabytes(site):
    with site.server.client() as client:
        client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 5368709120\r\n\r\n"
                    + b"a" * 1_000_000)
        first = site.next()
        assert first.headers["content-length"] == "5368709120"
        wait_until(lambda: len(site.deployment.read(store(first))) == 1_000_000, "all that came")
        assert client.is_quiet()
    site.no_files()


# Goal: the example of the documentation does what the manual's (5.5) does: the right MD5 for a
# large body and for a small one, no file left; it refuses what is too large for it.
def test_example(deployment):
    deployment.configure({"/h": handler()}, settings={
        "upload.temp_store": "tmp/b.XXXXXX", "limits.content_length": LIMIT,
        "handler.wait_ms": 30000})
    with Server(deployment, workers=2) as server:
        example = subprocess.Popen(
            ["/usr/bin/python3", os.path.join(TOP, "docs", "examples", "upload.py"),
             deployment.endpoint("ipc://run/h-q"), deployment.endpoint("ipc://run/h-r"),
             deployment.folder], env={**os.environ, "PYTHONPATH": os.path.join(TOP, "scripts")})
        try:
            for size, word in ((500_000, "UPLOAD GOOD"), (500, "INLINE")):
                body = os.urandom(size)
                with server.client() as client:
                    answer = post(client, body).answer()
                    assert answer.body.decode() == f"{word}: {hashlib.md5(body).hexdigest()}\n"
            with server.client() as client:
                client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 5368709120\r\n\r\n")
                assert client.answer().status == 413
            wait_until(lambda: not os.listdir(deployment.path("tmp")), "no file to be left")
        finally:
            example.kill()
            example.wait()
