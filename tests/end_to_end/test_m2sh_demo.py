# Goal: `make demo` shows what it promises: three targets answer, a stream runs, a long poll is
# answered, a busy port is explained, Ctrl-C ends everything.
# Method: deploy/demo/run in a copy of the checkout, with the real server, on a free port.
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from lib import m2sh_tools
from lib.m2sh_tools import NOBODY, SECONDS, TOP, fetch
from lib.waiting import free_port, wait_until


class Demo:
    def __init__(self, folder, user):
        self.folder = pathlib.Path(folder)
        self.user = user  # how to become somebody else, as arguments of Popen
        for name in ("scripts", "deploy"):
            shutil.copytree(os.path.join(TOP, name), self.folder / name,
                            ignore=shutil.ignore_patterns("__pycache__"))
        for folder, _, files in os.walk(self.folder if user else "/nonexistent"):
            for name in [".", *files]:
                os.chown(os.path.join(folder, name), NOBODY, NOBODY)
        self.port = free_port()
        self.output, self.child = "", None

    def start(self, **environment):
        self.child = subprocess.Popen(
            [str(self.folder / "deploy" / "demo" / "run")], cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "MONGREL2_BIN": m2sh_tools.server_binary(), "PORT": str(self.port),
                 **environment}, **self.user)

    def wait_until_up(self):
        for line in self.child.stdout:
            self.output += line
            if "Ctrl-C stops everything" in line:
                return
        assert False, f"it ended:\n{self.output}"

    def url(self, path):
        return f"http://localhost:{self.port}{path}"

    def children(self):
        """Process ids of what it started, all of them."""
        text = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.child.pid)], text=True,
                              stdout=subprocess.PIPE).stdout
        return [int(word) for word in text.split()]

    def close(self):
        if self.child is None:
            return
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(SECONDS)
            finally:
                self.child.kill()
        self.child.communicate()


AS_IS = {}
AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}


@pytest.fixture
def demo(request):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        demo = Demo(folder, getattr(request, "param", AS_IS))
        yield demo
        demo.close()


@pytest.mark.parametrize("demo", [AS_IS, AS_NOBODY] if os.geteuid() == 0 else [AS_IS],
                         indirect=True)
def test_the_whole_demonstration(demo):
    demo.start()
    demo.wait_until_up()
    assert f"http://localhost:{demo.port}/" in demo.output
    for path, kind in [("/", "text/html"), ("/style.css", "text/css"), ("/logo.svg", "image/svg"),
                       ("/app/hello", "application/json"), ("/site/info", "application/json"),
                       ("/site/", "text/html")]:
        status, headers, body = fetch(demo.url(path))
        assert status == 200 and headers["Content-Type"].startswith(kind) and body, path
    seen = json.loads(fetch(demo.url("/app/hello?a=b"))[2])
    assert seen["message"]["path"] == "/app/hello"
    assert seen["message"]["headers"]["QUERY"] == "a=b"
    assert fetch(demo.url("/app/none"))[0] == 404
    assert fetch(demo.url("/site/none"))[0] == 404
    assert b"hello" not in fetch(demo.url("/config.sqlite"))[2]
    check_stream(demo)
    check_guest_book(demo)
    children = demo.children()
    assert len(children) == 3
    demo.child.send_signal(signal.SIGINT)
    assert demo.child.wait(SECONDS) == 0
    assert "Stopping" in demo.child.stdout.read()
    assert all(not os.path.exists(f"/proc/{pid}") for pid in children)
    assert fetch(demo.url("/")) is None


def check_stream(demo):
    """Two browsers watch the clock: each gets lines as they come, and is counted."""
    watchers = []
    for _ in range(2):
        connection = http.client.HTTPConnection("localhost", demo.port, timeout=SECONDS)
        connection.request("GET", "/app/clock")
        watchers.append((connection, connection.getresponse()))
    for connection, answer in watchers:
        assert answer.status == 200 and answer.headers["Transfer-Encoding"] == "chunked"
        wait_until(lambda: answer.readline().split()[1:] == [b"2"], "a line that counts two")
        connection.close()
    # Both have gone: somebody who comes later is alone.
    connection = http.client.HTTPConnection("localhost", demo.port, timeout=SECONDS)
    connection.request("GET", "/app/clock")
    answer = connection.getresponse()
    wait_until(lambda: answer.readline().split()[1:] == [b"1"], "a line that counts one")
    connection.close()


def check_guest_book(demo):
    """Two long polls wait; one note answers both, with the same text."""
    assert json.loads(fetch(demo.url("/app/book"))[2]) == {"notes": [], "next": 0}
    note = json.dumps({"name": "Ada" * 50, "text": "hi" * 500}).encode()
    found = []

    def both_are_answered_by_one_note():
        """False if a poll came too late to wait: then the next note may find both."""
        last = json.loads(fetch(demo.url("/app/book"))[2])["next"]
        path = demo.url(f"/app/book?after={last}")
        polls = [threading.Thread(target=lambda: found.append(fetch(path)), daemon=True)
                 for _ in range(2)]
        found.clear()
        for poll in polls:
            poll.start()
        time.sleep(0.3)
        reached = json.loads(fetch(demo.url("/app/book"), data=note)[2])["reached"]
        for poll in polls:
            poll.join(SECONDS)
        return reached == 2

    wait_until(both_are_answered_by_one_note, "that two wait")
    assert len(found) == 2
    for status, _, body in found:
        added = json.loads(body)["notes"][0]
        assert status == 200 and len(added["name"]) == 30 and len(added["text"]) == 300
    for bad in (b"", b"{}", b"[", b'{"name": "x", "text": " "}', b"[" * 10000):
        assert fetch(demo.url("/app/book"), data=bad)[0] == 400
    assert json.loads(fetch(demo.url("/app/book?after=99999"))[2])["notes"] != []


def test_a_busy_port_is_explained(demo):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", demo.port))
        busy.listen()
        demo.start()
        assert demo.child.wait(SECONDS) == 1
    output = demo.child.stdout.read()
    assert f"Port {demo.port} of 127.0.0.1 cannot be used" in output
    assert f"PORT={demo.port + 1001} make demo" in output


def test_nonsense_for_a_port(demo):
    demo.start(PORT="http")
    assert demo.child.wait(SECONDS) == 1
    assert "PORT=http is no port" in demo.child.stdout.read()


def test_a_server_that_does_not_start_is_quoted(demo):
    broken = demo.folder / "broken"
    broken.write_text("#!/bin/sh\necho I cannot.\nexit 7\n")
    broken.chmod(0o755)
    demo.start(MONGREL2_BIN=str(broken))
    assert demo.child.wait(SECONDS) == 1
    output = demo.child.stdout.read()
    assert "The server ended with status 7" in output and "I cannot." in output
