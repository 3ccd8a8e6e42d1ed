"""The files of a server's folder, which belongs to somebody else than the root who looks at them.

Its owner can put anything there at any moment: links, pipes, endless files. So each step of a path
is taken from the folder before it, which is held open, nothing blocks, and only plain files are
read. Everybody who can decide where a path leads is noted down (`writers`), for callers to judge.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
import struct
from typing import Iterator, List, Optional, Set

# Stands among the ids of users for everybody.
ANYBODY = -1
_ACCESS_LIST = "system.posix_acl_access"
_LINKS_MOST = 40  # as many as the kernel follows
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a folder",
          stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class FolderError(Exception):
    """A path does not lead where it should. missing: because nothing is there."""

    def __init__(self, text: str, missing: bool = False) -> None:
        super().__init__(text)
        self.missing = missing


class Folder:
    """The folder at a path, held open. writers: who decides what is found there, root apart."""

    def __init__(self, path: str, start: Optional[Folder] = None) -> None:
        self.path = path
        self.start = start
        self.writers: Set[int] = set(start.writers) if start else set()
        # Who can do so by a group or an access list alone.
        self.by_group: Set[int] = set(start.by_group) if start else set()
        # As root, paths inside end in the server's chroot, and no link there leads anywhere.
        self._jailed = start is not None and os.geteuid() == 0
        self._steps: List[int] = []
        try:
            self._enter(path, start)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        while self._steps:
            os.close(self._steps.pop())

    @property
    def makers(self) -> Set[int]:
        """Who can make files in it by a group or an access list, also where they remove none."""
        return by_group(self._steps[-1])

    @property
    def facts(self) -> os.stat_result:
        return os.fstat(self._steps[-1])

    @contextlib.contextmanager
    def file(self, name: str, kind: int = stat.S_IFREG,
             flags: int = os.O_RDONLY | os.O_NONBLOCK) -> Iterator[int]:
        """A descriptor of a file of that kind, which has no other name."""
        shown = os.path.join(self.path, name)
        with _faults(shown):
            opened = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._steps[-1])
        try:
            facts = os.fstat(opened)
            if stat.S_IFMT(facts.st_mode) != kind:
                what = _KINDS.get(stat.S_IFMT(facts.st_mode), "a plain file")
                raise FolderError(f"{shown} is {what}, and is not used; remove it")
            if facts.st_nlink > 1:
                raise FolderError(f"{shown} has a second name, and is not used; remove it")
            yield opened
        finally:
            os.close(opened)

    def read(self, name: str, most: int) -> bytes:
        """The first bytes of a plain file."""
        with self.file(name) as file:
            return os.read(file, most)

    def _enter(self, path: str, start: Optional[Folder]) -> None:
        self._steps.append(os.dup(start._steps[-1]) if start else
                           os.open("/" if path.startswith("/") else ".", _FOLDER))
        names = path.split("/")[::-1]
        shown = start.path if start else "/" if path.startswith("/") else ""
        links = 0
        while names:
            name = names.pop()
            shown = os.path.normpath(os.path.join(shown, name))
            with _faults(shown, folder=True):
                target = self._step(name, shown)
            if target is None:
                continue
            links += 1
            if links > _LINKS_MOST:
                raise FolderError(f"{shown}: too many links")
            shown = os.path.dirname(shown)
            if target.startswith("/"):  # begins at the top
                self.close()
                self._steps.append(os.open("/", _FOLDER))
                shown = "/"
            names.extend(target.split("/")[::-1])

    def _step(self, name: str, shown: str) -> Optional[str]:
        """Goes one step; the target of a link is left to do."""
        if name in ("", "."):
            return None
        here = self._steps[-1]
        if name == "..":
            if len(self._steps) > 1:
                os.close(self._steps.pop())
            elif not self._jailed:
                self._steps[0] = os.open("..", _FOLDER, dir_fd=here)
                os.close(here)
            return None
        facts = os.stat(name, dir_fd=here, follow_symlinks=False)
        if stat.S_ISLNK(facts.st_mode):
            if self._jailed:
                raise FolderError(f"{shown} is a link, which root does not follow; put the folder "
                                  "itself there")
            self._note(facts.st_uid)
            return os.readlink(name, dir_fd=here)
        self._steps.append(os.open(name, _FOLDER, dir_fd=here))
        facts = self.facts
        self._note(facts.st_uid)
        if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
            self._note(ANYBODY)
        if not facts.st_mode & stat.S_ISVTX:
            self.by_group |= by_group(self._steps[-1])
        return None

    def _note(self, uid: int) -> None:
        if uid != 0:
            self.writers.add(uid)


@contextlib.contextmanager
def _faults(shown: str, folder: bool = False) -> Iterator[None]:
    """What the system says of a path, in words."""
    try:
        yield
    except FileNotFoundError:
        what = f"there is no folder {shown}" if folder else f"{shown} is not there"
        raise FolderError(what, missing=True) from None
    except NotADirectoryError:
        raise FolderError(f"{shown} is no folder") from None
    except PermissionError as error:
        raise FolderError(f"{shown}: {error.strerror}; run this as its owner, or as root") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        code = getattr(error, "errno", None)
        kind = {errno.ELOOP: "a link", errno.ENXIO: "a socket"}.get(code or 0)
        text = f" is {kind}, and is not used; remove it" if kind else f": {error.args[-1]}"
        raise FolderError(shown + text) from None


def by_group(opened: int) -> Set[int]:
    """Whom, root and everybody apart, a file's group or access list lets write to it."""
    facts = os.fstat(opened)
    if not facts.st_mode & stat.S_IWGRP:
        return set()
    try:
        entries = os.getxattr(f"/proc/self/fd/{opened}", _ACCESS_LIST)[4:]
    except OSError:  # none
        return _members(facts.st_gid)
    users: Set[int] = set()
    for tag, rights, number in struct.iter_unpack("=HHI", entries):
        if rights & 2:
            users |= ({number} - {0} if tag == 2 else _members(facts.st_gid) if tag == 4 else
                      _members(number) if tag == 8 else set())
    return users


