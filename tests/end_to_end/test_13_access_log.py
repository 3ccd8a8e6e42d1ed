"""The access log: one line for every answer, in the form of Mongrel2 1.x."""

import json
import re
import socket
import time

import pytest

from lib import tnetstring
from lib.backend import Backend
from lib.deployment import Deployment, dir_, handler, proxy
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import free_port, wait_until


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment, Backend() as backend:
        deployment.write("www/a.txt", "0123456789")
        deployment.configure(hosts={
            "main": {"/": dir_(), "/h": handler(), "/p": proxy(backend.port)},
            "other.host": {"/": dir_()}}, settings={"limits.content_length": 100})
        server = Server(deployment, workers=workers)
        with Answering(deployment, lambda request: http("handled", status="201 Created")):
            yield server


def line_of(site, action):
    before = len(site.access_log())
    action()
    lines = site.wait_access(before + 1)
    assert len(lines) == before + 1, lines[before:]
    return lines[-1]


@pytest.mark.parametrize("method, path, status, size", [
    ("GET", "/a.txt", 200, 10), ("HEAD", "/a.txt", 200, 0), ("GET", "/a.txt?q=1", 200, 10),
    ("GET", "/none", 404, 9), ("POST", "/a.txt", 405, 18), ("GET", "/h", 201, 7),
    ("GET", "/p", 200, 3), ("POST", "/h/x", 201, 7),
])
# Goal: host row, peer, port, time, method, path without query, version, status, bytes of the body.
def test_line(site, method, path, status, size):
    with site.client() as client:
        port = client.socket.getsockname()[1]
        host, peer, peer_port, when, *rest = line_of(site, lambda: client.request(method, path))
    assert (host, peer, peer_port) == (b"main", b"127.0.0.1", port)
    assert abs(when - time.time()) < 60
    assert rest == [method.encode(), path.split("?")[0].encode(), b"HTTP/1.1", status, size]


# Goal: the name of the host row stands there, and 1.0 as version.
def test_host_and_version(site):
    def ask():
        with site.client() as client:
            client.send("GET / HTTP/1.0\r\nHost: WWW.other.host:81\r\n\r\n").answer()
    line = line_of(site, ask)
    assert line[0] == b"other.host" and line[6] == b"HTTP/1.0"


