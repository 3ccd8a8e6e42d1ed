"""Rows of a configuration database as text, in the words of the configuration language.

A short form, as the manual prints it (3.2), and a whole one: each column that the database has and
that is not what a load writes by itself, also those that this m2sh does not know.
"""

from __future__ import annotations

from typing import Iterable, List

from mongrel2 import db, mime

# The columns of the manual come first, in its order.
_SERVER = "uuid access_log error_log chroot default_host port"
_HOST = "maintenance name matching"
_TARGETS = {
    "dir": ("Dir", "base index_file default_ctype"),
    "proxy": ("Proxy", "addr port"),
    "handler": ("Handler", "send_spec send_ident recv_spec recv_ident"),
}


def server(row: db.Row) -> str:
    return _text("Server", row, _SERVER, "server")


def listener(row: db.Row) -> str:
    names = "address mode" if str(row["address"]).startswith("unix:") else "address port"
    return _text("Listener", row, names, "listener")


def host(row: db.Row) -> str:
    return _text("Host", row, _HOST, "host")


def route(row: db.Row, target_text: str) -> str:
    text = _text("Route", row, "path reversed", "route", without=("target_type", "target_id"))
    return f"{text[:-1]}, target={target_text})"


def target(database: db.Database, of_route: db.Row, whole: bool = False) -> str:
    """What a route leads to; in the short form, unless all of it is wanted."""
    kind = of_route["target_type"]
    found = database.target(of_route)
    if found is None:
        return f"nothing (there is no {kind!r} with id {of_route['target_id']})"
    title, names = _TARGETS[kind]
    return _text(title, found, names, db.TARGET_TABLES[kind] if whole else "")


def row(title: str, of: db.Row, without: Iterable[str] = ()) -> str:
    """All of a row but for the id."""
    return _joined(title, of, [name for name in of if name not in ("id", *without)])


def own_mimetypes(rows: List[db.Row]) -> Iterable[db.Row]:
    """Those that the table of every load does not have."""
    usual = mime.table()
    return [each for each in rows if usual.get(each["extension"]) != each["mimetype"]]


def _text(title: str, of: db.Row, names: str, table: str, without: Iterable[str] = ()) -> str:
    """The named columns; if a table is given also the others that are not its defaults."""
    first = names.split()
    if table:
        hidden = {"id", "server_id", "host_id", *without, *first}
        first += [name for name, value in of.items() if name not in hidden
                  and (name not in db.DEFAULTS[table] or value != db.DEFAULTS[table][name])]
    return _joined(title, of, first)


def _joined(title: str, of: db.Row, names: List[str]) -> str:
    return f"{title}({', '.join(f'{name}={of[name]!r}' for name in names)})"
