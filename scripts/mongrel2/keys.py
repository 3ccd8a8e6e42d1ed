"""CURVE keys: made here, kept in files, used by handlers that connect to a guarded server.

A key is text of 40 characters. A file NAME.key holds the secret one, for its owner's eyes only, and
NAME.pub the public one; lines that begin with "# " do not matter. Needs pyzmq.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Tuple

import zmq


class Curve(NamedTuple):
    """What a handler needs to be let in: who the server must be, and who it is itself."""

    server: bytes  # public key of the server
    public: bytes
    secret: bytes

    def apply(self, socket: zmq.Socket[Any]) -> None:
        """To be called before the socket connects."""
        socket.curve_serverkey = self.server
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.secret


def make() -> Tuple[str, str]:
    """A new pair: public and secret key."""
    public, secret = zmq.curve_keypair()
    return public.decode("ascii"), secret.decode("ascii")


def write(name: str, public: str, secret: str) -> None:
    """Makes NAME.key (mode 0600) and NAME.pub; neither may be there."""
    _write(name + ".key", f"# secret CURVE key; whoever reads it can be {name}\n{secret}\n", 0o600)
    _write(name + ".pub", f"# public CURVE key of {name}\n{public}\n", 0o644)


def read(path: str) -> bytes:
    """The first key in a file."""
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.strip() and not line.startswith("# "):
                return line.split()[0].encode("ascii")
    raise ValueError(f"{path}: there is no key in it")


def load(server_pub: str, own_name: str) -> Curve:
    """From the files of the server's public key and of one's own pair, NAME.key and NAME.pub."""
    return Curve(read(server_pub), read(own_name + ".pub"), read(own_name + ".key"))


def _write(path: str, text: str, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w",
              encoding="utf-8") as file:
        file.write(text)
