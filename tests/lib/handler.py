"""A handler from outside the project: plain pyzmq, following the manual's own grammar and nothing
else. It connects as the manual's handlers do, without settings that would help."""

import itertools
import json
import threading

import zmq

from lib.deployment import IDENT
from lib.tnetstring import parse as parse_tnetstring
from lib.waiting import DEADLINE, wait_until


def parse_netstring(data):
    """SIZE:DATA, and the rest; the manual's code, for bytes."""
    size, rest = data.split(b":", 1)
    size = int(size)
    assert rest[size:size + 1] == b",", "Netstring did not end in ','"
    return rest[:size], rest[size + 1:]


class Request:
    """UUID ID PATH SIZE:HEADERS,SIZE:BODY,"""

    def __init__(self, message, tnetstring=False):
        self.message = message
        sender, conn_id, path, rest = message.split(b" ", 3)
        if tnetstring:
            self.headers, rest = parse_tnetstring(rest)
            self.headers = {name.decode(): value for name, value in self.headers.items()}
        else:
            headers, rest = parse_netstring(rest)
            self.headers = json.loads(headers.decode("utf-8"))
        self.body, rest = parse_netstring(rest)
        assert rest == b"", f"bytes behind the message: {rest!r}"
        self.sender, self.id, self.path = sender.decode(), conn_id.decode(), path.decode()

    def is_disconnect(self):
        return self.headers.get("METHOD") in ("JSON", b"JSON") and \
            self.body == b'{"type":"disconnect"}'


def reply_message(ids, body, sender=IDENT):
    """UUID SIZE:ID ID ID, BODY"""
    listed = " ".join(ids)
    return f"{sender} {len(listed)}:{listed}, ".encode() + body


def http(body, status="200 OK", headers=None):
    """A complete HTTP answer, which is what a handler has to send."""
    body = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": len(body), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


class Handler:
    """replies_only: it takes no share of the requests."""

    def __init__(self, deployment, name="h", ident=IDENT, specs=None, tnetstring=False,
                 replies_only=False, replies="sub", curve=None):
        send_spec, recv_spec = specs or (f"ipc://run/{name}-q", f"ipc://run/{name}-r")
        self.ident = ident
        self.tnetstring = tnetstring
        self.strangers = itertools.count(1_000_000, 1_000_000)
        self.context = zmq.Context()
        self.context.linger = 0
        self.requests = self.context.socket(zmq.PULL)
        if curve is not None:
            curve.apply(self.requests)
        if not replies_only:
            self.requests.connect(deployment.endpoint(send_spec))
        if replies == "none":
            self.replies = None
            return
        self.replies = self.context.socket(zmq.PUSH if replies == "pull" else zmq.PUB)
        self.replies.setsockopt(zmq.IDENTITY, ident.encode())
        if curve is not None:
            curve.apply(self.replies)
        self.replies.connect(deployment.endpoint(recv_spec))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.context is not None:
            self.context.destroy(linger=0)
            self.context = None

    def has_message(self, seconds):
        return bool(self.requests.poll(seconds * 1000))

    def recv_raw(self, seconds=DEADLINE):
        assert self.has_message(seconds), "no message for the handler"
        parts = self.requests.recv_multipart()
        assert len(parts) == 1, f"{len(parts)} parts"
        return parts[0]

    def recv(self, seconds=DEADLINE):
        return Request(self.recv_raw(seconds), self.tnetstring)

    def recv_request(self):
        """The next message that is not about somebody who left."""
        request = self.recv()
        while request.is_disconnect():
            request = self.recv()
        return request

    def heard(self, by):
        """Waits until what was sent so far has reached the worker of the client with this id, which
        takes things in order: there comes the notice of an id that it never gave out. Returns the
        messages that came before it."""
        stranger, before = str(int(by) + next(self.strangers)), []
        self.send(stranger, http("nobody"))
        while (message := self.recv()).id != stranger:
            before.append(message)
        return before

    def send(self, ids, body):
        self.replies.send(reply_message([ids] if isinstance(ids, str) else ids, body, self.ident))

    def send_extended(self, ids, body):
        self.send(" ".join(["X"] + ([ids] if isinstance(ids, str) else ids)), body)

    def reply(self, request, body, **more):
        self.send(request.id, http(body, **more))


class Answering(Handler):
    """A handler that runs beside the test and answers each request with what answer(request)
    returns: an HTTP answer as bytes, or None for nothing. Disconnect notices are collected."""

    def __init__(self, deployment, answer=None, **more):
        super().__init__(deployment, **more)
        self.answer = answer or (lambda request: http(f"{request.path} {request.id}"))
        self.seen = []
        self.notices = []
        self.fault = None
        self.ending = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.ending:
                if not self.requests.poll(20):
                    continue
                request = Request(self.requests.recv(), self.tnetstring)
                if request.is_disconnect():
                    self.notices.append(request.id)
                    continue
                self.seen.append(request)
                answer = self.answer(request)
                if answer is not None:
                    self.send(request.id, answer)
        except Exception as fault:  # shown by close(): a thread has nobody to tell
            self.fault = fault

    def wait_for(self, path):
        wait_until(lambda: any(request.path == path for request in self.seen), f"a request {path}")

    def close(self):
        if self.context is None:
            return
        self.ending = True
        self.thread.join(DEADLINE)
        super().close()
        assert self.fault is None, f"the handler failed: {self.fault!r}"
