"""Replies by multicast (epgm, manual 5.2): another program receives them and passes them on."""

import os
import signal
import socket
import struct
import subprocess
import sys

import pytest

from lib.client import Client
from lib.deployment import TOP, handler
from lib.server import Server
from lib.waiting import DEADLINE, wait_until

HERE, THERE, GROUP, PORT = "10.9.0.1", "10.9.0.2", "239.192.1.1", 5555
BRIDGE = os.path.join(TOP, "docs", "examples", "multicast.py")
ECHO = os.path.join(TOP, "docs", "examples", "echo.py")
PGM_SOURCE_PATH, PGM_DATA = 0, 4


class Machine:
    """A network of its own; the test's own disk. A process holds it."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", "ip link set lo up && echo && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.processes = [self.holder]
        assert self.holder.stdout.readline()

    def words(self, *words):
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--", *words]

    def run(self, *words):
        return subprocess.run(self.words(*words), check=True, timeout=DEADLINE,
                              stdout=subprocess.PIPE, text=True).stdout

    def join(self, interface, address):
        self.run("ip", "link", "set", interface, "multicast", "on", "up")
        self.run("ip", "addr", "add", f"{address}/24", "dev", interface)
        self.run("ip", "route", "add", "224.0.0.0/4", "dev", interface)

    def start(self, script, *arguments):
        """As nobody: none of this needs a privilege."""
        self.processes.append(subprocess.Popen(
            self.words("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                       sys.executable, script, *arguments),
            env={**os.environ, "PYTHONPATH": f"{TOP}/scripts:{TOP}/tests"}))
        return self.processes[-1]

    def pass_on(self, recv_spec):
        """Starts a bridge and waits until it hears the group."""
        bridge = self.start(BRIDGE, f"epgm://{HERE};{GROUP}:{PORT}", recv_spec)
        group = f"{struct.unpack('=I', socket.inet_aton(GROUP))[0]:08X}"
        wait_until(lambda: group in self.run("cat", "/proc/net/igmp"), "the bridge has joined")
        return bridge

    def close(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait(DEADLINE)


@pytest.fixture
def machines(root):
    """Two, with a cable between them: a process does not hear what its own machine sends."""
    here, there = Machine(), Machine()
    try:
        here.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable",
                 "netns", str(there.holder.pid))
        here.join("cable", HERE)
        there.join("cable", THERE)
        yield here, there
    finally:
        there.close()
        here.close()


def packet(kind, body, payload=b""):
    """A PGM packet (RFC 3208) with a right checksum."""
    made = struct.pack("!HHBBH6sH", 4337, PORT, kind, 0, 0, b"sender", len(payload))
    made += body + payload
    padded = made + b"\0" * (len(made) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return made[:6] + struct.pack("!H", ~total & 0xffff or 0xffff) + made[8:]


def send_bad_packet():
    """What a process of the other machine does: sends a byte of data where libzmq expects two."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((HERE, PORT))
        sender.send(packet(PGM_SOURCE_PATH, struct.pack("!IIIHH4s", 0, 0, 0xffffffff, 1, 0,
                                                        socket.inet_aton(THERE))))
        sender.send(packet(PGM_DATA, struct.pack("!II", 0, 0), b"\0"))


# Goal: a handler answers by multicast through the program that the documentation shows, and all of
# it arrives; a packet from the network ends that program alone (the reason why the server does not
# receive multicast itself), and the next one goes on.
def test_replies_by_multicast(deployment, machines, workers):
    here, there = machines
    deployment.configure({"/": handler()}, settings={"handler.wait_ms": 30000})
    recv_spec = deployment.endpoint("ipc://run/h-r")
    with Server(deployment, workers=workers) as server, \
            Client(deployment.port, deadline=2 * DEADLINE) as client:
        bridge = here.pass_on(recv_spec)
        there.start(ECHO, deployment.endpoint("ipc://run/h-q"),
                    f"epgm://{THERE};{GROUP}:{PORT}")
        for number in range(20):
            answer = client.request("POST", f"/{number}", body=b"x" * number)
            assert answer.body == f"Python: POST /{number}, {number} bytes\n".encode()
        assert there.start(__file__).wait(DEADLINE) == 0
        assert bridge.wait(DEADLINE) == -signal.SIGABRT
        server.handlers_gone(1)
        here.pass_on(recv_spec)
        assert client.request(path="/again").body == b"Python: GET /again, 0 bytes\n"
        assert "died" not in server.log()


if __name__ == "__main__":
    send_bad_packet()
