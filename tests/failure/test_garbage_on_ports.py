"""Garbage, half requests and silence on every port, HTTP and 0MQ, tcp and ipc."""

import os
import random
import socket

from lib.deployment import dir_, handler
from lib.handler import Answering, http
from lib.server import Server
from lib.waiting import free_port, wait_until


def throw(address, family, data, reset=False):
    with socket.socket(family) as peer:
        peer.settimeout(0.5)  # libzmq takes some garbage for an old peer and keeps the connection
        peer.connect(address)
        try:
            peer.sendall(data)
            if reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            else:
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass
        except OSError:  # reset, broken pipe, no longer connected, silent: the peer is free to
            pass         # refuse garbage at any byte


# Goal: after garbage of every kind on every port the same processes serve as before, without lost
# memory or descriptors.
def test_every_port(deployment, workers):
    specs = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    deployment.configure({"/": dir_(), "/h": handler(),
                          "/t": handler(send_spec=specs[0], recv_spec=specs[1])})
    noise = random.Random(7)
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http("h")), \
            Answering(deployment, lambda request: http("t"), specs=specs):
        assert server.get("/h").body == b"h" and server.get("/t").body == b"t"
        pids = server.children()
        ports = [(("127.0.0.1", deployment.port), socket.AF_INET)]
        ports += [(("127.0.0.1", int(spec.split(":")[2])), socket.AF_INET) for spec in specs]
        ports += [(deployment.path(f"run/{name}"), socket.AF_UNIX)
                  for name in ("h-q", "h-r", "control") if os.path.exists(
                      deployment.path(f"run/{name}"))]
        assert len(ports) >= 5
        samples = [b"", b"\x00", b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n",
                   b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03", b"\x16\x03\x01\x02\x00\x01",
                   b"\xff" + b"\x00" * 8 + b"\x7f\x03\x00NULL" + b"\x00" * 48 + b"\x04\xff",
                   b"A" * 100_000] + [noise.randbytes(noise.randrange(1, 3000)) for _ in range(6)]
        for address, family in ports:
            for number, data in enumerate(samples):
                throw(address, family, data, reset=number % 2 == 1)
        assert server.get().status == 200
        # To libzmq some garbage is an old peer (ZMTP 1.0 has no greeting) and gets a request.
        wait_until(lambda: server.answers("/h") and server.answers("/t"), "both pairs")
        assert server.children() == pids

        def descriptors():
            return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
        before = descriptors()
        for address, family in ports:
            for data in samples:
                throw(address, family, data, reset=True)
        wait_until(lambda: descriptors() <= before + 5, "descriptors to be given back", 60)
        wait_until(lambda: server.answers("/h") and server.answers("/t"), "both pairs")
        assert server.children() == pids


# Goal: thousands of connections that are opened and dropped cost nothing.
def test_connect_and_go(deployment, workers):
    deployment.configure()
    with Server(deployment, workers=workers) as server:
        for number in range(3000):
            with socket.socket() as peer:
                peer.connect(("127.0.0.1", deployment.port))
                if number % 2:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert server.get().status == 200


# Goal: random mutations of good requests never end a worker.
def test_mutations(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"handler.wait_ms": 100,
                                                                  "limits.body_ms": 100,
                                                                  "limits.head_ms": 100})
    noise = random.Random(3)
    seeds = [b"GET /index.html?x=1 HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"x\"\r\n\r\n",
             b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             b"5\r\nhello\r\n0\r\n\r\n",
             b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
             b"GET http://localhost/%2e%2e/ HTTP/1.0\r\nConnection: keep-alive, x\r\n\r\n"]
    with Server(deployment, workers=1) as server, Answering(deployment, lambda request: http("h")):
        pids = server.children()
        for number in range(1500):
            data = bytearray(noise.choice(seeds))
            for _ in range(noise.randrange(1, 4)):
                at = noise.randrange(len(data))
                action = noise.randrange(3)
                if action == 0:
                    data[at] = noise.randrange(256)
                elif action == 1:
                    del data[at:at + noise.randrange(1, 5)]
                else:
                    data[at:at] = noise.choice((b"\r\n", b" ", b":", b"\x00", b"9", b"%"))
                if not data:
                    data = bytearray(b"x")
            throw(("127.0.0.1", deployment.port), socket.AF_INET, bytes(data),
                  reset=number % 3 == 0)
        assert server.get().status == 200
        assert server.children() == pids


# Goal: what looks like a peer of ZMTP 1.0 (an identity and nothing else) gets no request, so none
# is lost to it. Method: such peers on the request endpoint, connected all the time, beside a
# handler.
def test_no_request_for_garbage(deployment, workers):
    specs = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    deployment.configure({"/t": handler(send_spec=specs[0], recv_spec=specs[1])},
                         settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=workers) as server:
        peers = []
        for data in (b"\x01\x00", b"\x05\x00abcd", b"A" * 20) * 4:
            peer = socket.create_connection(("127.0.0.1", int(specs[0].split(":")[2])))
            peer.sendall(data)
            peers.append(peer)
        with Answering(deployment, lambda request: http("t"), specs=specs):
            for _ in range(60):
                assert server.get("/t").body == b"t"
        for peer in peers:
            peer.close()
