"""The configuration database, from the side of the tools: written whole, read row by row.

Every write is one transaction: a server that reads at that moment sees the old configuration or the
new one. Called by m2sh. Rows are read from databases of every generation: a column that a
database does not have, or NULL, is its default. The SQL is here and in schema.py, nowhere else.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import sqlite3
import urllib.parse
from typing import Any, Dict, Iterable, Iterator, List, Optional

from mongrel2 import config, mime, schema, tnetstrings

Row = Dict[str, Any]
# How long to wait for another program that is writing to the same database.
BUSY_SECONDS = 5.0

_DEFAULTS: Dict[str, Row] = {
    "server": dict(uuid="", access_log="", error_log="", chroot="/var/www", pid_file="", port=0,
                   default_host="", name="", bind_addr="0.0.0.0", use_ssl=0, control_port="",
                   error_log_level=2, proxy_protocol=0),
    "listener": dict(server_id=0, address="", port=0, proxy_protocol=0, mode="0660"),
    "host": dict(server_id=0, maintenance=0, name="", matching=""),
    "route": dict(path="", reversed=0, host_id=0, target_id=0, target_type="",
                  timeout_ms=None),
    "directory": dict(base="", index_file="", default_ctype="", cache_ttl=0,
                      listing=0, precompressed=0),
    "proxy": dict(addr="", port=0, balance="round_robin"),
    "handler": dict(send_spec="", send_ident="", recv_spec="", recv_ident="", raw_payload=0,
                    protocol="json", replies="sub", slow_clients="close",
                    websocket="frames", timeout_ms=None, grace_ms=None),
    "setting": dict(key="", value=""),
    "log": dict(who="", what="", location="", happened_at="", how="", why=""),
}
# Text of route.target_type to the table it points into.
TARGET_TABLES = {"dir": "directory", "proxy": "proxy", "handler": "handler"}


class DatabaseError(Exception):
    """The database cannot be used; the message names it and says what to do."""


class Database:
    """A database opened for reading. Use it in a `with` statement."""

    def __init__(self, path: str) -> None:
        if not os.access(path, os.R_OK):
            raise DatabaseError(f"{path} not readable; m2sh config -db {path} -config X makes it")
        self._path = path
        with _faults(path):
            self._connection = _open(path, "ro")

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: Any) -> None:
        self._connection.close()

    def servers(self) -> List[Row]:
        return self._rows("server")

    def listeners(self, server: Row) -> List[Row]:
        """Those beside bind_addr and port; none in a database of 1.x, which has no such table."""
        with _faults(self._path):
            known = self._connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'listener'")
            if not known.fetchone()[0]:
                return []
        return self._rows("listener", "server_id", server["id"])

    def hosts(self, server: Row) -> List[Row]:
        return self._rows("host", "server_id", server["id"])

    def routes(self, host: Row) -> List[Row]:
        return self._rows("route", "host_id", host["id"])

    def target(self, route: Row) -> Optional[Row]:
        """The row a route points to, or None where it points to nothing."""
        table = TARGET_TABLES.get(route["target_type"])
        rows = self._rows(table, "id", route["target_id"]) if table else []
        return rows[0] if rows else None

    def setting(self, key: str) -> Optional[str]:
        rows = self._rows("setting", "key", key)
        return str(rows[-1]["value"]) if rows else None

    def log(self, count: int) -> List[Row]:
        """The last count entries of the history, oldest first."""
        return self._rows("log")[-count:]

    def _rows(self, table: str, column: str = "", value: Any = None) -> List[Row]:
        where = f" WHERE {column} = ?" if column else ""
        with _faults(self._path):
            cursor = self._connection.execute(
                f"SELECT * FROM {table}{where} ORDER BY id", (value,) if column else ()
            )
            names = [item[0].lower() for item in cursor.description]  # 1.0 wrote pid_File
            rows = []
            for values in cursor:
                row = dict(_DEFAULTS[table])
                row.update((key, cell) for key, cell in zip(names, values) if cell is not None)
                rows.append(row)
            return rows


def initialise(path: str, command: str) -> None:
    """Makes an empty configuration at path; the history stays. command goes into the history."""
    with _writing(path) as connection:
        _rebuild(connection, {})
        _add_log(connection, "init_command", command)


def replace(path: str, commit: config.Commit, history: Iterable[str], command: str) -> None:
    """Makes the configuration at path the one of commit, and writes each word of history down."""
    with _writing(path) as connection:
        _rebuild(connection, commit.mimetypes)
        _Writer(connection).write(commit)
        for what in history:
            _add_log(connection, what, command)


def add_log(path: str, what: str, why: str, where: Optional[str] = None, how: str = "m2sh") -> None:
    """Adds one entry to the history of the database at path, which must exist."""
    if not os.path.exists(path):
        raise DatabaseError(f"{path} not readable; m2sh init -db {path} makes it")
    with _writing(path) as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS log ({schema.LOG_TABLE})")
        _add_log(connection, what, why, where, how)


class _Writer:
    """Rows in the order of the file. A target that several routes share is one row."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._targets: Dict[int, int] = {}  # id() of the object to the id of its row

    def write(self, commit: config.Commit) -> None:
        for server in commit.servers:
            server_id = self._insert(
                "server", server, "uuid access_log error_log error_log_level chroot pid_file "
                "control_port default_host name bind_addr port use_ssl proxy_protocol")
            for listener in server.listeners:
                self._insert("listener", listener, "address port proxy_protocol mode",
                             server_id=server_id)
            for host in server.hosts:
                host_id = self._insert("host", host, "maintenance name matching",
                                       server_id=server_id)
                for route in host.routes:
                    self._write_route(route, host_id)
            for table, items in (("filter", server.filters), ("xrequest", server.xrequests)):
                for item in items:
                    settings = tnetstrings.dump(item.settings).decode("utf-8")
                    self._insert(table, item, "name", server_id=server_id, settings=settings)
        for key, value in commit.settings.items():
            self._connection.execute("INSERT INTO setting (key, value) VALUES (?, ?)", (key, value))

    def _write_route(self, route: config.Route, host_id: int) -> None:
        target = route.target
        kind, columns = {
            config.Dir: ("dir", "base index_file default_ctype cache_ttl listing precompressed"),
            config.Proxy: ("proxy", "addr port balance"),
            config.Handler: ("handler", "send_spec send_ident recv_spec recv_ident raw_payload "
                             "protocol replies slow_clients websocket timeout_ms "
                             "grace_ms"),
        }[type(target)]
        if id(target) not in self._targets:
            self._targets[id(target)] = self._insert(TARGET_TABLES[kind], target, columns)
        self._insert("route", route, "path reversed timeout_ms", host_id=host_id, target_type=kind,
                     target_id=self._targets[id(target)])

    def _insert(self, table: str, item: Any, columns: str, **more: Any) -> int:
        row = {name: getattr(item, name) for name in columns.split()}
        row.update(more)
        marks = ", ".join("?" * len(row))
        cursor = self._connection.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
        )
        return int(cursor.lastrowid or 0)


