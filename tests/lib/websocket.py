"""A WebSocket client on a plain socket: it sends exactly the frames it is told to, right or wrong,
and takes the server's apart by RFC 6455, so that a wrong one is noticed."""

import base64
import hashlib
import os
import struct

from lib.client import Client

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_value(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def frame(payload=b"", opcode=TEXT, fin=True, rsv=0, masked=True, mask=b"\x11\x00\xfe\x7a"):
    """One frame as clients send it."""
    payload = payload.encode() if isinstance(payload, str) else payload
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


def close_payload(code, reason=""):
    return struct.pack(">H", code) + reason.encode()


def order(kind, value):
    """The body of an extended message for WebSockets of the `messages` contract."""
    def netstring(data, tag=b","):
        data = data.encode() if isinstance(data, str) else data
        return b"%d:%s%s" % (len(data), data, tag)
    pair = netstring(netstring(kind) + netstring(value), b"}")
    return netstring(netstring("websocket") + pair, b"]")


class Frame:
    def __init__(self, first, payload):
        self.fin = bool(first & 0x80)
        self.rsv = first >> 4 & 7
        self.opcode = first & 15
        self.payload = payload

    @property
    def code(self):
        """Of a close frame; None: it has none."""
        return struct.unpack(">H", self.payload[:2])[0] if self.payload else None

    def __repr__(self):
        return f"<frame {self.opcode} fin={self.fin} rsv={self.rsv} {self.payload[:80]!r}>"


class WebSocketClient(Client):
    def handshake(self, path="/ws", key=None, **headers):
        """Sends the opening request; headers=None ones are left out."""
        self.key = key or base64.b64encode(os.urandom(16)).decode()
        fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": self.key,
                  "Sec-WebSocket-Version": "13"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        fields = {name: value for name, value in fields.items() if value is not None}
        return self.send_request(path=path, headers=fields)

    def opened(self):
        """Reads the 101 answer."""
        answer = self.answer()
        assert answer.status == 101, answer
        assert answer.headers["upgrade"].lower() == "websocket"
        assert answer.headers["connection"].lower() == "upgrade"
        assert answer.headers["sec-websocket-accept"] == accept_value(self.key)
        return answer

    def open(self, path="/ws", **headers):
        self.handshake(path, **headers).opened()
        return self

    def send_frame(self, *arguments, **named):
        return self.send(frame(*arguments, **named))

    def frame(self):
        """The next frame of the server."""
        first, second = self.take(2)
        assert not second & 0x80, "a server must not mask"
        size = second & 0x7F
        if size == 126:
            size, = struct.unpack(">H", self.take(2))
            assert size > 125
        elif size == 127:
            size, = struct.unpack(">Q", self.take(8))
            assert size > 65535
        return Frame(first, self.take(size))

    def text(self):
        got = self.frame()
        assert got.opcode == TEXT and got.fin and not got.rsv, got
        return got.payload.decode()

    def closed_with(self):
        """The code of the close frame that comes next, and the end behind it."""
        got = self.frame()
        assert got.opcode == CLOSE and got.fin, got
        return got.code

    def at_end(self):
        """Nothing more comes but the end of the connection."""
        return self.take_all() == b""
