"""Uploads to disk: bodies above limits.content_length, two messages, one file (manual 5.5)."""

import os
import re
import stat

import pytest

from lib.deployment import Deployment, handler
from lib.handler import Handler, http
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
        request = (on or self.on).recv()
        while request.is_disconnect():
            request = (on or self.on).recv()
        return request

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
            settings={"upload.temp_store": "tmp/body.XXXXXX", "limits.body_ms": 60000})
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
