"""Caps on connections: in all, for each address, and what happens without descriptors."""

import resource
import socket

import pytest

from lib.client import Client
from lib.deployment import dir_, handler, listener
from lib.handler import Handler
from lib.server import Server
from lib.waiting import free_port, has_ipv6, wait_until


def is_served(client):
    """True: served; False: told 503 and closed, without having asked."""
    try:
        client.send_request()
    except OSError:
        pass
    answer = client.answer()
    if answer.status == 503:
        assert answer.headers["connection"] == "close" and client.is_closed()
    return answer.status == 200


def settings(cap, **more):
    return {"limits.connections_per_address": cap, **more}


# Goal: one address gets so many connections and no more, another its own; a place that is left is
# free again; the log names the address. One worker, since each counts for itself.
def test_per_address(deployment):
    deployment.configure({"/": dir_()}, settings=settings(3))
    with Server(deployment, workers=1) as server:
        kept = [server.client() for _ in range(3)]
        assert all(is_served(client) for client in kept)
        for _ in range(3):
            with server.client() as client:
                assert not is_served(client)
            with server.client(source="127.0.0.2") as client:
                assert is_served(client)
            kept.pop().close()
            wait_until(lambda: served_now(server, kept), "the place to be free")
        server.says("limits.connections_per_address=3 reached by 127.0.0.1")


def served_now(server, kept):
    """Takes the place if it is free."""
    client = server.client()
    if not is_served(client):
        client.close()
        return False
    kept.append(client)
    return all(is_served(other) for other in kept)


# Goal: addresses of one IPv6 /64 are one client, and IPv4 addresses of a socket for both families
# are themselves.
@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_families(deployment):
    deployment.configure({"/": dir_()}, bind_addr="::", settings=settings(1))
    with Server(deployment, workers=1) as server:
        with server.client(host="::1") as first, server.client() as second:
            assert is_served(first) and is_served(second)
            with server.client(host="::1") as client:
                assert not is_served(client)
            with server.client(source="127.0.0.2") as client:
                assert is_served(client)


# Goal: clients of a balancer with the PROXY protocol count by their own address; IPv6 by /64; the
# balancer's own questions do not count. Those of unix sockets have no address and no cap.
def test_behind_balancer(deployment):
    port = free_port()
    deployment.configure(
        {"/": dir_()}, settings=settings(1, **{"proxy_protocol.trusted": "127.0.0.1"}),
        listeners=[listener("127.0.0.1", port, proxy_protocol=1), listener("unix:run/web")])
    with Server(deployment, workers=1) as server:
        def comes_from(header):
            return server.client(port).send(header + b"\r\n")
        kept = []
        for text in (b"TCP4 192.0.2.1 127.0.0.1 1 2", b"TCP4 192.0.2.2 127.0.0.1 1 2",
                     b"TCP6 2001:db8::1 ::1 1 2", b"TCP6 2001:db8:0:1::1 ::1 1 2",
                     b"UNKNOWN", b"UNKNOWN"):
            kept.append(comes_from(b"PROXY " + text))
            assert is_served(kept[-1]), text
        for text in (b"TCP4 192.0.2.1 127.0.0.1 1 2", b"TCP6 2001:db8::9 ::1 1 2"):
            with comes_from(b"PROXY " + text) as client:
                assert not is_served(client), text
        kept += [Client(deployment.path("run/web")) for _ in range(3)]
        assert all(is_served(client) for client in kept)


# Goal: behind a trusted HTTP proxy the requests in flight count, by the address of their client;
# the proxy's connections do not. Method: a handler that holds its answers.
def test_behind_proxy(deployment):
    deployment.configure({"/": dir_(), "/h": handler()},
                         settings=settings(2, **{"forwarded.trusted": "127.0.0.2"}))
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        def ask(address, path="/h"):
            client = server.client(source="127.0.0.2")
            return client.send_request(path=path, headers={"X-Forwarded-For": address})
        held = [ask("192.0.2.1"), ask("192.0.2.1"), ask("192.0.2.2")]
        requests = [on.recv() for _ in held]
        assert ask("192.0.2.1").answer().status == 503
        assert ask("192.0.2.1", "/").answer().status == 503
        assert ask("192.0.2.2", "/").answer().status == 200
        on.reply(next(request for request in requests
                      if request.headers["REMOTE_ADDR"] == "192.0.2.1"), "done")
        wait_until(lambda: ask("192.0.2.1", "/").answer().status == 200, "the place to be free")
        server.says("reached by 192.0.2.1: answered 503")
        codes = [line[7] for line in server.wait_access(4)]
        assert 503 in codes


# Goal: the cap comes, changes and goes with reloads; who is connected counts and stays.
def test_reload(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1) as server:
        kept = [server.client() for _ in range(4)]
        assert all(is_served(client) for client in kept)
        for cap, room in ((3, False), (5, True), (4, False), (0, True)):
            deployment.configure({"/": dir_()}, settings=settings(cap))
            server.reload()
            wait_until(lambda: all(is_served(client) for client in kept), "all to be served")
            with server.client() as client:
                assert is_served(client) == room
            # It has left when the next one is counted: both are told to one worker in order.
            assert all(is_served(client) for client in kept)


# Goal: limits.connections holds for all listeners of a worker together.
def test_in_all(deployment):
    deployment.configure({"/": dir_()}, settings={"limits.connections": 4},
                         listeners=[listener("unix:run/web")])
    with Server(deployment, workers=1) as server:
        kept = [server.client() for _ in range(2)]
        kept += [Client(deployment.path("run/web")) for _ in range(2)]
        assert all(is_served(client) for client in kept)
        for place in (deployment.port, deployment.path("run/web")):
            with Client(place) as client:
                assert not is_served(client)
        server.says("limits.connections=4 reached")


# Goal: a worker without descriptors waits instead of spinning, says so, serves those it has, and
# takes the others when there is room. Method: more clients than it may have descriptors.
def test_no_descriptors(deployment):
    deployment.configure({"/a/": dir_()})  # a 404 takes no descriptor
    server = Server(deployment, workers=1, start=False)
    with server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))):
        clients = [server.client() for _ in range(300)]
        text = "(superpoll.max_fd raises the limit): clients wait"
        wait_until(lambda: text in server.log(), "the log to say so")
        worker = wait_until(server.workers, "the list of workers")[0]
        before = cpu_ticks(worker)
        first = clients[0]
        for _ in range(20):
            assert first.request(path="/none").status == 404
        wait_until(lambda: server.log().count(text) > 1, "a second line in the log")
        assert cpu_ticks(worker) - before < 50  # a second has passed: spinning would be 100 ticks
        for client in clients[1:100]:
            client.close()
        for client in clients[100:]:
            assert client.request(path="/none").status == 404


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# Goal: all that has connected before the server was ready to take it is taken, in whatever burst.
def test_burst(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server:
        clients = [server.client() for _ in range(300)]
        for client in clients:
            client.send_request()
        for client in clients:
            assert client.answer().status == 200
            client.close()
        with socket.create_connection(("127.0.0.1", deployment.port)):
            assert server.get().status == 200
