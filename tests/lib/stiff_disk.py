"""A real file system that can be frozen: whoever writes to it waits until it is thawed."""

import contextlib
import fcntl
import os
import subprocess

import pytest

from lib.deployment import GID, UID

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878


class StiffDisk:
    """A folder of a deployment as a file system of its own, for root."""

    def __init__(self, deployment, folder):
        self.deployment = deployment
        self.path = deployment.path(folder)
        image = deployment.path("disk.img")
        with open(image, "wb") as file:
            file.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, stdout=subprocess.DEVNULL)
        mount = ["mount", "-o", "loop", image, self.path]
        if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("needs root that may mount an image")
        os.chown(self.path, UID, GID)
        self.handle = os.open(self.path, os.O_RDONLY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thaw()
        os.close(self.handle)
        for server in self.deployment.servers:
            server.end_now()
        subprocess.run(["umount", "-l", self.path], check=True)

    def freeze(self):
        fcntl.ioctl(self.handle, FIFREEZE, 0)

    def thaw(self):
        with contextlib.suppress(OSError):  # it was not frozen
            fcntl.ioctl(self.handle, FITHAW, 0)
