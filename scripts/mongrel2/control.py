"""The control port of a running server (manual 3.8), for programs and for `m2sh control`.

ControlPort speaks both languages of the port: words, answered with JSON, and the tnetstrings of
Mongrel2 1.x. Needs pyzmq. Never waits longer than it is told.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import zmq

from mongrel2 import tnetstrings

TIMEOUT_SECONDS = 5.0


class ControlError(Exception):
    """The server said no, or nothing. code is that of 1.x, "" when there is none."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class ControlPort:
    """One connection to the endpoint at addr, as in "ipc://run/control"; name is what messages call
    it."""

    def __init__(self, addr: str, timeout: float = TIMEOUT_SECONDS,
                 context: Optional[zmq.Context[Any]] = None, name: str = "") -> None:
        self.addr = addr
        self.name = name or addr
        self.timeout = timeout
        self._own_context = zmq.Context() if context is None else None
        self._context = context or self._own_context
        self._socket: Optional[zmq.Socket[Any]] = None

    def __enter__(self) -> ControlPort:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._hang_up()
        if self._own_context is not None:
            self._own_context.term()

    def words(self, command: str) -> str:
        """Sends words as the manual has them ("status net"); the answer as it comes: JSON."""
        return self._exchange(command.encode("utf-8")).decode("utf-8", "replace")

    def request(self, name: str, **args: Any) -> List[Dict[str, Any]]:
        """A command of 1.x, as request("status", what="net"): the rows of its answer, each by the
        names of its columns. ControlError if the server refuses it."""
        answer = self._exchange(tnetstrings.dump([name, args]))
        try:
            table, rest = tnetstrings.parse(answer)
        except ValueError as error:
            raise ControlError(f"{self.name}: {error}") from None
        if rest or not isinstance(table, dict):
            raise ControlError(f"{self.name}: no answer of a control port: {answer[:60]!r}")
        if b"error" in table:
            raise ControlError(_text(table[b"error"]), _text(table.get(b"code", b"")))
        names = [_text(name) for name in table.get(b"headers", [])]
        return [{key: _text(cell) for key, cell in zip(names, row)}
                for row in table.get(b"rows", [])]

    def _exchange(self, message: bytes) -> bytes:
        if self._socket is None:
            assert self._context is not None
            self._socket = self._context.socket(zmq.REQ)
            self._socket.setsockopt(zmq.LINGER, 0)
            try:
                self._socket.connect(self.addr)
            except zmq.ZMQError as error:
                self._hang_up()
                raise ControlError(f"{self.name}: {error.strerror}") from None
        self._socket.send(message)
        if not self._socket.poll(int(self.timeout * 1000)):
            self._hang_up()  # REQ would send nothing before that answer
            raise ControlError(
                f"{self.name} does not answer within {self.timeout:g} s: is the server running, "
                "may you use its control port, and was it not told to stop?")
        return self._socket.recv()

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