@pytest.mark.parametrize("data, status", [
    (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/9.0\r\n\r\n", 505),
    (b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413),
    (b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: rot13\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17000 + b"\r\n\r\n", 431),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
])
# Goal: refused requests have their line too.
def test_refusals(site, data, status):
    def ask():
        with site.client() as client:
            client.send(data).answer()
    assert line_of(site, ask)[7] == status


# Goal: several requests of one connection have one line each, in order.
def test_order(site):
    before = len(site.access_log())
    with site.client() as client:
        for number in range(20):
            client.request(path=f"/h/{number}")
    lines = site.wait_access(before + 20)[before:]
    assert [line[5] for line in lines] == [f"/h/{number}".encode() for number in range(20)]


# Goal: a request whose client leaves before the answer has its line, without status and bytes; one
# that was never complete has none. Method: a reset (who only stops to send may still read), while a
# handler has the request.
def test_client_that_left(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as silent:
        with server.client() as client:
            client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhalf")
        with server.client() as client:
            client.send_request(path="/h/whole")
            assert silent.recv().path == "/h/whole"
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert silent.recv().is_disconnect()
        assert [line[5:9] for line in server.wait_access(1)] == [
            [b"/h/whole", b"HTTP/1.1", 0, 0]]


# Goal: disable.access_logging=1 writes nothing; a flush time gathers lines and then writes them.
def test_settings(deployment):
    deployment.configure(settings={"disable.access_logging": 1})
    with Server(deployment, workers=1) as server:
        assert server.get().status == 200
        assert server.stop() == 0
        assert server.access_log() == []
    deployment.configure(settings={"access_log.flush_ms": 60000})
    with Server(deployment, workers=1) as server:
        for _ in range(10):
            assert server.get().status == 200
        assert server.stop() == 0  # the end writes what was gathered
        assert len(server.access_log()) == 10


# Goal: access_log.format=combined: the line that log analysers of other servers read; what a client
# sends cannot end the line or a quoted field.
def test_combined(deployment):
    deployment.configure(settings={"access_log.format": "combined"})
    with Server(deployment, workers=1) as server, server.client() as client:
        client.send(b"GET /?a=%22 HTTP/1.1\r\nHost: a\r\nReferer: http://b/\"\\\xff\r\n"
                    b"User-Agent: A/1\r\n\r\n").answer()
        client.send(b"GET /none HTTP/1.0\r\n\r\n").answer()
        with server.client() as other:
            other.send(b"nonsense\r\n\r\n").answer()
        wait_until(lambda: deployment.read("logs/access.log").count(b"\n") == 3, "three lines")
        when = r" - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
        lines = deployment.read("logs/access.log").decode("ascii").splitlines()
        assert re.fullmatch("127.0.0.1" + when + re.escape(
            r'"GET /?a=%22 HTTP/1.1" 200 15 "http://b/\x22\x5C\xFF" "A/1"'), lines[0])
        assert re.fullmatch("127.0.0.1" + when + '"GET /none HTTP/1.0" 404 9 "-" "-"', lines[1])
        assert re.fullmatch("127.0.0.1" + when + '"- - HTTP/1.1" 400 11 "-" "-"', lines[2])


# Goal: access_log.format=json: an object a line, valid JSON whatever a client sends; a reload
# changes the form for the requests that begin from then on.
def test_json(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"access_log.format": "json"})
    with Server(deployment, workers=1) as server, server.client() as client, Handler(
            deployment) as slow:
        client.send(b"GET /?x=%221 HTTP/1.1\r\nHost: a\r\nUser-Agent: \"A\xff\t\"\r\n\r\n")
        client.answer()
        client.send_request(path="/h")
        request = slow.recv()
        deployment.configure({"/": dir_(), "/h": handler()})
        server.reload()
        slow.reply(request, "late")
        client.answer()
        client.request()
        wait_until(lambda: deployment.read("logs/access.log").count(b"\n") == 3, "three lines")
        lines = deployment.read("logs/access.log").splitlines()
        first, held = (json.loads(line) for line in lines[:2])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
        assert first.pop("port") == client.socket.getsockname()[1] and first.pop("ms") >= 0
        assert first == {"host": "localhost", "client": "127.0.0.1", "method": "GET", "path": "/",
                         "query": "x=%221", "version": "HTTP/1.1",
                         "user_agent": "\"A\u00ff\t\"", "status": 200, "bytes": 15}
        assert held["path"] == "/h" and held["status"] == 200 and held["bytes"] == 4
        assert tnetstring.parse_all(lines[2])[7] == 200


# Goal: request.id=1: one id for a request in the access log, in each of its forms, towards handler
# and backend, where it takes the place of what the client sent, and in the error log; no two alike.
@pytest.mark.parametrize("form", ["mongrel2", "combined", "json"])
def test_request_id(deployment, form):
    with Backend() as backend:
        deployment.configure({"/": dir_(), "/h": handler(), "/p": proxy(backend.port),
                              "/dead": proxy(free_port())},
                             settings={"access_log.format": form, "request.id": 1})
        told = []

        def answer(request):
            told.append(request.headers["REQUEST_ID"])
            return http("handled")
        with Server(deployment, workers=2) as server, Answering(deployment, answer):
            def lines():
                return deployment.read("logs/access.log").splitlines()
            for number, path in enumerate(("/h", "/p", "/dead"), 1):
                with server.client() as client:
                    client.request(path=path, headers={"X-Request-Id": "forged"})
                # Each before the next: two workers write as they come to it.
                wait_until(lambda: len(lines()) == number, "its line")
            told += re.findall("X-Request-Id: ([^\r]*)", backend.heads[-1].decode())
            ids = []
            for line in lines():
                if form == "mongrel2":
                    ids.append(tnetstring.parse_all(line)[9].decode())
                elif form == "combined":
                    ids.append(line.split(b'"')[-2].decode())
                else:
                    ids.append(json.loads(line)["request_id"])
            assert sorted(ids[:2]) == sorted(told) and len(set(ids)) == 3
            assert all(re.fullmatch("[0-9a-f]{16}", number) for number in ids)
            server.says(f", request {ids[2]})")


# Goal: a form that there is not is refused, with those that there are.
def test_unknown_form(deployment):
    deployment.configure(settings={"access_log.format": "xml"})
    server = Server(deployment, workers=1, start=False).launch()
    assert server.wait_end() == 1
    assert 'access_log.format "xml": must be one of mongrel2 combined json' in server.log()


# Goal: the log holds thousands of lines of concurrent workers, none torn.
def test_whole_lines(deployment):
    deployment.configure(settings={"access_log.flush_ms": 10})
    with Server(deployment, workers=2) as server:
        for _ in range(4):
            clients = [server.client() for _ in range(25)]
            for _ in range(10):
                for client in clients:
                    client.send_request(path="/" + "x" * 100)
                for client in clients:
                    client.answer()
            for client in clients:
                client.close()
        wait_until(lambda: len(server.access_log()) == 1000, "1,000 lines")
