"""One answer of a WSGI application on its way to the client: heads, lengths and chunks.

An answer whose pieces are all known leaves in one message, so that its thread is free at once. A
stream leaves at the pace of its client. A file leaves by the server's own hand where it can.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any, Callable, Iterable, List, Optional, Tuple

from mongrel2.request import Request
from mongrel2.wsgi.outgoing import Outgoing
from mongrel2.wsgi.site import Site

# These describe one connection; the server sees to them (PEP 3333, "Other HTTP Features").
HOP_BY_HOP = frozenset(["connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
                        "te", "trailers", "transfer-encoding", "upgrade"])
STATUS = re.compile(r"[2-5][0-9][0-9]( [^\r\n\0]*)?")
BLOCK_BYTES = 64 * 1024
# Without flow control the server takes any one message, and half of handler.output_bytes before it.
UNPACED_BYTES = 512 * 1024
GATHERED_MAX = 64 * 1024 * 1024

Headers = List[Tuple[str, str]]


class FileWrapper:
    """wsgi.file_wrapper: a file as an iterable of its blocks."""

    def __init__(self, file: Any, block_size: int = BLOCK_BYTES) -> None:
        self.file = file
        self.block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.file.read(self.block_size)
        if not data:
            raise StopIteration
        return data

    def size(self) -> Optional[int]:
        """Bytes from here to the end; None: nobody knows."""
        try:
            found = os.fstat(self.file.fileno())
            if stat.S_ISREG(found.st_mode):
                return max(0, found.st_size - int(self.file.tell()))
        except (AttributeError, OSError, ValueError):
            pass
        return None


class Response:
    def __init__(self, request: Request, out: Outgoing, site: Site,
                 log: Callable[[str], None]) -> None:
        self.out = out
        self.site = site
        self.log = log
        self.head: Optional[Tuple[str, Headers]] = None
        self.begun = False
        self.chunked = False
        self.until_close = False  # HTTP/1.0, length unknown
        self.left: Optional[int] = None  # of the declared Content-Length
        self.http10 = request.headers.get("VERSION") == "HTTP/1.0"
        self.bodiless: bool = request.headers.get("METHOD") == "HEAD"
        self._sent = 0
        self._gathered: List[bytes] = []
        self._gathered_bytes = 0

    # For the application

    def start_response(self, status: str, headers: Headers,
                       exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info:
            if self.begun:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self.head is not None:
            raise AssertionError("start_response was called twice without exc_info")
        if not STATUS.fullmatch(status):
            raise ValueError(f"{status!r} is no status like '200 OK'")
        for name, value in headers:
            if any(byte in name + value for byte in "\r\n\0"):
                raise ValueError(f"header {name!r} has a line end or NUL in it")
        self.head = (status, list(headers))
        return self.write

    def write(self, data: bytes) -> None:
        """A piece of the body, and the head before it."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a body is made of bytes, not of {type(data).__name__}")
        head = b"" if self.begun else self._begin(None)
        self._stream(head + self._framed(data))

    # For the bridge

    def send(self, result: Iterable[bytes]) -> None:
        """Sends what the application returned, to the end."""
        if isinstance(result, (list, tuple)) and not self.begun:
            return self._send_whole(b"".join(result))
        if isinstance(result, FileWrapper) and not self.begun and self._send_file(result):
            return None
        for piece in result:
            if piece:
                self.write(piece)
                if self.bodiless:
                    break  # the rest of it would be made for nobody
        return self._finish()

    def fail(self) -> None:
        """The application has failed: 500 if nothing has been sent, else the connection ends."""
        if self.begun:
            return self.out.close()
        self.head = ("500 Internal Server Error", [("Content-Type", "text/plain")])
        return self._send_whole(b"Internal Server Error\n")

    def _send_whole(self, body: bytes) -> None:
        head = self._begin(len(body))
        self.out.send(head + self._framed(body))
        self._finish()

    def _send_file(self, result: FileWrapper) -> bool:
        """Has the server send the file, if it reaches it and all of it is meant. Else its blocks
        follow, with a length."""
        size = result.size()
        served = self.site.served(result.file)
        head = self._begin(size)
        if served is None or self.bodiless or self.chunked or self.left != served.size:
            self._stream(head)
            return self.bodiless
        self.out.send(head)
        self.out.sendfile(served.path, served.size)
        return True

    def _begin(self, length: Optional[int]) -> bytes:
        """The head. length: of the whole body, if it is known. Nothing has begun if it fails."""
        assert self.head is not None, "the application did not call start_response"
        status, headers = self.head
        never = status[:3] in ("204", "304")  # a body
        lines, left, chunked, until_close = [f"HTTP/1.1 {status}"], None, False, False
        for name, value in headers:
            if name.lower() == "content-length":
                if never:
                    continue
                if not value.strip().isdigit():
                    raise ValueError(f"Content-Length {value!r} is no number")
                left = int(value)
            if name.lower() not in HOP_BY_HOP:
                lines.append(f"{name}: {value}")
        if left is None and not never:
            if length is not None:
                left = length
                lines.append(f"Content-Length: {length}")
            elif not self.http10:
                chunked = True
                lines.append("Transfer-Encoding: chunked")
            else:
                until_close = True
                lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self.left, self.chunked, self.until_close = left, chunked, until_close
        self.bodiless = self.bodiless or never
        self.begun = True
        return head

    def _framed(self, data: bytes) -> bytes:
        if self.bodiless or not data:
            return b""
        if self.chunked:
            return b"%x\r\n%s\r\n" % (len(data), data)
        if self.left is not None:
            if len(data) > self.left:
                self.log("the body is longer than its Content-Length; the rest is left out")
            data = bytes(data[:self.left])
            self.left -= len(data)
        return data

    def _stream(self, data: bytes) -> None:
        """Sends at the pace of the client. Where the pace is not known, a download of known length
        is gathered into one message, which the server takes whole."""
        self._sent += len(data)
        if self.out.paced or self.left is None or self._sent <= UNPACED_BYTES:
            return self.out.stream(data)
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        if self._gathered_bytes > GATHERED_MAX:
            self._flush()
        return None

    def _flush(self) -> None:
        gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
        if gathered:
            self.out.send(b"".join(gathered))

    def _finish(self) -> None:
        if not self.begun:
            return self._send_whole(b"")
        self._flush()
        if self.bodiless:
            return None
        if self.chunked:
            return self.out.stream(b"0\r\n\r\n")
        if self.left:
            self.log(f"the body is {self.left} bytes shorter than its Content-Length")
        if self.left or self.until_close:
            self.out.close()
        return None
