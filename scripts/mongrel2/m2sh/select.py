"""Which servers a command means: -uuid, -name, -host, and -every for more than one (manual 3.9)."""

from __future__ import annotations

from typing import List, Optional

from mongrel2 import db
from mongrel2.m2sh.output import one_line
from mongrel2.m2sh.options import Options, UsageError, flag, value

ONE = [
    value("uuid", "the uuid of the server"),
    value("name", "the name of the server"),
    value("host", "the default host of the server"),
]
EVERY = flag("every", "all of them, if there is more than one")


def title(server: db.Row) -> str:
    return one_line(f"{server['name']} {server['default_host']} {server['uuid']}")


def short_title(server: db.Row) -> str:
    return one_line(f"{server['name']} {server['uuid']}")


def matching(servers: List[db.Row], uuid: Optional[str] = None, name: Optional[str] = None,
             host: Optional[str] = None) -> List[db.Row]:
    """The servers that have all that is given."""
    return [server for server in servers
            if uuid in (None, server["uuid"]) and name in (None, server["name"])
            and host in (None, server["default_host"])]


def chosen(database: db.Database, options: Options, done: str) -> List[db.Row]:
    """The servers to act on; if that is not clear, none, and it has been said why.

    done is what would have happened to them, for the message: launched, stopped, ...
    """
    if not (options.every or options.uuid or options.name or options.host):
        raise UsageError("You must give either -every, -name, -host, or -uuid.")
    servers = matching(database.servers(), options.uuid, options.name, options.host)
    if not servers:
        print(f"No matching servers found, nothing {done}")
    if len(servers) > 1 and not options.every:
        print("Not sure which server to run, what I found:")
        print("NAME HOST UUID")
        print("--------------")
        for server in servers:
            print(title(server))
        print("* Use -every to run them all.")
        return []
    return servers