def _rebuild(connection: sqlite3.Connection, mimetypes: Dict[str, str]) -> None:
    for statement in schema.rebuild_statements():
        connection.execute(statement)
    types = mime.table()
    types.update(mimetypes)
    connection.executemany(
        "INSERT INTO mimetype (extension, mimetype) VALUES (?, ?)", types.items()
    )


def _add_log(connection: sqlite3.Connection, what: str, why: str,
             where: Optional[str] = None, how: str = "m2sh") -> None:
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        who = str(os.getuid())
    connection.execute(
        "INSERT INTO log (who, what, location, how, why) VALUES (?, ?, ?, ?, ?)",
        (who, what, where or socket.gethostname(), how, why),
    )


def _open(path: str, mode: str) -> sqlite3.Connection:
    # isolation_level None: transactions are begun and ended here, not by the module.
    uri = f"file:{urllib.parse.quote(os.path.abspath(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


@contextlib.contextmanager
def _writing(path: str) -> Iterator[sqlite3.Connection]:
    """One transaction: all of it, or (whatever goes wrong) nothing, not even a new empty file."""
    is_new = not os.path.exists(path)
    done = False
    with _faults(path):
        connection = _open(path, "rwc")
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            done = True
        finally:
            connection.close()  # rolls back what was not committed
            if is_new and not done:
                with contextlib.suppress(OSError):
                    os.unlink(path)


@contextlib.contextmanager
def _faults(path: str) -> Iterator[None]:
    """Faults of SQLite as DatabaseError, with the name of the database."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(f"SQLite error: {path}: {error}") from None
