"""Several backends for one Proxy, names that move, and tunnels, with real processes."""

import contextlib
import os
import socket
import subprocess
import threading
import time

import pytest

from lib.backend import Backend, Exchange
from lib.deployment import dir_, handler, proxy
from lib.handler import Answering, http
from lib.server import Server, run
from lib.waiting import free_port, wait_until


class Named(Backend):
    """Says who it is; its port stays after close()."""

    def __init__(self, name, port=None):
        def script(exchange, head):
            exchange.read_body(head)
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))
        super().__init__(script, port=port)


def addr(*ports):
    return ", ".join(f"127.0.0.1:{port}" for port in ports)


# Goal: a list of servers shares the requests; while one is gone nobody notices; it comes back, and
# a reload in between forgets nothing. Method: who answers, and what the log says.
def test_one_of_two_goes_and_comes_back(deployment):
    settings = {"proxy.eject_after": 2, "proxy.eject_ms": 200}
    two = Named(b"two")
    with Named(b"one") as one:
        deployment.configure({"/": proxy(9, addr(one.port, two.port))}, settings=settings)
        with Server(deployment, workers=1) as server, server.client() as client:
            answers = [client.request().body for _ in range(10)]
            assert answers.count(b"one") == answers.count(b"two") == 5
            two.close()
            for number in range(20):
                assert client.request(path=f"/{number}").body == b"one"
            server.says(f"127.0.0.1:{two.port} is out of turn for 200 ms")
            assert "serves" in server.reload()
            assert client.request("POST", body=b"x").body == b"one"
            with Named(b"two", two.port):
                wait_until(lambda: client.request().body == b"two", "the second backend again")
                server.says(f"127.0.0.1:{two.port} is in turn again after")
                answers = [client.request().body for _ in range(10)]
                assert answers.count(b"one") == answers.count(b"two") == 5


# Goal: all gone is 502 at once, with both names in the log, never a wait.
def test_all_gone(deployment):
    ports = free_port(), free_port()
    deployment.configure({"/": proxy(9, addr(*ports), balance="least_connections")})
    with Server(deployment, workers=1) as server:
        for _ in range(10):
            assert server.get().status == 502
        for port in ports:
            server.says(f"backend 127.0.0.1:{port}: Connection refused")
        with Named(b"here", ports[1]):
            wait_until(lambda: server.get().body == b"here", "an answer")


# Goal: what cannot be a list of servers is a finding with its reason.
@pytest.mark.parametrize("value, reason", [
    ("", "must be the name or address of a server"), ("a,,b", "must be the name or address"),
    ("a:0", "is no port"), ("a:x", "is no port"), ("a b", "is neither a name nor"),
    ("[::1", "is no IPv6 address"), ("[::1]x", "what is behind"), ("a,a", "is there twice"),
    ("a:80,a", "is there twice"), (",".join(f"h{n}" for n in range(65)), "at most 64"),
])
def test_bad_lists(deployment, value, reason):
    deployment.configure({"/": proxy(80)})
    deployment.sql(f"UPDATE proxy SET addr = '{value}'")
    done = run("--check", deployment.database, "test")
    assert done.returncode == 1 and reason in done.stdout, done.stdout


# Goal: an odd balance is a finding; a database without the column is as before.
def test_balance_column(deployment):
    deployment.configure({"/": proxy(80)})
    deployment.sql("UPDATE proxy SET balance = 'dice'")
    assert "round_robin" in run("--check", deployment.database, "test").stdout
    deployment.sql("UPDATE proxy SET balance = NULL")
    assert run("--check", deployment.database, "test").returncode == 0
    deployment.sql("ALTER TABLE proxy DROP COLUMN balance")
    assert run("--check", deployment.database, "test").returncode == 0


