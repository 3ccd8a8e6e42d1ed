"""What handlers send, as bytes: HTTP answers, WebSocket frames, lists of connection ids.

Pure functions, called by handler.Connection.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Iterable, List, Mapping, Optional, Tuple, Union

Body = Union[bytes, bytearray, memoryview, str]
# By name, or as pairs. A header with a list of values stands once for each of them.
Headers = Union[Mapping[str, Any], Iterable[Tuple[str, Any]]]


def as_bytes(data: Body) -> bytes:
    """Bytes as they are, str as UTF-8."""
    if isinstance(data, str):
        return data.encode("utf-8")
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"bytes or str are needed, not {data!r}")  # bytes(5) would be five NULs


def http_response(body: Body, code: int = 200, status: Optional[str] = None,
                  headers: Optional[Headers] = None) -> bytes:
    """A complete HTTP answer. Content-Length is always that of body; 204, 304 and interim answers
    (1xx) have neither. status: the words behind the code, by default those of the standard."""
    data = as_bytes(body)
    bodiless = code < 200 or code in (204, 304)
    lines = [f"HTTP/1.1 {code} {_phrase(code) if status is None else status}"]
    for name, value in headers.items() if isinstance(headers, Mapping) else headers or ():
        if name.lower() != "content-length":
            values = value if isinstance(value, (list, tuple)) else [value]
            lines += [f"{name}: {one}" for one in values]
    if not bodiless:
        lines.append(f"Content-Length: {len(data)}")
    for line in lines:
        if "\r" in line or "\n" in line or "\0" in line:
            raise ValueError(f"a header must not contain line ends or NUL: {line!r}")
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    return head if bodiless else head + data


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


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
