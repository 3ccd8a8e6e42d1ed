"""A handler's connection to a Mongrel2 server (manual 5.3.7): requests come in, answers go out.

    conn = Connection(sender_id, "tcp://127.0.0.1:9997", "tcp://127.0.0.1:9996")
    while True:
        conn.reply_http(conn.recv(), "hello")

The only module of the package that needs pyzmq. One thread may receive while another one sends;
more threads than that must share a lock, since 0MQ sockets are not safe to share.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from typing import Any, Callable, Iterable, Optional, Union, overload

import zmq

from mongrel2.ending import on_end
from mongrel2.keys import Curve
from mongrel2.request import Request, json_or
from mongrel2.response import Body, Headers, as_bytes, http_response, join_idents
from mongrel2.websocket import WebSocketReplies

# A message may name up to limits.handler_targets browsers, 128 by default. deliver() sends longer
# lists as several messages.
MAX_IDENTS = 100

# Answers that wait to be sent. A PUB socket drops in silence what is above its mark, and libzmq's
# mark is 1,000: less than one burst. No mark at all would let this process grow without end while
# the server is away, so: much higher, but a number.
SEND_HWM = 100_000

# Requests that wait in this process. Each of them is lost if the process dies and late if it is
# slow, while other handlers may be idle: enough to be busy during one round trip, not more.
RECV_HWM = 100

# How long the last answers may take to leave after the sockets are closed.
LINGER_MS = 1000

# How often serve() looks whether it is to end, how long it then waits for what is on its way, and
# how long it answers at most.
TICK_SECONDS = 0.2
LAST_SECONDS = 0.05
GRACE_SECONDS = 10.0

Ident = Union[str, int]
Text = Union[str, bytes]


class Connection(WebSocketReplies):
    """Receives from sub_addr (send_spec of a handler row), answers to pub_addr (its recv_spec)."""

    def __init__(self, sender_id: Text, sub_addr: str, pub_addr: str,
                 context: Optional[zmq.Context[Any]] = None, *, replies: str = "sub",
                 curve: Optional[Curve] = None) -> None:
        """replies: that column of the handler row, "sub" or "pull". curve: keys (mongrel2.keys)
        for a server that has one itself."""
        self.sender_id = sender_id
        self._stopped = False
        # A context of one's own can be ended with the connection; a given one is its owner's.
        self._own_context: Optional[zmq.Context[Any]] = None
        if context is None:
            context = self._own_context = zmq.Context()
        self.resp = context.socket(zmq.PUSH if replies == "pull" else zmq.PUB)
        self.resp.setsockopt(zmq.SNDHWM, SEND_HWM)
        self.resp.setsockopt(zmq.LINGER, LINGER_MS)
        if sender_id:
            self.resp.setsockopt(zmq.IDENTITY, as_bytes(sender_id))
        self.reqs = self._pull_socket(context)
        self.reqs.setsockopt(zmq.RCVHWM, RECV_HWM)
        self.reqs.setsockopt(zmq.LINGER, 0)
        if curve is not None:
            curve.apply(self.resp)
            curve.apply(self.reqs)
        # PUB before PULL: a PUB socket drops what it sends before the server's subscription has
        # come in. The first request cannot arrive before PULL is there, so the way back has a head
        # start, and the server sends nothing to a handler that it cannot hear yet.
        try:
            _connect(self.resp, pub_addr)
            _connect(self.reqs, sub_addr)
        except zmq.ZMQError:
            self.shutdown()
            raise

    @staticmethod
    def _pull_socket(context: zmq.Context[Any]) -> Any:
        return context.socket(zmq.PULL)

    # Receiving

    @overload
    def recv(self) -> Request: ...
    @overload
    def recv(self, timeout: Optional[float]) -> Optional[Request]: ...

    def recv(self, timeout: Optional[float] = None) -> Optional[Request]:
        """The next request. With a timeout in seconds: None if none came in time."""
        if timeout is not None and not self.reqs.poll(max(0, int(timeout * 1000))):
            return None
        return Request.parse(self.reqs.recv())

    @overload
    def recv_json(self) -> Request: ...
    @overload
    def recv_json(self, timeout: Optional[float]) -> Optional[Request]: ...

    def recv_json(self, timeout: Optional[float] = None) -> Optional[Request]:
        """Like recv, for requests that have a JSON body: it is in `data`, None if it is none."""
        request = self.recv(timeout)
        if request is not None and not request.data:
            request.data = json_or(request.body, None)
        return request

    def serve(self, answer: Callable[[Request], Any],
              disconnected: Optional[Callable[[Request], Any]] = None,
              credited: Optional[Callable[[Request], Any]] = None, *,
              grace: float = GRACE_SECONDS) -> None:
        """Calls answer with each request until TERM, INT or stop(), then with those that have
        arrived, for at most grace seconds. disconnected gets the notices of browsers that left,
        credited those of download.flow_control.

        An exception of any is printed, and costs the browser its connection alone.
        """
        with on_end(self.stop):
            while not self._stopped:
                self._serve_one(TICK_SECONDS, answer, disconnected, credited)
            deadline = time.monotonic() + grace
            while time.monotonic() < deadline:
                if not self._serve_one(LAST_SECONDS, answer, disconnected, credited):
                    break

    def stop(self) -> None:
        """Has serve() end; for signal handlers and other threads."""
        self._stopped = True

    def _serve_one(self, timeout: float, answer: Callable[[Request], Any],
                   disconnected: Optional[Callable[[Request], Any]],
                   credited: Optional[Callable[[Request], Any]]) -> bool:
        try:
            request = self.recv(timeout)
        except ValueError as error:
            print(f"mongrel2: a message that is no request: {error}", file=sys.stderr)
            return True
        if request is None:
            return False
        try:
            call = self._chosen(request, answer, disconnected, credited)
            if call is not None:
                call(request)
        except Exception:
            self._failed(request)
        return True

    @staticmethod
    def _chosen(request: Request, answer: Callable[[Request], Any],
                disconnected: Optional[Callable[[Request], Any]],
                credited: Optional[Callable[[Request], Any]],
                ) -> Optional[Callable[[Request], Any]]:
        """Which of serve()'s functions a message is for; None: nobody's."""
        if not request.is_notice():
            return answer
        if request.is_disconnect():
            return disconnected
        return credited if request.is_credits() else None

    def _failed(self, request: Request) -> None:
        """Called while an exception is handled."""
        print(f"mongrel2: {request!r}:\n{traceback.format_exc()}", file=sys.stderr)
        if not request.is_notice():
            self.close(request)

    # Answering one browser

    def send(self, uuid: Text, conn_id: Union[Ident, bytes], msg: Body) -> None:
        """Sends msg as it is to conn_id, or to several ids with one space between them."""
        ids = as_bytes(conn_id if isinstance(conn_id, (bytes, str)) else str(conn_id))
        self.resp.send(b"%s %d:%s, %s" % (as_bytes(uuid), len(ids), ids, as_bytes(msg)))

    def reply(self, req: Request, msg: Body) -> None:
        """Answers with bytes that are complete in themselves, whatever the browser speaks."""
        self.send(req.sender, req.conn_id, msg)

    def reply_json(self, req: Request, data: Any) -> None:
        """Answers a JSON socket."""
        self.send(req.sender, req.conn_id, json.dumps(data))

    def reply_http(self, req: Request, body: Body, code: int = 200, status: Optional[str] = None,
                   headers: Optional[Headers] = None) -> None:
        """Answers with a complete HTTP response. After HEAD the body stays here, as it must."""
        answer = http_response(body, code, status, headers)
        if req.headers.get("METHOD") == "HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        self.reply(req, answer)

    def grant(self, req: Request, count: int) -> None:
        """Lets the server send so many bytes more of a body that comes in pieces."""
        number = b"%d" % count
        credits = b"7:credits,%d:%s#" % (len(number), number)
        value = b"3:ctl,%d:%s}" % (len(credits), credits)
        self.send(req.sender, f"X {req.conn_id}", b"%d:%s]" % (len(value), value))

    def close(self, req: Request) -> None:
        """Has the server close the browser's connection once all is sent: an empty message."""
        self.reply(req, b"")

    # Answering many browsers at once

    def deliver(self, uuid: Text, idents: Iterable[Ident], data: Body) -> None:
        """Sends data as it is to every one of idents."""
        body = as_bytes(data)
        for ids in join_idents(idents, MAX_IDENTS):
            self.send(uuid, ids, body)

    def deliver_json(self, uuid: Text, idents: Iterable[Ident], data: Any) -> None:
        self.deliver(uuid, idents, json.dumps(data))

    def deliver_http(self, uuid: Text, idents: Iterable[Ident], body: Body, code: int = 200,
                     status: Optional[str] = None, headers: Optional[Headers] = None) -> None:
        self.deliver(uuid, idents, http_response(body, code, status, headers))

    def deliver_close(self, uuid: Text, idents: Iterable[Ident]) -> None:
        self.deliver(uuid, idents, b"")

    # The connection itself

    def shutdown(self) -> None:
        """Closes both sockets, and waits until all answers have left, LINGER_MS at most."""
        self.reqs.close()
        self.resp.close()
        if self._own_context:
            self._own_context.term()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()


def _connect(socket: zmq.Socket[Any], address: str) -> None:
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        text = f"{address!r}: {zmq.strerror(error.errno)}; an endpoint is like tcp://127.0.0.1:9997"
        raise zmq.ZMQError(error.errno, text) from None
