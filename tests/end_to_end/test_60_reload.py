"""Reload: the new configuration holds for every new request, and nothing that goes on is
disturbed."""

import os
import signal
import socket
import sqlite3

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import dir_, handler, proxy
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import can_connect, free_port, wait_until


def ask_all(server, path, wanted):
    """Asks often enough on new connections that every worker has had its turn."""
    for _ in range(40):
        answer = server.get(path)
        assert wanted in (answer.status, answer.body), answer


# Goal: routes come, change their target and go, also for connections that were open before. Method:
# one connection over all reloads.
def test_routes(deployment, workers):
    deployment.write("a/index.html", "a")
    deployment.write("b/index.html", "b")
    deployment.configure({"/": dir_(), "/x/": dir_("a/")})
    with Server(deployment, workers=workers) as server, server.client() as client:
        assert client.request(path="/x/").body == b"a"
        deployment.configure({"/": dir_(), "/x/": dir_("b/"), "/y/": dir_("a/")})
        assert "; 1 route added, 1 route changed; " in server.reload()
        assert client.request(path="/x/").body == b"b"
        assert client.request(path="/y/").body == b"a"
        ask_all(server, "/x/", b"b")
        deployment.configure({"/": dir_()})
        server.reload()
        assert client.request(path="/x/").status == 404
        ask_all(server, "/x/", 404)
        assert client.request().body == b"<h1>hello</h1>\n"


# Goal: hosts, the default host, MIME types and settings change too.
def test_hosts_and_settings(deployment, workers):
    deployment.write("a/index.html", "a")
    deployment.configure(hosts={"localhost": {"/": dir_()}})
    with Server(deployment, workers=workers) as server, server.client() as client:
        assert client.request(host="new.org").body == b"<h1>hello</h1>\n"
        deployment.configure(hosts={"localhost": {"/": dir_()}, "new.org": {"/": dir_("a/")}},
                             settings={"limits.url_path": 100}, mimetypes={".m2x": "x/y"})
        server.reload()
        deployment.write("www/f.m2x", "")
        for _ in range(20):
            assert server.get(host="new.org").body == b"a"
            assert server.get("/" + "x" * 200).status == 414
            assert server.get("/f.m2x").headers["content-type"] == "x/y"
        assert client.request(host="new.org").body == b"a"
        deployment.configure(hosts={"new.org": {"/": dir_("a/")}, "localhost": {"/": dir_()}})
        server.reload()
        assert client.request(host="whoever").body == b"a"


# Goal: targets of a kind are exchanged: Dir for Handler for Proxy on one path.
def test_target_kinds(deployment, workers):
    with Backend() as backend:
        deployment.configure({"/": dir_(), "/x": handler()})
        with Server(deployment, workers=workers) as server, Answering(
                deployment, lambda request: http("handler")), server.client() as client:
            assert client.request(path="/x").body == b"handler"
            deployment.configure({"/": dir_(), "/x": proxy(backend.port)})
            server.reload()
            assert client.request(path="/x").body == b"/x "
            ask_all(server, "/x", b"/x ")
            deployment.configure({"/": dir_(), "/x": handler()})
            server.reload()
            assert client.request(path="/x").body == b"handler"
            ask_all(server, "/x", b"handler")


# Goal: a handler pair that both configurations name stays connected; one that is new is bound, one
# that goes away is let go; tcp and ipc.
def test_endpoints(deployment, workers):
    specs = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    tcp = dict(zip(("send_spec", "recv_spec"), specs))
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http("stays")) as stays:
        assert server.get("/h").body == b"stays"
        for _ in range(3):
            deployment.configure({"/": dir_(), "/h": handler(), "/n": handler("n"),
                                  "/t": handler(**tcp)})
            server.reload()
            with Answering(deployment, lambda request: http("new"), name="n"), \
                    Answering(deployment, lambda request: http("tcp"), specs=specs):
                for _ in range(10):
                    assert server.get("/h").body == b"stays"
                    assert server.get("/n").body == b"new"
                    assert server.get("/t").body == b"tcp"
            deployment.configure({"/": dir_(), "/h": handler()})
            server.reload()
            assert server.get("/n").status == 404
            assert server.get("/h").body == b"stays"
            wait_until(lambda: not can_connect(int(specs[0].split(":")[2])),
                       "the port to be let go")
        assert len(stays.seen) > 30


# Goal: what only the row says changes without a new endpoint: send_ident, protocol, recv_ident.
def test_handler_row(deployment, workers):
    deployment.configure({"/h": handler(ident="first")})
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http(request.sender), ident="second") as on:
        assert server.get("/h").body == b"first"
        deployment.configure({"/h": handler(ident="second", recv_ident="second")})
        server.reload()
        ask_all(server, "/h", b"second")
        assert on.fault is None


# Goal: requests in flight at a handler are answered after the reload, also when their route, their
# pair or everything has changed.
@pytest.mark.parametrize("after", ["same", "route gone", "pair gone", "row changed"])
def test_in_flight(deployment, workers, after):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        clients = [server.client().send_request(path=f"/h/{number}") for number in range(10)]
        requests = [on.recv() for _ in clients]
        routes = {"same": {"/h": handler(), "/n/": dir_()},
                  "route gone": {"/other": handler()},
                  "pair gone": {},
                  "row changed": {"/h": handler(ident="changed")}}[after]
        deployment.configure({"/": dir_(), **routes})
        server.reload()
        assert server.get("/").status == 200
        for request in requests:
            on.reply(request, request.path)
        for number, client in enumerate(clients):
            assert client.answer().body == f"/h/{number}".encode()
            assert client.request().status == 200  # and the connection goes on
            client.close()


