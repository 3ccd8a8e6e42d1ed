"""The disk for the logs is full: the server goes on, says so when it can, and counts what it
lost."""

import ctypes
import fcntl
import os
import resource
import threading

import pytest

from lib.deployment import GID, UID, dir_, handler
from lib.handler import Answering, http
from lib.server import Server
from lib.stiff_disk import StiffDisk
from lib.waiting import wait_until


@pytest.fixture
def small_disk(deployment, root):
    """logs/ as a file system of its own with room for a few pages."""
    libc = ctypes.CDLL(None, use_errno=True)
    path = deployment.path("logs").encode()
    options = f"size=16k,uid={UID},gid={GID},mode=755".encode()
    if libc.mount(b"tmpfs", path, b"tmpfs", 0, options) != 0:
        pytest.skip(f"needs root that may mount: {os.strerror(ctypes.get_errno())}")
    yield deployment
    libc.umount2(path, 2)


def ask(server, count):
    with server.client() as client:
        for _ in range(count):
            assert client.request().status == 200
            assert client.request(path="/h").body == b"h"


# Goal: a full file system for the logs: every request is answered; when there is room again lines
# come again. Method: a tmpfs of 16 kB, filled, then freed.
def test_full_file_system(small_disk):
    deployment = small_disk
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"server.daemonize": 0})
    with Server(deployment, workers=2, as_root=True) as server, \
            Answering(deployment, lambda request: http("h")):
        with open(deployment.path("logs/filler"), "wb") as filler:
            try:
                while True:
                    os.write(filler.fileno(), b"x" * 512)
            except OSError:
                pass
        for _ in range(3):
            ask(server, 50)
            server.reload()
        lines = len(deployment.read("logs/access.log"))
        os.unlink(deployment.path("logs/filler"))
        wait_until(lambda: ask(server, 1) or len(deployment.read("logs/access.log")) > lines,
                   "lines again")
        assert server.stop() == 0


# Goal: the same without root: no file may grow above a limit. Method: RLIMIT_FSIZE, which raises
# SIGXFSZ in those who do not expect it.
def test_file_size_limit(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    deployment.write("logs/access.log", b"")
    server = Server(deployment, workers=workers, start=False)
    server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
    with server, Answering(deployment, lambda request: http("h")):
        deployment.write("logs/access.log", b"x" * 65536)
        pids = server.children()
        ask(server, 200)
        assert server.children() == pids
        assert server.stop() == 0


# Goal: a device that takes nothing (/dev/full) as access log: refused at the start or ignored, but
# never in the way of a request.
def test_dev_full(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    os.symlink("/dev/full", deployment.path("logs/access.log"))
    server = Server(deployment, workers=workers, start=False).launch()
    wait_until(lambda: server.process.poll() is not None or server.notify.next(), "the verdict")
    if server.process.poll() is not None:
        assert server.process.returncode == 1 and "access.log" in server.log()
        return
    with server, Answering(deployment, lambda request: http("h")):
        ask(server, 100)
        assert server.stop() == 0


# Goal: whoever reads the server's stderr has stopped: every request is answered all the same.
# Method: a pipe as stderr that nobody reads until the end, and more lines than it holds.
def test_reader_of_stderr_stops(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"server.daemonize": 0})
    deployment.sql("UPDATE server SET error_log_level = 3")
    server = Server(deployment, workers=workers, start=False)
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096)
    server.start(output=writable)
    os.close(writable)
    with server, Answering(deployment, lambda request: http("h")):
        for _ in range(200):
            with server.client() as client:
                client.send(b"nonsense " + b"x" * 1000 + b"\r\n\r\n").answer()
            ask(server, 1)
        pids = server.children()
        reader = threading.Thread(target=lambda: all(iter(lambda: os.read(readable, 65536), b"")))
        reader.start()
        assert server.children() == pids
        assert server.stop() == 0
    reader.join()
    os.close(readable)


# Goal: the disk under the logs stands still: every request is answered all the same, and the lines
# are there once it moves again. Method: a frozen file system.
def test_frozen_disk(deployment, root):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"server.daemonize": 0})
    with StiffDisk(deployment, "logs") as disk, \
            Server(deployment, workers=2, as_root=True) as server, \
            Answering(deployment, lambda request: http("h")):
        ask(server, 5)
        before = len(server.wait_access(10))
        disk.freeze()
        ask(server, 100)
        with server.client() as client:
            client.send(b"nonsense\r\n\r\n").answer()
        assert len(server.access_log()) == before
        disk.thaw()
        server.wait_access(before + 201)
        assert server.stop() == 0