def _members(gid: int) -> Set[int]:
    """As the system's name services list them."""
    members = {user.pw_uid for user in pwd.getpwall() if user.pw_gid == gid}
    with contextlib.suppress(KeyError):
        for name in grp.getgrgid(gid).gr_mem:
            with contextlib.suppress(KeyError):
                members.add(pwd.getpwnam(name).pw_uid)
    return members - {0}


def writers_of(path: str) -> Set[int]:
    """Who can change, or replace, the file at path, root apart; ANYBODY may be among them."""
    writers = folder_writers(path)
    with _faults(path):
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        facts = os.fstat(opened)
        writers |= by_group(opened)
    finally:
        os.close(opened)
    if facts.st_uid != 0:
        writers.add(facts.st_uid)
    if facts.st_mode & stat.S_IWOTH:
        writers.add(ANYBODY)
    return writers


def folder_writers(path: str) -> Set[int]:
    """Who can put another file at path, or files beside it, root apart."""
    writers: Set[int] = set()
    for name in {path, os.path.realpath(path)}:
        with Folder(os.path.dirname(name) or ".") as folder:
            writers |= folder.writers | folder.by_group | folder.makers
            if folder.facts.st_uid != 0:  # also where no step was needed to get there
                writers.add(folder.facts.st_uid)
        if os.path.islink(name) and os.lstat(name).st_uid != 0:
            writers.add(os.lstat(name).st_uid)
    return writers


def crowd(writers: Set[int]) -> str:
    """Who they are, if they are more than one user; "": at most one."""
    if ANYBODY in writers:
        return "everybody"
    return "the users " + ", ".join(map(str, sorted(writers))) if len(writers) > 1 else ""
