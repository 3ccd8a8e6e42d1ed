"""JSSockets and XML sockets (manual 5.1.4): messages ended by NUL on the port where HTTP is."""

import base64
import json

import pytest

from lib.client import Client
from lib.deployment import IDENT, Deployment, dir_, handler
from lib.handler import Handler, http
from lib.server import Server

pytestmark = pytest.mark.with_four

POLICY = (b'<?xml version="1.0"?><!DOCTYPE cross-domain-policy SYSTEM '
          b'"http://www.macromedia.com/xml/dtds/cross-domain-policy.dtd"><cross-domain-policy> '
          b'<allow-access-from domain="*" to-ports="*" /></cross-domain-policy>\0')


class Site:
    def __init__(self, deployment, server, on, raw):
        self.deployment, self.server, self.on, self.raw = deployment, server, on, raw

    def client(self, **more):
        return Client(self.deployment.port, **more)

    def message(self):
        return self.on.recv_request()


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "@files": dir_(), "@chat": handler(), "/h": handler(),
                              "<test": handler(), "@raw": handler("raw", raw_payload=1)})
        server = Server(deployment, workers=workers)
        with Handler(deployment) as on, Handler(deployment, "raw") as raw:
            yield Site(deployment, server, on, raw)


def answer(client):
    return base64.b64decode(client.take_until(b"\0"), validate=True)


# Goal: a handler sees what Mongrel2 1.x gives it, and its answers come encoded with a NUL.
# Method: one message, two answers, one of them with a NUL of its own.
def test_message_and_answers(site):
    client = site.client().send(b'@chat {"type":"join","user":"bob"}\0')
    request = site.message()
    assert request.path == "@chat"
    assert request.headers == {
        "PATH": "@chat", "x-forwarded-for": "127.0.0.1", "METHOD": "JSON", "PATTERN": "@chat",
        "URL_SCHEME": "http", "REMOTE_ADDR": "127.0.0.1"}
    assert json.loads(request.body) == {"type": "join", "user": "bob"}
    site.on.send(request.id, b'{"type":"ok"}')
    assert client.take_until(b"\0") == b"eyJ0eXBlIjoib2sifQ=="
    site.on.send(request.id, b'{"type":"more"}\0')
    assert answer(client) == b'{"type":"more"}'


# Goal: the same in any number of pieces, and several in one.
# Method: byte by byte; then three at once; the handler gets them in order with one id.
def test_pieces(site):
    client = site.client()
    for byte in b'@chat/sub {"n":0}\0':
        client.send(bytes([byte]))
    client.send(b'@chat {"n":1}\0@chat {"n":2}\0@chat {"n":3}\0')
    got = [site.message() for _ in range(4)]
    assert [json.loads(request.body)["n"] for request in got] == [0, 1, 2, 3]
    assert got[0].path == "@chat/sub"
    assert len({request.id for request in got}) == 1


# Goal: answers and messages do not wait for each other.
# Method: a client that reads late is sent much while it goes on sending.
def test_slow_reader(site):
    client = site.client(receive_buffer=4096).send(b'@chat {"n":0}\0')
    first = site.message()
    body = b"x" * 200_000
    for _ in range(4):
        site.on.send(first.id, body)
    client.send(b'@chat {"n":1}\0')
    for _ in range(4):
        assert answer(client) == body
    assert json.loads(site.message().body) == {"n": 1}


# Goal: one message reaches many sockets, and a zero-length one closes.
def test_to_many(site):
    clients = [site.client().send(b'@chat {"type":"join"}\0') for _ in range(20)]
    ids = [site.message().id for _ in clients]
    site.on.send(ids, b"hello all")
    for client in clients:
        assert answer(client) == b"hello all"
    site.on.send(ids, b"")
    for client in clients:
        assert client.is_closed()


# Goal: pings end at the server.
# Method: pings between two messages: the handler sees only these.
def test_ping(site):
    client = site.client().send(b'@chat {"a":1}\0@chat {"type":"ping"}\0@chat {"type":  "ping"}\0')
    client.send(b'@chat {"type":"ping","with":"more"}\0')
    assert json.loads(site.message().body) == {"a": 1}
    assert json.loads(site.message().body) == {"type": "ping", "with": "more"}


# Goal: who leaves is told to the handler once.
def test_disconnect(site):
    client = site.client().send(b'@chat {"type":"join"}\0')
    request = site.message()
    client.close()
    notice = site.on.recv()
    while notice.id != request.id:
        notice = site.on.recv()
    assert notice.is_disconnect()


# Goal: HTTP and messages share a connection; the latest request decides the form of answers.
def test_mixed_with_http(site):
    client = site.client()
    assert client.request().body == b"<h1>hello</h1>\n"
    client.send(b'@chat {"n":1}\0')
    request = site.message()
    site.on.send(request.id, b"one")
    assert answer(client) == b"one"
    client.send_request(path="/h/x")
    page = site.message()
    assert page.id == request.id and page.path == "/h/x"
    site.on.reply(page, "two")
    assert client.answer().body == b"two"
    assert client.request().status == 200


# Goal: raw_payload sends answers as they are.
def test_raw_payload(site):
    client = site.client().send(b'@raw {"n":1}\0')
    site.raw.send(site.raw.recv().id, b"as it is\n")
    assert client.take_until(b"\n") == b"as it is"


# Goal: XML messages go to the route of their tag, whole.
def test_xml(site):
    client = site.client().send(b"<test a='1'>some\n<b>text</b></test>\0")
    request = site.message()
    assert request.path == "<test" and request.headers["METHOD"] == "XML"
    assert request.body == b"<test a='1'>some\n<b>text</b></test>"
    site.on.send(request.id, b"<ok/>")
    assert answer(client) == b"<ok/>"


# Goal: Flash players get their policy, then the end.
def test_policy(site):
    client = site.client().send(b"<policy-file-request/>")
    client.send(b"\0")
    assert client.take(len(POLICY)) == POLICY
    assert client.is_closed()


# Goal: what is no message, has no route, or leads to no handler gets an answer and the end; the
# log says why.
@pytest.mark.parametrize("text, status, why", [
    (b"@chat [1]", 400, "no JSON object at byte 6"),
    (b'@chat?q {"a":1}', 400, "no blank behind the route at byte 5"),
    (b'@chat {"a":}', 400, "broken JSON"),
    (b"<?xml version='1.0'?><test/>", 400, "no tag name"),
    (b'@nobody {"a":1}', 404, "no route for @nobody"),
    (b'@files {"a":1}', 404, "leads to no handler"),
    (b'@chat {"a":"' + b"x" * 16384 + b'"}', 400, "above limits.buffer_size=16384"),
], ids=["array", "query", "broken", "prologue", "no-route", "no-handler", "long"])
def test_refused(site, text, status, why):
    client = site.client().send(text + b"\0")
    assert client.answer().status == status
    assert client.is_closed()
    site.server.says(why)


# Goal: a message that no handler comes for in time ends the connection: it is not lost in silence.
def test_no_handler(deployment, workers):
    deployment.configure({"@chat": handler()}, settings={"handler.wait_ms": 100})
    with Server(deployment, workers=workers) as server:
        client = Client(deployment.port).send(b'@chat {"a":1}\0')
        assert client.is_closed()
        server.says("its message is lost")


# Goal: tnetstring handlers get the same keys.
def test_tnetstring(deployment):
    deployment.configure({"@chat": handler(protocol="tnetstring")})
    with Server(deployment, workers=1), Handler(deployment, tnetstring=True) as on:
        client = Client(deployment.port).send(b'@chat {"a":1}\0')
        request = on.recv()
        assert request.headers["METHOD"] == b"JSON" and request.body == b'{"a":1}'
        assert request.sender == IDENT
        on.send(request.id, b"yes")
        assert answer(client) == b"yes"


# Goal: a reload moves nobody; new routes hold from the next message on.
def test_reload(deployment, workers):
    deployment.configure({"@chat": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        client = Client(deployment.port).send(b'@chat {"n":1}\0')
        request = on.recv()
        deployment.configure({"@chat": handler(), "@new": handler()})
        server.reload()
        on.send(request.id, b"still here")
        assert answer(client) == b"still here"
        client.send(b'@new {"n":2}\0')
        later = on.recv()
        assert later.path == "@new" and later.id == request.id
        on.send(later.id, http("x"))
        assert answer(client) == http("x")