# Goal: a download and an answer of a backend that are half done go on.
def test_half_done(deployment, workers):
    content = os.urandom(1 << 20) * 6
    deployment.write("www/large", content)

    def script(exchange, head):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
        exchange.send(content)
        return True
    with Backend(script) as backend:
        deployment.configure({"/": dir_(), "/p": proxy(backend.port)})
        with Server(deployment, workers=workers) as server:
            clients = [Client(deployment.port, receive_buffer=8192).send_request(path=path)
                       for path in ("/large", "/p")]
            for client in clients:
                assert client.more()
            deployment.configure({"/other/": dir_("a/")})
            server.reload()
            assert server.get("/large").status == 404
            for client in clients:
                assert client.answer().body == content


# Goal: the port changes: the new one serves, the old one is let go, connections made on it go on.
def test_port(deployment, workers):
    deployment.configure()
    with Server(deployment, workers=workers) as server, server.client() as client:
        assert client.request().status == 200
        old, deployment.port = deployment.port, free_port()
        deployment.configure()
        server.reload()
        assert server.get().status == 200
        assert client.request().status == 200
        wait_until(lambda: not can_connect(old), "the old port to close")


# Goal: a database that is bad leaves everything as it was, and the log says why. Method: every kind
# of bad, then a good one.
@pytest.mark.parametrize("fault", ["finding", "missing", "empty", "garbage", "locked",
                                   "port in use", "endpoint in use", "no server"])
def test_refused(deployment, workers, fault):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, server.client() as client, \
            Handler(deployment) as on, socket.socket() as other:
        held = server.client().send_request(path="/h")
        request = on.recv()
        assert client.request().status == 200
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        connection, word = None, ""
        if fault == "finding":
            deployment.sql("UPDATE directory SET base = 'nonsense'")
            word = "nonsense"
        elif fault == "missing":
            os.unlink(deployment.database)
            word = "config.sqlite"
        elif fault == "empty":
            deployment.write("config.sqlite", b"")
            word = "config.sqlite"
        elif fault == "garbage":
            deployment.write("config.sqlite", os.urandom(5000))
            word = "config.sqlite"
        elif fault == "locked":
            connection = sqlite3.connect(deployment.database, isolation_level=None)
            connection.execute("BEGIN EXCLUSIVE")
            word = "lock"
        elif fault == "port in use":
            deployment.sql(f"UPDATE server SET port = {taken}")
            word = str(taken)
        elif fault == "endpoint in use":
            deployment.sql(f"UPDATE handler SET send_spec = 'tcp://127.0.0.1:{taken}'")
            word = str(taken)
        elif fault == "no server":
            deployment.sql("DELETE FROM server")
            word = "table server"
        before = server.log()
        pids = server.children()
        server.reload()
        assert word in server.log()[len(before):]
        if connection is not None:
            connection.close()
        elif fault in ("empty", "garbage"):
            os.unlink(deployment.database)
        ask_all(server, "/", 200)
        assert client.request().status == 200
        on.reply(request, "answered")
        assert held.answer().body == b"answered"
        assert set(pids) == set(server.children())
        deployment.configure({"/": dir_(), "/new/": dir_()})
        server.reload()
        ask_all(server, "/new/", 200)


# Goal: two HUPs at once are two reloads or one, never none: the last state of the database holds.
# Method: HUP, change, HUP, without waiting.
def test_double_hup(deployment, workers):
    deployment.configure()
    with Server(deployment, workers=workers) as server:
        for number in range(10):
            deployment.configure({"/": dir_(), f"/a{number}/": dir_()})
            server.send_signal(signal.SIGHUP)
            deployment.sql(f"UPDATE route SET path = '/b{number}/' WHERE path = '/a{number}/'")
            server.send_signal(signal.SIGHUP)
            wait_until(lambda number=number: server.get(f"/b{number}/").status == 200,
                       "the last state")
        assert not server.process.poll()


# Goal: HUP while the server starts, and HUP while it stops, harm nothing.
def test_hup_at_odd_moments(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    for _ in range(5):
        server = Server(deployment, workers=2, start=False).launch()
        wait_until(lambda: os.path.exists(deployment.path("run/mongrel2.pid")), "the pid file")
        server.send_signal(signal.SIGHUP)
        server.wait_notified("READY")
        assert server.get().status == 200
        with Handler(deployment) as on:
            client = server.client().send_request(path="/h")
            request = on.recv()
            server.send_signal(signal.SIGTERM)
            server.send_signal(signal.SIGHUP)
            on.reply(request, "ok")
            assert client.answer().body == b"ok"
            assert server.wait_end() == 0


# Goal: what cannot change while running is refused with a line that names it; all else goes on.
@pytest.mark.parametrize("column, value", [("chroot", "other"), ("pid_file", "/run/other.pid")])
def test_unchangeable(deployment, column, value):
    deployment.configure()
    for name in ("logs", "run", "www"):
        os.makedirs(deployment.path(f"other/{name}"))
    with Server(deployment, workers=1) as server:
        deployment.sql(f"UPDATE server SET {column} = '{value}'")
        before = server.log()
        server.reload()
        assert column in server.log()[len(before):]
        assert server.get().status == 200


# Goal: an unchanged database is a reload like others.
def test_nothing_changed(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Answering(deployment), \
            server.client() as client:
        pids = server.children()
        for _ in range(3):
            server.reload()
            assert client.request(path="/h").status == 200
        assert set(server.children()) == set(pids)
