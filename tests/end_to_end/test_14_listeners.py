"""Several places where clients come in: IPv4, IPv6, unix sockets; kept, added, changed and removed
by reloads."""

import os
import signal
import socket
import stat
import subprocess
import threading

import pytest

from lib.client import Client
from lib.deployment import GID, UID, UUID, dir_, handler, listener
from lib.handler import Answering, http
from lib.server import Server, faults, run, standing_still
from lib.waiting import can_connect, free_port, has_ipv6, low_port

ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


def address_of(request):
    return http(request.headers["REMOTE_ADDR"])


def ask(place, **more):
    with Client(place, **more) as client:
        answer = client.request(path="/h")
        assert answer.status == 200, answer
        return answer.body.decode()


# Goal: all listeners of a server lead to the same site, and each client has its own address.
def test_several(deployment, workers):
    ports = [free_port(), free_port()]
    deployment.configure({"/": dir_(), "/h": handler()}, listeners=[
        listener("127.0.0.1", ports[0]), listener("127.0.0.2", ports[1]),
        listener("unix:/run/web"), listener("unix:run/other")])
    with Server(deployment, workers=workers) as server, Answering(deployment, address_of):
        for _ in range(5):
            assert ask(deployment.port) == "127.0.0.1"
            assert ask(ports[0], source="127.0.0.3") == "127.0.0.3"
            assert ask(ports[1], host="127.0.0.2") == "127.0.0.1"
            assert ask(deployment.path("run/web")) == "-"
            assert ask(deployment.path("run/other")) == "-"
        assert not can_connect(ports[1])
        peers = [line[1:3] for line in server.wait_access(25)]  # workers write in no order
        assert peers.count([b"-", 0]) == 10


# Goal: "::" takes both families; IPv4 clients of it have IPv4 addresses. With an IPv4 listener on
# the same port, that one gets them.
@ipv6
def test_ipv6(deployment, workers):
    port = free_port()
    deployment.configure({"/h": handler()}, listeners=[listener("::1", port)])
    with Server(deployment, workers=workers) as server, Answering(deployment, address_of):
        assert ask(port, host="::1") == "::1"
        assert not can_connect(port)
        for listeners in ([listener("::", port)], [listener("::", port), listener("0.0.0.0", port)],
                          [listener("::", port)]):
            deployment.configure({"/h": handler()}, listeners=listeners)
            server.reload()
            for _ in range(5):
                assert ask(port, host="::1") == "::1"
                assert ask(port) == "127.0.0.1"
        peers = [line[1] for line in server.wait_access(31)]
        assert set(peers) == {b"::1", b"127.0.0.1"}


# Goal: reloads add, keep and remove listeners while clients come and stay. Method: two threads
# connect to what stays all the time; connections made through what goes are used to the end.
def test_reload_under_clients(deployment, workers):
    more = free_port()
    kinds = [listener("127.0.0.1", more), listener("unix:run/web")]
    deployment.configure({"/": dir_()}, listeners=[listener("unix:run/stays")])
    faults_seen, ending = [], threading.Event()

    def visit(place):
        while not ending.is_set():
            try:
                with Client(place) as client:
                    if client.request().status != 200:
                        faults_seen.append("status")
            except (OSError, AssertionError) as fault:
                faults_seen.append(repr(fault))
                return
    with Server(deployment, workers=workers) as server:
        visitors = [threading.Thread(target=visit, args=(place,))
                    for place in (deployment.port, deployment.path("run/stays"))]
        for visitor in visitors:
            visitor.start()
        try:
            old = []
            for _ in range(3):
                deployment.configure({"/": dir_()}, listeners=[listener("unix:run/stays"), *kinds])
                assert "2 listeners opened" in server.reload()
                old += [server.client(more), Client(deployment.path("run/web"))]
                for client in old:
                    assert client.request().status == 200
                deployment.configure({"/": dir_()}, listeners=[listener("unix:run/stays")])
                assert "2 listeners closed" in server.reload()
                assert not can_connect(more)
                assert not os.path.exists(deployment.path("run/web"))
                for client in old:
                    assert client.request().status == 200
        finally:
            ending.set()
            for visitor in visitors:
                visitor.join()
        assert not faults_seen


