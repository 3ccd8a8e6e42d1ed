"""The language of configuration files: `from mongrel2.config import *`.

A file builds Servers with Hosts with Routes to Dir, Proxy or Handler targets, and hands them to
commit(). loader.py runs the file and collects what it committed; nothing here touches a database.
Manual 3.3 to 3.5; words that came with 1.x (bind_addr, cache_ttl, ...) are taken as well.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Set, Union

from mongrel2 import folder, tnetstrings

__all__ = [
    "Server", "Listener", "Host", "Route", "Dir", "Proxy", "Handler", "Filter", "Xrequest",
    "commit", "include",
]

# Stands for "no default" where the order of the manual puts a field with a default before it.
REQUIRED: Any = object()
MAX_INTEGER = 2**31 - 1


class ConfigError(Exception):
    """What is wrong with a configuration, in words for the person who wrote it."""


class _Row:
    """What all objects of the language share. An object is checked when it is made, so that a
    message can name the line, and again by commit(), because attributes may be set in between."""

    _title: ClassVar[str] = ""  # the field that names the object in messages

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """ConfigError if a field has a value that cannot be meant."""
        for spec in fields(self):  # annotations are text here, see __future__
            value = getattr(self, spec.name)
            if value is REQUIRED:
                raise ConfigError(f"{self}: {spec.name}= is missing")
            if str(spec.type) == "str" and not isinstance(value, str):
                raise ConfigError(f"{self}: {spec.name}={value!r} must be text, in quotes")
            optional = str(spec.type) == "Optional[int]" and value is not None
            if str(spec.type) == "int" or optional:
                self._check_integer(spec.name, value)

    def _check_integer(self, name: str, value: Any) -> None:
        if isinstance(value, bool):
            setattr(self, name, int(value))
        elif not isinstance(value, int):
            raise ConfigError(f"{self}: {name}={value!r} must be a whole number, without quotes")
        elif not 0 <= value <= MAX_INTEGER:
            raise ConfigError(f"{self}: {name}={value} must be from 0 to {MAX_INTEGER}")

    def __str__(self) -> str:
        title = getattr(self, self._title, None)
        return f"{type(self).__name__} {title if isinstance(title, str) else ''}".strip()


class Children(List[Any]):
    """The hosts of a server, or the routes of a host: a list whose members know whose they are."""

    def __init__(self, owner: Any, back: str, kind: type, items: Iterable[Any]) -> None:
        super().__init__()
        self._owner, self._back, self._kind = owner, back, kind
        self._ids: Set[int] = set()
        for item in items:
            self.add(item)

    def add(self, item: Any) -> None:
        """Puts item at the end; one that is there already stays where it is."""
        if not isinstance(item, self._kind):
            raise ConfigError(f"{self._owner}: {item!r} is not a {self._kind.__name__}")
        # The ids spare most items a look at all others: there may be a hundred thousand routes.
        if id(item) in self._ids and any(item is member for member in self):
            return
        super().append(item)
        self._ids.add(id(item))
        object.__setattr__(item, self._back, self._owner)

    append = add


@dataclass(eq=False)
class Dir(_Row):
    """Serves the files below base, which is relative to the chroot of the server; ends in '/'."""

    base: str
    index_file: str
    default_ctype: str = "text/plain"
    cache_ttl: int = 0
    listing: int = 0  # 1: a folder without its index file is listed
    precompressed: int = 0  # 1: FILE.br, .zst or .gz is sent in place of FILE to who accepts it
    _title = "base"


@dataclass(eq=False)
class Proxy(_Row):
    """Passes requests on to another HTTP server."""

    addr: str
    port: int
    balance: str = "round_robin"
    _title = "addr"


@dataclass(eq=False)
class Handler(_Row):
    """Sends requests as 0MQ messages to who connects to send_spec; answers come by recv_spec."""

    send_spec: str
    send_ident: str
    recv_spec: str = ""
    recv_ident: str = ""
    raw_payload: int = 0
    protocol: str = "json"
    slow_clients: str = "close"
    replies: str = "sub"
    websocket: str = "frames"
    timeout_ms: Optional[int] = None  # None: the settings handler.timeout and handler.grace_ms
    grace_ms: Optional[int] = None
    _title = "send_spec"


@dataclass(eq=False)
class Filter(_Row):
    """A filter module of Mongrel2 1.x; kept in the database for servers that load them."""

    name: str
    settings: Dict[str, Any] = field(default_factory=dict)
    _title = "name"

    def check(self) -> None:
        super().check()
        try:
            tnetstrings.dump(dict(_pairs("settings", self.settings)))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{self}: settings: {error}") from None


@dataclass(eq=False)
class Xrequest(Filter):
    """An extended-request module of Mongrel2 1.x, like Filter."""


Target = Union[Dir, Proxy, Handler]


@dataclass(eq=False)
class Route(_Row):
    """A path, perhaps with a pattern in parentheses, and what answers there; within timeout_ms, if
    it is a Handler: before its own and the setting's."""

    path: str
    target: Target
    reversed: int = 0
    host: Optional[Host] = field(default=None, repr=False)
    timeout_ms: Optional[int] = None
    _title = "path"

    def check(self) -> None:
        super().check()
        if not isinstance(self.target, (Dir, Proxy, Handler)):
            raise ConfigError(f"{self}: {self.target!r} is not a Dir, Proxy or Handler")

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name == "host" and value is not None:
            value.routes.add(self)


