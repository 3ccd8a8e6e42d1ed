"""Which process is a server, and signals to it.

The proof is the lock that a master holds on its pid file (master/pid_file.h): the kernel names the
holder. The number in the file is for people, and for saying who has ended without a word. As root
the holder must be the master in that folder, or belong to the one user whose folder it is, so
that root signals nobody whom that user could not. A signal goes to a process, never to a number.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select as polling
import signal
import struct
import time
from dataclasses import dataclass
from typing import Iterator, Optional, Set

from mongrel2 import db
from mongrel2.folder import Folder, FolderError, crowd, writers_of
from mongrel2.m2sh.process import ProcessError
from mongrel2.m2sh.select import short_title

# Between two masters of an upgrade nobody has the lock for a moment.
_HANDOVER_SECONDS = 0.3
_POLL_SECONDS = 0.05
_POLL_MS_MOST = 2 ** 31 - 1
_PID_BYTES = 32
# The name of a master that stops gracefully (master/supervisor.cc).
_DRAINING = "mongrel2-drains"
_LOCK = "@hhqqi4x"  # struct flock of 64-bit offsets


class NotPermitted(ProcessError):
    """The process belongs to somebody else."""


@dataclass(frozen=True)
class Found:
    """What was found of a server; pid 0: it does not run, and why says what there is instead."""

    why: str = ""
    pid: int = 0
    handle: int = -1  # of the process, whatever becomes of its number

    @property
    def stops(self) -> bool:
        """It was told to stop, and finishes what it is doing."""
        return _read(f"/proc/{self.pid}/comm").strip() == _DRAINING

    def signal(self, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self.handle, number)
        except ProcessLookupError:
            raise ProcessError(f"The process {self.pid} has ended meanwhile.") from None
        except PermissionError:
            raise NotPermitted(f"The process {self.pid} belongs to another user") from None

    def ends_within(self, seconds: float) -> bool:
        poll = polling.poll()
        poll.register(self.handle, polling.POLLIN)
        return bool(poll.poll(min(int(seconds * 1000), _POLL_MS_MOST)))


@contextlib.contextmanager
def find(server: db.Row, database: str) -> Iterator[Found]:
    """The process of a server; what is returned is good inside the `with` block."""
    handle = -1
    try:
        with pid_folder(server, database) as folder:
            found = _look(server, folder)
        handle = found.handle
    except FolderError as error:
        found = Found(_not_found(server, error))
    try:
        yield found
    finally:
        if handle >= 0:
            os.close(handle)


def _not_found(server: db.Row, error: FolderError) -> str:
    path, name = pid_path(server), short_title(server)
    if not error.missing:
        return f"PID file {path} of server {name} cannot be used: {error}"
    text = f"PID file {path} not found for server {name}"
    return text if str(error) == f"{path} is not there" else f"{text}: {error}"


def pid_path(server: db.Row) -> str:
    """chroot and pid_file joined, whoever the server runs as; relative to the folder we are in."""
    if not server["chroot"]:  # 1.x: no chroot, paths as they are
        return str(server["pid_file"])
    return os.path.normpath(os.path.join(str(server["chroot"]), _inside(server)))


def _inside(server: db.Row) -> str:
    return str(server["pid_file"]).lstrip("/")


@contextlib.contextmanager
def pid_folder(server: db.Row, database: str) -> Iterator[Folder]:
    """The folder of the pid file, where the server keeps its other small files too. As root only if
    at most one user decides what is found there."""
    path = pid_path(server)
    with server_folder(server, database, path) as top:
        below = os.path.dirname(_inside(server)) if server["chroot"] else "."
        with Folder(below or ".", start=top) as folder:
            folder.path = os.path.dirname(path)
            refuse_crowd(folder.writers, path)
            yield folder


@contextlib.contextmanager
def server_folder(server: db.Row, database: str, path: str) -> Iterator[Folder]:
    """The folder that all paths of the server begin at; without a chroot, that of this path."""
    chroot = str(server["chroot"])
    with Folder(chroot or os.path.dirname(path) or ".") as folder:
        if os.geteuid() == 0:
            folder.writers |= writers_of(database) | ({folder.facts.st_uid} - {0})
        yield folder


def refuse_crowd(writers: Set[int], path: str) -> None:
    """Root acts for one user, or for nobody but itself."""
    who = crowd(writers) if os.geteuid() == 0 else ""
    if who:
        raise FolderError(f"{who} can change the database, or what lies at {path}, so root does "
                          "not believe it; give both, and the folders above, to root or to one "
                          "user")


def _look(server: db.Row, folder: Folder) -> Found:
    path, name = pid_path(server), short_title(server)
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while True:
        with folder.file(os.path.basename(path)) as file:
            writers = folder.writers | ({os.fstat(file).st_uid} - {0})
            refuse_crowd(writers, path)
            holder = _holder(file)
            handle = _handle_of(holder) if holder > 0 else -1
            if handle >= 0 and _holder(file) == holder:  # so the handle is the holder's
                why = _why_not(server, Found(pid=holder, handle=handle), folder, writers)
                if not why:
                    return Found(pid=holder, handle=handle)
                os.close(handle)
                return Found(f"PID file {path} of server {name} is locked by process {holder}, "
                             f"{why}; it is left alone")
            text = os.pread(file, _PID_BYTES, 0).decode("ascii", "replace").strip()
        if handle >= 0:
            os.close(handle)
        number = int(text) if text.isdigit() else 0
        if holder < 0:
            return Found(f"PID file {path} of server {name} is locked by a process that cannot be "
                         "seen from here, of another container")
        if holder == 0 and number < 2:
            return Found(f"PID file {path} of server {name} has no number in it, and no server "
                         "holds it; remove it")
        if time.monotonic() > deadline or not (holder or os.path.exists(f"/proc/{number}")):
            return Found(f"Server {name} NOT RUNNING at PID {number}")
        time.sleep(_POLL_SECONDS)


def _holder(file: int) -> int:
    """Whose lock for writing is on the file; 0: nobody's, -1: one's without a number here."""
    asked = struct.pack(_LOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = struct.unpack(_LOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return 0 if kind == fcntl.F_UNLCK else int(pid) if pid > 1 else -1


def _handle_of(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1
    except OSError as error:
        raise ProcessError(f"process {pid}: {error.strerror} (pidfd_open, of Linux 5.3)") from None


def _why_not(server: db.Row, holder: Found, folder: Folder, writers: Set[int]) -> str:
    """Why root signals no such process; "": it may."""
    if os.geteuid() != 0:
        return ""  # the kernel decides whom we may signal
    status = _read(f"/proc/{holder.pid}/status")
    uids = {int(word) for word in status.partition("\nUid:")[2].split("\n")[0].split()[:3]}
    known = bool(uids) and uids <= writers  # that user could signal it as well
    is_master = uids == {0} and _is_master(holder.pid, server, folder)
    if holder.ends_within(0):
        return "which has ended"  # what was read may be of another one
    return "" if known or is_master else "which is no server of that folder"


def _is_master(pid: int, server: db.Row, folder: Folder) -> bool:
    """Whether a process of root's is the master in the folder. Its root directory says so; without
    the right to look there (CAP_SYS_PTRACE, which containers lack) name and arguments must do,
    and these are root's own words."""
    is_called_so = _read(f"/proc/{pid}/comm").startswith("mongrel2")
    names = {str(server[key]) for key in ("uuid", "name", "default_host")} - {""}
    names_server = not names.isdisjoint(_read(f"/proc/{pid}/cmdline").split("\0"))
    try:
        its, ours = os.stat(f"/proc/{pid}/root/"), (folder.start or folder).facts
    except PermissionError:
        return is_called_so and names_server
    except OSError:
        return False
    is_there = (its.st_dev, its.st_ino) == (ours.st_dev, ours.st_ino)
    return is_there and (is_called_so or names_server)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return ""


