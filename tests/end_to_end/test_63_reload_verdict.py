"""The verdict of a reload says what became of the clients that were held: in the log, in the status
of the service, in the answer of m2sh."""

import os
import signal

import pytest

from lib.backend import Backend
from lib.deployment import UUID, dir_, handler, m2sh, proxy
from lib.handler import Handler
from lib.server import Server
from lib.waiting import wait_until
from lib.websocket_site import WebSocketSite


def open_all(site, path, count):
    return [site.client(path) for _ in range(count)]


# Goal: who stays and who does not is counted over all workers and kinds. Method: WebSockets of a
# pair that stays and of one that goes, requests held by a handler, JSSockets, a tunnel to a
# backend; then a reload without one pair, as m2sh asks for it.
@pytest.mark.parametrize("contract", ["messages", "frames"])
def test_counts(deployment, workers, contract):
    def upgrade(exchange, _head):
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      b"Connection: Upgrade\r\n\r\n")
        while exchange.socket.recv(100):
            pass
        return False
    more = {"websocket": contract} if contract == "messages" else {}
    stays = {"/": dir_(), "/h": handler(), "@chat": handler(), "/ws": handler("stays", **more)}
    with Backend(upgrade) as backend:
        stays["/p"] = proxy(backend.port)
        deployment.configure({**stays, "/gone": handler("goes", **more)})
        with Server(deployment, workers=workers) as server, Handler(deployment) as on, \
                Handler(deployment, "stays") as on_stays, Handler(deployment, "goes") as on_goes:
            staying = open_all(WebSocketSite(deployment, server, on_stays, contract), "/ws", 7)
            going = open_all(WebSocketSite(deployment, server, on_goes, contract), "/gone", 4)
            held = [server.client().send_request(path="/h") for _ in range(5)]
            chats = [server.client().send(b'@chat {"n":1}\0') for _ in range(3)]
            requests = [on.recv() for _ in held + chats]
            tunnel = server.client().send_request(
                path="/p", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
            assert tunnel.answer().status == 101
            idle = server.client()
            assert idle.request().status == 200
            deployment.configure(stays)
            done = m2sh("reload", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder)
            counts = ("; 7 of 11 WebSockets stay, 3 of 3 message sockets stay, "
                      "1 of 1 proxied WebSockets stay, 5 of 5 requests in flight stay; ")
            assert "1 route removed" + counts in done.stdout
            assert "1 route removed" + counts in server.log()
            assert "1 route removed" + counts in server.wait_notified("READY")["STATUS"]
            for client in going:
                assert client.closed_with() == 1012
            for request in requests:
                if request.path == "/h":
                    on.reply(request, "late")
            for client in held:
                assert client.answer().body == b"late"
            for client in staying:
                client.send_frame("still here")
            texts = WebSocketSite(deployment, server, on_stays, contract)
            for _ in staying:
                assert texts.message() == (1, b"still here")
            assert idle.request().status == 200
            assert chats[0].is_quiet() and tunnel.is_quiet()


# Goal: workers that retire are counted too: their WebSockets are told to connect again, their
# requests are answered. Method: from two workers to one, each with some of both.
def test_retiring_worker(deployment):
    deployment.configure({"/": dir_(), "/h": handler(replies="pull"),
                          "/ws": handler("w", websocket="messages")},
                         settings={"workers": 2})
    with Server(deployment) as server, Handler(deployment, replies="pull") as on, \
            Handler(deployment, "w") as on_sockets:
        site, clients = WebSocketSite(deployment, server, on_sockets), []
        open_sockets = []
        for worker, (sockets, requests) in zip(server.workers(), [(2, 3), (4, 1)]):
            for client in server.clients_of(worker, sockets):
                # The helper has asked on this connection; now it becomes a WebSocket.
                client.send_request(path="/ws", headers={
                    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
                assert client.answer().status == 101
                assert site.next().headers["EVENT"] == "open"
                open_sockets.append(client)
            for client in server.clients_of(worker, requests):
                clients.append(client.send_request(path="/h"))
        requests = [on.recv() for _ in range(4)]
        deployment.sql("UPDATE setting SET value = '1' WHERE key = 'workers'")
        status = server.reload()
        # Which of the two stays, their pids do not tell.
        assert "; 2 of 6 WebSockets stay, 4 of 4 requests in flight stay; " in status or \
            "; 4 of 6 WebSockets stay, 4 of 4 requests in flight stay; " in status, status
        for request in requests:
            on.reply(request, "answered")
        for client in clients:
            assert client.answer().body == b"answered"


# Goal: a worker that retires and hangs costs the verdict a second, not more. Method: stop the
# one that will have to go; it is not asked to prepare.
def test_retiring_worker_hangs(deployment):
    deployment.configure({"/": dir_()}, settings={"workers": 2, "drain_ms": 1000})
    with Server(deployment) as server:
        pids = {name: pid for pid, name in server.children().items()}
        os.kill(pids["m2-worker-1"], signal.SIGSTOP)
        deployment.sql("UPDATE setting SET value = '1' WHERE key = 'workers'")
        assert "1 worker" in server.reload()
        assert "have not said whom they served: 1" in server.log()
        wait_until(lambda: len(server.workers()) == 1, "the kernel to end it")
        assert server.get().status == 200
