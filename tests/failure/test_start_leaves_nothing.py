"""A start that fails leaves nothing of its own behind, whatever it had made when it failed."""

import ctypes
import os
import shutil
import socket

import pytest

from lib.deployment import GID, IS_ROOT, UID, UUID, dir_, handler, listener
from lib.server import run
from lib.waiting import occupy


class Disk:
    """run/ on a file system that has room for so many bytes, and files."""

    def __init__(self, deployment, options):
        self.path = deployment.path("run").encode()
        self.libc = ctypes.CDLL(None, use_errno=True)
        options = f"{options},uid={UID},gid={GID},mode=755".encode()
        if self.libc.mount(b"tmpfs", self.path, b"tmpfs", 0, options) != 0:
            pytest.skip("needs root that may mount")

    def close(self):
        self.libc.umount2(self.path, 2)


def full_disk(deployment):
    disk = Disk(deployment, "size=4k")
    with open(deployment.path("run/filler"), "wb") as file:
        file.write(b"x" * 4096)
    return disk.close


def no_inodes(number):
    """Room for so many files: what is made after them fails."""
    def prepare(deployment):
        return Disk(deployment, f"size=1m,nr_inodes={number}").close
    prepare.__name__ = f"room_for_{number - 1}"
    return prepare


def port_in_use(deployment):
    return occupy(deployment.port).close


def second_port_in_use(deployment):
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen()
    deployment.configure({"/": dir_(), "/h": handler()}, settings=SETTINGS,
                         listeners=[listener("unix:run/web"),
                                    listener("127.0.0.1", other.getsockname()[1])])
    return other.close


def endpoint_in_use(deployment):
    other = socket.socket(socket.AF_UNIX)
    other.bind(deployment.path("run/h-r"))
    other.listen()

    def close():
        other.close()
        os.unlink(deployment.path("run/h-r"))
    return close


def no_log_folder(deployment):
    shutil.rmtree(deployment.path("logs"))


def access_log_is_a_folder(deployment):
    os.mkdir(deployment.path("logs/access.log"))


def error_log_is_a_folder(deployment):
    os.mkdir(deployment.path("logs/error.log"))


def missing_endpoint_folder(deployment):
    deployment.configure({"/": dir_(), "/h": handler(send_spec="ipc://run/none/q")},
                         settings=SETTINGS, listeners=[listener("unix:run/web")])


SETTINGS = {"server.daemonize": 0}
REASONS = [full_disk, *[no_inodes(number) for number in range(1, 7)], port_in_use,
           second_port_in_use, endpoint_in_use, no_log_folder, access_log_is_a_folder,
           error_log_is_a_folder, missing_endpoint_folder]


# Goal: as in the first line of this file, also in the background. Method: each reason, and with it
# each order in which things are made; what stands in run/ before and after. A log file stays: it
# is a record, and says why.
@pytest.mark.parametrize("reason, background", [
    pytest.param(reason, background,
                 id=f"{reason.__name__}-{'background' if background else 'foreground'}")
    for reason in REASONS for background in ([False, True] if IS_ROOT else [False])
    if background or reason is not error_log_is_a_folder])  # in the foreground that is stderr
def test_nothing_is_left(deployment, reason, background):
    settings = {} if background else SETTINGS
    deployment.configure({"/": dir_(), "/h": handler()}, settings=settings,
                         listeners=[listener("unix:run/web")])
    undo = reason(deployment)
    try:
        before = sorted(os.listdir(deployment.path("run")))
        done = run(deployment.database, UUID, as_root=IS_ROOT)
        after = sorted(os.listdir(deployment.path("run")))
        if done.returncode == 0:  # in the background, with files that it can do without
            with open(deployment.path("run/mongrel2.pid"), encoding="ascii") as file:
                os.kill(int(file.read()), 9)
            pytest.fail("it serves: " + done.stdout)
        assert done.returncode == 1, done.stdout
        assert after == before, done.stdout
    finally:
        if undo is not None:
            undo()
