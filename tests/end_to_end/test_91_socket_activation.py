"""Sockets that systemd made (socket activation): used where the configuration names their
addresses, kept over reloads, and left as they were when the server ends."""

import os
import signal
import socket

import pytest

from lib.client import Client
from lib.deployment import dir_, listener
from lib.server import Server
from lib.systemd import Activated, tcp_socket, unix_socket
from lib.waiting import free_port, has_ipv6, wait_until

QUESTION = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def read_all(client):
    client.settimeout(30)
    data = b""
    while chunk := client.recv(65536):
        data += chunk
    return data


def ask_early(family, address):
    """A request that is sent before anybody serves: it waits in the queue of the socket."""
    client = socket.socket(family)
    client.settimeout(30)
    client.connect(address)
    client.sendall(QUESTION)
    return client


# Goal: who has asked before the server was started is answered: on IPv4, IPv6 and a unix socket;
# and nothing else listens there. Method: one socket of each kind, a request in each queue, then the
# start.
@pytest.mark.parametrize("as_root", [False, True], ids=["user", "root"])
def test_requests_that_wait_for_the_start(deployment, as_root):
    if as_root and os.geteuid() != 0:
        pytest.skip("needs root")
    deployment.configure({"/": dir_()}, listeners=[listener("unix:run/web")] + (
        [listener("::1", deployment.port)] if has_ipv6() else []))
    path = deployment.path("run/web")
    sockets = [tcp_socket("127.0.0.1", deployment.port), unix_socket(path, 0o600)]
    before = os.stat(path)
    early = [ask_early(socket.AF_INET, ("127.0.0.1", deployment.port)),
             ask_early(socket.AF_UNIX, path)]
    if has_ipv6():
        sockets.append(tcp_socket("::1", deployment.port))
        early.append(ask_early(socket.AF_INET6, ("::1", deployment.port)))
    with Activated(deployment, sockets, workers=2, as_root=as_root) as server:
        for client in early:
            assert b"<h1>hello</h1>" in read_all(client)
        assert server.get().status == 200
        assert server.log().count("systemd's socket serves") == len(sockets)
        assert "waits for ever" not in server.log()
        assert server.stop() == 0
    # Systemd's own copies go on: a client of the next server may come already.
    after = os.stat(path)
    assert (before.st_ino, before.st_mode, before.st_uid) == (
        after.st_ino, after.st_mode, after.st_uid)
    waiting = [ask_early(socket.AF_INET, ("127.0.0.1", deployment.port)),
               ask_early(socket.AF_UNIX, path)]
    with Activated(deployment, sockets, workers=1, as_root=as_root):
        for client in waiting:
            assert b"<h1>hello</h1>" in read_all(client)
    for each in sockets + early + waiting:
        each.close()


# Goal: "ListenStream=80", which is [::]:80 for both families, serves a configuration that says
# 0.0.0.0.
@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
def test_one_socket_for_both_families(deployment):
    deployment.configure({"/": dir_()}, bind_addr="0.0.0.0")
    with tcp_socket("::", deployment.port) as made:
        with Activated(deployment, [made], workers=1) as server:
            assert server.get().status == 200
            with Client(deployment.port, host="::1") as client:
                assert client.request("GET", "/").status == 200
            assert "systemd's socket serves tcp://0.0.0.0:" in server.log()


