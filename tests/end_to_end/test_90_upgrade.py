"""Upgrade of the program (USR2): another process takes over the sockets and the clients, and the
old one finishes what it has."""

import os
import signal
import socket

import pytest

from lib.backend import Backend
from lib.deployment import UUID, dir_, handler, listener, m2sh, proxy
from lib.handler import Answering, Handler, http
from lib.load import Load
from lib.server import Server
from lib.upgrade import HeldUpgrade, own_program
from lib.waiting import is_alive, wait_until
from lib.websocket import WebSocketClient

PATIENT = {"upgrade.handlers_ms": 30000}


def served_on(load, count):
    goal = load.total() + count
    wait_until(lambda: load.total() >= goal or load.failures, f"{count} more answers")


# Goal: three upgrades in a row under load, files and handlers: no request fails, no connection is
# closed, each time another process serves and all of the old one is gone; the pid file names the
# latest.
@pytest.mark.parametrize("as_root", [False, True], ids=["user", "root"])
def test_under_load(deployment, workers, as_root):
    if as_root and os.geteuid() != 0:
        pytest.skip("needs root")
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers, as_root=as_root) as server, Answering(
            deployment, lambda request: http("h")):
        assert server.get("/h").status == 200
        with Load(deployment.port, ["/", "/h"]) as load:
            for _ in range(3):
                served_on(load, 100)
                before = [server.pid, *server.children()]
                old = server.upgrade()
                assert server.pid != old
                assert deployment.read("run/mongrel2.pid") == b"%d" % server.pid
                wait_until(lambda before=before: not any(map(is_alive, before)), "their end")
                served_on(load, 100)
        assert load.failures == []
        assert load.closed == 0
        assert set(load.answered) == {200}
        assert server.get("/h").body == b"h"
        server.stop()
        assert os.listdir(deployment.path("run")) == []


