"""Between a handler.Connection and a WSGI application.

One thread receives, a few others run the application. The receiving thread never waits for them, so
that what the server says of clients always reaches them: the client has left, or takes more.
"""

from __future__ import annotations

import io
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any, BinaryIO, Callable, Deque, Dict, Iterable, List, Optional, Set

from mongrel2 import handler
from mongrel2.request import Request
from mongrel2.response import http_response
from mongrel2.wsgi.environ import make_environ
from mongrel2.wsgi.outgoing import Outgoing, Way
from mongrel2.wsgi.pace import ClientGone, Pace
from mongrel2.wsgi.response import FileWrapper, Response
from mongrel2.wsgi.site import Site

Application = Callable[..., Iterable[bytes]]

# What waits for a thread in this process; more is refused with 503.
WAITING_MAX = 1000
WAITING_BYTES_MAX = 64 * 1024 * 1024
# How often the receiving thread looks up.
TICK_SECONDS = 0.2
# A thread is stuck if the application still works for a client that left so long ago. Another one
# takes its place until it comes back, up to SPARE_PER_THREAD for each.
STUCK_SECONDS = 2.0
SPARE_PER_THREAD = 4
# What is running when the bridge is told to stop may go on so long.
GRACE_SECONDS = 10.0


class Waiting:
    """Requests that wait for a thread, in the order of their arrival."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._queue: Deque[Outgoing] = deque()
        self._bytes = 0
        self._ended = False

    def __len__(self) -> int:
        return len(self._queue)

    def has_room(self, request: Request) -> bool:
        size = self._bytes + len(request.body)
        return not self._queue or (len(self._queue) < WAITING_MAX and size <= WAITING_BYTES_MAX)

    def put(self, out: Outgoing) -> None:
        with self._ready:
            self._queue.append(out)
            self._bytes += len(out.request.body)
            self._ready.notify()

    def take(self) -> Optional[Outgoing]:
        """Waits for the next one; None: there will be none."""
        with self._ready:
            self._ready.wait_for(lambda: self._queue or self._ended)
            if not self._queue:
                return None
            out = self._queue.popleft()
            self._bytes -= len(out.request.body)
            return out

    def drop(self, conn_id: str) -> List[Outgoing]:
        """Removes those of a client that has left."""
        with self._ready:
            dropped = [one for one in self._queue if one.request.conn_id == conn_id]
            for one in dropped:
                self._queue.remove(one)
                self._bytes -= len(one.request.body)
            return dropped

    def end(self) -> None:
        with self._ready:
            self._ended = True
            self._ready.notify_all()


class Bridge:
    def __init__(self, connection: handler.Connection, application: Application,
                 threads: int = 4, script_name: str = "", site: Optional[Site] = None,
                 grace: float = GRACE_SECONDS) -> None:
        self.connection = connection
        self.application = application
        self.thread_count = threads
        self.script_name = script_name
        self.site = site or Site()
        self.grace = grace
        self.ending = False
        self.pace = Pace()
        self.waiting = Waiting()
        self._way = Way(connection, self.pace)
        self._guard = threading.Lock()  # of what follows
        self._alive = 0
        self._open: Set[Outgoing] = set()  # waits for a thread, or has one
        self._said: Dict[str, float] = {}  # when a kind of refusal was logged last

    def stop(self) -> None:
        """Has serve() end. May be called by a signal handler or another thread."""
        self.ending = True

    def serve(self) -> None:
        """Until stop(): then what has arrived is answered, for at most `grace` seconds."""
        for _ in range(self.thread_count):
            self._start_thread()
        try:
            while not self.ending:
                self._receive(TICK_SECONDS)
                self._replace_stuck()
            deadline = time.monotonic() + self.grace
            while time.monotonic() < deadline:
                if not self._receive(0.02) and not self._is_busy():
                    break
        finally:
            self._end()

    def _end(self) -> None:
        with self._guard:
            cut = list(self._open)
        for out in cut:
            log(f"{out.request!r} is cut off: it did not end within {self.grace:g} s")
            out.close()
        self.pace.end()
        self.waiting.end()
        self._way.close()

    def _is_busy(self) -> bool:
        with self._guard:
            return any(out.left_at is None for out in self._open)

    # What the server says

    def _receive(self, timeout: float) -> bool:
        """Takes one message; False: none came."""
        try:
            request = self.connection.recv(timeout=timeout)
        except ValueError as error:
            log(f"a message that is no request: {error}")
            return True
        if request is None:
            return False
        try:
            self._take(request)
        except Exception:
            log(f"{request!r}:\n{traceback.format_exc()}")
        return True

    def _take(self, request: Request) -> None:
        if request.is_disconnect():
            return self._left(request.conn_id)
        if request.is_credits():
            return self.pace.credit(request.conn_id, request.download_credits or 0)
        if request.is_notice():
            return None
        self.pace.learn(request)
        method = str(request.headers.get("METHOD", ""))
        if request.upload_offset is not None:
            if request.upload_offset == 0:
                self._refuse(request, 501, "this pair has upload.stream; WSGI needs "
                             "upload.temp_store instead")
        elif method in ("JSON", "XML", "WEBSOCKET"):
            if request.event != "close":
                self._say("message", f"{request!r}: WSGI has no messages; it is closed")
                self._way.send(request.sender, request.conn_id, b"")
        elif method == "WEBSOCKET_HANDSHAKE":
            self._refuse(request, 501, "WSGI has no WebSockets")
        elif request.is_upload_start():
            pass  # the body is still coming; there will be another message
        elif self.waiting.has_room(request):
            out = Outgoing(self._way, request)
            with self._guard:
                self._open.add(out)
            self.waiting.put(out)
        else:
            self._discard(request)
            self._refuse(request, 503, f"{len(self.waiting)} requests wait for a thread already")
        return None

    def _left(self, conn_id: str) -> None:
        self.pace.left(conn_id)
        for out in self.waiting.drop(conn_id):
            self._forget(out)
        with self._guard:
            for out in self._open:
                if out.request.conn_id == conn_id and out.left_at is None:
                    out.left_at = time.monotonic()

    def _refuse(self, request: Request, code: int, why: str) -> None:
        self._say(str(code), f"{request!r}: {code}: {why}")
        headers = {"Retry-After": "1"} if code == 503 else {}
        answer = http_response("", code, headers=headers)
        self._way.send(request.sender, request.conn_id, answer)
        if code != 503:
            self._way.send(request.sender, request.conn_id, b"")

    def _say(self, kind: str, text: str) -> None:
        """One line a second for each kind of what clients can cause."""
        now = time.monotonic()
        if now - self._said.get(kind, -1.0) >= 1.0:
            self._said[kind] = now
            log(text)

    # Threads

    def _start_thread(self) -> None:
        with self._guard:
            self._alive += 1
        threading.Thread(target=self._run, daemon=True).start()

    def _stuck(self) -> List[Outgoing]:
        since = time.monotonic() - STUCK_SECONDS
        return [out for out in self._open if out.left_at is not None and out.left_at < since]

    def _wanted(self) -> int:
        spare = self.thread_count * SPARE_PER_THREAD
        return self.thread_count + min(len(self._stuck()), spare)

    def _replace_stuck(self) -> None:
        """An application that waits for ever, for a client that has left, can only be left to
        itself: Python has no way to end a thread."""
        with self._guard:
            stuck = self._stuck()
            missing = self._wanted() - self._alive
        for _ in range(missing):
            log(f"{stuck[-1].request!r}: the client has left and the application goes on; another "
                "thread takes its place")
            self._start_thread()

    def _run(self) -> None:
        while True:
            out = self.waiting.take()
            if out is not None:
                self._answer(out)
            with self._guard:
                if out is None or self._alive > self._wanted():
                    self._alive -= 1
                    return

    def _answer(self, out: Outgoing) -> None:
        """Runs the application for one request. Nothing that it does ends the thread."""
        try:
            self._run_application(out.request, out)
        except ClientGone:
            pass
        except BaseException:  # SystemExit, too, would end this thread
            log(f"{out.request!r}:\n{traceback.format_exc()}")
        finally:
            self._forget(out)

    def _forget(self, out: Outgoing) -> None:
        self._discard(out.request)
        with self._guard:
            self._open.discard(out)
        out.finish()

    def _run_application(self, request: Request, out: Outgoing) -> None:
        response = Response(request, out, self.site, lambda text: log(f"{request!r}: {text}"))
        try:
            with self._body(request) as body:
                size = body.seek(0, io.SEEK_END)
                body.seek(0)
                environ = make_environ(request, body, self.script_name, size)
                environ["wsgi.file_wrapper"] = FileWrapper
                result = self.application(environ, response.start_response)
                try:
                    response.send(result)
                finally:
                    if hasattr(result, "close"):
                        result.close()
        except ClientGone:
            raise
        except BaseException:
            response.fail()
            raise

    def _body(self, request: Request) -> BinaryIO:
        path = request.upload_path if request.is_upload_done() else None
        return self.site.open_upload(path) if path else io.BytesIO(request.body)

    def _discard(self, request: Request) -> None:
        """An upload belongs to the handler, and goes with its request."""
        path = request.upload_path if request.is_upload_done() else None
        try:
            if path:
                self.site.discard(path)
        except OSError as error:
            log(f"{request!r}: the upload {path} cannot be removed: {error.strerror}")


def log(text: str) -> None:
    try:
        print(f"mongrel2.wsgi: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        pass  # nobody reads standard error, which is no reason to end
