"""One handler as a process of its own, so that it can be killed and stopped like any other: answers
by path, and writes down at once what it has seen (a killed process tells nothing later).

Usage: handler_process.py FOLDER PAIR REPLIES RECORD
"""

import heapq
import os
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import zmq  # noqa: E402

from lib.handler import Handler, http  # noqa: E402
from lib.handler import Request  # noqa: E402

UPLOAD = "x-mongrel2-upload-"


class Folder:
    def __init__(self, path):
        self.path = path

    def endpoint(self, spec):
        return spec.replace("ipc://", f"ipc://{self.path}/", 1)


class Answers:
    """What is due later: (time, number, id, bytes)."""

    def __init__(self, on):
        self.on, self.due, self.number = on, [], 0

    def later(self, seconds, conn_id, data):
        self.number += 1
        heapq.heappush(self.due, (time.monotonic() + seconds, self.number, conn_id, data))

    def wait_ms(self):
        if not self.due:
            return 200
        return max(0, min(200, (self.due[0][0] - time.monotonic()) * 1000))

    def send_due(self):
        while self.due and self.due[0][0] <= time.monotonic():
            _, _, conn_id, data = heapq.heappop(self.due)
            self.on.send(conn_id, data)


def page(request, body):
    return http(f"{request.id} {request.path} {len(body)} {zlib.crc32(body)}")


def stored(folder, request):
    """The body of an upload that is complete, out of its file, which goes; None: it is not."""
    if UPLOAD + "start" not in request.headers:
        return request.body
    name = request.headers.get(UPLOAD + "done")
    if name is None:
        return None
    path = os.path.join(folder, name)
    with open(path, "rb") as file:
        body = file.read()
    os.unlink(path)
    return body


def answer(request, answers, folder):
    if request.headers["METHOD"] == "WEBSOCKET":
        if request.headers["EVENT"] == "text":
            answers.on.send(request.id, request.body)
    elif request.headers["METHOD"] == "JSON":
        answers.on.send(request.id, request.body)
    elif request.path.startswith("/poll/"):
        answers.later(0.2 + zlib.crc32(request.path.encode()) % 800 / 1000, request.id,
                      page(request, b""))
    elif request.path.startswith("/stream/"):
        answers.on.send(request.id, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(4):
            answers.later(0.1 * number, request.id, b"4\r\n%04d\r\n" % number)
        answers.later(0.4, request.id, b"0\r\n\r\n")
    else:
        body = stored(folder, request)
        if body is not None:
            answers.on.send(request.id, page(request, body))


def main(folder, pair, replies, record):
    output = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    on = Handler(Folder(folder), name=pair, replies=replies)
    on.replies.setsockopt(zmq.SNDHWM, 100_000)
    on.requests.setsockopt(zmq.RCVHWM, 10)
    answers = Answers(on)
    while True:
        if on.requests.poll(answers.wait_ms()):
            request = Request(on.requests.recv())
            kind = "gone" if request.is_disconnect() else "had"
            os.write(output, f"{kind} {request.id} {request.path}\n".encode())
            if kind == "had":
                answer(request, answers, folder)
        answers.send_due()


if __name__ == "__main__":
    main(*sys.argv[1:])
