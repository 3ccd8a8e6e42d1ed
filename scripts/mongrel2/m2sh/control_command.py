"""`m2sh control`: talks with the control port of a running server (manual 3.8).

Words go to the server as they are, and what it answers is printed as it is. A line with an
argument, as `status what=net`, is a command of Mongrel2 1.x, and its answer is printed as a table.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import Any, Dict, Iterator, List, TYPE_CHECKING

from mongrel2 import db
from mongrel2.folder import Folder, FolderError
from mongrel2.m2sh import running, select
from mongrel2.m2sh.options import Command, Options, value
from mongrel2.m2sh.process import ProcessError
from mongrel2.m2sh.store_commands import DB

if TYPE_CHECKING:
    from mongrel2.control import ControlPort

PROMPT = "> "
_IPC = "ipc://"
_DEFAULT = f"{_IPC}run/control"


def address(database: db.Database, server: db.Row) -> str:
    """Where the control port is, as seen from outside the server's chroot; "": it has none."""
    spec = str(server["control_port"])
    if not spec:
        setting = database.setting("control_port")
        spec = _DEFAULT if setting is None else setting
    if not spec.startswith(_IPC) or not server["chroot"]:
        return spec
    return _IPC + os.path.join(str(server["chroot"]), spec[len(_IPC):].lstrip("/"))


@contextlib.contextmanager
def _held(spec: str, server: db.Row, database: str) -> Iterator[str]:
    """The address for root: of the very socket that was looked at. Its owner's folder is no place
    to follow links in: they could lead to the port of another server."""
    if not spec.startswith(_IPC) or os.geteuid() != 0:
        yield spec
        return
    path = spec[len(_IPC):]
    with running.server_folder(server, database, path) as top:
        below = os.path.relpath(path, top.path) if server["chroot"] else os.path.basename(path)
        with Folder(os.path.dirname(below) or ".", start=top) as folder:
            running.refuse_crowd(folder.writers, path)
            with folder.file(os.path.basename(below), stat.S_IFSOCK, os.O_PATH) as socket:
                yield f"{_IPC}/proc/self/fd/{socket}"


@contextlib.contextmanager
def _connected(options_db: str, server: db.Row, spec: str) -> Iterator[ControlPort]:
    try:
        from mongrel2.control import ControlPort
    except ImportError:
        raise ProcessError("m2sh control needs pyzmq: install python3-zmq.") from None
    try:
        with _held(spec, server, options_db) as place:
            with ControlPort(place, name=spec) as port:
                yield port
    except FolderError as error:
        raise ProcessError(f"{spec}: {error}") from None


def say(path: str, server: db.Row, words: str) -> bool:
    """Has a running server do something by way of its control port; whether it will."""
    with db.Database(path) as database:
        spec = address(database, server)
    if not spec or (spec.startswith(_IPC) and not os.access(spec[len(_IPC):], os.W_OK)):
        return False
    try:
        with _connected(path, server, spec) as port:
            return _run(port, words, quiet=True) == 0
    except ProcessError:
        return False


def _control(options: Options) -> int:
    with db.Database(options.db) as database:
        servers = select.chosen(database, options, "controlled")
        addresses = [address(database, server) for server in servers]
    if not servers:
        return 1
    if not addresses[0]:
        raise ProcessError(f"Server {select.short_title(servers[0])} has no control port: the "
                           "setting control_port is empty.")
    with _connected(options.db, servers[0], addresses[0]) as port:
        if getattr(options, "do") is not None:
            return _run(port, getattr(options, "do"))
        print("CONNECTING...", flush=True)
        return _converse(port)


def _converse(port: ControlPort) -> int:
    while True:
        try:
            line = input(PROMPT)
        except EOFError:
            print()
            return 0
        except KeyboardInterrupt:
            print()
            continue
        if line.strip():
            _run(port, line)


def _run(port: ControlPort, line: str, quiet: bool = False) -> int:
    from mongrel2.control import ControlError
    name, *rest = line.split()
    try:
        if rest and all("=" in word for word in rest):
            _print_table(port.request(name, **_arguments(rest)))
        else:
            answer = port.words(" ".join([name, *rest])).rstrip("\n")
            if not quiet:
                print(answer, flush=True)
            return 1 if answer.startswith('{"error"') else 0
    except ControlError as error:
        if not quiet:
            print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments(words: List[str]) -> Dict[str, Any]:
    arguments: Dict[str, Any] = {}
    for word in words:
        key, _, text = word.partition("=")
        arguments[key] = int(text) if text.isdigit() else text
    return arguments


def _print_table(rows: List[Dict[str, Any]]) -> None:
    if len(rows) == 1 and len(rows[0]) == 1:
        for key, cell in rows[0].items():
            print(f"{key}:  {cell}", flush=True)
        return
    if rows:
        print("  ".join(rows[0]))
    for row in rows:
        print("  ".join(str(cell) for cell in row.values()))
    sys.stdout.flush()


COMMANDS = [
    Command("control", "Sends commands to the control port of a running server: status net, status "
            "tasks, kill ID, time, reload, stop, help.",
            [DB, *select.ONE, value("do", "one command, instead of reading them")], _control),
]
