"""What handlers send, as bytes: HTTP answers, WebSocket frames, lists of connection ids.

Pure functions, called by handler.Connection.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Union

Body = Union[bytes, bytearray, memoryview, str]


def as_bytes(data: Body) -> bytes:
    """Bytes as they are, str as UTF-8."""
    if isinstance(data, str):
        return data.encode("utf-8")
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"bytes or str are needed, not {data!r}")  # bytes(5) would be five NULs


def http_response(body: Body, code: int = 200, status: str = "OK",
                  headers: Optional[Dict[str, Any]] = None) -> bytes:
    """A complete HTTP answer. Content-Length is always that of body."""
    data = as_bytes(body)
    lines = [f"HTTP/1.1 {code} {status}"]
    for name, value in (headers or {}).items():
        if name.lower() != "content-length":
            lines.append(f"{name}: {value}")
    lines.append(f"Content-Length: {len(data)}")
    for line in lines:
        if "\r" in line or "\n" in line or "\0" in line:
            raise ValueError(f"a header must not contain line ends or NUL: {line!r}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + data


def websocket_frame(body: Body, opcode: int = 1, rsvd: int = 0) -> bytes:
    """One unmasked, unfragmented WebSocket frame (RFC 6455 5.2)."""
    data = as_bytes(body)
    head = bytearray([0x80 | (rsvd & 7) << 4 | (opcode & 15)])
    if len(data) < 126:
        head.append(len(data))
    elif len(data) < 65536:
        head += b"\x7e" + len(data).to_bytes(2, "big")
    else:
        head += b"\x7f" + len(data).to_bytes(8, "big")
    return bytes(head) + data


def join_idents(idents: Iterable[Union[str, int]], most: int) -> Iterable[str]:
    """Connection ids as they stand in a message, at most `most` of them each time."""
    batch: List[str] = []
    for ident in idents:
        batch.append(str(ident))
        if len(batch) == most:
            yield " ".join(batch)
            batch = []
    if batch:
        yield " ".join(batch)
