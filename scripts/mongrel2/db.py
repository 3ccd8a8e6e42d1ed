"""The configuration database, from the side of the tools: written whole, read row by row.

Every write is one transaction: a server that reads at that moment sees the old configuration or the
new one. Called by m2sh. Rows are read from databases of every generation: a column that a
database does not have, or NULL, is its default. The SQL is here and in schema.py, nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import sqlite3
import stat
import urllib.parse
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set

from mongrel2 import config, folder, mime, schema, tnetstrings

Row = Dict[str, Any]
# How long to wait for another program that is writing to the same database.
BUSY_SECONDS = 5.0

DEFAULTS: Dict[str, Row] = {
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
        self._path = path
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Database:
        with contextlib.ExitStack() as held:
            held.enter_context(_rights_of_its_place(self._path))
            _examine(self._path, f"m2sh config -db {self._path} -config X makes it")
            with _faults(self._path):
                self._connection = _open(self._path, "ro", BUSY_SECONDS)
            held.callback(self._connection.close)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._held.close()

    def servers(self) -> List[Row]:
        return self._rows("server")

    def listeners(self, server: Row) -> List[Row]:
        """Those beside bind_addr and port; none in a database of 1.x, which has no such table."""
        return self.of_server("listener", server)

    def of_server(self, table: str, server: Row) -> List[Row]:
        """Its rows of a table that not every generation has."""
        return self._rows(table, "server_id", server["id"]) if self._has(table) else []

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

    def settings(self) -> List[Row]:
        return self._rows("setting") if self._has("setting") else []

    def mimetypes(self) -> List[Row]:
        return self._rows("mimetype") if self._has("mimetype") else []

    def log(self, count: int) -> List[Row]:
        """The last count entries of the history, oldest first."""
        return self._rows("log")[-count:]

    def _has(self, table: str) -> bool:
        with _faults(self._path):
            return self._connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
                (table,)).fetchone()[0] > 0

    def _rows(self, table: str, column: str = "", value: Any = None) -> List[Row]:
        where = f" WHERE {column} = ?" if column else ""
        with _faults(self._path):
            cursor = self._connection.execute(
                f"SELECT * FROM {table}{where} ORDER BY id", (value,) if column else ()
            )
            names = [item[0].lower() for item in cursor.description]  # 1.0 wrote pid_File
            rows = []
            for values in cursor:
                row = dict(DEFAULTS.get(table, {}))
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


@contextlib.contextmanager
def copy(path: str, commit: config.Commit) -> Iterator[str]:
    """A database as replace() would make it at path, for a while and beside it, with its owner and
    mode: whoever checks it finds all that would be found there."""
    with _rights_of_its_place(path), _faults(path):
        before = os.stat(path) if os.path.exists(path) else None
        name = _make_beside(path)
        try:
            os.chmod(name, stat.S_IMODE(before.st_mode) if before else 0o644)
            if before and os.geteuid() == 0:
                os.chown(name, before.st_uid, before.st_gid)
            with contextlib.closing(_open(name, "rw", BUSY_SECONDS)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                _rebuild(connection, commit.mimetypes)
                _Writer(connection).write(commit)
                connection.execute("COMMIT")
        except BaseException:
            os.unlink(name)
            raise
    try:
        yield name
    finally:
        with _rights_of_its_place(path), contextlib.suppress(OSError):
            os.unlink(name)


def _make_beside(path: str) -> str:
    import tempfile

    try:
        file, name = tempfile.mkstemp(prefix=".m2sh-", suffix=".sqlite",
                                      dir=os.path.dirname(os.path.abspath(path)))
    except OSError as error:
        raise DatabaseError(f"{path}: nothing can be made beside it: {error.strerror}") from None
    os.close(file)
    return name


def add_log(path: str, what: str, why: str, where: Optional[str] = None, how: str = "m2sh",
            busy: float = BUSY_SECONDS) -> None:
    """Adds one entry to the history of the database at path, which must exist."""
    with _writing(path, busy, must_exist=True) as connection:
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
    row = (_who(), what, where or socket.gethostname(), how, why)
    connection.execute(
        "INSERT INTO log (who, what, location, how, why) VALUES (?, ?, ?, ?, ?)",
        # A word of the command line need not be UTF-8.
        [text.encode("utf-8", "backslashreplace").decode("utf-8") for text in row],
    )


def _who() -> str:
    """Who we are as the kernel knows it; under sudo also whom sudo did it for."""
    asked = os.environ.get("SUDO_UID", "")
    if os.getuid() != 0 or not asked.isdigit() or int(asked) == 0:
        return _name_of(os.getuid())
    return f"{_name_of(os.getuid())} (sudo: {_name_of(int(asked))})"


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):  # a user without a name, as in some containers
        return str(uid)


def _open(path: str, mode: str, busy: float) -> sqlite3.Connection:
    # isolation_level None: transactions are begun and ended here, not by the module.
    uri = f"file:{urllib.parse.quote(os.path.abspath(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=busy, isolation_level=None)


def _examine(path: str, advice: str) -> None:
    """DatabaseError unless there is a plain file that we may read."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise DatabaseError(f"{path} not readable: no such file; {advice}") from None
    except (OSError, ValueError) as error:
        raise DatabaseError(f"{path} not readable: {error}") from None
    if stat.S_ISDIR(mode):
        raise DatabaseError(f"{path} is a folder; name the database in it")
    if not stat.S_ISREG(mode):
        raise DatabaseError(f"{path} is not a plain file, so it is no database")
    if not os.access(path, os.R_OK, effective_ids=True):
        raise DatabaseError(f"{path} not readable: uid {os.geteuid()} may not; run this as its "
                            "owner, or have the owner change its mode")


