"""Waiting for conditions, never for a time: every wait has a deadline and says what it waited
for."""

import os
import socket
import time

DEADLINE = float(os.environ.get("M2_TEST_DEADLINE", "30"))  # seconds; more for slow machines


def wait_until(condition, what, deadline=DEADLINE):
    """Returns the first true value of condition(); fails with what after the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:.0f} s: {what}")
        time.sleep(0.01)


def is_alive(pid):
    """False for a zombie too: nobody serves there any more. While other threads of it are still
    ending its sockets are open, and it counts as alive."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return fields[0] not in (b"Z", b"X") or int(fields[17]) > 1
    except OSError:
        return False


def stands_still(pid):
    """SIGSTOP has reached it."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[0] == b"T"


_next_port = 20000 + os.getpid() * 7 % 10000
_claims = []  # sockets that keep the ports of this run


def free_port():
    """A port that is ours until the tests end, below those that the system gives to outgoing
    connections."""
    global _next_port
    for _ in range(5000):
        _next_port = 20000 + (_next_port - 20000 + 1) % 12000
        if _claim(_next_port):
            return _next_port
    raise AssertionError("no free port")


def low_port():
    """A port that only root may listen on."""
    return next(port for port in range(1023, 600, -1) if _claim(port))


def _claim(port):
    """Binds to the port and stays there without listening: nobody is given it who asks for any, or
    who is not ready to share it, and a server, which is (SO_REUSEADDR), can still listen there."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    claim = socket.socket()
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        name.bind(f"\0mongrel2-test-port-{port}")  # other runs of the tests share ports, too
        claim.bind(("127.0.0.1", port))
    except OSError:
        name.close()
        claim.close()
        return False
    _claims.extend((name, claim))
    return True


def occupy(port, host="127.0.0.1"):
    """The socket of somebody who serves there, to be closed by the caller."""
    return socket.create_server((host, port))


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def can_connect(port, host="127.0.0.1"):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, port)) == 0
