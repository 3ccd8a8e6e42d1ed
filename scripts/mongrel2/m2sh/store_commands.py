"""The commands that make and show a configuration database. No process is touched here."""

from __future__ import annotations

import os
import sys
import uuid
from typing import List, Optional

import mongrel2
from mongrel2 import db, folder, loader
from mongrel2.m2sh import checker, dump, process, select
from mongrel2.m2sh.output import one_line
from mongrel2.m2sh.options import Command, Options, UsageError, flag, value

DB = value("db", "the configuration database", required=True, default_file="config.sqlite")
FORCE = flag("force", "also if no server could start with it")
CONFIG = value("config", "the configuration file", required=True, default_file="mongrel2.conf")


def _init(options: Options) -> int:
    db.initialise(options.db, options.line)
    return 0


def _load(options: Options) -> int:
    return _replace(options, ["load_command"])


def _config(options: Options) -> int:
    return _replace(options, ["init_command", "load_command"])


def _replace(options: Options, history: List[str]) -> int:
    author = _author(options.config)
    if author:
        status = process.run_as(author, options.words(without=()))
        if status and folder.folder_writers(options.db) != {author}:
            print(f"{options.config} was loaded with the rights of uid {author}, who can change "
                  "it; to load it as root, give it to root, in a folder of root's",
                  file=sys.stderr)
        return status
    commit = loader.read(options.config)
    if not options.force:
        checker.refuse_faults(options.db, commit)
    db.replace(options.db, commit, history, options.line)
    return 0


def _author(path: str) -> int:
    """Who, beside root, decides what a configuration file says, which may be a program; 0: nobody,
    or we are not root."""
    if os.geteuid() != 0 or not os.path.exists(path):
        return 0
    writers = folder.writers_of(path)
    if folder.crowd(writers):
        raise folder.FolderError(f"{path}: {folder.crowd(writers)} can change it, so root does not "
                                 "load it; give it to root, in a folder of root's")
    return writers.pop() if writers else 0


def _dump(options: Options) -> int:
    with db.Database(options.db) as database:
        print(f"LOADING DB:  {options.db}")
        for server in database.servers():
            print(dump.server(server))
            for listener in database.listeners(server):
                print("\t" + dump.listener(listener))
            for kind in ("filter", "xrequest"):
                for module in database.of_server(kind, server):
                    print("\t" + dump.row(kind.capitalize(), module, without=("server_id",)))
            for host in database.hosts(server):
                print("\t" + dump.host(host))
                for route in database.routes(host):
                    print("\t\t" + dump.route(route, dump.target(database, route, whole=True)))
        for setting in database.settings():
            print(dump.row("Setting", setting))
        for kind in dump.own_mimetypes(database.mimetypes()):
            print(dump.row("MimeType", kind))
    return 0


def _servers(options: Options) -> int:
    with db.Database(options.db) as database:
        print("-------")
        for server in database.servers():
            print(select.title(server))
            for listener in database.listeners(server):
                print("\t" + dump.listener(listener))
    return 0


def _hosts(options: Options) -> int:
    with db.Database(options.db) as database:
        servers = _servers_to_show(database, options, options.host)
        if not servers:
            print("No servers found.")
            return 1
        for server in servers:
            print("--------")
            for host in database.hosts(server):
                print(f"{dump.host(host)} :")
                for route in database.routes(host):
                    print(f"\t{route['path']} : {dump.target(database, route)}")
    return 0


def _routes(options: Options) -> int:
    with db.Database(options.db) as database:
        servers = _servers_to_show(database, options, None)
        found = [(server, host) for server in servers for host in database.hosts(server)
                 if options.host in (None, host["name"])]
        if not found:
            print("No hosts found.")
            return 1
        for server, host in found:
            print(f"ROUTES in host {host['name']}, server {server['name']}")
            print("-----")
            for route in database.routes(host):
                print(f"{route['path']} : {dump.target(database, route)}")
    return 0


def _servers_to_show(database: db.Database, options: Options, host: Optional[str]) -> List[db.Row]:
    """The servers with this uuid, name (or -server, the same in 1.x) and default host."""
    name = options.name or options.server
    if not (options.uuid or name or host):
        if host is None and options.host:  # routes: a host alone, wherever it is
            return database.servers()
        raise UsageError("ERROR: Must give a -host or -uuid or -name.")
    return select.matching(database.servers(), uuid=options.uuid, name=name, host=host)


def _commit(options: Options) -> int:
    db.add_log(options.db, options.what, options.why, options.where, options.how or "m2sh")
    return 0


def _log(options: Options) -> int:
    with db.Database(options.db) as database:
        for row in database.log(max(1, options.number("count", 20))):
            when = str(row["happened_at"]).replace(" ", "T")
            print(one_line(f"[{when}, {row['who']}@{row['location']}, {row['what']}] "
                           f"{row['why']}"))
    return 0


def _keys(options: Options) -> int:
    try:
        from mongrel2 import keys
    except ImportError:
        print("m2sh keys needs pyzmq: install python3-zmq.", file=sys.stderr)
        return 1
    public, secret = keys.make()
    if options.out is None:
        print(f"public {public}\nsecret {secret}")
        return 0
    keys.write(options.out, public, secret)
    print(f"{options.out}.key holds the secret key, {options.out}.pub the public one: {public}")
    return 0


def _uuid(options: Options) -> int:
    made = uuid.uuid4()
    print(made.hex if options.hex else made)
    return 0


def _version(_: Options) -> int:
    print(f"Mongrel2/{mongrel2.__version__}")
    return 0


COMMANDS = [
    Command("init", "Makes an empty configuration database; an old one is emptied, but for its "
            "history.", [DB], _init),
    Command("load", "Replaces the configuration in a database by what a file says, or leaves it as "
            "it was.", [DB, CONFIG, FORCE, flag("clear", "accepted as in the manual; a load always "
                                         "replaces what was there")], _load),
    Command("config", "init and load in one step.", [DB, CONFIG, FORCE], _config),
    Command("dump", "Prints everything in a database.", [DB], _dump),
    Command("servers", "Lists the servers: name, default host, uuid.", [DB], _servers),
    Command("hosts", "Lists the hosts of a server with their routes.",
            [DB, *select.ONE, value("server", "the same as -name, as in 1.x")], _hosts),
    Command("routes", "Lists the routes of one host, or of all hosts of a server.",
            [DB, value("uuid", "the uuid of the server"), value("name", "its name"),
             value("server", "the same as -name, as in 1.x"), value("host", "the name of a host")],
            _routes),
    Command("commit", "Writes a line into the history of a database.",
            [DB, value("what", "what it is about", required=True),
             value("why", "the text", required=True),
             value("where", "the machine, if not this one"), value("how", "by what means")],
            _commit),
    Command("log", "Prints the history of a database, oldest first.",
            [DB, value("count", "how many of the last entries, 20 if not given")], _log),
    Command("keys", "Makes a pair of CURVE keys, for the server or for a handler.",
            [value("out", "make the files X.key and X.pub instead of printing")], _keys),
    Command("uuid", "Prints a new random UUID.", [flag("hex", "without dashes")], _uuid),
    Command("version", "Prints the version.", [], _version),
]