# Goal: reloads keep the sockets; one that nobody wants is said, with its unit, and is used as soon
# as a reload wants it; one that a reload drops is not closed by us.
def test_reloads(deployment):
    other = free_port()
    deployment.configure({"/": dir_()})
    with tcp_socket("127.0.0.1", deployment.port) as first, \
            tcp_socket("127.0.0.1", other) as second, \
            Activated(deployment, [first, second], names=["a.socket", "b.socket"],
                      workers=2) as server:
        assert f"systemd passed tcp://127.0.0.1:{other} (b.socket), and the conf" in server.log()
        with ask_early(socket.AF_INET, ("127.0.0.1", other)) as early, \
                server.client() as kept:
            assert kept.request("GET", "/").status == 200
            deployment.configure({"/": dir_()}, listeners=[listener("127.0.0.1", other)])
            assert "serves" in server.reload()
            assert b"<h1>hello</h1>" in read_all(early)
            assert kept.request("GET", "/").status == 200
            deployment.configure({"/": dir_()})
            assert "1 listener closed" in server.reload()
            assert second.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
            deployment.configure({"/": dir_()}, listeners=[listener("127.0.0.1", other)])
            assert "serves" in server.reload()
            assert server.get(path="/").status == 200
            with Client(other) as client:
                assert client.request("GET", "/").status == 200


# Goal: descriptors that are not for us are not touched, and those of no use are said. Method:
# LISTEN_PID of another process; a datagram socket; a socket that does not listen.
def test_strange_descriptors(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1, start=False) as server:
        server.launch(environment={"LISTEN_PID": "1", "LISTEN_FDS": "2"})
        server.wait_notified("READY")
        assert "systemd" not in server.log()
        assert server.stop() == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, \
            socket.socket() as silent, \
            Activated(deployment, [datagrams, silent], workers=1) as server:
        for number in (3, 4):
            assert (f"systemd passed descriptor {number}, no listening stream socket (test.socket);"
                    in server.log())
        assert server.get().status == 200


# Goal: the watchdog is fed in time as long as all answer, and not while a worker is stopped;
# a reload says its beginning and its end.
def test_watchdog(deployment):
    deployment.configure({"/": dir_()}, settings={"heartbeat_ms": 2000})
    with tcp_socket("127.0.0.1", deployment.port) as made, \
            Activated(deployment, [made], workers=1, watchdog_usec=2_000_000) as server:
        server.wait_notified("WATCHDOG")
        worker = server.workers()[0]
        server.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC" in server.wait_notified("RELOADING")
        server.wait_notified("READY")
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: "has said nothing for heartbeat_ms" in server.log(), "its end")
        server.wait_notified("WATCHDOG")
        server.send_signal(signal.SIGTERM)
        server.wait_notified("STOPPING")
        assert server.wait_end() == 0


# Goal: over an upgrade the sockets stay systemd's, those that nobody wants yet too, the manager is
# told of the new process, and that feeds the watchdog; a stop leaves the sockets usable.
@pytest.mark.parametrize("as_root", [False, True], ids=["user", "root"])
def test_upgrade(deployment, as_root):
    if as_root and os.geteuid() != 0:
        pytest.skip("needs root")
    other = free_port()
    path = deployment.path("run/web")
    deployment.configure({"/": dir_()}, listeners=[listener("unix:run/web")])
    with tcp_socket("127.0.0.1", deployment.port) as first, unix_socket(path) as web, \
            tcp_socket("127.0.0.1", other) as second, \
            Activated(deployment, [first, web, second], workers=2, watchdog_usec=2_000_000,
                      names=["a.socket", "b.socket", "c.socket"], as_root=as_root) as server:
        inode = os.stat(path).st_ino
        with server.client() as client:
            assert client.request("GET", "/").status == 200
            server.upgrade()
            assert client.request("GET", "/").status == 200
        server.wait_notified("WATCHDOG")
        assert "(c.socket), and the conf" in server.log().rsplit("has taken over")[0].rsplit(
            "starts as process")[1]
        deployment.configure({"/": dir_()}, listeners=[listener("unix:run/web"),
                                                      listener("127.0.0.1", other)])
        server.reload()
        with Client(other) as client:
            assert client.request("GET", "/").status == 200
        server.upgrade()
        with Client(other) as client:
            assert client.request("GET", "/").status == 200
        server.stop()
        assert os.stat(path).st_ino == inode
        with ask_early(socket.AF_UNIX, path) as early, \
                Activated(deployment, [first, web, second], workers=1, as_root=as_root):
            assert b"<h1>hello</h1>" in read_all(early)
