"""Runs a WSGI application (PEP 3333) behind Mongrel2: Flask, Django, or three lines of one's own.

    python3 -m mongrel2.wsgi MODULE:NAME --sub tcp://127.0.0.1:9997 --pub tcp://127.0.0.1:9996

One thread receives, a few others run the application; answers leave under one lock.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import queue
import signal
import sys
import threading
import uuid
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple
from urllib.parse import unquote_to_bytes

from mongrel2 import handler
from mongrel2.request import SERVER_KEYS, Request

Application = Callable[..., Iterable[bytes]]

# Requests that wait for a thread; one more waits in the 0MQ socket, and then at the server.
WAITING_PER_THREAD = 4
# These describe one connection; the server sees to them (PEP 3333, "Other HTTP Features").
HOP_BY_HOP = frozenset(["connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
                        "te", "trailers", "transfer-encoding", "upgrade"])


def make_environ(request: Request, body: Any, script_name: str = "") -> Dict[str, Any]:
    """The environ of PEP 3333. script_name: the part of the path that leads to the application."""
    headers = request.headers
    path = unquote_to_bytes(request.path).decode("latin-1")
    if script_name and (path == script_name or path.startswith(script_name + "/")):
        path = path[len(script_name):]
    host, _, port = headers.get("host", "localhost").partition(":")
    scheme = headers.get("URL_SCHEME", "http")
    environ: Dict[str, Any] = {
        "REQUEST_METHOD": headers.get("METHOD", "GET"), "SCRIPT_NAME": script_name,
        "PATH_INFO": path, "QUERY_STRING": headers.get("QUERY", ""), "SERVER_NAME": host,
        "SERVER_PORT": port or ("443" if scheme == "https" else "80"),
        "SERVER_PROTOCOL": headers.get("VERSION", "HTTP/1.1"),
        "REMOTE_ADDR": headers.get("REMOTE_ADDR", ""), "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme, "wsgi.input": body, "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
    }
    for name in headers:
        if name in SERVER_KEYS:
            continue
        value = ",".join(headers.getlist(name))
        key = name.upper().replace("-", "_")
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            environ[key] = value
        elif "_" not in name:  # "x_y" must not pass for "x-y"
            environ["HTTP_" + key] = value
    if request.body:
        environ["CONTENT_LENGTH"] = str(len(request.body))
    return environ


class Answer:
    """One answer on its way: start_response, and what the application yields, as HTTP."""

    def __init__(self, request: Request, send: Callable[[bytes], None]) -> None:
        self.request = request
        self.send = send
        self.head: Optional[Tuple[str, List[Tuple[str, str]]]] = None
        self.begun = False
        self.chunked = False
        self.until_close = False  # HTTP/1.0, length unknown
        self.http10 = request.headers.get("VERSION") == "HTTP/1.0"
        self.bodiless = request.headers.get("METHOD") == "HEAD"

    def start_response(self, status: str, headers: List[Tuple[str, str]],
                       exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info:
            if self.begun:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self.head is not None:
            raise AssertionError("start_response was called twice without exc_info")
        for name, value in headers:
            if any(byte in name + value for byte in "\r\n\0"):
                raise ValueError(f"header {name!r} has a line end or NUL in it")
        self.head = (status, headers)
        return self.write

    def write(self, data: bytes, length: Optional[int] = None) -> None:
        """Sends data, and the head before it. length: of the whole body, if it is known."""
        if self.begun:
            return self._body(data)
        assert self.head is not None, "the application did not call start_response"
        status, headers = self.head
        code = status.split(" ", 1)[0]
        self.bodiless = self.bodiless or code in ("204", "304")
        lines = [f"HTTP/1.1 {status}"]
        lines += [f"{name}: {value}" for name, value in headers
                  if name.lower() not in HOP_BY_HOP]
        declared = any(name.lower() == "content-length" for name, _ in headers)
        if not declared and code not in ("204", "304"):
            if length is not None:
                lines.append(f"Content-Length: {length}")
            elif not self.http10:
                self.chunked = True
                lines.append("Transfer-Encoding: chunked")
            else:
                self.until_close = True
                lines.append("Connection: close")
        self.begun = True
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self._framed(data))
        return None

    def _framed(self, data: bytes) -> bytes:
        if self.bodiless or not data:
            return b""
        return b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data

    def _body(self, data: bytes) -> None:
        framed = self._framed(data)
        if framed:
            self.send(framed)

    def finish(self) -> None:
        if not self.begun:
            self.write(b"", 0)
        if self.chunked and not self.bodiless:
            self.send(b"0\r\n\r\n")
        elif self.until_close:
            self.send(b"")

    def fail(self) -> None:
        """The application has failed: 500 if nothing has been sent, else the connection ends."""
        if self.begun:
            return self.send(b"")
        self.head = ("500 Internal Server Error", [("Content-Type", "text/plain")])
        return self.write(b"Internal Server Error\n", 22)


class Bridge:
    """Between a handler.Connection and a WSGI application."""

    def __init__(self, connection: handler.Connection, application: Application,
                 threads: int = 4, script_name: str = "") -> None:
        self.connection = connection
        self.application = application
        self.script_name = script_name
        self.sending = threading.Lock()
        self.work: queue.Queue[Optional[Request]] = queue.Queue(threads * WAITING_PER_THREAD)
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.ending = False

    def serve(self) -> None:
        """Until stop(); answers that have begun are finished."""
        for thread in self.threads:
            thread.start()
        while not self.ending:
            request = self.connection.recv(timeout=0.2)
            if request is None or request.headers.get("METHOD") in ("JSON", "XML"):
                continue
            if request.is_upload_start():
                continue  # the body is still coming; there will be another message
            self.work.put(request)
        for _ in self.threads:
            self.work.put(None)
        for thread in self.threads:
            thread.join()

    def stop(self) -> None:
        self.ending = True

    def _run(self) -> None:
        while True:
            request = self.work.get()
            if request is None:
                return
            self.answer(request)

    def answer(self, request: Request) -> None:
        """Runs the application for one request."""
        def send(data: bytes) -> None:
            with self.sending:
                self.connection.reply(request, data)

        answer = Answer(request, send)
        path = request.upload_path if request.is_upload_done() else None
        result: Any = None
        try:
            body = open(path, "rb") if path else io.BytesIO(request.body)
            with body:
                environ = make_environ(request, body, self.script_name)
                result = self.application(environ, answer.start_response)
                alone = isinstance(result, (list, tuple)) and len(result) == 1
                whole = len(result[0]) if alone else None
                for piece in result:
                    if piece:
                        answer.write(piece, whole)
                answer.finish()
        except Exception as error:  # an application must not end the bridge
            print(f"mongrel2.wsgi: {request!r}: {error!r}", file=sys.stderr)
            answer.fail()
        finally:
            if hasattr(result, "close"):
                result.close()
            if path:
                os.unlink(path)


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="mongrel2.wsgi", description="WSGI behind Mongrel2")
    parser.add_argument("application", help="MODULE:NAME")
    parser.add_argument("--sub", required=True, help="send_spec of the handler row")
    parser.add_argument("--pub", required=True, help="recv_spec of the handler row")
    parser.add_argument("--sender", default=str(uuid.uuid4()), help="this handler's own UUID")
    parser.add_argument("--script-name", default="", help="the route's path, if it is not /")
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args(arguments)
    module, _, name = options.application.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        application = getattr(importlib.import_module(module), name or "application")
    except (ImportError, AttributeError) as error:
        print(f"mongrel2.wsgi: {options.application}: {error}", file=sys.stderr)
        return 1
    with handler.Connection(options.sender, options.sub, options.pub) as connection:
        bridge = Bridge(connection, application, options.threads, options.script_name)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: bridge.stop())
        bridge.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
