"""`m2sh jail`: what was asked of each process of a server, what it says it has, and what the kernel
says of it, side by side.

The first two come from the file that the server keeps beside its pid file (master/jail_book.h). The
third is looked up here, from outside: that file lies in a folder of the user that the jail is for.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from mongrel2 import db
from mongrel2.folder import FolderError
from mongrel2.m2sh import process, running, select
from mongrel2.m2sh.options import Command, Options
from mongrel2.m2sh.store_commands import DB

Facts = Dict[str, Tuple[int, ...]]

_CAPABILITIES = {"effective": "CapEff", "permitted": "CapPrm", "inheritable": "CapInh",
                 "bounding": "CapBnd", "ambient": "CapAmb"}
# Shown in this order; how, and whether more of it is weaker, less is weaker, or any other value;
# "each": more of any of several counts.
_ROWS = [("uid", "same"), ("gid", "same"), ("groups", "most"), ("root", "same"),
         *[(name, "bits") for name in _CAPABILITIES], ("no_new_privs", "least"),
         ("seccomp", "least"), ("landlock", "least"), ("dumpable", "most"),
         ("core_bytes", "most"), ("descriptors", "each")]
_UNLIMITED = 2 ** 64 - 1
_BOOK_BYTES = 1 << 20
# Of descriptors: devices, files, folders, pipes, sockets, others; as in "3c 1f 1s".
_KINDS = "cfdpso"
# They live for a moment, and only their latest report is kept.
_SHORT_LIVED = ("config reader", "resolver")
_SHORT_LIVED_NAMES = ("m2-config", "m2-resolver")


@dataclass
class Page:
    """One process: its name, and what was asked for and reported."""

    name: str
    pid: int
    asked: Facts
    has: Facts


def _facts(line: str) -> Facts:
    facts = {}
    for word in line.split():
        name, _, values = word.partition("=")
        facts[name] = tuple(int(number) for number in values.split(","))
    facts["root"] = facts.pop("root_device") + facts.pop("root_inode")
    for name, _ in _ROWS:
        if max(facts[name]) > _UNLIMITED or min(facts[name]) < 0:
            raise ValueError(name)
    return facts


def _book(server: db.Row, database: str) -> List[Page]:
    name = running.beside_pid_file(server, ".jail")
    pages = []
    try:
        with running.pid_folder(server, database) as folder:
            text = folder.read(name, _BOOK_BYTES).decode("ascii", "replace")
    except FolderError as error:
        raise process.ProcessError(f"{error}; the server writes this file while it runs, an older "
                                   "one writes none") from None
    try:
        for line in text.splitlines():
            title, asked, has = line.split("\t")
            pages.append(Page(title, _facts(has)["pid"][0], _facts(asked), _facts(has)))
    except (ValueError, KeyError, IndexError):
        raise process.ProcessError(f"{name} beside the pid file is not what a server "
                                   "writes") from None
    return pages


def _seen(pid: int) -> Optional[Facts]:
    """What /proc says of a process; None if it is gone. What it does not tell is left out."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            status = dict(line.rstrip("\n").split(":", 1) for line in file)
    except (OSError, ValueError):
        return None
    facts: Facts = {
        "uid": tuple(int(word) for word in status["Uid"].split()[:3]),
        "gid": tuple(int(word) for word in status["Gid"].split()[:3]),
        "groups": (len(status["Groups"].split()),),
        "no_new_privs": (int(status.get("NoNewPrivs", "0")),),
        "seccomp": (int(status.get("Seccomp", "0").strip() == "2"),),
    }
    for name, field in _CAPABILITIES.items():
        if field in status:
            facts[name] = (int(status[field], 16),)
    try:
        root = os.stat(f"/proc/{pid}/root/")
        facts["root"] = (root.st_dev, root.st_ino)
    except OSError:
        pass  # only root may look there
    try:
        with open(f"/proc/{pid}/limits", encoding="ascii", errors="replace") as file:
            hard = [line.split()[5] for line in file if line.startswith("Max core file size")][0]
        facts["core_bytes"] = (_UNLIMITED if hard == "unlimited" else int(hard),)
    except (OSError, IndexError, ValueError):
        pass
    return facts


