"""A deployment folder with a configuration database, as an operator would make it.

The folder belongs to an ordinary user even when the tests run as root; everything in it goes away
at the end. The database is written by the project's own m2sh, or changed by SQL for the odd ones.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

from lib.waiting import free_port

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UUID = "f400bf85-4538-4f7a-8908-67e313d515c2"
IDENT = "34f9ceee-cd52-4b7f-b197-88bf2f0ec378"
IS_ROOT = os.geteuid() == 0
# Whom the server runs as: "nobody" if we may choose, else ourselves.
UID = 65534 if IS_ROOT else os.getuid()
GID = 65534 if IS_ROOT else os.getgid()

ALIVE = []  # deployments of the test that runs: conftest.py shows their logs when it fails


def m2sh(*arguments, check=True, cwd=None, **more):
    """Runs the project's m2sh; the result of subprocess.run with text output."""
    done = subprocess.run([sys.executable, os.path.join(TOP, "scripts", "m2sh"), *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=cwd,
                          stderr=subprocess.STDOUT, text=True, timeout=60, **more)
    assert not check or done.returncode == 0, f"m2sh {arguments}: {done.stdout}"
    return done


def dir_(base="www/", index_file="index.html", default_ctype="text/plain", **more):
    return _source("Dir", base=base, index_file=index_file, default_ctype=default_ctype, **more)


def proxy(port, addr="127.0.0.1", **more):
    return _source("Proxy", addr=addr, port=port, **more)


def handler(name="h", ident=IDENT, recv_ident="", **more):
    """A handler pair on ipc endpoints named after it; send_spec= and recv_spec= choose others."""
    specs = dict(send_spec=f"ipc://run/{name}-q", recv_spec=f"ipc://run/{name}-r")
    specs.update(more)
    return _source("Handler", send_ident=ident, recv_ident=recv_ident, **specs)


def listener(address="127.0.0.1", port=0, **more):
    return _source("Listener", address=address, port=port, **more)


class Source(str):
    """A piece of a configuration file; stands in lists as it is."""

    __repr__ = str.__str__


def _source(kind, /, **arguments):
    return Source(f"{kind}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})")


class Deployment:
    """Folder, port and database; make servers from it with lib.server.Server."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="m2-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        for name in ("run", "logs", "tmp", "www"):
            os.mkdir(os.path.join(self.folder, name))
        self.database = os.path.join(self.folder, "config.sqlite")
        self.port = free_port()
        self.servers = []
        self.of_root = None  # the folder of a database that only root can change
        self.write("www/index.html", "<h1>hello</h1>\n")
        self.give_away()
        ALIVE.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for server in self.servers:
            server.end_now()
        if self in ALIVE:
            ALIVE.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.of_root:
            shutil.rmtree(self.of_root, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def endpoint(self, spec):
        """A configured endpoint as seen from outside the folder."""
        return spec.replace("ipc://", f"ipc://{self.folder}/", 1)

    def write(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chown(path, UID, GID)
        return path

    def read(self, name):
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def give_away(self, uid=None, gid=None):
        """Everything in the folder belongs to the user of the server from here on."""
        for folder, _, names in os.walk(self.folder):
            for path in [folder] + [os.path.join(folder, name) for name in names]:
                os.chown(path, UID if uid is None else uid, GID if gid is None else gid,
                         follow_symlinks=False)

    def give_database_to_root(self):
        """From here on the database lies where only root can change it; before configure()."""
        self.of_root = tempfile.mkdtemp(prefix="m2-root-", dir="/tmp")
        os.chmod(self.of_root, 0o755)
        self.database = os.path.join(self.of_root, "config.sqlite")

    def _give_database_away(self):
        if not self.of_root:
            os.chown(self.database, UID, GID)

    def source(self, routes=None, hosts=None, settings=None, mimetypes=None, **server):
        """The configuration as a Python file in the manual's style. routes: {path: target}; hosts:
        {name or (name, matching): routes}. Equal targets are one object, so one row."""
        hosts = hosts or {"localhost": routes or {"/": dir_()}}
        settings = {"access_log.flush_ms": 0, **(settings or {})}
        targets = sorted({text for each in hosts.values() for text in each.values()})
        names = {text: f"target{number}" for number, text in enumerate(targets)}
        lines = ["from mongrel2.config import *"]
        lines += [f"{name} = {text}" for text, name in names.items()]
        lines.append("hosts = [")
        for host, its_routes in hosts.items():
            name, matching = host if isinstance(host, tuple) else (host, host)
            lines.append(f"  Host(name={name!r}, matching={matching!r}, routes={{")
            lines += [f"    {path!r}: {names[text]}," for path, text in its_routes.items()]
            lines.append("  }),")
        lines.append("]")
        first = next(iter(hosts))
        default = first if isinstance(first, str) else first[0]
        values = dict(uuid=UUID, access_log="/logs/access.log", error_log="/logs/error.log",
                      chroot=self.folder, default_host=default, name="test",
                      pid_file="/run/mongrel2.pid", bind_addr="127.0.0.1",
                      port=self.port)
        values.update(server)
        lines.append(f"main = {_source('Server', **values)[:-1]}, hosts=hosts)")
        more = f", mimetypes={mimetypes!r}" if mimetypes else ""
        lines.append(f"commit([main], settings={settings!r}{more})")
        return "\n".join(lines) + "\n"

    def configure(self, *arguments, **named):
        """Writes the configuration and loads it with m2sh, whatever is wrong with it; a server that
        runs sees it at its next reload."""
        source = self.write("config.py", self.source(*arguments, **named))
        place = os.path.dirname(self.database)
        if place != self.folder:  # root obeys no file of the user's
            source = shutil.copy(source, place)
        m2sh("config", "-db", self.database, "-config", source, "-force")
        self._give_database_away()

    def sql(self, *statements):
        connection = sqlite3.connect(self.database)
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
        self._give_database_away()

    def rows(self, query):
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