@contextlib.contextmanager
def _rights_of_its_place(path: str) -> Iterator[None]:
    """As root, SQLite has the rights of the one user who can put files at or beside the database:
    with a journal of his he could have root remove and change files elsewhere."""
    writers: Set[int] = set()
    if os.geteuid() == 0:
        try:
            writers = folder.folder_writers(path)
        except (folder.FolderError, OSError) as error:
            raise DatabaseError(f"{path}: {error}") from None
    if folder.crowd(writers):
        raise DatabaseError(f"{path}: {folder.crowd(writers)} can put another file there, so root "
                            "does not use it; give the folders above it to root or to one user")
    if not writers:
        yield
        return
    uid, groups, group = writers.pop(), os.getgroups(), os.getegid()
    try:
        os.setgroups([])
        os.setegid(_group_of(uid))
        os.seteuid(uid)
    except OSError as error:  # root without capabilities, as in some containers
        raise DatabaseError(f"{path} lies in a folder of uid {uid}, whose rights cannot be taken "
                            f"on: {error.strerror}; run this as that user") from None
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


@contextlib.contextmanager
def _writing(path: str, busy: float = BUSY_SECONDS,
             must_exist: bool = False) -> Iterator[sqlite3.Connection]:
    """One transaction: all of it, or (whatever goes wrong) nothing, not even a new empty file."""
    with _rights_of_its_place(path):
        _refuse_common_folder(path)
        is_new = not os.path.exists(path)
        if must_exist or not is_new:
            _examine(path, f"m2sh init -db {path} makes it")
            _refuse_read_only(path)
        done = False
        with _faults(path):
            connection = _open(path, "rwc", busy)
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


def _refuse_common_folder(path: str) -> None:
    """As root; reading there does no harm, since it rolls no journal back."""
    place = os.path.dirname(os.path.realpath(path))
    if os.getuid() == 0 and os.path.isdir(place) and os.stat(place).st_mode & stat.S_IWOTH:
        raise DatabaseError(f"{path}: everybody can put a journal beside it, with which root would "
                            f"change files elsewhere; make a folder for it in {place}")


def _refuse_read_only(path: str) -> None:
    if os.access(path, os.W_OK, effective_ids=True):
        return
    owner, uid = os.stat(path).st_uid, os.geteuid()
    if os.getuid() == 0 and uid != 0:
        raise DatabaseError(f"{path} belongs to uid {owner} and lies in a folder of uid {uid}, who "
                            "can replace it; give both to one of them (chown)")
    raise DatabaseError(f"{path} may not be written by uid {uid}; run this as its owner")


@contextlib.contextmanager
def _faults(path: str) -> Iterator[None]:
    """Faults of SQLite as DatabaseError, with the name of the database."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(f"SQLite error: {path}: {error}") from None
