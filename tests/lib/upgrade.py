"""Upgrades with a program file of the test's own, which it may replace by another."""

import os
import shutil
import signal

from lib.server import program
from lib.waiting import is_alive, wait_until

# Begins when the test lets it.
_HELD = "#!/bin/sh\nread line < {fifo}\nexec {program} \"$@\"\n"


def own_program(deployment):
    path = shutil.copy(program(), deployment.path("mongrel2"))
    os.chmod(path, 0o755)
    return path


def replace(path, text):
    """As a package manager does it: another file in the place of the old one."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)


def wait_accepts_no_more(pid, port):
    """Until a process that is to finish has closed its copy of the listening socket: before, it may
    take one more client."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file]
    sockets = {f"socket:[{row[9]}]" for row in rows
               if row[1].endswith(f":{port:04X}") and row[3] == "0A"}

    def has_left():
        try:
            folder = f"/proc/{pid}/fd"
            return not any(os.readlink(os.path.join(folder, name)) in sockets
                           for name in os.listdir(folder))
        except OSError:
            return not is_alive(pid)  # or a descriptor is just being closed
    wait_until(has_left, f"process {pid} to accept no more")


class HeldUpgrade:
    """An upgrade whose program waits for go(), once it runs as process .pid."""

    def __init__(self, server, path):
        self.fifo = server.deployment.path("go")
        if not os.path.exists(self.fifo):
            os.mkfifo(self.fifo)
            os.chmod(self.fifo, 0o666)
        replace(path, _HELD.format(fifo=self.fifo, program=program()))
        server.send_signal(signal.SIGUSR2)
        self.pid = wait_until(lambda: self._find(server), "the new program")
        server.known.add(self.pid)

    @staticmethod
    def _find(server):
        for launcher, name in server.children().items():
            if name != "m2-upgrade":
                continue
            with open(f"/proc/{launcher}/task/{launcher}/children", encoding="ascii") as file:
                pids = [int(word) for word in file.read().split()]
            for pid in pids:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if file.read().startswith(b"/bin/sh"):
                        return pid
        return None

    def go(self):
        with open(self.fifo, "w", encoding="ascii") as file:
            file.write("go\n")
