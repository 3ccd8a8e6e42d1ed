"""One message from the server to a handler, taken apart.

The message is `UUID ID PATH SIZE:HEADERS,SIZE:BODY,` (manual 5.3); the headers are JSON or, if the
handler row says so, a tnetstring. Made by handler.Connection; knows no socket.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Union

from mongrel2 import tnetstrings

# Keys that the server adds. They are found by their exact name alone: a browser that sends a header
# `method: JSON` must not pass for the server's own METHOD.
SERVER_KEYS = frozenset([
    "PATH", "METHOD", "VERSION", "URI", "QUERY", "FRAGMENT", "PATTERN", "URL_SCHEME",
    "REMOTE_ADDR", "REQUEST_ID", "FLAGS", "EVENT", "PEER_CERT_SHA1", "DOWNLOAD_CREDITS",
    "UPLOAD_STREAM", "UPLOAD_STREAM_DONE",
])


class Headers(Dict[str, Any]):
    """The headers as they came, found in any spelling: Content-Length, content-length, ...

    A header that came more than once is a list of strings. Iteration and json.dumps see the names
    as they were sent.
    """

    def __init__(self, items: Any = ()) -> None:
        super().__init__()
        self._names: Dict[str, str] = {}  # lower case to the name as it came
        for name, value in dict(items).items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        name = self._find(name)
        if name not in SERVER_KEYS:
            self._names.setdefault(name.lower(), name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        name = self._find(name)
        super().__delitem__(name)
        self._names.pop(name.lower(), None)

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(self._find(name))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(self._find(name))

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(self._find(name), default)

    def getlist(self, name: str) -> List[str]:
        """All values of a header in the order of arrival; an empty list if there is none."""
        value = self.get(name, [])
        return list(value) if isinstance(value, list) else [value]

    def _find(self, name: str) -> str:
        if name in SERVER_KEYS or super().__contains__(name):
            return name
        return self._names.get(name.lower(), name)


class Request:
    """What a browser asked, and where an answer has to go: `sender` and `conn_id`."""

    def __init__(self, sender: str, conn_id: Union[str, int], path: str, headers: Dict[str, Any],
                 body: bytes = b"") -> None:
        self.sender = sender
        self.conn_id = str(conn_id)
        self.path = path
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body
        # JSON sockets and notices of the server have a JSON body; it is parsed for everyone.
        self.data: Any = {}
        if self.headers.get("METHOD") == "JSON":
            self.data = json_or(body, {})

    @staticmethod
    def parse(message: bytes) -> Request:
        """The request in a message. ValueError if it is not one."""
        parts = message.split(b" ", 3)
        if len(parts) != 4:
            raise ValueError(f"not a request, UUID ID PATH and two netstrings: {message[:60]!r}")
        sender, conn_id, path = (part.decode("utf-8", "surrogateescape") for part in parts[:3])
        block, kind, rest = tnetstrings.split(parts[3])
        if kind == b",":
            # Servers of 1.x pass control characters and bytes that are not UTF-8 through.
            headers = json.loads(block.decode("utf-8", "surrogateescape"), strict=False)
        elif kind == b"}":
            headers = _as_text(tnetstrings.parse(parts[3])[0])
        else:
            raise ValueError(f"headers end in {kind!r}, neither JSON nor a tnetstring dict")
        if not isinstance(headers, dict):
            raise ValueError(f"headers are not a dict: {block[:60]!r}")
        body, end, _ = tnetstrings.split(rest)
        if end != b",":
            raise ValueError(f"body ends in {end!r} and not in a comma")
        return Request(sender, conn_id, path, headers, body)

    def is_notice(self) -> bool:
        """Whether the server itself speaks, of the browser `conn_id`: is_disconnect, is_credits. A
        message of a JSON socket, whatever it says, has a route, and with it the key PATH."""
        return (self.path == "@*" and "PATH" not in self.headers
                and bool(self.headers.get("METHOD") == "JSON"))

    def is_disconnect(self) -> bool:
        """Whether this is the server's notice that the browser `conn_id` has gone."""
        return self._notice() == "disconnect"

    def is_credits(self) -> bool:
        """Whether this is the server's notice that `download_credits` more bytes of answers have
        left for the browser `conn_id` (download.flow_control)."""
        return self._notice() == "credits"

    @property
    def download_credits(self) -> Optional[int]:
        """Of a notice: bytes that have left. Of a connection's first request: bytes that may be
        sent ahead. None: the server does not say."""
        count = self.headers.get("DOWNLOAD_CREDITS")
        return int(count) if count is not None else None

    def _notice(self) -> Optional[str]:
        """The type of a notice."""
        if not self.is_notice() or not isinstance(self.data, dict):
            return None
        kind = self.data.get("type")
        return kind if isinstance(kind, str) else None

    def is_upload_start(self) -> bool:
        """Whether a large body is on its way into the file `upload_path`: do not answer yet, or
        refuse it by an error answer and an empty message."""
        return self.upload_path is not None and "x-mongrel2-upload-done" not in self.headers

    def is_upload_done(self) -> bool:
        """Whether the body is in the file `upload_path`, which is the handler's from now on."""
        done = self.headers.get("x-mongrel2-upload-done")
        return done is not None and bool(done == self.upload_path)

    @property
    def upload_path(self) -> Optional[str]:
        """The file of a large body as the server names it: relative to its folder (or, in a
        chroot, with that as `/`). None: the body is in `body`."""
        path = self.headers.get("x-mongrel2-upload-start")
        return path if isinstance(path, str) else None

    @property
    def upload_offset(self) -> Optional[int]:
        """Where `body` stands in a body that comes in pieces (upload.stream). None: it does not."""
        offset = self.headers.get("UPLOAD_STREAM")
        return int(offset) if offset is not None else None

    def is_last_piece(self) -> bool:
        """Whether a body that comes in pieces is complete with this one."""
        return bool(self.headers.get("UPLOAD_STREAM_DONE") == "1")

    @property
    def event(self) -> str:
        """What a WebSocket with websocket='messages' did: open, text, binary, close. Else ""."""
        if self.headers.get("METHOD") != "WEBSOCKET":
            return ""
        return str(self.headers.get("EVENT", ""))

    @property
    def opcode(self) -> int:
        """Of a frame of a WebSocket that the handler writes frames to; 0 if it is none."""
        if self.headers.get("METHOD") != "WEBSOCKET":
            return 0
        return int(self.headers.get("FLAGS", "0x0"), 16) & 15

    def should_close(self) -> bool:
        """Whether the browser expects its connection to be closed after the answer."""
        if self.headers.get("VERSION") == "HTTP/1.0":
            return True
        tokens = ",".join(self.headers.getlist("connection")).lower().split(",")
        return "close" in (token.strip() for token in tokens)

    def encode(self) -> bytes:
        """The message again, with JSON headers."""
        block = json.dumps(self.headers).encode("ascii")
        head = f"{self.sender} {self.conn_id} {self.path} ".encode("utf-8", "surrogateescape")
        return head + b"%d:%s,%d:%s," % (len(block), block, len(self.body), self.body)

    def forward(self, socket: Any) -> None:
        """Sends the request on, over a 0MQ socket."""
        socket.send(self.encode())

    def __repr__(self) -> str:
        return f"<Request {self.conn_id} {self.headers.get('METHOD')} {self.path}>"


def _as_text(value: Any) -> Any:
    """Header names and values of a tnetstring, which are bytes, as str."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    return value


def json_or(body: bytes, default: Any) -> Any:
    """What the JSON in body says; default if it is none: a browser must not end a handler."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return default
