"""Peers that the 0MQ endpoints refuse: a line with who and why, and not more lines than that."""

import socket

import pytest
import zmq
import zmq.utils.monitor

from lib.deployment import handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import free_port, wait_until

ZMTP_1 = b"\x01\x00"
ZMTP_2 = b"\xff" + b"\x00" * 7 + b"\x01\x7f\x01\x02\x00\x00"
ZMTP_3_BAD = b"\xff" + b"\x00" * 7 + b"\x01\x7f\x03\x00NULL" + b"\x00" * 48 + b"\x04\x05\x04WHAT"
OLD = "speaks ZMTP "


def throw(address, data):
    """Says it, and waits for the end of the connection."""
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(address)
        try:
            peer.sendall(data)
            while peer.recv(4096):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass


def throw_until(server, address, data, text):
    """Returns when the log says the text."""
    def said():
        throw(address, data)
        return text in server.log()
    wait_until(said, f"{text!r} in the log")


# Goal: who speaks an old protocol, or none, is named once for each fault, with address and reason,
# however often it comes; one with another fault is named beside it, and handlers are served.
def test_named(deployment, workers):
    specs = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    deployment.configure({"/h": handler(send_spec=specs[0], recv_spec=specs[1])})
    replies = ("127.0.0.1", int(specs[1].rsplit(":", 1)[1]))
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http("k"), specs=specs):
        throw(replies, ZMTP_2)
        server.says(f"handler endpoint {specs[1]}: a peer ")
        server.says(OLD)
        # libzmq may be quicker than the look at who it was.
        throw_until(server, replies, ZMTP_1, f"endpoint {specs[1]}: a peer at 127.0.0.1:")
        for _ in range(50):
            throw(replies, ZMTP_1)
        throw(replies, ZMTP_3_BAD)
        server.says("sent a handshake that is not as ZMTP 3 wants it: refused")
        assert server.get("/h").body == b"k"
        lines = server.log().count(OLD)
        assert 1 <= lines < 10


# Goal: the same on ipc: the process is named.
@pytest.mark.parametrize("end", ["q", "r"])
def test_named_on_ipc(deployment, workers, end):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server:
        throw_until(server, deployment.path(f"run/h-{end}"), ZMTP_1, f"run/h-{end}: process")
        server.says(OLD)


# Goal: a handler with CURVE at an endpoint without is told apart from strangers. Method: sockets of
# libzmq, one after the other, since each side may be the first to notice.
def test_curve_on_one_side(deployment, workers):
    specs = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    deployment.configure({"/h": handler(send_spec=specs[0], recv_spec=specs[1])})
    with Server(deployment, workers=workers) as server, zmq.Context() as context:
        public, secret = zmq.curve_keypair()

        def said():
            with context.socket(zmq.PUB) as peer:
                peer.linger = 0
                monitor = peer.get_monitor_socket()
                peer.curve_publickey, peer.curve_secretkey = public, secret
                peer.curve_serverkey = public
                peer.connect(specs[1])
                while monitor.poll(1000):
                    if zmq.utils.monitor.recv_monitor_message(monitor)["event"] \
                            == zmq.EVENT_DISCONNECTED:
                        break
                peer.disable_monitor()
                monitor.close()
            return "do not agree on CURVE" in server.log()
        wait_until(said, "the reason in the log")


# Goal: a handler whose replies are malformed all the time hides nobody: the first malformed reply
# of its neighbour, with another fault, has its line at once. Method: the first goes on until the
# line of the second is there.
def test_another_fault_beside_many_of_one_kind(deployment, workers):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as noisy, \
            Handler(deployment) as other:
        wait_until(server.has_handlers, "a handler")

        def lines():
            for _ in range(500):
                noisy.replies.send(f"{noisy.ident} rubbish".encode())
            return server.log().count("Skipped invalid message from handler")
        wait_until(lines, "the first line")
        before = lines()
        # Until it is connected for replies, too.
        wait_until(lambda: other.send("1 " * 200 + "2", b"x") or lines() > before,
                   "the other's line")
        kinds = {line.split("from handler: ", 1)[1].split(" (so far")[0]
                 for line in server.log().splitlines() if "Skipped invalid" in line}
        assert len(kinds) == 2, kinds
        assert server.log().count("Skipped invalid message from handler") < 10
