"""A site behind a Proxy: a plain socket server whose answers a test scripts byte for byte."""

import socket
import threading

from lib.waiting import DEADLINE, free_port


class Exchange:
    """One connection of the backend, as its script sees it."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(DEADLINE)
        self.received = b""

    def read_head(self):
        """The next request head with its blank line; b"" when the proxy has closed."""
        while b"\r\n\r\n" not in self.received:
            data = self.socket.recv(65536)
            if not data:
                return b""
            self.received += data
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def read(self, count):
        while len(self.received) < count:
            data = self.socket.recv(65536)
            assert data, f"closed after {len(self.received)} of {count} bytes"
            self.received += data
        data, self.received = self.received[:count], self.received[count:]
        return data

    def read_until(self, mark):
        while mark not in self.received:
            data = self.socket.recv(65536)
            assert data, f"closed before {mark!r}"
            self.received += data
        part, self.received = self.received.split(mark, 1)
        return part + mark

    def read_body(self, head):
        fields = dict(line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:] if line)
        if fields.get(b"transfer-encoding", b"").strip() == b"chunked":
            body = b""
            while True:
                size = int(self.read_until(b"\r\n").split(b";")[0], 16)
                if size == 0:
                    self.read_until(b"\r\n")
                    return body
                body += self.read(size)
                self.read(2)
        return self.read(int(fields.get(b"content-length", b"0")))

    def send(self, data):
        self.socket.sendall(data)


class Backend:
    """script(exchange, head) answers one request; returning False ends the connection."""

    def __init__(self, script=None, port=None):
        self.port = port or free_port()
        self.script = script or Backend.hello
        self.accepted = 0
        self.heads = []
        self.fault = None
        self.closing = False
        self.open = set()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bind()
        self.listener.listen(128)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        assert self.fault is None, f"the backend failed: {self.fault!r}"

    def _bind(self):
        self.listener.bind(("127.0.0.1", self.port))

    @staticmethod
    def hello(exchange, head):
        body = exchange.read_body(head)
        text = head.split(b" ")[1] + b" " + body
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        return True

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        exchange = Exchange(connection)
        try:
            while True:
                head = exchange.read_head()
                if not head:
                    break
                self.heads.append(head)
                if self.script(exchange, head) is False:
                    break
        except OSError:
            pass  # the proxy has gone, or close() was called
        except Exception as fault:
            if not self.closing:
                self.fault = fault
        finally:
            self.open.discard(connection)
            connection.close()

    def close(self):
        """Stops listening and cuts every connection; what scripts say of that is no fault."""
        self.closing = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(DEADLINE)
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
