"""Uploads in pieces (upload.stream): the handler takes as much as it asks for, and no more."""

import hashlib
import os

import pytest

from lib import m2sh_tools  # noqa: F401  (finds the package)
from lib.deployment import Deployment, handler
from lib.handler import Handler, reply_message
from lib.server import Server
from lib.site import Site

OFFSET, DONE = "UPLOAD_STREAM", "UPLOAD_STREAM_DONE"


def grant(on, request, count):
    """A handler's word as Mongrel2 1.x defines it."""
    value = b"7:credits,%d:%d#" % (len(str(count)), count)
    value = b"3:ctl,%d:%s}" % (len(value), value)
    on.replies.send(reply_message([f"X {request.id}"], b"%d:%s]" % (len(value), value)))


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/h": handler()}, settings={
            "upload.stream": 1, "upload.temp_store": "tmp/body.XXXXXX",
            "limits.content_length": 20480})
        with Server(deployment, workers=workers) as server, Handler(deployment) as on:
            yield Site(deployment, server, on)


# Goal: a whole body in pieces, in order and complete, a grant for each; both framings; then the
# next request on the connection. Method: digests of both ends; offsets say where each piece is.
@pytest.mark.parametrize("chunked", [False, True])
def test_all_of_it(site, chunked):
    body = os.urandom(700_000)
    with site.server.client() as client:
        if chunked:
            client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 70_000):
                client.send(b"%x\r\n%s\r\n" % (70_000, body[at:at + 70_000]))
            client.send(b"0\r\n\r\n")
        else:
            client.send_request("POST", "/h", body=body)
        message = site.on.recv_request()
        assert message.headers[OFFSET] == "0" and message.headers["METHOD"] == "POST"
        got, granted = message.body, 0
        while DONE not in message.headers:
            if len(got) >= granted:
                grant(site.on, message, 100_000)
                granted = len(got) + 100_000
            message = site.on.recv_request()
            assert set(message.headers) <= {OFFSET, DONE} and message.path == "/h"
            assert int(message.headers[OFFSET]) == len(got)
            got += message.body
            assert len(got) <= granted
        assert hashlib.md5(got).digest() == hashlib.md5(body).digest()
        site.on.reply(message, "all")
        assert client.answer().body == b"all"
        client.send_request("POST", "/h", body=b"small")
        small = site.on.recv_request()
        assert small.body == b"small" and OFFSET not in small.headers
        site.on.reply(small, "inline")
        assert client.answer().body == b"inline"


# Goal: without credits nothing comes, and the client is not read; its 100 Continue comes with them.
# Method: the worker has something else to say before there are credits.
def test_nothing_unasked(site):
    with site.server.client() as client:
        client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n"
                    b"Expect: 100-continue\r\n\r\n")
        first = site.on.recv_request()
        assert first.body == b"" and client.is_quiet()
        grant(site.on, first, 10)
        assert client.take_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        client.send(b"a" * 50_000)
        assert site.on.recv_request().body == b"a" * 10
        for _ in range(3):
            assert first.id not in [message.id for message in site.on.heard(first.id)]
        grant(site.on, first, 50_000)
        got = b""
        while len(got) < 49_990:
            got += site.on.recv_request().body
        site.on.reply(first, "ok")
        assert client.answer().body == b"ok"


# Goal: the handler refuses: the client hears why, the handler nothing more. A client that leaves
# without having been read is reported.
@pytest.mark.parametrize("who", ["handler", "client"])
def test_ends_early(site, who):
    client = site.server.client()
    client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + b"a" * 40_000)
    first = site.on.recv_request()
    if who == "handler":
        site.on.reply(first, "no", status="403 Forbidden")
        site.on.send(first.id, b"")
        assert client.answer().status == 403
        assert client.is_closed()
    else:
        client.close()
        notice = site.on.recv()
        while notice.id != first.id:
            notice = site.on.recv()
        assert notice.is_disconnect()
