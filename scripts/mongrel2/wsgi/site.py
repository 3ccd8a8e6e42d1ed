"""The files that server and bridge share: uploads, and what the server can send by itself.

The server's paths are relative to its folder (chroot), which the bridge may see at another place.
"""

from __future__ import annotations

import os
import stat
from typing import Any, BinaryIO, List, NamedTuple, Optional


class ServedFile(NamedTuple):
    path: str  # beneath the folder of handler.sendfile
    size: int


class Site:
    """folder: the server's chroot as this process sees it; None: paths mean here what they mean to
    the server. sendfile: the folder that handler.sendfile names, folder itself by default; "": the
    server sends no files."""

    def __init__(self, folder: Optional[str] = None, sendfile: Optional[str] = None) -> None:
        self._folder = folder and os.path.realpath(folder)
        shared = folder if sendfile is None else sendfile
        self._sendfile = shared and os.path.realpath(shared)

    # Uploads

    def open_upload(self, path: str) -> BinaryIO:
        """Opens what the server calls path. OSError says where it was looked for."""
        places = self._places(path)
        for place in places:
            try:
                # Links are not followed, for a reason: an upload is a plain file of the server.
                return open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OSError(error.errno, f"the upload {place} cannot be read: {error.strerror}; "
                              "does upload.temp_store_mode let this user?") from None
        raise FileNotFoundError(
            f"the upload {path!r} is not at {' nor at '.join(places)}: start the bridge with "
            "--site and the server's folder (chroot)")

    def discard(self, path: str) -> None:
        """Removes an upload, which is the handler's; OSError if that may not be."""
        for place in self._places(path):
            try:
                return os.unlink(place)
            except FileNotFoundError:
                continue
        return None

    def _places(self, path: str) -> List[str]:
        inside = os.path.normpath("/" + path).lstrip("/")  # ".." ends at the folder
        if self._folder:
            return [os.path.join(self._folder, inside)]
        if os.path.isabs(path):
            return [path, os.path.abspath(inside)]
        return [os.path.abspath(path)]

    # Files for the server to send

    def served(self, file: Any) -> Optional[ServedFile]:
        """How the server calls an open file that is to be sent from its beginning; None: it does
        not reach it."""
        if not self._sendfile or getattr(file, "delete", False):
            return None  # a temporary file goes before the server opens it
        try:
            found = os.fstat(file.fileno())
            place = os.path.realpath(f"/proc/self/fd/{file.fileno()}")
            if not stat.S_ISREG(found.st_mode) or file.tell() != 0 or not found.st_size:
                return None
            if not os.path.samestat(found, os.stat(place)):
                return None
        except (AttributeError, OSError, ValueError):
            return None
        inside = os.path.relpath(place, self._sendfile)
        if inside.startswith("../") or not self._server_reads(inside):
            return None
        return ServedFile(inside, found.st_size)

    def _server_reads(self, inside: str) -> bool:
        """Whether the owner of the server's folder, who is the user that serves, may read it."""
        assert self._sendfile
        owner = os.stat(self._folder or self._sendfile)
        place = self._sendfile
        parts = inside.split("/")
        for number, part in enumerate([""] + parts):
            place = os.path.join(place, part)
            found = os.stat(place)
            wanted = 4 if number == len(parts) else 1
            if found.st_uid == owner.st_uid:
                wanted <<= 6
            elif found.st_gid == owner.st_gid:
                wanted <<= 3
            if not found.st_mode & wanted:
                return False
        return True
