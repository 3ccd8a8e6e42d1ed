"""A wall clock that a test steps, for one server and its children."""

import mmap
import os
import struct
import subprocess

from lib.deployment import TOP


class SteppedClock:
    def __init__(self, deployment):
        library = deployment.path("stepped_clock.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library,
                        os.path.join(TOP, "tests", "lib", "stepped_clock.c")], check=True)
        path = deployment.write("clock", bytes(8))
        self.environment = {"LD_PRELOAD": library, "STEPPED_CLOCK": path}
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8)

    def step(self, seconds):
        """How far it is from the right time, from now on."""
        self.memory[:] = struct.pack("=q", seconds)
