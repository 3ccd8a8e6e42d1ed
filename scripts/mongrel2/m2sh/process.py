"""A server as a process: its program, its pid file, signals to it.

Used by process_commands.py. A pid is taken for a server only if the process looks like one: a
number left behind in a file may belong to anybody by now.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import List, Optional, Union

from mongrel2 import db

_POLL_SECONDS = 0.05


class ProcessError(Exception):
    """Something could not be done to a process; the message says what and what would help."""


@dataclass(frozen=True)
class Found:
    """What the pid file of a server says."""

    path: str
    pid: int  # 0: no file, or nothing readable in it
    running: bool


def find(server: db.Row) -> Found:
    path = pid_path(server)
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read(32).strip()
    except OSError:
        return Found(path, 0, False)
    if not text.isdigit() or int(text) < 2:
        return Found(path, 0, False)
    return Found(path, int(text), _is_server(int(text), server["uuid"]))


def pid_path(server: db.Row) -> str:
    """chroot and pid_file joined, whoever the server runs as; relative to the folder we are in."""
    if not server["chroot"]:  # 1.x: no chroot, paths as they are
        return str(server["pid_file"])
    below = str(server["pid_file"]).lstrip("/")
    return os.path.normpath(os.path.join(str(server["chroot"]), below))


@dataclass(frozen=True)
class Verdict:
    """What came of the latest reload or upgrade of a server."""

    count: int
    ok: bool
    text: str


def verdict(server: db.Row) -> Optional[Verdict]:
    """The latest one; None if the server writes none."""
    path = pid_path(server)
    path = (path[:-4] if path.endswith(".pid") else path) + ".verdict"
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            count, kind, text = file.read(64 * 1024).split(" ", 2)
        return Verdict(int(count), kind == "ok", text.strip())
    except (OSError, ValueError):
        return None


def wait_for_verdict(server: db.Row, before: Verdict, seconds: float,
                     about: str = "") -> Optional[Verdict]:
    """The first verdict after that one whose text begins so; None if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        now = verdict(server)
        if now is not None and now.count > before.count and now.text.startswith(about):
            return now
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_SECONDS)


def _is_server(pid: int, uuid: str) -> bool:
    if not _is_alive(pid):
        return False
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read()
    except OSError:  # gone in this moment, or a system that does not tell
        return _is_alive(pid)
    name = (line.partition(b"\0")[0].split() or [b""])[0]
    return b"mongrel2" in os.path.basename(name) or os.fsencode(uuid) in line


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, so there is one
        return True
    try:  # a zombie answers to signal 0, but serves nobody
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


def wait_until_gone(pid: int, seconds: float) -> bool:
    """Waits until the process has ended, no longer than that; whether it has."""
    deadline = time.monotonic() + seconds
    while _is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def send(pid: int, number: signal.Signals, sudo: Union[str, bool, None]) -> None:
    """Sends a signal. A server that was started with sudo belongs to root: then sudo is asked."""
    if not sudo:
        try:
            os.kill(pid, number)
            return
        except ProcessLookupError:
            raise ProcessError(f"The process {pid} has ended meanwhile.") from None
        except PermissionError:
            print(f"The process {pid} belongs to another user, asking sudo.", flush=True)
    prefix = sudo_words(sudo or True)
    if prefix[:1] == ["sudo"] and not sys.stdin.isatty():
        prefix.insert(1, "-n")  # nobody is there to type a password
    name = number.name[len("SIG"):]
    command = prefix + ["sh", "-c", f"kill -s {name} {pid}"]
    try:
        status = subprocess.run(command).returncode
    except OSError as error:
        raise ProcessError(f"{command[0]}: {error.strerror}; "
                           f"run this as the owner of process {pid}, or as root") from None
    if status != 0:
        raise ProcessError(f"{shlex.join(command)} failed; "
                           f"run this as the owner of process {pid}, or as root")


def sudo_words(sudo: Union[str, bool, None]) -> List[str]:
    """What to put before a command for -sudo [COMMAND]; root needs no sudo, only a COMMAND."""
    if not sudo or (sudo is True and os.geteuid() == 0):
        return []
    return ["sudo"] if sudo is True else shlex.split(str(sudo))


def program() -> str:
    """The server to start: $MONGREL2_BIN; else the one built in this checkout or installed with
    this m2sh; else what the PATH has."""
    chosen = os.environ.get("MONGREL2_BIN")
    if chosen:
        found = shutil.which(chosen)
        if not found:
            raise ProcessError(f"MONGREL2_BIN={chosen} is not a program")
        return os.path.abspath(found)
    script = os.path.dirname(os.path.realpath(sys.argv[0]))
    checkout = os.path.dirname(script)
    places = [os.path.join(checkout, "build", "mongrel2"), os.path.join(script, "mongrel2")]
    for place in places:
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    found = shutil.which("mongrel2")
    if not found:
        raise ProcessError("There is no program mongrel2: run make, or make install, or set "
                           "MONGREL2_BIN to where it is")
    return found
