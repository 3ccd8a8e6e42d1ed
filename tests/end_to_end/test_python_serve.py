"""serve() of handler.Connection and aio.Connection, and the manual's upload example (5.5)."""

import os
import signal
import subprocess
import sys

import pytest

from lib.client import Client
from lib.deployment import TOP, handler
from lib.server import Server
from lib.waiting import DEADLINE

SYNC = """
import sys, time
from mongrel2 import handler

def answer(request):
    if request.path == "/fail":
        raise RuntimeError("on purpose")
    if request.path == "/slow":
        print("slow", flush=True)
        sys.stdin.readline()
        conn.reqs.poll()  # the next one has arrived
    conn.reply_http(request, request.path)

def left(request):
    print("left", request.conn_id, flush=True)

with handler.Connection("", *sys.argv[1:]) as conn:
    conn.serve(answer, left)
print("end", flush=True)
"""

AIO = """
import asyncio, sys
from mongrel2 import aio

async def answer(request):
    if request.path == "/fail":
        raise RuntimeError("on purpose")
    if request.path == "/never":
        await asyncio.Event().wait()
    if request.path == "/slow":
        print("slow", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    conn.reply_http(request, request.path)

def left(request):
    print("left", request.conn_id, flush=True)

async def main():
    global conn
    async with aio.Connection("", *sys.argv[1:]) as conn:
        await conn.serve(answer, left, grace=GRACE)

asyncio.run(main())
print("end", flush=True)
"""


class Program:
    def __init__(self, deployment, text, cwd=None):
        self.process = subprocess.Popen(
            [sys.executable, "-c", text, deployment.endpoint("ipc://run/h-q"),
             deployment.endpoint("ipc://run/h-r")], cwd=cwd,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.path.join(TOP, "scripts")})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate(timeout=DEADLINE)

    def line(self):
        return self.process.stdout.readline().strip()

    def end(self):
        out, err = self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == 0, err
        return out.split("\n"), err


# Goal: TERM and INT end serve(); what has arrived is answered first, also what waited behind a
# request that was under way. An exception costs its own client the connection alone.
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("text", [SYNC, AIO.replace("GRACE", "60")], ids=["sync", "aio"])
def test_serve(deployment, text, number):
    deployment.configure({"/": handler()}, settings={"handler.wait_ms": 30000})
    with Server(deployment, workers=1), Program(deployment, text) as program:
        assert Client(deployment.port).request(path="/one").body == b"/one"
        assert Client(deployment.port).send_request(path="/fail").is_closed()
        slow = Client(deployment.port).send_request(path="/slow")
        while program.line() != "slow":
            pass  # notices of the clients before
        behind = Client(deployment.port).send_request(path="/behind")
        program.process.send_signal(number)
        program.process.stdin.write("\n")
        program.process.stdin.flush()
        assert slow.answer().body == b"/slow"
        assert behind.answer().body == b"/behind"
        lines, errors = program.end()
        assert "end" in lines and "on purpose" in errors


# Goal: the notice of a client that left is passed on.
@pytest.mark.parametrize("text", [SYNC, AIO.replace("GRACE", "60")], ids=["sync", "aio"])
def test_notices(deployment, text):
    deployment.configure({"/": handler()}, settings={"handler.wait_ms": 30000})
    with Server(deployment, workers=1), Program(deployment, text) as program:
        client = Client(deployment.port).send_request(path="/slow")
        assert program.line() == "slow"
        client.close()  # its notice is the next message
        program.process.stdin.write("\n")
        program.process.stdin.flush()
        assert program.line().startswith("left ")


# Goal: credits are no requests: without a function for them nobody hears of them.
@pytest.mark.parametrize("wants", [True, False])
@pytest.mark.parametrize("text", [SYNC, AIO.replace("GRACE", "60")], ids=["sync", "aio"])
def test_credits(deployment, text, wants):
    deployment.configure({"/": handler()}, settings={"handler.wait_ms": 30000,
                                                     "download.flow_control": 1})
    if wants:
        text = text.replace("serve(answer, left", "serve(answer, None, left")
    with Server(deployment, workers=1), Program(deployment, text) as program:
        client = Client(deployment.port)
        for _ in range(3):
            assert client.request(path="/one").body == b"/one"
        if wants:
            assert program.line().startswith("left ")
        program.process.send_signal(signal.SIGTERM)
        lines, _ = program.end()
        assert wants or lines == ["end", ""]


# Goal: an answer that never comes does not keep the process.
def test_grace(deployment):
    deployment.configure({"/": handler()}, settings={"handler.wait_ms": 30000})
    with Server(deployment, workers=1), Program(deployment, AIO.replace("GRACE", "0.2")) as program:
        client = Client(deployment.port).send_request(path="/never")
        assert Client(deployment.port).request(path="/one").body == b"/one"
        program.process.send_signal(signal.SIGTERM)
        program.end()
        client.close()


# Source 33 of the manual, in the Python of today: print() and bytes are all that differs.
UPLOAD = """
from mongrel2 import handler
import json
import hashlib
import sys
conn = handler.Connection("82209006-86FF-4982-B5EA-D1E29E55D481", sys.argv[1], sys.argv[2])
while True:
    req = conn.recv()
    if req.is_disconnect():
        print("DISCONNECT", flush=True)
        continue
    elif req.headers.get('X-Mongrel2-Upload-Done', None):
        expected = req.headers.get('X-Mongrel2-Upload-Start', "BAD")
        upload = req.headers.get('X-Mongrel2-Upload-Done', None)
        if expected != upload:
            print("GOT THE WRONG TARGET FILE: ", expected, upload, flush=True)
            continue
        body = open(upload, 'rb').read()
        print("UPLOAD DONE: BODY IS %d long, content length is %s" % (
            len(body), req.headers['Content-Length']), flush=True)
        response = "UPLOAD GOOD: %s" % hashlib.md5(body).hexdigest()
    elif req.headers.get('X-Mongrel2-Upload-Start', None):
        print("UPLOAD starting, don't reply yet.", flush=True)
        continue
    else:
        response = "<pre>HEADERS:%r</pre>" % json.dumps(req.headers)
    conn.reply_http(req, response)
"""


# Goal: the manual's program works as printed, for a body with a length and for one in chunks.
# Method: as there, it runs in the server's folder; the asyncio connection reads the same messages.
@pytest.mark.parametrize("text", [
    UPLOAD,
    UPLOAD.replace("import handler", "import aio as handler").replace("conn.recv()",
                                                                      "await conn.recv()")
    .replace("while True:", "async def main():\n  while True:").replace("\n    ", "\n      ")
    + "import asyncio\nasyncio.run(main())\n"], ids=["sync", "aio"])
def test_source_33(deployment, text):
    deployment.configure({"/": handler()}, settings={
        "handler.wait_ms": 30000, "limits.content_length": 1000,
        "upload.temp_store": "tmp/body.XXXXXX"})
    with Server(deployment, workers=1), Client(deployment.port) as client, \
            Program(deployment, text, deployment.folder) as program:
        for chunked in (False, True):
            body = b"x" * 50_000
            if chunked:
                client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            else:
                client.send_request("POST", "/", body=body)
            assert client.answer().body.startswith(b"UPLOAD GOOD: ")
            assert program.line() == "UPLOAD starting, don't reply yet."
            assert program.line() == \
                "UPLOAD DONE: BODY IS 50000 long, content length is 50000"
