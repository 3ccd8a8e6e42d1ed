"""Reads tnetstrings; written from their grammar: SIZE ':' DATA TAG."""


def parse(data):
    """One value and what stands behind it."""
    size, _, rest = data.partition(b":")
    assert size.isdigit() and str(int(size)).encode() == size, f"bad size in {data[:40]!r}"
    length = int(size)
    assert len(rest) > length, f"too short: {data[:40]!r}"
    body, tag, rest = rest[:length], rest[length:length + 1], rest[length + 1:]
    if tag == b",":
        return body, rest
    if tag == b"#":
        return int(body), rest
    if tag == b"!":
        return body == b"true", rest
    if tag == b"~":
        return None, rest
    assert tag in b"]}", f"unknown tag {tag!r}"
    items = []
    while body:
        item, body = parse(body)
        items.append(item)
    return (items if tag == b"]" else dict(zip(items[::2], items[1::2]))), rest


def parse_all(data):
    value, rest = parse(data)
    assert rest == b"", f"more behind the value: {rest[:40]!r}"
    return value
