"""What goes to the client of one request. Made by the bridge, used by its thread alone.

All threads share the handler's connection under one lock, since 0MQ sockets may not be shared.
"""

from __future__ import annotations

import threading
from typing import Optional

from mongrel2 import handler, tnetstrings
from mongrel2.request import Request
from mongrel2.wsgi.pace import ClientGone, Pace


class Way:
    """The way to all clients: the connection, its lock, and whether it is still open."""

    def __init__(self, connection: handler.Connection, pace: Pace) -> None:
        self.connection = connection
        self.pace = pace
        self._lock = threading.Lock()
        self._closed = False

    def send(self, sender: str, ids: str, message: bytes) -> None:
        with self._lock:
            if self._closed:
                raise ClientGone("the bridge has ended")
            self.connection.send(sender, ids, message)

    def close(self) -> None:
        """Nothing is sent any more: the connection may be shut down."""
        with self._lock:
            self._closed = True


class Outgoing:
    """Answers one request. ClientGone: the client has left, or the bridge ends."""

    def __init__(self, way: Way, request: Request) -> None:
        self.request = request
        self.left_at: Optional[float] = None  # when the client left
        self._way = way
        self._account = way.pace.begin(request.conn_id)

    @property
    def paced(self) -> bool:
        """Whether the server says how much has left for the client."""
        return self._way.pace.window is not None

    def send(self, data: bytes) -> None:
        """One message, however long: a single one is never too much for the server."""
        self._way.pace.spend(self._account, len(data))
        self._send(data)

    def stream(self, data: bytes) -> None:
        """A part of an answer, as fast as the client takes it."""
        rest = memoryview(data)
        while rest:
            count = self._way.pace.wait(self._account, len(rest))
            self._send(bytes(rest[:count]))
            rest = rest[count:]

    def sendfile(self, path: str, size: int) -> None:
        """Has the server send a file beneath handler.sendfile where a body would go."""
        self._way.pace.spend(self._account, size)
        self._way.send(self.request.sender, f"X {self.request.conn_id}",
                       tnetstrings.dump(["sendfile", path]))

    def close(self) -> None:
        """Has the server close the connection once all is sent."""
        self._send(b"")

    def finish(self) -> None:
        self._way.pace.finish(self.request.conn_id)

    def _send(self, data: bytes) -> None:
        self._way.send(self.request.sender, self.request.conn_id, data)
