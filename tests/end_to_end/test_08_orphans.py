"""Processes that are nobody's: the master lets them go when they end, and its own children are
counted as before."""

import ctypes
import os
import signal

import pytest

from lib.deployment import dir_
from lib.server import Server
from lib.waiting import wait_until

PR_SET_CHILD_SUBREAPER = 36


def children(pid):
    """{pid: (name, state)} of all, zombies too."""
    found = {}
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        for word in file.read().split():
            try:
                with open(f"/proc/{word}/stat", encoding="ascii") as stat:
                    head, _, rest = stat.read().rpartition(")")
                found[int(word)] = (head.partition("(")[2], rest.split()[0])
            except OSError:
                pass
    return found


def leave_orphans():
    """Between fork and exec: the server becomes the parent of a process that has ended, of one that
    will end, and of one that ends when it is told to."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for seconds in ("0", "0.3", "1000"):
        parent = os.fork()
        if parent == 0:
            if os.fork() == 0:
                os.execvp("sleep", ["sleep", seconds])
            os._exit(0)


# Goal: as the first line of this file says. Method: orphans from before the start, as in a
# container whose first process this is.
@pytest.mark.parametrize("workers", [1, 2])
def test_orphans_are_let_go(deployment, workers):
    deployment.configure({"/": dir_()})
    server = Server(deployment, workers=workers, start=False)
    server.start(preexec_fn=leave_orphans)
    with server:
        def strangers():
            return {pid: facts for pid, facts in children(server.pid).items()
                    if not facts[0].startswith("m2-")}
        wait_until(lambda: [facts[1] for facts in strangers().values()] == ["S"],
                   "one to be left, and no zombie")
        # Theirs and ours at once, many times.
        last = next(iter(strangers()))
        for turn in range(5):
            worker = server.workers()[0]
            os.kill(worker, signal.SIGKILL)
            if turn == 2:
                os.kill(last, signal.SIGKILL)
            server.says(f"(process {worker}) died: killed by signal 9")
            wait_until(lambda worker=worker: worker not in server.workers()
                       and len(server.workers()) == workers, "another worker")
            assert "serves" in server.reload()
        wait_until(lambda: not strangers(), "nobody's to be gone")
        wait_until(lambda: all(state != "Z" for _, state in children(server.pid).values()),
                   "no zombie")
        server.upgrade()
        assert server.get().status == 200
        server.stop()