def _is_weaker(how: str, asked: Tuple[int, ...], has: Tuple[int, ...]) -> bool:
    if how == "bits":
        return has[0] & ~asked[0] != 0
    if how == "most":
        return has[0] > asked[0]
    if how == "least":
        return has[0] < asked[0]
    if how == "each":
        return any(more > given for given, more in zip(asked, has))
    return has != asked


def _show(name: str, values: Optional[Tuple[int, ...]]) -> str:
    if values is None:
        return "-"
    if name in ("uid", "gid"):
        return str(values[0]) if len(set(values)) == 1 else ",".join(map(str, values))
    if name == "root":
        return f"{os.major(values[0])}:{os.minor(values[0])} inode {values[1]}"
    if name in _CAPABILITIES:
        return f"{values[0]:#x}" if values[0] else "none"
    if name == "core_bytes" and values[0] == _UNLIMITED:
        return "unlimited"
    if name in ("no_new_privs", "seccomp", "dumpable"):
        return "yes" if values[0] else "no"
    if name == "descriptors":
        return " ".join(f"{count}{kind}" for kind, count in zip(_KINDS, values) if count) or "none"
    if name == "landlock":
        return f"ABI {values[0]}" if values[0] else "no"
    return str(values[0])


def _print_page(page: Page) -> int:
    """One process as a table; how much of it is weaker than asked."""
    ended = page.name in _SHORT_LIVED
    seen = None if ended else _seen(page.pid)
    print(f"{page.name}, process {page.pid}" + (" (has ended)" if ended or seen is None else ""))
    print(f"  {'':13} {'asked':22} {'says it has':22} seen from outside")
    weak = 0
    for name, how in _ROWS:
        asked, has = page.asked[name], page.has[name]
        outside = seen.get(name) if seen else None
        weaker = [who for who, values in (("it says", has), ("seen", outside))
                  if values is not None and _is_weaker(how, asked, values)]
        note = "   WEAKER (" + ", ".join(weaker) + ")" if weaker else ""
        print(f"  {name:13} {_show(name, asked):22} {_show(name, has):22} "
              f"{_show(name, outside)}{note}")
        weak += bool(weaker)
    return weak


def _children(pid: int) -> Dict[int, str]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            pids = [int(word) for word in file.read().split()]
    except OSError:
        return {}
    names = {}
    for child in pids:
        try:
            with open(f"/proc/{child}/comm", encoding="ascii", errors="replace") as file:
                names[child] = file.read().strip()
        except OSError:
            continue
    return names


def _print_server(server: db.Row, database: str, pid: int) -> int:
    print(f"Server {select.short_title(server)} at PID {pid}")
    children = _children(pid)
    pages = _book(server, database)
    weak = sum(_print_page(page) for page in pages)
    known = {page.pid for page in pages}
    for child, name in children.items():
        if child not in known and name not in _SHORT_LIVED_NAMES and _seen(child) is not None:
            print(f"process {child} ({name}) is in no jail that the server has on file")
            weak += 1
    print("All of it is as asked for." if weak == 0 else
          f"{weak} of these {'is' if weak == 1 else 'are'} weaker than asked for.")
    return weak


def _jail(options: Options) -> int:
    with db.Database(options.db) as database:
        servers = select.chosen(database, options, "shown")
    status = 0 if servers else 1
    for server in servers:
        with running.find(server, options.db) as found:
            if not found.pid:
                print(found.why, file=sys.stderr)
                status = 1
            elif _print_server(server, options.db, found.pid) != 0:
                status = 1
    return status


COMMANDS = [
    Command("jail", "Shows for each process of running servers which privileges it was to be left "
            "with, which it says it has, and which the kernel says it has.",
            [DB, *select.ONE, select.EVERY], _jail),
]
