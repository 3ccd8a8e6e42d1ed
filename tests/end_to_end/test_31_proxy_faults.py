"""Backends that refuse, are silent, break off or talk nonsense."""

import threading

import pytest

from lib.backend import Backend
from lib.deployment import UUID, dir_, proxy
from lib.server import Server, run
from lib.waiting import free_port, wait_until


# Goal: nobody listens: 502 at once, with the reason in the log; when somebody does, 200.
def test_refused(deployment):
    port = free_port()
    deployment.configure({"/": proxy(port)})
    with Server(deployment, workers=1) as server:
        with server.client() as client:
            assert client.request().status == 502
        assert server.get("/x").status == 502
        server.says(str(port))
        with Backend(port=port):
            assert server.get("/x").body == b"/x "
        wait_until(lambda: server.get("/x").status == 502, "502 again")


# Goal: a silent backend is 504 after proxy.answer_ms, while others are served; a backend that was
# only slow to begin is not cut off while bytes flow. Method: a limit far above what keeps a healthy
# backend from answering on a busy machine.
def test_silent(deployment):
    release = threading.Event()

    def script(exchange, head):
        if head.startswith(b"GET /silent"):
            release.wait(30)
            return False
        if head.startswith(b"GET /trickle"):
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            for byte in b"trickle.":
                threading.Event().wait(0.5)  # together longer than the limit, each far below it
                exchange.send(bytes([byte]))
            return True
        return Backend.hello(exchange, head)
    with Backend(script) as backend:
        deployment.configure({"/": proxy(backend.port), "/dir/": dir_()},
                             settings={"proxy.answer_ms": 3000})
        with Server(deployment, workers=1) as server, server.client() as client, \
                server.client() as slow:
            client.send_request(path="/silent")
            slow.send_request(path="/trickle")
            assert server.get("/dir/").status == 200
            assert server.get("/other").status == 200
            assert client.answer().status == 504
            assert slow.answer().body == b"trickle."
            release.set()


# Goal: an answer that cannot be one is 502; nothing of it reaches the client.
@pytest.mark.parametrize("data", [
    b"", b"garbage garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 100,
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"SSH-2.0-OpenSSH_9\r\n",
])
def test_nonsense(deployment, data):
    def script(exchange, head):
        exchange.send(data)
        return False
    with Backend(script) as backend:
        deployment.configure({"/": proxy(backend.port), "/dir/": dir_()})
        with Server(deployment, workers=1) as server:
            for _ in range(3):
                answer = server.get()
                assert answer.status == 502, answer
            assert server.get("/dir/").status == 200


# Goal: an answer that breaks off in its body ends the client's connection, so that it notices.
@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nonly this",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nonly this",
])
def test_broken_off(deployment, data):
    def script(exchange, head):
        exchange.send(data)
        return False
    with Backend(script) as backend:
        deployment.configure({"/": proxy(backend.port)})
        with Server(deployment, workers=1) as server, server.client() as client:
            client.send_request()
            if client.take_until(b"\r\n") == b"HTTP/1.1 502 Bad Gateway":
                return  # nothing of it had been sent yet
            received = client.take_all()
            assert b"only this" in received and not received.endswith(b"0\r\n\r\n")


# Goal: a backend that restarts between requests costs no request: the kept connection is found dead
# and another one is opened. Method: restart on the same port, twenty times, GET and POST.
def test_restart(deployment):
    port = free_port()
    deployment.configure({"/": proxy(port)})
    with Server(deployment, workers=1) as server, server.client() as client:
        for number in range(20):
            with Backend(port=port) as backend:
                assert client.request(path=f"/{number}").body == f"/{number} ".encode()
                assert client.request("POST", "/p", body=b"x").body == b"/p x"
                assert backend.accepted >= 1


# Goal: a pooled connection that the backend closes while it is idle is not used again.
def test_idle_closed(deployment):
    with Backend() as backend:
        deployment.configure({"/": proxy(backend.port)})
        with Server(deployment, workers=1) as server, server.client() as client:
            for number in range(10):
                assert client.request(path="/x").status == 200
                for connection in list(backend.open):
                    connection.shutdown(2)
                wait_until(lambda: not backend.open, "the connection to close")
                assert client.request("POST", "/y", body=b"b").body == b"/y b"


# Goal: a backend that answers before it has read the body, and closes: the client gets the answer.
def test_early_answer(deployment):
    def script(exchange, head):
        exchange.send(b"HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno.")
        return False
    with Backend(script) as backend:
        deployment.configure({"/": proxy(backend.port)})
        with Server(deployment, workers=1) as server, server.client() as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            client.send("x" * 5000)
            assert client.answer().status == 413


# Goal: bytes behind a complete answer do not become the answer of the next request.
def test_bytes_behind(deployment):
    def script(exchange, head):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"
                      b"Content-Length: 4\r\n\r\nEVIL")
        return True
    with Backend(script) as backend:
        deployment.configure({"/": proxy(backend.port)})
        with Server(deployment, workers=1) as server, server.client() as client:
            for _ in range(5):
                assert client.request().body == b"ok"


# Goal: a name that resolves is an address; one that does not is a finding that names it.
def test_names(deployment):
    with Backend() as backend:
        deployment.configure({"/": proxy(backend.port, addr="localhost")})
        with Server(deployment, workers=1) as server:
            assert server.get("/x").body == b"/x "
    deployment.configure({"/": proxy(80, addr="no-such-host.invalid")})
    done = run("--check", deployment.database, UUID)
    assert "no-such-host.invalid" in done.stdout
