"""Typed netstrings: SIZE:DATA followed by one byte that says what the data is.

Used where a handler row asks for protocol='tnetstring', and in the `filter` table. Knows nothing of
requests. Format: https://tnetstrings.info; strings are bytes here, because that is what they are.
"""

from __future__ import annotations

from typing import Any, List, Tuple

# Nesting deeper than this is an attack or an accident, and would end Python's own stack.
MAX_DEPTH = 64
# Sizes are at most 9 digits, as the format says: one below 1 GB.
MAX_SIZE_DIGITS = 9


def dump(value: Any) -> bytes:
    """The bytes of value: dict, list, tuple, int, float, bool, None, bytes, or str (as UTF-8)."""
    return _dump(value, 0)


def _dump(value: Any, depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise ValueError(f"tnetstring: nested deeper than {MAX_DEPTH} levels")
    if value is None:
        return b"0:~"
    if isinstance(value, bool):  # before int: True is an int
        data, kind = (b"true" if value else b"false"), b"!"
    elif isinstance(value, int):
        data, kind = b"%d" % value, b"#"
    elif isinstance(value, float):
        data, kind = repr(value).encode("ascii"), b"^"
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data, kind = bytes(value), b","
    elif isinstance(value, str):
        data, kind = value.encode("utf-8"), b","
    elif isinstance(value, (list, tuple)):
        data, kind = b"".join(_dump(item, depth + 1) for item in value), b"]"
    elif isinstance(value, dict):
        parts = []
        for key, item in value.items():
            if not isinstance(key, (str, bytes)):
                raise TypeError(f"tnetstring: a key must be text, not {key!r}")
            parts.append(_dump(key, depth + 1) + _dump(item, depth + 1))
        data, kind = b"".join(parts), b"}"
    else:
        raise TypeError(f"tnetstring: cannot write a {type(value).__name__}")
    return b"%d:%s%s" % (len(data), data, kind)


def parse(data: bytes) -> Tuple[Any, bytes]:
    """The first value in data, and the bytes after it. ValueError says what is wrong."""
    return _parse(data, 0)


def _parse(data: bytes, depth: int) -> Tuple[Any, bytes]:
    if depth > MAX_DEPTH:
        raise ValueError(f"tnetstring: nested deeper than {MAX_DEPTH} levels")
    payload, kind, rest = split(data)
    if kind == b",":
        return payload, rest
    if kind == b"#":
        return _number(int, payload), rest
    if kind == b"^":
        return _number(float, payload), rest
    if kind == b"!":
        if payload not in (b"true", b"false"):
            raise ValueError(f"tnetstring: {payload[:20]!r} is neither true nor false")
        return payload == b"true", rest
    if kind == b"~":
        if payload:
            raise ValueError("tnetstring: a null has no data")
        return None, rest
    if kind == b"]":
        return _items(payload, depth), rest
    if kind == b"}":
        items = _items(payload, depth)
        if len(items) % 2:
            raise ValueError("tnetstring: a dict has a key without a value")
        keys = items[::2]
        if not all(isinstance(key, bytes) for key in keys):
            raise ValueError("tnetstring: a key of a dict must be a string")
        return dict(zip(keys, items[1::2])), rest
    raise ValueError(f"tnetstring: unknown type {kind!r}")


def split(data: bytes) -> Tuple[bytes, bytes, bytes]:
    """SIZE:DATA and one byte, apart: the data, that byte, what follows. Netstrings end in b','."""
    size, colon, rest = data[: MAX_SIZE_DIGITS + 1].partition(b":")
    if not colon or not size.isdigit():
        raise ValueError(f"netstring: {data[:20]!r} does not begin with SIZE:")
    begin = len(size) + 1
    end = begin + int(size)
    if end >= len(data):
        raise ValueError(f"netstring: {int(size)} bytes announced, {len(data) - begin} there")
    return data[begin:end], data[end : end + 1], data[end + 1 :]


def _items(data: bytes, depth: int) -> List[Any]:
    items = []
    while data:
        item, data = _parse(data, depth + 1)
        items.append(item)
    return items


def _number(kind: type, text: bytes) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"tnetstring: {text[:20]!r} is not a number") from None