# Goal: who has connected to a listener that a reload removes is served. Method: workers stand still
# while clients connect and the reload begins, so that the queue is full when it goes.
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_waiting_clients_of_what_goes(deployment, workers, kind):
    port = free_port()
    which = listener("127.0.0.1", port) if kind == "tcp" else listener("unix:run/web")
    place = port if kind == "tcp" else deployment.path("run/web")
    deployment.configure({"/": dir_()}, listeners=[which])
    with Server(deployment, workers=workers) as server:
        with standing_still(server.workers()):
            clients = [Client(place).send_request() for _ in range(20)]
            deployment.configure({"/": dir_()})
            server.send_signal(signal.SIGHUP)
            server.wait_notified("RELOADING")
        server.wait_notified("READY")
        for client in clients:
            assert client.answer().status == 200
        if kind == "unix":
            assert not os.path.exists(place)
        assert server.get().status == 200


# Goal: one address can take the place of another on the same port, both ways.
@pytest.mark.parametrize("addresses", [("127.0.0.1", "0.0.0.0"),
                                       pytest.param(("127.0.0.1", "::"), marks=ipv6)])
def test_other_address_on_the_same_port(deployment, workers, addresses):
    narrow, wide = addresses
    deployment.configure({"/": dir_()}, bind_addr=narrow)
    with Server(deployment, workers=workers) as server, server.client() as old:
        for address in (wide, narrow, wide):
            deployment.configure({"/": dir_()}, bind_addr=address)
            assert "1 listener opened, 1 listener closed" in server.reload()
            for _ in range(5):
                assert server.get().status == 200
            assert can_connect(deployment.port, "127.0.0.2") == (address == wide)
            assert old.request().status == 200
        # The way in is shut again behind them: nobody else gets on this port.
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError):
                other.bind(("127.0.0.1", deployment.port))


# Goal: the file of a unix socket has the mode of the configuration, also after a reload, and
# belongs to the user who serves; it goes with the server.
def test_unix_mode(deployment, workers):
    for mode in ("0600", "666", "0660"):
        deployment.configure({"/": dir_()}, listeners=[listener("unix:run/web", mode=mode)])
        if not deployment.servers:
            server = Server(deployment, workers=workers)
        else:
            server.reload()
        info = os.stat(deployment.path("run/web"))
        assert stat.S_IMODE(info.st_mode) == int(mode, 8)
        assert (info.st_uid, info.st_gid) == (UID, GID)
        assert status_of(deployment.path("run/web")) == 200
    server.stop()
    assert not os.path.exists(deployment.path("run/web"))


def status_of(place):
    with Client(place) as client:
        return client.request().status


# Goal: as root with chroot and drop, unix sockets are made by the user who serves, and a port below
# 1024 can be listened on.
def test_privileged(deployment, root, workers):
    low = low_port()
    deployment.give_database_to_root()
    deployment.configure({"/": dir_()}, listeners=[listener("unix:/run/web"),
                                                   listener("127.0.0.1", low)])
    deployment.give_away()
    with Server(deployment, workers=workers, as_root=True) as server:
        assert status_of(deployment.path("run/web")) == 200
        assert server.get(path="/").status == 200
        with server.client(low) as client:
            assert client.request().status == 200
        info = os.stat(deployment.path("run/web"))
        assert (info.st_uid, info.st_gid) == (UID, GID)
        deployment.configure({"/": dir_()}, listeners=[listener("unix:/run/new")])
        server.reload()
        assert status_of(deployment.path("run/new")) == 200
        assert not os.path.exists(deployment.path("run/web"))
        server.stop()
        assert not os.path.exists(deployment.path("run/new"))


