"""Lines of the logs that strangers cause: each is one line of its form, whatever they send; and
there are only so many."""

import ctypes
import json
import os
import re
import time

import pytest
import zmq

from lib.deployment import GID, UID, dir_, handler, proxy
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.tnetstring import parse_all
from lib.waiting import free_port, wait_until

EVIL = ["/a\nSun, 22 Nov 2026 06:12:10 GMT [ERROR] (master) forged", "/b\r\nc", "/d\0e",
        "/f\x1b]0;title\x07\x1b[2J", "/g\x7f\u0085\u009b2J\u2028h\u202ei", "/" + "\x01" * 500]
LINE = re.compile(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT \[(ERROR|WARN|INFO|DEBUG)\] "
                  rb"\((master|relay|worker \d+)\) [^\x00-\x1f\x7f]*")


def check_error_log(deployment):
    """Every line of it is of the form, and nothing of it moves a terminal."""
    data = deployment.read("stderr0")
    assert data.endswith(b"\n")
    for line in data.split(b"\n")[:-1]:
        assert LINE.fullmatch(line), line
        text = line.decode("utf-8")
        assert not re.search("[\u0080-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]",
                             text), line


def wrap(data, kind):
    return str(len(data)).encode() + b":" + data + kind


# Goal: whatever a handler writes into a reply, an extended message or a WebSocket order, and
# whatever a client sends, the error log has one line of its form for it. Method: each place from
# which a value may come into a line, with bytes that end lines and move what is shown.
def test_values_of_strangers(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler(protocol="json"), "/p": proxy(free_port())},
                         settings={"handler.sendfile": "www"})
    deployment.sql("UPDATE server SET error_log_level = 3")
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        for text in EVIL:
            raw = text.encode()
            with server.client() as client:
                client.send_request(path="/h")
                request = on.recv_request()
                for body in (wrap(wrap(b"sendfile", b",") + wrap(raw, b","), b"]"),
                             wrap(wrap(raw[:60], b",") + wrap(raw, b","), b"]"),
                             wrap(wrap(b"ctl", b",") + wrap(wrap(raw, b","), b"]"), b"]")):
                    on.send_extended(request.id, body)
                on.send(request.id, b"HTTP/1.1 200 " + raw + b"\r\n\r\n")
                on.send(raw.decode(), b"x")
                on.send(request.id, b"")
            for head in (b"GET " + raw + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                         raw + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"GET / HTTP/1.1\r\nHost: " + raw + b"\r\n\r\n",
                         b"GET / HTTP/1.1\r\n" + raw + b": x\r\n\r\n",
                         b"GET /p HTTP/1.1\r\nHost: x\r\nX-A: " + raw[1:3] + b"\r\n\r\n"):
                with server.client() as client:
                    client.send(head)
                    client.answer()
        assert server.stop() == 0
    check_error_log(deployment)
    assert b"(master) forged" not in [line[-15:] for line in
                                      deployment.read("stderr0").split(b"\n")]


COMBINED = re.compile(
    rb'[0-9a-f.:]+ - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
    rb'"(?:[^"\\\x00-\x1f\x7f-\xff]|\\x[0-9A-F]{2})*" \d{3} \d+ '
    rb'"(?:[^"\\\x00-\x1f\x7f-\xff]|\\x[0-9A-F]{2})*" '
    rb'"(?:[^"\\\x00-\x1f\x7f-\xff]|\\x[0-9A-F]{2})*"')


def check_access_line(form, line):
    if form == "json":
        assert set(json.loads(line)) >= {"time", "client", "method", "path", "status", "bytes"}
    elif form == "combined":
        assert COMBINED.fullmatch(line), line
    else:
        assert len(parse_all(line)) == 9, line


# Goal: no client makes a line of the access log that is not of its form.
@pytest.mark.parametrize("form", ["mongrel2", "combined", "json"])
def test_forms_of_the_access_log(deployment, form):
    deployment.configure(settings={"access_log.format": form})
    fields = [b'" 200 5 "-" "-', b"\\", b"\\x22", b"\xff\xc3(", b"\t", b"\x80", "\u2028".encode(),
              b'{"a":1}', b"x" * 900]
    with Server(deployment, workers=1) as server:
        for value in fields:
            for head in (b"GET /?" + value + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"GET /" + value + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                         value + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"GET / HTTP/1.0\r\nReferer: " + value + b"\r\nUser-Agent: " + value +
                         b"\r\n\r\n"):
                with server.client() as client:
                    client.send(head)
                    client.answer()
        count = 4 * len(fields)
        wait_until(lambda: deployment.read("logs/access.log").count(b"\n") >= count, "all lines")
        lines = deployment.read("logs/access.log").split(b"\n")
        assert lines[-1] == b"" and len(lines) == count + 1
        for line in lines[:-1]:
            check_access_line(form, line)


# Goal: when the disk of the logs is full, the access log has whole lines or none, in each form,
# from all workers, and what is lost is counted. Method: a tmpfs of a few pages, filled to its last
# bytes again and again while clients come.
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("form", ["mongrel2", "combined", "json"])
def test_full_disk_leaves_whole_lines(deployment, form):
    libc = ctypes.CDLL(None, use_errno=True)
    path = deployment.path("logs").encode()
    options = f"size=32k,uid={UID},gid={GID},mode=755".encode()
    if libc.mount(b"tmpfs", path, b"tmpfs", 0, options) != 0:
        pytest.skip("needs root that may mount")
    try:
        deployment.configure(settings={"server.daemonize": 0, "access_log.format": form,
                                       "access_log.flush_ms": 20})
        with Server(deployment, workers=2, as_root=True) as server:
            for turn in range(4):
                for number in range(60):
                    with server.client() as client:
                        for part in range(5):
                            client.request(path=f"/{turn}/{number}/{part}/" + "y" * (number * 7))
                server.says("access log: lines are being lost: write: No space left", 1)
                data = deployment.read("logs/access.log")
                assert data == b"" or data.endswith(b"\n")
                for line in data.split(b"\n")[:-1]:
                    check_access_line(form, line)
                os.truncate(deployment.path("logs/access.log"), 0)

            def again():
                server.get("/again")
                return "access log: writes work again; lines lost: " in server.log()
            wait_until(again, "the count")
            assert server.stop() == 0
    finally:
        for server in deployment.servers:
            server.end_now()
        libc.umount2(path, 2)


# Goal: handlers that connect and leave, as a port scan does, cause only so many lines a second.
# Method: many of them, one after the other, each with both sockets.
def test_handlers_that_come_and_go(deployment, workers):
    deployment.configure({"/h": handler()})
    began = time.monotonic()
    with Server(deployment, workers=workers) as server:
        context = zmq.Context()
        for turn in range(200):
            ends = []
            for kind, name in ((zmq.PULL, "q"), (zmq.PUB, "r")):
                end = context.socket(kind)
                monitor = end.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
                end.connect(deployment.endpoint(f"ipc://run/h-{name}"))
                assert monitor.poll(30000), turn
                end.disable_monitor()
                ends += [monitor, end]
            for end in ends:
                end.close(linger=0)
        context.destroy(linger=0)
        with Answering(deployment, lambda request: http("h")):
            assert server.get("/h").body == b"h"
        assert server.stop() == 0
        seconds = time.monotonic() - began
        lines = [line for line in server.log().splitlines() if "for replies)" in line]
        assert len(lines) <= 20 * (seconds + 2)