@dataclass(frozen=True)
class Verdict:
    """What came of the latest reload or upgrade of a server."""

    count: int
    ok: bool
    text: str


def beside_pid_file(server: db.Row, ending: str) -> str:
    name = os.path.basename(pid_path(server))
    return (name[:-4] if name.endswith(".pid") else name) + ending


def verdict(server: db.Row, database: str) -> Optional[Verdict]:
    """The latest one; None if the server writes none."""
    try:
        with pid_folder(server, database) as folder:
            text = folder.read(beside_pid_file(server, ".verdict"), 64 * 1024)
        count, kind, rest = text.decode("utf-8", "replace").split(" ", 2)
        return Verdict(int(count), kind == "ok", rest.strip())
    except (FolderError, ValueError):
        return None


def wait_for_verdict(server: db.Row, database: str, found: Found, before: Verdict, seconds: float,
                     about: str = "") -> Optional[Verdict]:
    """The first verdict after that one whose text begins so; None if there is none in time, or
    there will be none."""
    deadline = time.monotonic() + seconds
    while True:
        ended = found.ends_within(_POLL_SECONDS)  # by an upgrade, perhaps, which has its verdict
        now = verdict(server, database)
        if now is not None and now.count > before.count and now.text.startswith(about):
            return now
        if ended or found.stops or time.monotonic() > deadline:
            return None