# Goal: one client connection visits Dir, Handler and Proxy in turn; each gets its own request, once
# and in order.
def test_targets_in_turn(deployment):
    seen = []

    def script(exchange, head):
        seen.append(head.split(b" ")[1])
        return Backend.hello(exchange, head)
    with Backend(script) as backend:
        deployment.configure({"/": proxy(backend.port), "/dir/": dir_(), "/h/": handler()})
        with Server(deployment, workers=1) as server, server.client() as client:
            with Answering(deployment, lambda request: http(request.path)):
                wait_until(server.has_handlers, "the handler")
                for number in range(5):
                    assert client.request(path="/dir/").body == b"<h1>hello</h1>\n"
                    assert client.request(path=f"/h/{number}").body == f"/h/{number}".encode()
                    body = client.request("POST", f"/p{number}", body=b"x").body
                    assert body == f"/p{number} x".encode()
        assert seen == [f"/p{number}".encode() for number in range(5)]


# ---- tunnels

SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: x\r\n\r\n")


def echo(exchange, head):
    """Switches when it is asked to, then sends back what comes."""
    assert b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" in head, head
    exchange.send(SWITCH)
    while data := exchange.socket.recv(65536):
        exchange.send(data)
    return False


def open_tunnel(server):
    client = server.client()
    client.send_request(path="/ws", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert client.answer().status == 101
    return client


def echoes(client, data):
    client.send(data)
    return client.take(len(data)) == data


# Goal: a WebSocket goes through, outlives reloads (also one that takes its route away) and
# proxy.answer_ms, and ends within the drain limit of a graceful stop. Method: that limit has passed
# when a request meanwhile is answered 504.
def test_tunnel_over_reload_and_stop(deployment):
    def script(exchange, head):
        if head.startswith(b"GET /silent"):
            return exchange.read_head() != b""  # until the proxy gives up
        return echo(exchange, head)
    with Backend(script) as backend:
        settings = {"drain_ms": 1000, "proxy.answer_ms": 2000}
        deployment.configure({"/": proxy(backend.port)}, settings=settings)
        with Server(deployment, workers=2) as server:
            clients = [open_tunnel(server) for _ in range(6)]
            assert all(echoes(client, b"hello") for client in clients)
            assert server.get("/silent").status == 504
            assert "serves" in server.reload()
            deployment.configure({"/": dir_()}, settings=settings)
            assert "serves" in server.reload()
            assert all(echoes(client, b"\x00" * 200_000) for client in clients)
            assert server.stop() == 0
            assert all(client.is_closed() for client in clients)
        lines = deployment.read("logs/access.log").count(b"3:101#")
        assert lines <= 6  # those cut off at the limit may have none


# Goal: both ends of a tunnel can end it, and nothing stays behind.
def test_tunnel_ends(deployment):
    with Backend(echo) as backend:
        deployment.configure({"/": proxy(backend.port)})
        with Server(deployment, workers=1) as server:
            with open_tunnel(server) as client:
                assert echoes(client, b"one")
                client.half_close()
                assert client.is_closed()
            client = open_tunnel(server)
            client.close()
            wait_until(lambda: not backend.open, "the backend to be let go")
            assert [line[7] for line in server.wait_access(2)] == [101, 101]


# ---- names

def hosts_server(deployment, hosts):
    """A server that sees its own /etc/hosts."""
    script = f'mount --bind "{hosts}" /etc/hosts && exec "$@"'
    prefix = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-rm"]
    prefix += ["sh", "-c", script, "sh"]
    probe = subprocess.run([*prefix, "true"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
    if probe.returncode != 0:
        pytest.skip("no mount namespaces here")
    return Server(deployment, workers=2, prefix=prefix)


class At(Named):
    """A backend at another loopback address."""

    def __init__(self, name, host, port):
        self.host = host
        super().__init__(name, port)

    def _bind(self):
        self.listener.bind((self.host, self.port))


# Goal: a name is looked up again when its address stops answering, and at a reload; no restart, no
# reload in the first case. Method: the server has an /etc/hosts of its own, which changes.
def test_name_moves(deployment):
    port = free_port()
    hosts = deployment.write("hosts", "127.0.0.1 localhost\n127.0.0.61 app.test\n")
    deployment.configure({"/": proxy(port, "app.test")}, settings={"proxy.resolve_ms": 100})
    first = At(b"first", "127.0.0.61", port)
    with hosts_server(deployment, hosts) as server:
        assert server.get().body == b"first"
        with At(b"second", "127.0.0.62", port):
            first.close()
            with open(hosts, "w", encoding="ascii") as file:
                file.write("127.0.0.1 localhost\n127.0.0.62 app.test\n")
            wait_until(lambda: server.get().body == b"second", "the new address")
            server.says("an address of app.test does not answer: asking for names")
            server.says(f"app.test:{port} has other addresses now: 127.0.0.62")
            assert "reload" not in server.log()
            wait_until(lambda: not [name for name in server.children().values()
                                    if "resolver" in name], "what looks names up to end")
        with At(b"third", "127.0.0.63", port):
            with open(hosts, "w", encoding="ascii") as file:
                file.write("127.0.0.1 localhost\n127.0.0.63 app.test\n")
            assert "serves" in server.reload()
            assert server.get().body == b"third"


# Goal: one of two names is unknown at the start: a warning, and it joins once it can be resolved.
def test_name_comes_later(deployment):
    port = free_port()
    hosts = deployment.write("hosts", "127.0.0.1 localhost\n")
    deployment.configure({"/": proxy(port, "localhost, late.invalid")},
                         settings={"proxy.resolve_ms": 100})
    with Named(b"old", port), hosts_server(deployment, hosts) as server:
        server.says("serves without what cannot be resolved (\"late.invalid\"")
        assert server.get().body == b"old"
        with At(b"late", "127.0.0.64", port):
            with open(hosts, "a", encoding="ascii") as file:
                file.write("127.0.0.64 late.invalid\n")
            wait_until(lambda: server.get().body == b"late", "the late one")


# Goal: what asks the resolver is a worker with nothing to say but that: no client can make it look
# up a name of its choice, and a flood of failures is a few look-ups. Method: within one pause,
# which is longer than any test.
def test_look_ups_are_rare(deployment):
    deployment.configure({"/": proxy(free_port(), "localhost")},
                         settings={"proxy.resolve_ms": 3_600_000})
    with Server(deployment, workers=1) as server:
        for _ in range(50):
            assert server.get(host="evil.example").status == 502
        server.says("asking for names to be looked up again")
        assert server.log().count("asking for names to be looked up again") == 1
        assert server.get("/").status == 502


class OneAtATime:
    """A backend that serves one connection to its end before it takes the next."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                exchange = Exchange(self.listener.accept()[0])
                with contextlib.suppress(OSError), exchange.socket:
                    while head := exchange.read_head():
                        Backend.hello(exchange, head)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# Goal: a backend that serves one connection at a time serves several workers: idle connections of
# one give way to the others, and a wait that is long shows in the log, once. Method: clients of two
# workers ask in turn, with the default; then with connections that stay.
def test_one_connection_at_a_time(deployment):
    backend = OneAtATime()
    routes = {"/": dir_(), "/p": proxy(backend.port)}
    deployment.configure(routes)
    line = f"backend 127.0.0.1:{backend.port}: no answer on a new connection for 2000 ms"
    with Server(deployment, workers=2) as server:
        clients = [server.clients_of(worker, 1)[0] for worker in server.workers()]
        began = time.monotonic()
        for _ in range(2):
            for client in clients:
                assert client.request(path="/p").body == b"/p "
        assert time.monotonic() - began < 15
        deployment.configure(routes, settings={"proxy.idle_ms": 4000})
        assert "serves" in server.reload()
        clients = [server.clients_of(worker, 1)[0] for worker in server.workers()]
        for _ in range(2):
            for client in clients:
                assert client.request(path="/p").body == b"/p "
        server.says(line)
        assert server.log().count(line) <= 2  # of each worker one
    backend.close()
