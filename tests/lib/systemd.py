"""A stand-in for systemd where none can run: its side of socket activation (sd_listen_fds(3)), of the
notify socket with MAINPID, and of the watchdog, for one service."""

import os
import socket
import subprocess
import sys

from lib.server import Server

# Between fork and exec, as systemd does it: the sockets become 3, 4, ..., LISTEN_PID is ourselves.
_EXEC = """
import os, sys
fds = [int(word) for word in sys.argv[1].split(",") if word]
high = [os.dup(fd) for fd in fds]
high = [fd if fd > 2 + len(fds) else __import__("fcntl").fcntl(fd, 0, 3 + len(fds)) for fd in high]
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number, inheritable=True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(fds))
os.execv(sys.argv[2], sys.argv[2:])
"""


def tcp_socket(host, port, backlog=64):
    """ListenStream=ADDRESS:PORT. The host "::" is for both families, as ListenStream=PORT."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if host == "::":
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind((host, port))
    made.listen(backlog)
    return made


def unix_socket(path, mode=0o666, backlog=64):
    """ListenStream=PATH with SocketMode=."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    os.chmod(path, mode)
    made.listen(backlog)
    return made


class Activated(Server):
    """A server that systemd starts with these sockets; they stay open here when it ends."""

    def __init__(self, deployment, sockets, *options, names=None, watchdog_usec=None, **more):
        self.sockets = list(sockets)
        self.names = names or ["test.socket"] * len(self.sockets)
        self.watchdog_usec = watchdog_usec
        super().__init__(deployment, *options, **more)

    def launch(self, notify=True, environment=None, **more):
        del notify
        variables = {**os.environ, **(environment or {}), "NOTIFY_SOCKET": self.notify.path,
                     "LISTEN_FDNAMES": ":".join(self.names)}
        if self.watchdog_usec:
            variables["WATCHDOG_USEC"] = str(self.watchdog_usec)
        numbers = [each.fileno() for each in self.sockets]
        words = self.words()
        split = next(i for i, word in enumerate(words) if word.endswith("/mongrel2"))
        starter = [sys.executable, "-c", _EXEC, ",".join(map(str, numbers))]
        with open(self.stderr, "ab") as output:
            self.process = subprocess.Popen(
                words[:split] + starter + words[split:], pass_fds=numbers,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables,
                cwd=self.deployment.folder, start_new_session=True, **more)
        self.pid = self.process.pid
        self.known.add(self.pid)
        return self
