#!/usr/bin/python3
"""The handler of the demonstration: an echo, a clock for all at once, and a guest book that waits.

Runs by itself too: PYTHONPATH=scripts deploy/demo/handler.py SEND_SPEC RECV_SPEC. One process, one
loop, no threads: what browsers wait for is a list of their connection ids, nothing more.
"""

import json
import os
import signal
import sys
import time
import urllib.parse

from mongrel2 import handler

TICK_SECONDS = 1.0
TICKS_EACH = 60  # then a clock stream ends, and the browser may ask again
HOLD_SECONDS = 25.0  # then a waiting poll is answered with nothing new
WATCHERS_MOST = 1000
NOTES_KEPT = 50
NAME_MOST, TEXT_MOST = 30, 300

JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def chunk(text):
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


class Clock:
    """A stream that all who watch get from the same message."""

    def __init__(self, conn):
        self.conn = conn
        self.watching = {}  # connection id to the ticks it has left
        self.sender = ""

    def open(self, req):
        if req.headers.get("VERSION") == "HTTP/1.0":  # knows no chunks: one line, and that is it
            self.conn.reply_http(req, time.strftime("%H:%M:%S\n"))
        elif len(self.watching) >= WATCHERS_MOST:
            self.conn.reply_http(req, "Too many are watching.\n", 503, "Service Unavailable")
        else:
            self.sender = req.sender
            self.watching[req.conn_id] = TICKS_EACH
            self.conn.reply(req, STREAM + chunk(self.line()))

    def line(self):
        return f"{time.strftime('%H:%M:%S')} {len(self.watching)}\n"

    def tick(self):
        if self.watching:
            self.conn.deliver(self.sender, self.watching, chunk(self.line()))
        done = [ident for ident, left in self.watching.items() if left <= 1]
        self.end(done)
        for ident in self.watching:
            self.watching[ident] -= 1

    def end(self, idents):
        if idents:
            self.conn.deliver(self.sender, idents, b"0\r\n\r\n")
        for ident in list(idents):
            self.watching.pop(ident, None)


class GuestBook:
    """Notes, and the browsers that wait for the next one (a long poll each)."""

    def __init__(self, conn):
        self.conn = conn
        self.notes = []
        self.next_id = 1
        self.waiting = {}  # connection id to the time at which it gets an empty answer
        self.sender = ""

    def read(self, req):
        query = urllib.parse.parse_qs(req.headers.get("QUERY", ""))
        after = query.get("after", [""])[0]
        after = int(after) if after.isdigit() and len(after) < 10 else None
        if after is not None and after >= self.next_id:
            after = None  # a number from an earlier run of this program: begin again
        new = [note for note in self.notes if note["id"] > (after or 0)]
        if new or after is None:
            self.conn.reply_http(req, self.page(new), headers=JSON)
        elif len(self.waiting) >= WATCHERS_MOST:
            self.conn.reply_http(req, "Too many are waiting.\n", 503, "Service Unavailable")
        else:
            self.sender = req.sender
            self.waiting[req.conn_id] = time.monotonic() + HOLD_SECONDS

    def write(self, req):
        try:
            note = json.loads(req.body)
            name, text = str(note["name"]).strip(), str(note["text"]).strip()
        except (ValueError, KeyError, TypeError, RecursionError):
            name, text = "", ""
        if not text:
            self.conn.reply_http(req, '{"error": "a name and a text are needed"}\n', 400,
                                 "Bad Request", JSON)
            return
        added = {"id": self.next_id, "name": name[:NAME_MOST] or "somebody",
                 "text": text[:TEXT_MOST], "at": time.strftime("%H:%M:%S")}
        self.next_id += 1
        self.notes = (self.notes + [added])[-NOTES_KEPT:]
        self.conn.reply_http(req, json.dumps({"reached": len(self.waiting)}), headers=JSON)
        self.answer(list(self.waiting), [added])

    def page(self, notes):
        return json.dumps({"notes": notes, "next": self.next_id - 1})

    def answer(self, idents, notes):
        """One message, as many browsers as there are ids in it."""
        self.conn.deliver_http(self.sender, idents, self.page(notes), headers=JSON)
        for ident in idents:
            del self.waiting[ident]

    def tick(self):
        now = time.monotonic()
        self.answer([ident for ident, until in self.waiting.items() if until <= now], [])


class Demo:
    def __init__(self, conn):
        self.conn = conn
        self.clock = Clock(conn)
        self.book = GuestBook(conn)
        self.requests = 0

    def answer(self, req):
        if req.is_disconnect():
            self.clock.watching.pop(req.conn_id, None)
            self.book.waiting.pop(req.conn_id, None)
            return
        self.requests += 1
        method = req.headers.get("METHOD")
        if req.path == "/app/clock" and method == "GET":
            self.clock.open(req)
        elif req.path == "/app/book" and method == "GET":
            self.book.read(req)
        elif req.path == "/app/book" and method == "POST":
            self.book.write(req)
        elif req.path == "/app/hello":
            self.conn.reply_http(req, self.hello(req), headers=JSON)
        else:
            self.conn.reply_http(req, f"There is no {method} {req.path} here.\n", 404, "Not Found")

    def hello(self, req):
        seen = {"sender": req.sender, "conn_id": req.conn_id, "path": req.path,
                "headers": dict(req.headers), "body_bytes": len(req.body)}
        return json.dumps({"handler_pid": os.getpid(), "requests": self.requests,
                           "message": seen}, indent=2) + "\n"

    def run(self, stopping):
        """Answers until stopping() says so; then nobody is left waiting."""
        next_tick = time.monotonic() + TICK_SECONDS
        while not stopping():
            req = self.conn.recv(timeout=max(0.0, next_tick - time.monotonic()))
            if req is not None:
                self.answer(req)
            if time.monotonic() >= next_tick:
                next_tick += TICK_SECONDS
                self.clock.tick()
                self.book.tick()
        self.clock.end(list(self.clock.watching))
        self.book.answer(list(self.book.waiting), [])


def main(send_spec, recv_spec):
    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(True))
    sender_id = "c5d5c1f0-8a2a-4a53-b0b4-2f1d9a0b7e55"
    with handler.Connection(sender_id, send_spec, recv_spec) as conn:
        Demo(conn).run(lambda: stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
