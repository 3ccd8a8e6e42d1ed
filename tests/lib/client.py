"""A strict little HTTP client on a plain socket: it sends exactly the bytes it is told to, and
reads answers by RFC 9112, so that a wrongly framed answer is noticed."""

import socket

from lib.waiting import DEADLINE


class Answer:
    def __init__(self, status, reason, headers, body, head, interim):
        self.status = status
        self.reason = reason
        self.headers = headers  # {lower-case name: value}; a name twice: joined by ", "
        self.body = body
        self.head = head        # as received
        self.interim = interim  # statuses of 1xx answers before it

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:80]!r}>"


class Client:
    """port: a number, or the path of a unix socket. source: the address to come from."""

    def __init__(self, port, host="127.0.0.1", deadline=DEADLINE, receive_buffer=None, source=None):
        is_path = isinstance(port, str)
        family = (socket.AF_UNIX if is_path else
                  socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.socket = socket.socket(family)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(deadline)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(port if is_path else (host, port))
        if not is_path:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def send_request(self, method="GET", path="/", headers=None, body=b"", host="localhost",
                     version="HTTP/1.1"):
        fields = {} if host is None else {"Host": host}
        if body or method in ("POST", "PUT"):
            fields["Content-Length"] = str(len(body))
        fields.update(headers or {})
        head = f"{method} {path} {version}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return self.send(head.encode("latin-1") + b"\r\n" + body)

    def request(self, method="GET", path="/", **more):
        return self.send_request(method, path, **more).answer(head=method == "HEAD")

    def more(self):
        """Receives something; False at the end."""
        data = self.socket.recv(65536)
        self.received += data
        return bool(data)

    def take_until(self, mark):
        while mark not in self.received:
            assert self.more(), f"closed before {mark!r}: {self.received[:300]!r}"
        part, self.received = self.received.split(mark, 1)
        return part

    def take(self, count):
        pieces, have = [self.received], len(self.received)
        while have < count:
            data = self.socket.recv(min(1 << 20, count - have))
            assert data, f"closed after {have} of {count} bytes"
            pieces.append(data)
            have += len(data)
        data = b"".join(pieces)
        self.received = data[count:]
        return data[:count]

    def take_all(self):
        """Everything until the server closes."""
        while self.more():
            pass
        data, self.received = self.received, b""
        return data

    def answer(self, head=False):
        """Reads one answer; head: it is the answer to HEAD."""
        interim = []
        while True:
            raw = self.take_until(b"\r\n\r\n")
            lines = raw.decode("latin-1").split("\r\n")
            version, status, reason = (lines[0].split(" ", 2) + [""])[:3]
            assert version in ("HTTP/1.1", "HTTP/1.0") and status.isdigit(), lines[0]
            if not 100 <= int(status) < 200 or status == "101":
                break
            interim.append(int(status))
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon and name and name == name.strip(), f"bad header line {line!r}"
            name = name.lower()
            value = value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        body = b"" if head or status in ("204", "304", "101") else self._body(headers)
        return Answer(int(status), reason, headers, body, raw, interim)

    def _body(self, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while True:
                size = int(self.take_until(b"\r\n").split(b";")[0], 16)
                if size == 0:
                    while self.take_until(b"\r\n"):
                        pass
                    return body
                body += self.take(size)
                assert self.take(2) == b"\r\n", "a chunk does not end in CRLF"
        if "content-length" in headers:
            return self.take(int(headers["content-length"]))
        return self.take_all()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def is_closed(self, deadline=DEADLINE):
        """Waits for the end of the connection; nothing else may come before it."""
        self.socket.settimeout(deadline)
        try:
            data = self.received or self.socket.recv(4096)
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False
        finally:
            self.socket.settimeout(DEADLINE)
        assert data == b"", f"more bytes instead of the end: {data[:200]!r}"
        return True

    def is_quiet(self):
        """True if nothing has arrived and the connection is open, right now."""
        if self.received:
            return False
        self.socket.setblocking(False)
        try:
            self.received = self.socket.recv(4096)
            return False
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            self.socket.settimeout(DEADLINE)
