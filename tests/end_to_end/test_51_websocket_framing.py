"""Every framing rule of RFC 6455 at the real server, in both contracts: what is right reaches the
handler whole, what is wrong closes the WebSocket with its code."""

import pytest

from lib.deployment import Deployment, dir_, handler
from lib.handler import Handler
from lib.server import Server
from lib.websocket import BINARY, CLOSE, PING, TEXT, close_payload, frame
from lib.websocket_site import WebSocketSite

BIG = 20 << 20


@pytest.fixture(scope="module", params=["messages", "frames"])
def site(request, workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/ws": handler(websocket=request.param)},
                             settings={"websocket.message_bytes": BIG})
        server = Server(deployment, workers=workers)
        with Handler(deployment) as on:
            yield WebSocketSite(deployment, server, on, request.param)


def end(site, client):
    client.close()
    assert site.told_of_the_end(client)


# Goal: every form of the length, both ways.
def test_lengths(site):
    client = site.client()
    for size in (0, 1, 125, 126, 127, 65535, 65536):
        for opcode in (TEXT, BINARY):
            client.send_frame(b"x" * size, opcode=opcode)
            assert site.message() == (opcode, b"x" * size)
        site.send(client, "y" * size)
        assert client.text() == "y" * size
    end(site, client)


# Goal: 16 MB in one message, and back, where the limit allows it.
def test_sixteen_megabytes(site):
    client = site.client()
    data = bytes(range(256)) * (16 << 12)
    client.send_frame(data, opcode=BINARY)
    assert site.message() == (BINARY, data)
    client.send(frame(data[:8 << 20], opcode=BINARY, fin=False) + frame(data[8 << 20:], opcode=0))
    assert site.message() == (BINARY, data)
    text = "z" * (16 << 20)
    client.send_frame("go")  # nothing has been sent to it yet: it reads while it is sent
    assert site.message() == (TEXT, b"go")
    site.send(client, text)
    assert client.text() == text
    end(site, client)


# Goal: a message cut into single bytes, and several in one piece.
def test_byte_by_byte(site):
    client = site.client()
    data = (frame("gr\u00fc", fin=False) + frame(b"p", opcode=PING) + frame(b"\xc3", opcode=0,
            fin=False) + frame(b"\x9f", opcode=0) + frame(b"b" * 126, opcode=BINARY))
    for byte in data:
        client.send(bytes([byte]))
    client.send(data * 3)
    for _ in range(4):
        if site.frames:
            assert site.message() == (PING, b"p")
        assert site.message() == (TEXT, "gr\u00fc\u00df".encode())
        assert site.message() == (BINARY, b"b" * 126)
    end(site, client)


# Goal: fragments, also empty ones, become one message; control frames come between.
def test_fragments(site):
    client = site.client()
    client.send(frame("a", fin=False) + frame(b"", opcode=0, fin=False) +
                frame(b"1", opcode=PING) + frame("b", opcode=0, fin=False) +
                frame(b"", opcode=0))
    if site.frames:
        assert site.message() == (PING, b"1")
    assert site.message() == (TEXT, b"ab")
    end(site, client)


WRONG = {
    "no mask": (frame("x", masked=False), 1002),
    "rsv1": (frame("x", rsv=4), 1002),
    "rsv2": (frame("x", rsv=2), 1002),
    "rsv3": (frame("x", rsv=1), 1002),
    "rsv of a ping": (frame(b"", opcode=PING, rsv=4), 1002),
    "reserved data opcode": (frame("x", opcode=3), 1002),
    "reserved control opcode": (frame(b"", opcode=11), 1002),
    "continues nothing": (frame("x", opcode=0), 1002),
    "begins within another": (frame("a", fin=False) + frame("b"), 1002),
    "fragmented ping": (frame(b"", opcode=PING, fin=False), 1002),
    "long ping": (frame(b"x" * 126, opcode=PING), 1002),
    "long length": (b"\x81\xfe\x00\x01mask?", 1002),
    "huge length": (b"\x82\xff\x80\0\0\0\0\0\0\0mask", 1002),
    "above the limit": (b"\x82\xff\0\0\0\0\x7f\0\0\0mask", 1009),
    "bad text": (frame(b"a\xff"), 1007),
    "bad text in pieces": (frame(b"\xe2\x82", fin=False) + frame(b"a", opcode=0, fin=False), 1007),
    "text ends within a character": (frame(b"\xe2", fin=False) + frame(b"\x82", opcode=0), 1007),
    "half a close code": (frame(b"\x03", opcode=CLOSE), 1002),
    "close code 1005": (frame(close_payload(1005), opcode=CLOSE), 1002),
    "close code 999": (frame(close_payload(999), opcode=CLOSE), 1002),
    "close code 2999": (frame(close_payload(2999), opcode=CLOSE), 1002),
    "close code 5000": (frame(close_payload(5000), opcode=CLOSE), 1002),
    "bad reason": (frame(close_payload(1000) + b"\xff", opcode=CLOSE), 1007),
}


# Goal: what breaks a rule closes with its code, and the handler hears of the end and nothing else.
@pytest.mark.parametrize("name", WRONG)
def test_wrong_frames(site, name):
    data, code = WRONG[name]
    client = site.client()
    client.send(data)
    assert client.closed_with() == code
    assert client.at_end()
    assert site.told_of_the_end(client)


# Goal: a wrong frame counts as soon as it can be known: in the first bytes of a text, in a head.
def test_wrong_at_once(site):
    for data, code in ((frame(b"ab\xff" + b"c" * 1000)[:12], 1007),
                       (frame(b"x" * 200, masked=False)[:4], 1002)):
        client = site.client()
        client.send(data)
        assert client.closed_with() == code
        assert client.at_end()
        assert site.told_of_the_end(client)


# Goal: a client that goes without a close frame, in the middle of a message, leaves no trace.
def test_client_leaves_within_a_message(site):
    client = site.client()
    client.send(frame("never whole")[:8])
    end(site, client)