@dataclass(eq=False)
class Host(_Row):
    """One DNS name, or all that `matching` covers, with its routes: a dict of path to target."""

    name: str
    matching: str = ""
    maintenance: int = 0
    routes: Any = ()
    server: Optional[Server] = field(default=None, repr=False)
    _title = "name"

    def check(self) -> None:
        super().check()
        self.matching = self.matching or self.name
        routes = self.routes
        if isinstance(routes, Mapping):
            routes = [self._route(path, target) for path, target in routes.items()]
        elif not isinstance(routes, (list, tuple)):
            raise ConfigError(f"{self}: routes={routes!r} must be a dict of path to target")
        self.routes = Children(self, "host", Route, routes)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name == "server" and value is not None:
            value.hosts.add(self)

    def _route(self, path: str, target: Any) -> Route:
        if not isinstance(target, Route):
            return Route(path, target)
        if target.path != path:
            raise ConfigError(f"{self}: the route at {path!r} has the path {target.path!r}")
        return target


@dataclass(eq=False)
class Listener(_Row):
    """One more place where clients come in: a numeric address with its port, or "unix:PATH" with
    the mode of the socket's file, in octal."""

    address: str
    port: int = 0
    proxy_protocol: int = 0
    mode: str = "0660"
    _title = "address"


@dataclass(eq=False)
class Server(_Row):
    """One listening server: where it listens, where it is locked in, which hosts it has."""

    uuid: str
    access_log: str
    error_log: str
    chroot: str = "/var/www"
    default_host: str = REQUIRED
    name: str = ""
    pid_file: str = REQUIRED
    port: int = REQUIRED
    hosts: Any = None
    bind_addr: str = "0.0.0.0"
    use_ssl: int = 0
    control_port: str = ""
    error_log_level: int = 2
    filters: Any = ()
    xrequests: Any = ()
    listeners: Any = ()
    proxy_protocol: int = 0
    _title = "uuid"

    def check(self) -> None:
        super().check()
        self.name = self.name or self.default_host
        self.hosts = Children(self, "server", Host, self._list("hosts"))
        for name, kind in (("filters", Filter), ("xrequests", Xrequest), ("listeners", Listener)):
            for item in self._list(name):
                if type(item) is not kind:
                    raise ConfigError(f"{self}: {name} has {item!r}, not a {kind.__name__}")
                item.check()

    def _list(self, name: str) -> Iterable[Any]:
        items = getattr(self, name)
        if items is None:
            return ()
        if not isinstance(items, (list, tuple)):
            raise ConfigError(f"{self}: {name}={items!r} must be a list")
        return items


@dataclass
class Commit:
    """All that a configuration file asked for."""

    servers: List[Server] = field(default_factory=list)
    settings: Dict[str, str] = field(default_factory=dict)
    mimetypes: Dict[str, str] = field(default_factory=dict)

    def add(self, servers: Any, settings: Any, mimetypes: Any) -> None:
        """Takes up more, checked; a later setting with the same key replaces the earlier one."""
        if isinstance(servers, Server) or not isinstance(servers, (list, tuple)):
            raise ConfigError("commit: the servers must be a list, as in commit([main])")
        for server in servers:
            if not isinstance(server, Server):
                raise ConfigError(f"commit: {server!r} is not a Server")
            if any(server.uuid == other.uuid for other in self.servers):
                raise ConfigError(f"{server}: a second server has this uuid; m2sh uuid makes one")
            _check_all(server)
            self.servers.append(server)
        for key, value in _pairs("settings", settings):
            if isinstance(value, bool):
                value = int(value)
            if value is not None and not isinstance(value, (str, int, float)):
                raise ConfigError(f"settings: {key}={value!r} must be text or a number")
            if value is not None:  # None: the default, as in the manual's upload.temp_store=None
                self.settings[key] = str(value)
        for extension, kind in _pairs("mimetypes", mimetypes):
            if not extension.startswith(".") or not isinstance(kind, str) or not kind:
                raise ConfigError(f"mimetypes: {extension!r}: {kind!r} must be like '.txt': 'a/b'")
            self.mimetypes[extension] = kind


def _check_all(server: Server) -> None:
    server.check()
    for host in server.hosts:
        host.check()
        for route in host.routes:
            route.check()
            route.target.check()


def _pairs(name: str, values: Any) -> Iterable[Any]:
    if values is None:
        return ()
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{name}={values!r} must be a dict of text to value")
    return values.items()


# The file that is being run: what it has committed, and its folder. Set by collecting() alone.
_current: Optional[Commit] = None
_folder = ""
_included: List[str] = []


@contextlib.contextmanager
def collecting(path: str) -> Iterator[Commit]:
    """While the file at path runs inside this context, its commits come together in one Commit."""
    global _current, _folder
    saved = (_current, _folder)
    _current, _folder = Commit(), os.path.dirname(os.path.abspath(path))
    try:
        yield _current
    finally:
        _current, _folder = saved
        while _included:
            sys.modules.pop(_included.pop(), None)


def commit(servers: List[Server], settings: Optional[Dict[str, Any]] = None,
           mimetypes: Optional[Dict[str, str]] = None) -> None:
    """Puts servers, settings and additional MIME types into the database that is being loaded."""
    if _current is None:
        raise ConfigError("commit() needs a database: run m2sh load -db X -config THIS_FILE")
    _current.add(servers, settings, mimetypes)


def include(name: str, script: str) -> Any:
    """Runs script, relative to the configuration file, as the module `name`, and returns it.

    Until the load is over `import name` finds it too.
    """
    if name in sys.modules:
        raise ConfigError(f"include({name!r}): a module of that name exists; choose another name")
    path = os.path.join(_folder, script)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not os.path.isfile(path):
        raise ConfigError(f"include({name!r}): {path} is not a Python file")
    if os.geteuid() == 0 and folder.writers_of(path):
        raise ConfigError(f"include({name!r}): others than root can change {path}, so root does "
                          "not run it; give it to root, in a folder of root's")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _included.append(name)
    spec.loader.exec_module(module)
    return module
