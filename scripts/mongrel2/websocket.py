"""What handlers say to WebSockets, in both contracts of a handler row (docs/websockets.md).

websocket='messages': the server speaks the protocol, handlers send texts and bytes. Without the
column, as in Mongrel2 1.x: the handler answers the handshake and writes frames. The base of
handler.Connection.
"""

from __future__ import annotations

from typing import Iterable, Union

from mongrel2 import tnetstrings
from mongrel2.request import Request
from mongrel2.response import Body, as_bytes, join_idents, websocket_frame

OPCODE_TEXT, OPCODE_BINARY = 1, 2
OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG = 8, 9, 10

# As in handler.py: longer lists of browsers go out as several messages.
MAX_IDENTS = 100


def handshake_answer(req: Request, protocol: str = "") -> bytes:
    """The 101 for a request with METHOD WEBSOCKET_HANDSHAKE; its body is the accept value.
    protocol: the one of sec-websocket-protocol that the handler has chosen."""
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Accept: " + req.body.decode("ascii")]
    if protocol:
        lines.append("Sec-WebSocket-Protocol: " + protocol)
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"


def order(kind: str, value: Body) -> bytes:
    """The body of an extended message for WebSockets of the `messages` contract: kind is `text`,
    `binary`, or `close` with a value like `4000 reason`."""
    return tnetstrings.dump([b"websocket", {kind.encode(): as_bytes(value)}])


class WebSocketReplies:
    """Methods of handler.Connection, which has send()."""

    def send(self, uuid: Union[str, bytes], conn_id: Union[str, int, bytes], msg: Body) -> None:
        raise NotImplementedError

    # Messages: str is sent as a text, bytes as a binary message.

    def reply_message(self, req: Request, data: Body) -> None:
        self.deliver_message(req.sender, [req.conn_id], data)

    def deliver_message(self, uuid: Union[str, bytes], idents: Iterable[Union[str, int]],
                        data: Body) -> None:
        body = order("text" if isinstance(data, str) else "binary", data)
        for ids in join_idents(idents, MAX_IDENTS):
            self.send(uuid, "X " + ids, body)

    def close_websocket(self, req: Request, code: int = 1000, reason: str = "") -> None:
        """Has the server close with a code of 1000 to 1003, 1007 to 1014 or 3000 to 4999."""
        self.deliver_close_websocket(req.sender, [req.conn_id], code, reason)

    def deliver_close_websocket(self, uuid: Union[str, bytes], idents: Iterable[Union[str, int]],
                                code: int = 1000, reason: str = "") -> None:
        body = order("close", f"{code} {reason}".strip())
        for ids in join_idents(idents, MAX_IDENTS):
            self.send(uuid, "X " + ids, body)

    # Frames

    def accept_websocket(self, req: Request, protocol: str = "") -> None:
        """Answers a request with METHOD WEBSOCKET_HANDSHAKE."""
        self.send(req.sender, req.conn_id, handshake_answer(req, protocol))

    def reply_websocket(self, req: Request, body: Body, opcode: int = 1, rsvd: int = 0) -> None:
        """Answers with one WebSocket frame: opcode 1 is text, 2 binary, 8 close, 10 pong."""
        self.send(req.sender, req.conn_id, websocket_frame(body, opcode, rsvd))

    def deliver_websocket(self, uuid: Union[str, bytes], idents: Iterable[Union[str, int]],
                          body: Body, opcode: int = 1, rsvd: int = 0) -> None:
        frame = websocket_frame(body, opcode, rsvd)
        for ids in join_idents(idents, MAX_IDENTS):
            self.send(uuid, ids, frame)