# Goal: idle keep-alive connections survive: the new workers serve them. Method: connections that
# have asked and some that have not, an upgrade, one more request on each.
def test_idle_connections(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server:
        clients = [server.client() for _ in range(100)]
        for client in clients[:80]:
            assert client.request("GET", "/").status == 200
        server.upgrade()
        for client in clients:
            assert client.request("GET", "/").status == 200
            client.close()


# Goal: what is half done is completed by the old server: a download, an upload to a handler, an
# answer of a proxied site; the new one serves meanwhile.
def test_half_done(deployment, workers):
    deployment.write("www/large", os.urandom(8 << 20))
    released = []

    def slow(exchange, _):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        wait_until(lambda: released, "the word to go on")
        exchange.send(b"later")

    with Backend(slow) as backend:
        deployment.configure({"/": dir_(), "/p": proxy(backend.port), "/h": handler()},
                             settings=PATIENT)
        with Server(deployment, workers=workers) as server, Handler(deployment) as on:
            download, proxied, upload, asked = (server.client(receive_buffer=4096),
                                                server.client(), server.client(), server.client())
            download.send_request(path="/large")
            download.take_until(b"\r\n\r\n")
            proxied.send_request(path="/p")
            proxied.take_until(b"first")
            upload.send(b"POST /h/up HTTP/1.1\r\nHost: localhost\r\n"
                        b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n")
            upload.take_until(b" 100 Continue\r\n\r\n")  # the old server has the request
            upload.send(b"first")
            asked.send_request(path="/h/asked")
            held = on.recv()
            old = server.upgrade(wait=False)
            assert server.get("/").status == 200
            assert is_alive(old)
            upload.send(b"later")
            half = on.recv()
            assert half.body == b"firstlater"
            on.reply(half, "got it")
            on.reply(held, "answered")
            assert upload.answer().body == b"got it"
            assert asked.answer().body == b"answered"
            released.append(True)
            proxied.take_until(b"later")
            rest = download.take((8 << 20))
            assert rest == deployment.read("www/large")
            server.wait_gone(old)
            # Those that kept their connections are clients of the new one, and so is the handler.
            upload.send_request(path="/h/again")
            again = on.recv()
            while again.is_disconnect():
                again = on.recv()
            on.reply(again, "new")
            assert upload.answer().body == b"new"
            assert download.request("GET", "/").status == 200


# Goal: what handlers hold at the limit ends in order: a long poll with 503 and Retry-After, a
# WebSocket with a close frame; the handlers are told of both before they are let go, and requests
# to the new server that waited for them are answered.
def test_held_by_handlers(deployment, workers):
    deployment.configure(
        {"/h": handler(), "/ws": handler("w", websocket="messages")},
        settings={"upgrade.handlers_ms": 300, "websocket.close_ms": 30000})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on, \
            Handler(deployment, "w") as sockets:
        poll = server.client().send_request(path="/h/poll")
        held = on.recv()
        web = WebSocketClient(deployment.port).open("/ws")
        opened = sockets.recv()
        old = server.upgrade(wait=False)
        late = server.client().send_request(path="/h/late")
        answer = poll.answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert web.closed_with() == 1001
        told = on.recv()
        assert told.is_disconnect() and told.id == held.id
        end = sockets.recv()
        while not end.is_disconnect():
            end = sockets.recv()
        assert end.id == opened.id
        server.wait_gone(old)
        request = on.recv()
        assert request.path == "/h/late" and request.id != held.id
        on.reply(request, "here")
        assert late.answer().body == b"here"


# Goal: no handler is connected to both servers: until the old one has let it go, requests to the
# new one wait; every answer finds its client. Method: a handler that holds a request; a second one
# that comes in the middle of the upgrade.
def test_requests_wait_for_handlers(deployment, workers):
    deployment.configure({"/h": handler()}, settings=PATIENT | {"handler.wait_ms": 60000})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        first = server.client().send_request(path="/h/first")
        held = on.recv()
        old = server.upgrade(wait=False)
        later = [server.client().send_request(path=f"/h/{i}") for i in range(10)]
        with Answering(deployment) as second:
            assert not on.has_message(0.3)
            assert second.seen == []
            on.reply(held, "kept")
            assert first.answer().body == b"kept"
            server.wait_gone(old)
            wait_until(lambda: second.seen or on.has_message(0.01), "a request at either")
            while len(second.seen) < 10:
                if on.has_message(0.05):
                    request = on.recv()
                    if not request.is_disconnect():
                        on.reply(request, f"{request.path} {request.id}")
                        second.seen.append(request)
            for number, client in enumerate(later):
                assert client.answer().body.startswith(b"/h/%d " % number)


# Goal: the configuration of now counts: a port and an endpoint that are gone are let go with their
# files, a new port is there, a unix listener keeps its file.
def test_another_configuration(deployment, workers):
    gone, stays, fresh = (deployment.path(f"run/{name}") for name in ("gone", "stays", "fresh"))
    deployment.configure({"/": dir_(), "/h": handler("a")},
                         listeners=[listener("unix:run/gone"), listener("unix:run/stays")])
    with Server(deployment, workers=workers) as server:
        inode = os.stat(stays).st_ino
        waiting = socket.socket(socket.AF_UNIX)
        waiting.connect(gone)
        deployment.configure({"/": dir_(), "/h": handler("b")},
                             listeners=[listener("unix:run/fresh"), listener("unix:run/stays")])
        server.upgrade()
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert waiting.recv(12) == b"HTTP/1.1 200"
        waiting.close()
        assert not os.path.exists(gone) and os.path.exists(fresh)
        assert os.stat(stays).st_ino == inode
        assert {"b-q", "b-r"} <= set(os.listdir(deployment.path("run")))
        assert not {"a-q", "a-r"} & set(os.listdir(deployment.path("run")))
        with Answering(deployment, name="b"):
            assert server.get("/h").status == 200
        server.reload()
        assert server.get("/").status == 200


# Goal: a daemon stays one: in the background, its log in its file, in the session of the first;
# the new master leaves with TERM and cleans up.
@pytest.mark.usefixtures("root")
def test_daemon(deployment):
    deployment.configure({"/": dir_()})
    server = Server(deployment, workers=2, as_root=True, start=False)
    assert server.start_daemon() == 0
    with server:
        old = server.pid
        client = server.client()
        assert client.request("GET", "/").status == 200
        os.kill(old, signal.SIGUSR2)
        wait_until(lambda: not is_alive(old), "the end of the old one")
        server.pid = int(deployment.read("run/mongrel2.pid"))
        server.known.add(server.pid)
        assert server.pid != old and os.getsid(server.pid) == old
        assert "upgrade: Mongrel2" in deployment.read("logs/error.log").decode()
        assert client.request("GET", "/").status == 200
        server.children()
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(server.pid), "the end")
        assert os.listdir(deployment.path("run")) == []


# Goal: an upgrade that is asked for during a reload comes after it. Method: both signals wait for
# a master that stands still.
def test_during_a_reload(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server:
        old = server.pid
        os.kill(old, signal.SIGSTOP)
        os.kill(old, signal.SIGHUP)
        os.kill(old, signal.SIGUSR2)
        os.kill(old, signal.SIGCONT)
        server.wait_notified("RELOADING")
        server.taken_over()
        server.wait_gone(old)
        assert server.log().index("generation 2 serves") < server.log().index("has taken over")


# Goal: a reload that is asked for during an upgrade is not lost: the new server does it, or the old
# one if there is none.
@pytest.mark.parametrize("good", [True, False], ids=["taken over", "refused"])
def test_reload_during_the_upgrade(deployment, workers, good):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers, program=own_program(deployment)) as server:
        held = HeldUpgrade(server, server.program)
        deployment.configure({"/": dir_(), "/x/": dir_()})
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: "the reload waits for the end of the upgrade" in server.log(), "HUP")
        if good:
            held.go()
            server.taken_over()
        else:
            os.kill(held.pid, signal.SIGKILL)
        server.wait_notified("RELOADING")
        assert "generation 2 serves" in server.wait_notified("READY")["STATUS"]
        assert server.get("/x/").status == 200


# Goal: m2sh upgrade returns when the new one serves, and says so.
def test_m2sh(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server:
        old = server.pid
        done = m2sh("upgrade", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder)
        server.taken_over()
        assert f"at PID {old}: upgrade: Mongrel2 " in done.stdout
        assert f"process {server.pid}; generation 1 serves" in done.stdout
        done = m2sh("reload", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder)
        assert f"at PID {server.pid}: generation 2 serves" in done.stdout