# Goal: a stale socket file is replaced, a live one of another process never, and neither is a plain
# file; at a start and at a reload, which is then refused.
def test_unix_files_of_others(deployment):
    path = deployment.path("run/web")
    deployment.configure({"/": dir_()}, listeners=[listener("unix:run/web")])
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    os.chown(path, UID, GID)
    with Server(deployment, workers=1):
        assert status_of(path) == 200
    os.unlink(path)  # ended hard: it could not do that itself
    live = socket.socket(socket.AF_UNIX)
    live.bind(path)
    live.listen()
    os.chmod(path, 0o666)
    done = run(deployment.database, UUID)
    assert done.returncode == 1
    assert "unix:run/web" in done.stdout and "another program listens there" in done.stdout
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1) as server:
        deployment.configure({"/": dir_()}, listeners=[listener("unix:run/web")])
        assert "another program listens there" in server.reload()
        assert server.get().status == 200
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)
            live.accept()[0].close()
        live.close()
        os.unlink(path)
        deployment.write("run/web", "precious")
        assert "not a socket" in server.reload()
        assert deployment.read("run/web") == b"precious"
        os.unlink(path)
        assert "1 listener opened" in server.reload()
        assert status_of(path) == 200


# Goal: the backlog is a setting, and a reload changes it. Method: the kernel says what it is (ss).
def test_backlog(deployment):
    def backlog():
        text = subprocess.run(["ss", "-ltnH", f"sport = :{deployment.port}"], check=True,
                              stdout=subprocess.PIPE).stdout.decode()
        return int(text.split()[2])
    deployment.configure({"/": dir_()}, settings={"net.backlog": 17})
    with Server(deployment, workers=1) as server:
        assert backlog() == 17
        deployment.configure({"/": dir_()}, settings={"net.backlog": 33})
        server.reload()
        assert backlog() == 33


# Goal: what is wrong with a row is said: table, row, column, value, what to do.
@pytest.mark.parametrize("row, words", [
    ("'localhost', 80, 0, '0660'", 'listener row 1, address "localhost": must be a numeric'),
    ("'127.0.0.1', 0, 0, '0660'", 'listener row 1, port 0: must be a port'),
    ("'127.0.0.1', 70000, 0, '0660'", 'listener row 1, port 70000: must be a whole number'),
    ("'unix:', 0, 0, '0660'", 'listener row 1, address "unix:": must name a file'),
    ("'unix:run/', 0, 0, '0660'", 'must name a file'),
    ("'unix:run/../../x', 0, 0, '0660'", 'must not climb'),
    ("'unix:run/" + "x" * 97 + "', 0, 0, '0660'", 'path of 100 bytes'),
    ("'unix:run/web', 80, 0, '0660'", 'port 80: means nothing with a unix socket'),
    ("'unix:run/web', 0, 0, 'rw'", 'mode "rw": must be the permissions'),
    ("'unix:run/web', 0, 0, '01777'", 'mode "01777": must be the permissions'),
    ("'127.0.0.1', 81, 2, '0660'", 'proxy_protocol 2: must be a whole number'),
    ("'127.0.0.1', 81, 1, '0660'", 'proxy_protocol "1": lets nobody in'),
    ("'127.0.0.1', PORT, 0, '0660'", "is the address of the HTTP port already"),
    ("'unix:run/control', 0, 0, '0660'", "is the address of listener row 1 already"),
])
def test_findings(deployment, row, words):
    deployment.configure({"/": dir_()})
    deployment.sql("INSERT INTO listener (server_id, address, port, proxy_protocol, mode) "
                   f"VALUES (1, {row.replace('PORT', str(deployment.port))})")
    done = run("--check", deployment.database, UUID)
    assert done.returncode == 1, done.stdout
    lines = faults(done.stdout)
    assert len(lines) == 1 and words in lines[0], done.stdout


# Goal: a database without the table, or with listeners of another server, loads as ever.
def test_optional(deployment):
    deployment.configure({"/": dir_()})
    deployment.sql("INSERT INTO listener (server_id, address, port) VALUES (9, 'nonsense', 1)",
                   "INSERT INTO listener (server_id, address) VALUES (1, 'unix:run/web')")
    assert run("--check", deployment.database, UUID).stdout.startswith("ok")
    with Server(deployment, workers=1):
        assert status_of(deployment.path("run/web")) == 200
    deployment.sql("DROP TABLE listener")
    with Server(deployment, workers=1) as server:
        assert server.get().status == 200
