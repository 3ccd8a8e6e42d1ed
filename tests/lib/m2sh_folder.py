"""A folder in which m2sh makes databases that a server could start with, for its tests."""

import os
import pathlib
import sqlite3
import tempfile

import pytest

from lib import m2sh_tools
from lib.m2sh_tools import m2sh

CONFIG = f'''
from mongrel2.config import *
main = {m2sh_tools.server_text(uuid="u-1", name="main", host="localhost", port=6767)}
site = {m2sh_tools.server_text(uuid="u-2", name="site", host="example.org", port=6768)}
app = Handler("tcp://127.0.0.1:9999", "ident", "tcp://127.0.0.1:9998", protocol="tnetstring")
site.hosts.add(Host("b", matching="(.*).b", routes={{
    "/z": app, "/a": app, "/p": Proxy("127.0.0.1", 80), "@chat": app}}))
commit([main, site], settings={{"zeromq.threads": 2}},
       mimetypes={{".txt": "text/odd", ".new": "a/b"}})
'''


@pytest.fixture
def folder():
    """A folder that a server can start in; pytest's own is hidden from other users."""
    with tempfile.TemporaryDirectory(prefix="m2-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for inner in ("run", "logs", "www"):
            (folder / inner).mkdir()
        (folder / "conf.py").write_text(CONFIG)
        give_away(folder, *folder.iterdir())
        yield folder


def give_away(*paths):
    """To the owner of the folder."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, m2sh_tools.NOBODY, m2sh_tools.NOBODY)


def rows(folder, query, name="x.sqlite"):
    connection = sqlite3.connect(folder / name)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def good(folder, line, **more):
    done = m2sh(*line.split(), cwd=folder, **more)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def bad(folder, line, status=1, **more):
    done = m2sh(*line.split(), cwd=folder, **more)
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr
