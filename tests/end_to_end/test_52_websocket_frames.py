"""WebSockets by the contract of Mongrel2 1.x, which a handler row has without the column
`websocket`: the handler sends the 101, sees frames and writes frames."""

import pytest

from lib.deployment import IDENT, Deployment, dir_, handler
from lib.handler import Handler
from lib.server import Server
from lib.websocket import (CLOSE, PING, PONG, TEXT, WebSocketClient, close_payload, frame)
from lib.websocket_site import WebSocketSite

pytestmark = pytest.mark.with_four

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
HANDSHAKE = (f"GET /ws/a?q HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
             f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"
             f"Sec-WebSocket-Version: 13\r\n\r\n").encode()
HEADERS = ('{"PATH":"/ws/a","x-forwarded-for":"127.0.0.1","host":"localhost",'
           '"upgrade":"websocket","connection":"Upgrade",'
           '"sec-websocket-key":"dGhlIHNhbXBsZSBub25jZQ==","sec-websocket-version":"13",%s'
           '"METHOD":"%s","VERSION":"HTTP/1.1","URI":"/ws/a?q","QUERY":"q","PATTERN":"/ws",'
           '"URL_SCHEME":"http","REMOTE_ADDR":"127.0.0.1"}')


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/ws": handler(),
                              "/t": handler("t", protocol="tnetstring")})
        server = Server(deployment, workers=workers)
        with Handler(deployment) as on:
            yield WebSocketSite(deployment, server, on, "frames")


def message(ident, path, block, body):
    return b"%s %s %s %d:%s,%d:%s," % (IDENT.encode(), ident.encode(), path, len(block),
                                       block.encode(), len(body), body)


# Goal: the messages of the compatibility sheet byte for byte: the handshake with the accept value,
# a frame with FLAGS and all headers of the handshake.
def test_bytes_of_the_messages(site):
    client = WebSocketClient(site.deployment.port)
    client.key = KEY
    client.send(HANDSHAKE)
    request = site.next()
    block = HEADERS % ("", "WEBSOCKET_HANDSHAKE")
    assert request.message == message(request.id, b"/ws/a", block, ACCEPT)
    site.accept(client, request)
    client.send_frame("hi")
    block = HEADERS % ('"FLAGS":"0x81",', "WEBSOCKET")
    assert site.next().message == message(request.id, b"/ws/a", block, b"hi")
    client.id = request.id
    client.close()
    assert site.told_of_the_end(client)


# Goal: the same with tnetstrings.
def test_tnetstring(site):
    with Handler(site.deployment, name="t", tnetstring=True) as on:
        client = site.handshake("/t")
        request = on.recv()
        assert request.headers["METHOD"] == b"WEBSOCKET_HANDSHAKE"
        site_on, site.on = site.on, on
        site.accept(client, request)
        site.on = site_on
        client.send_frame(b"\x00\xff", opcode=2)
        request = on.recv()
        assert request.headers["FLAGS"] == b"0x82" and request.headers["METHOD"] == b"WEBSOCKET"
        assert request.headers["upgrade"] == b"websocket" and request.body == b"\x00\xff"
        client.close()
        assert on.recv().is_disconnect()


# Goal: the handler sees control frames, at once, with their flags, and writes its own.
def test_control_frames(site):
    client = site.client()
    for opcode, flags in ((PING, "0x89"), (PONG, "0x8A")):
        client.send_frame(b"p", opcode=opcode)
        request = site.next()
        assert (request.headers["FLAGS"], request.body) == (flags, b"p")
    site.on.send(client.id, frame(b"p", opcode=PONG, masked=False))
    got = client.frame()
    assert (got.opcode, got.payload) == (PONG, b"p")
    client.send_frame(close_payload(1000, "bye"), opcode=CLOSE)
    request = site.next()
    assert (request.headers["FLAGS"], request.body) == ("0x88", close_payload(1000, "bye"))
    # The connection is open until the handler closes it.
    site.on.send(client.id, frame(close_payload(1000), opcode=CLOSE, masked=False))
    assert client.closed_with() == 1000
    site.on.send(client.id, b"")
    assert client.at_end()


# Goal: what the handler writes goes out unaltered, in any cut, also behind its 101.
def test_raw_bytes(site):
    client = site.handshake()
    request = site.next()
    data = frame(b"x" * 70000, masked=False)
    site.on.send(request.id, b"HTTP/1.1 101 Own Words\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + request.body + b"\r\n\r\n" +
                 data[:7])
    client.opened()
    site.on.send(request.id, data[7:40000])
    site.on.send(request.id, data[40000:] + frame(b"y", masked=False))
    assert client.text() == "x" * 70000 and client.text() == "y"
    client.close()


# Goal: a 101 whose head comes in two messages is a 101.
def test_answer_in_pieces(site):
    client = site.handshake()
    request = site.next()
    answer = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Accept: " + request.body + b"\r\n\r\n")
    site.on.send(request.id, answer[:30])
    site.on.send(request.id, answer[30:])
    client.opened()
    client.send_frame("there")
    assert site.message() == (TEXT, b"there")
    client.close()


# Goal: a handler refuses with an answer of HTTP, and the connection goes on as HTTP.
def test_refused_by_the_handler(site):
    client = site.handshake()
    request = site.next()
    site.on.reply(request, "no", status="403 Forbidden")
    answer = client.answer()
    assert (answer.status, answer.body) == (403, b"no")
    assert client.request("GET", "/").status == 200
    client.close()


# Goal: frames that a client sends before it has the 101 reach the handler, behind the handshake.
def test_early_frames(site):
    client = WebSocketClient(site.deployment.port)
    client.key = KEY
    client.send(HANDSHAKE + frame("early"))
    request = site.next()
    site.accept(client, request)
    assert site.message() == (TEXT, b"early")
    client.close()


# Goal: the version, the method and the form of the key are the handler's to judge, as in 1.x.
def test_any_version(site):
    client = site.handshake(key="any", Sec_WebSocket_Version="8")
    request = site.next()
    assert request.headers["METHOD"] == "WEBSOCKET_HANDSHAKE"
    assert request.headers["sec-websocket-version"] == "8"
    site.accept(client, request)
    client.close()


# Goal: without all five fields it is an ordinary request.
def test_ordinary_request(site):
    client = site.handshake(Sec_WebSocket_Version=None)
    request = site.next()
    assert request.headers["METHOD"] == "GET" and request.body == b""
    site.on.reply(request, "plain")
    assert client.answer().body == b"plain"
    client.close()


# Goal: a server that must speak does so between two frames of the handler only: when it has begun
# one and not ended it, the connection is closed without a close frame.
def test_no_frame_within_a_frame(site):
    client = site.client()
    site.on.send(client.id, frame(b"x" * 100, masked=False)[:50])
    assert client.take(50)
    client.send(frame("x", masked=False))  # unmasked: a fault
    assert client.at_end()
    client.close()


# Goal: ids of frames and answers are those of the connection, and its end is told once.
def test_one_notice(site):
    client = site.client()
    client.send_frame("a")
    assert site.next().id == client.id
    client.close()
    assert site.told_of_the_end(client)
    other = site.client()
    site.close_by_handler(other)
    assert other.closed_with() == 1000 and other.at_end()
    for _ in range(4):
        last = site.client()
        last.close()
        assert site.told_of_the_end(last)
    assert other.id not in site.ended  # no notice to who asked for the end
