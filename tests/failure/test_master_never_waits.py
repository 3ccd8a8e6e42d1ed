"""The master waits for nobody who reads what it writes: with a reader of stderr that has stopped,
or a disk that hangs under the error log, dead workers are replaced and TERM ends the server."""

import fcntl
import os
import signal
import socket

import pytest

from lib.deployment import IS_ROOT, dir_
from lib.server import Server
from lib.stiff_disk import StiffDisk
from lib.waiting import wait_until


def pipe():
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096)
    return readable, writable


def stream_socket():
    """What a journal gives: a stream socket."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    return ends[0].detach(), ends[1].detach()


def fill(writable):
    """Until it takes nothing: not non-blocking, which the server would see. Method: a copy of the
    state of others is not possible, so it is set for this moment."""
    os.set_blocking(writable, False)
    try:
        while os.write(writable, b"." * 512):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(writable, True)


def replace_and_reload(server, turns=3):
    for _ in range(turns):
        worker = server.workers()[0]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda worker=worker: server.workers() not in ([], [worker]), "another worker")
        wait_until(server.answers, "an answer of it")
        assert "serves" in server.reload()


# Goal: as in the first line of this file. Method: stderr is full from the start on.
@pytest.mark.parametrize("as_root", [False, True] if IS_ROOT else [False])
@pytest.mark.parametrize("make", [pipe, stream_socket])
def test_reader_of_stderr_has_stopped(deployment, as_root, make):
    deployment.configure({"/": dir_()}, settings={"server.daemonize": 0})
    deployment.sql("UPDATE server SET error_log_level = 3")
    readable, writable = make()
    server = Server(deployment, workers=1, as_root=as_root, start=False)
    server.start(output=writable)
    fill(writable)
    with server:
        replace_and_reload(server)
        assert server.stop() == 0
    os.close(writable)
    os.close(readable)


# Goal: the reader comes back: lines come again, and what was lost is said with its count.
def test_lost_lines_are_said(deployment):
    deployment.configure({"/": dir_()})
    readable, writable = pipe()
    server = Server(deployment, workers=1, start=False)
    server.start(output=writable)
    fill(writable)
    os.set_blocking(readable, False)
    with server:
        for _ in range(400):  # what the channel to the writing process holds, and more
            server.send_signal(signal.SIGUSR1)
            server.reload()
        text = b""

        def said():
            nonlocal text
            try:
                while piece := os.read(readable, 65536):
                    text += piece
            except BlockingIOError:
                pass
            if b"error log: writes work again; lines lost: " in text:
                return True
            server.send_signal(signal.SIGUSR1)
            return False
        wait_until(said, "the count of what was lost")
        assert server.stop() == 0
    os.close(writable)
    os.close(readable)


# Goal: the same for a disk that hangs under the error log: the lines are there when it goes on.
@pytest.mark.usefixtures("root")
def test_disk_under_the_error_log_hangs(deployment):
    deployment.configure({"/": dir_()})
    with StiffDisk(deployment, "logs") as disk:
        server = Server(deployment, workers=1, as_root=True, start=False)
        assert server.start_daemon() == 0
        with server:
            disk.freeze()
            worker = server.workers()[0]
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: server.workers() not in ([], [worker]), "another worker")
            wait_until(server.answers, "an answer of it")
            disk.thaw()
            server.says(f"(process {worker}) died: killed by signal 9")


# Goal: a server whose disk hangs can be told to end.
@pytest.mark.usefixtures("root")
def test_stop_with_a_disk_that_hangs(deployment):
    deployment.configure({"/": dir_()}, settings={"drain_ms": 1000})
    with StiffDisk(deployment, "logs") as disk:
        server = Server(deployment, workers=1, as_root=True, start=False)
        assert server.start_daemon() == 0
        with server:
            disk.freeze()
            server.send_signal(signal.SIGTERM)
            pid = server.pid
            wait_until(lambda: not os.path.exists(f"/proc/{pid}") or
                       open(f"/proc/{pid}/stat", encoding="ascii").read().split()[2] == "Z",
                       "the end of the master")
            disk.thaw()
    assert not os.path.exists(deployment.path("run/mongrel2.pid"))


# Goal: the process that writes the lines is replaced when it dies, and that is said.
def test_log_process_is_replaced(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1) as server:
        def writer():
            return [pid for pid, name in server.children().items() if name == "m2-log"]
        first = writer()
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: writer() not in ([], first), "another one")
        server.says(f"log (process {first[0]}) died: killed by signal 9 (Killed)")
        assert "serves" in server.reload()
        server.says("reload: generation 2 serves")
        assert server.stop() == 0


# Goal: a start that is refused ends, too. Method: stderr is full before it begins; one has errors
# in its configuration, the other one finds its port taken.
@pytest.mark.parametrize("fault", ["configuration", "port"])
def test_refused_start_ends(deployment, fault):
    deployment.configure({"/": dir_()}, settings={"server.daemonize": 0})
    readable, writable = pipe()
    fill(writable)
    with socket.socket() as other:
        if fault == "port":
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", deployment.port))
            other.listen()
        else:
            deployment.sql("UPDATE route SET target_type = 'nonsense'")
        server = Server(deployment, workers=1, start=False)
        server.launch(output=writable)
        assert server.wait_end() == 1
    assert os.listdir(deployment.path("run")) == []
    os.close(writable)
    os.close(readable)
