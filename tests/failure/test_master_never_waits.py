"""The master waits for nobody who reads what it writes: with a reader of stderr that has stopped,
or a disk that hangs under the error log or the pid file,
dead workers are replaced and TERM ends the server."""

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


def named(server, name):
    return [pid for pid, its in server.children().items() if its == name]


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


# Goal: the same for a disk that hangs under the folder of the pid file: reloads work, dead
# processes are replaced, and what was to be written there is there when the disk goes on. A new
# worker, which has a socket there, serves then, too.
@pytest.mark.usefixtures("root")
def test_disk_under_the_pid_file_hangs(deployment):
    deployment.configure({"/": dir_()})
    with StiffDisk(deployment, "run") as disk:
        server = Server(deployment, workers=1, as_root=True, start=False)
        assert server.start_daemon() == 0
        with server:
            verdict = deployment.read("run/mongrel2.verdict")
            disk.freeze()
            for generation in 2, 3:
                server.send_signal(signal.SIGHUP)
                server.says(f"reload: generation {generation} serves")
                assert server.answers()
            assert deployment.read("run/mongrel2.verdict") == verdict
            assert server.log().count("the verdict for m2sh reload is not written") <= 1
            for name in "m2-relay", "m2-worker-0":
                old = named(server, name)
                os.kill(old[0], signal.SIGKILL)
                wait_until(lambda name=name, old=old: named(server, name) not in ([], old), name)
            disk.thaw()
            wait_until(server.answers, "an answer of the new worker")
            wait_until(lambda: deployment.read("run/mongrel2.verdict").startswith(b"3 ok "),
                       "the latest verdict")
            new = b"pid=%d " % server.workers()[0]
            wait_until(lambda: new in deployment.read("run/mongrel2.jail"), "the new worker's page")
            server.stop()


# Goal: such a server can be told to end: it sees to the end of its workers, who hang in the removal
# of their sockets, and only its own last act, the removal of the pid file, waits.
@pytest.mark.usefixtures("root")
def test_stop_with_a_disk_that_hangs_under_the_pid_file(deployment):
    deployment.configure({"/": dir_()}, settings={"drain_ms": 1000})
    with StiffDisk(deployment, "run") as disk:
        server = Server(deployment, workers=1, as_root=True, start=False)
        assert server.start_daemon() == 0
        with server:
            disk.freeze()
            server.send_signal(signal.SIGTERM)
            server.says("stops: what is in flight has 1000 ms to finish")
            server.says("worker 0 has not finished within its limit and is killed")
            disk.thaw()
            pid = server.pid
            wait_until(lambda: not os.path.exists(f"/proc/{pid}") or
                       open(f"/proc/{pid}/stat", encoding="ascii").read().split()[2] == "Z",
                       "the end of the master")
            assert os.listdir(deployment.path("run")) in ([], ["lost+found"])


# Goal: the process that writes is replaced when it dies, and writes what the one before did not.
def test_small_files_after_the_log_process(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1) as server:
        writer = named(server, "m2-log")[0]
        for name in "mongrel2.verdict", "mongrel2.jail":
            os.remove(deployment.path(f"run/{name}"))
        os.kill(writer, signal.SIGKILL)
        for name in "mongrel2.verdict", "mongrel2.jail":
            wait_until(lambda name=name: os.path.exists(deployment.path(f"run/{name}")), name)
        assert "serves" in server.reload()
        wait_until(lambda: deployment.read("run/mongrel2.verdict").startswith(b"2 ok "),
                   "the verdict")
        assert server.stop() == 0
    assert os.listdir(deployment.path("run")) == []


# Goal: the process that writes the lines is replaced when it dies, and that is said.
def test_log_process_is_replaced(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1) as server:
        first = named(server, "m2-log")
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: named(server, "m2-log") not in ([], first), "another one")
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
