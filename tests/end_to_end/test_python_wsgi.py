"""mongrel2.wsgi: an application of PEP 3333 behind the real server."""

import os
import signal
import subprocess
import sys
import threading
import wsgiref.validate

import pytest

from lib import m2sh_tools  # noqa: F401  (the package's place)
from lib.client import Client
from lib.deployment import IDENT, TOP, Deployment, handler
from lib.server import Server
from lib.waiting import DEADLINE, wait_until
from mongrel2.handler import Connection
from mongrel2.request import Request
from mongrel2.wsgi import Bridge, make_environ

CLOSED = []


class Pieces:
    """What an application returns whose length nobody knows."""

    def __init__(self, pieces):
        self.pieces = iter(pieces)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        CLOSED.append(1)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise RuntimeError("on purpose")
    if path == "/late":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Pieces(late_failure())
    if path == "/none":
        start_response("204 No Content", [])
        return []
    if path == "/pieces":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"),
                                  ("Set-Cookie", "b=2")])
        return Pieces([b"one ", b"", b"two"])
    keys = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME",
            "CONTENT_TYPE", "HTTP_X_DUP", "HTTP_X_UNDER", "REMOTE_ADDR")
    text = "\n".join(f"{key}={environ.get(key, '')}" for key in keys).encode("latin-1")
    text += b"\n" + environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 Fine", [("Content-Type", "text/plain")])
    return [text]


def late_failure():
    yield b"begun"
    raise RuntimeError("after the first piece")


@pytest.fixture(scope="module")
def port():
    with Deployment() as deployment:
        deployment.configure({"/": handler()})
        with Server(deployment, workers=1):
            conn = Connection(IDENT, deployment.endpoint("ipc://run/h-q"),
                              deployment.endpoint("ipc://run/h-r"))
            bridge = Bridge(conn, wsgiref.validate.validator(application), script_name="/app")
            thread = threading.Thread(target=bridge.serve)
            thread.start()
            yield deployment.port
            bridge.stop()
            thread.join(DEADLINE)
            conn.shutdown()


# Goal: the environ is what PEP 3333 says, checked by the validator of Python itself too.
def test_environ(port):
    answer = Client(port).request("POST", "/app/a%20b?x=1", body=b"the body", headers={
        "Content-Type": "text/plain", "X-Dup": "1", "X_Under": "no"})
    assert answer.status == 200 and answer.reason == "Fine"
    assert answer.body.decode().split("\n") == [
        "REQUEST_METHOD=POST", "SCRIPT_NAME=/app", "PATH_INFO=/a b", "QUERY_STRING=x=1",
        "SERVER_NAME=localhost", "CONTENT_TYPE=text/plain", "HTTP_X_DUP=1", "HTTP_X_UNDER=",
        "REMOTE_ADDR=127.0.0.1", "the body"]


# Goal: pieces of unknown length are chunked, their headers all there, and closed at the end.
def test_pieces(port):
    client = Client(port)
    del CLOSED[:]
    answer = client.request(path="/app/pieces")
    assert answer.body == b"one two" and answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["set-cookie"] == "a=1, b=2"
    assert client.request(path="/app/none").status == 204
    assert client.request("HEAD", "/app/pieces").status == 200
    assert client.request(path="/app/pieces").body == b"one two"
    wait_until(lambda: len(CLOSED) == 3, "close() after every answer")


# Goal: HTTP/1.0 gets no chunks, and the end of the connection instead.
def test_http10(port):
    answer = Client(port).request(path="/app/pieces", version="HTTP/1.0")
    assert answer.body == b"one two" and "transfer-encoding" not in answer.headers


# Goal: an application that fails costs its own request and nothing else.
def test_failures(port):
    assert Client(port).request(path="/app/fail").status == 500
    client = Client(port).send_request(path="/app/late")
    client.take_until(b"begun\r\n")
    assert client.is_closed()
    assert Client(port).request(path="/app/none").status == 204


# Goal: SERVER_NAME and SERVER_PORT make a URL, also with an IPv6 address (RFC 3875 4.1.14).
@pytest.mark.parametrize("host, name, server_port", [
    ("a.example:81", "a.example", "81"), ("[::1]:6767", "[::1]", "6767"), ("[::1]", "[::1]", "80"),
    ("a.example", "a.example", "80"), ("", "localhost", "80")])
def test_server_name(host, name, server_port):
    environ = make_environ(Request("u", 1, "/", {"METHOD": "GET", "host": host}), None)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, server_port)


# Goal: a chunked body has its length and no chunks; REQUEST_ID is the server's, not a client's.
def test_environ_of_chunks_and_ids():
    environ = make_environ(Request("u", 1, "/", {
        "METHOD": "POST", "transfer-encoding": "chunked", "REQUEST_ID": "id"}, b"body"), None)
    assert environ["CONTENT_LENGTH"] == "4" and "HTTP_TRANSFER_ENCODING" not in environ
    assert environ["wsgi.input_terminated"] and environ["REQUEST_ID"] == "id"
    environ = make_environ(Request("u", 1, "/", {"METHOD": "GET", "request_id": "forged"}), None)
    assert "REQUEST_ID" not in environ and "HTTP_REQUEST_ID" not in environ
    assert "CONTENT_LENGTH" not in environ


SHOP = """
import threading
lasting = threading.Thread(target=threading.Event().wait)

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if environ['PATH_INFO'] == '/hang':
        lasting.start()
        return hang()
    return [b'from a file']

def hang():
    yield b'begun'
    threading.Event().wait()
"""


# Goal: the command line serves an application from a file, and ends on TERM; within its grace also
# while a request hangs and the application has a thread that lasts.
@pytest.mark.parametrize("hangs", [False, True])
def test_command(deployment, hangs):
    deployment.configure({"/": handler()}, settings={"handler.wait_ms": 30000})
    deployment.write("shop.py", SHOP)
    with Server(deployment, workers=1):
        process = subprocess.Popen(
            [sys.executable, "-m", "mongrel2.wsgi", "shop:application", "--grace", "0.5",
             "--sub", deployment.endpoint("ipc://run/h-q"),
             "--pub", deployment.endpoint("ipc://run/h-r")],
            cwd=deployment.folder, env={**os.environ,
                                        "PYTHONPATH": os.path.join(TOP, "scripts")})
        try:
            assert Client(deployment.port).request().body == b"from a file"
            if hangs:
                Client(deployment.port).send_request(path="/hang").take_until(b"begun")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
