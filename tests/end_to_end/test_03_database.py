"""Databases: broken, old, foreign. Each fault is one clear line and status 1, never a crash."""

import os
import shutil
import sqlite3
import subprocess

import pytest

from lib.deployment import UUID, dir_, handler, proxy
from lib.handler import Answering, http
from lib.m2sh_tools import debian_m2sh
from lib.server import Server, faults, run

SCHEMA_OF_2010 = """
CREATE TABLE server (id INTEGER PRIMARY KEY, uuid TEXT, access_log TEXT, error_log TEXT,
  chroot TEXT DEFAULT '/var/www', pid_file TEXT, default_host INTEGER, name TEXT DEFAULT '',
  port INTEGER);
CREATE TABLE host (id INTEGER PRIMARY KEY, server_id INTEGER, maintenance BOOLEAN DEFAULT 0,
  name TEXT, matching TEXT);
CREATE TABLE handler (id INTEGER PRIMARY KEY, send_spec TEXT, send_ident TEXT, recv_spec TEXT,
  recv_ident TEXT);
CREATE TABLE proxy (id INTEGER PRIMARY KEY, addr TEXT, port INTEGER);
CREATE TABLE directory (id INTEGER PRIMARY KEY, base TEXT, index_file TEXT, default_ctype TEXT);
CREATE TABLE route (id INTEGER PRIMARY KEY, path TEXT, reversed BOOLEAN DEFAULT 0,
  host_id INTEGER, target_id INTEGER, target_type TEXT);
CREATE TABLE setting (id INTEGER PRIMARY KEY, key TEXT, value TEXT);
CREATE TABLE statistic (id SERIAL, other_type TEXT, other_id INTEGER, name TEXT, sum REAL,
  sumsq REAL, n INTEGER, min REAL, max REAL, mean REAL, sd REAL,
  PRIMARY KEY (other_type, other_id, name));
CREATE TABLE mimetype (id INTEGER PRIMARY KEY, mimetype TEXT, extension TEXT);
CREATE TABLE log (id INTEGER PRIMARY KEY, who TEXT, what TEXT, location TEXT,
  happened_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, how TEXT, why TEXT);
"""


def refusal(deployment, *expected):
    """Both the start and --check refuse with one line that names the database."""
    for options in ((), ("--check",)):
        done = run(*options, deployment.database, UUID)
        assert done.returncode == 1, done.stdout
        lines = faults(done.stdout)
        assert len(lines) == 1, done.stdout
        assert deployment.database in lines[0]
        for word in expected:
            assert word in lines[0], lines[0]


# Goal: a database that is not there is not created. Method: also a folder in its place.
def test_missing(deployment):
    refusal(deployment)
    assert not os.path.exists(deployment.database)
    os.mkdir(deployment.database)
    refusal(deployment)


# Goal: an empty file, an empty database, garbage, a database cut in the middle.
def test_broken(deployment):
    deployment.write("config.sqlite", b"")
    refusal(deployment)
    deployment.write("config.sqlite", os.urandom(8192))
    refusal(deployment)
    deployment.write("config.sqlite", b"SQLite format 3\0" + os.urandom(4096))
    refusal(deployment)
    os.unlink(deployment.database)
    deployment.configure()
    whole = deployment.read("config.sqlite")
    for part in (100, 1000, 4096, len(whole) // 2):
        deployment.write("config.sqlite", whole[:part])
        refusal(deployment)


# Goal: a database whose bytes are damaged anywhere never crashes the server: it refuses or it
# serves what it read. Method: --check on copies with a damaged page.
def test_damaged(deployment):
    deployment.configure({"/": dir_(), "/h": handler(), "/p": proxy(9)})
    whole = deployment.read("config.sqlite")
    for at in range(0, min(len(whole), 40 * 4096), 4096):
        damaged = whole[:at + 96] + os.urandom(900) + whole[at + 996:]
        deployment.write("config.sqlite", damaged)
        done = run("--check", deployment.database, UUID)
        assert done.returncode in (0, 1), done
        assert done.returncode == 0 or done.stdout


# Goal: a database that another program has locked is a refusal after a bounded wait.
def test_locked(deployment):
    deployment.configure()
    connection = sqlite3.connect(deployment.database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    refusal(deployment, "lock")
    connection.execute("ROLLBACK")
    assert run("--check", deployment.database, UUID).returncode == 0


# Goal: a database that may not be read is a refusal.
def test_unreadable(deployment):
    deployment.configure()
    os.chown(deployment.database, 0, 0) if os.geteuid() == 0 else None
    os.chmod(deployment.database, 0)
    done = run(deployment.database, UUID)
    assert done.returncode == 1 and len(faults(done.stdout)) == 1
    assert deployment.database in done.stdout


# Goal: every fault of the content is one line: table, row, column, value and what to do; all of
# them at once. Method: SQL that makes one fault after the other, then several together.
@pytest.mark.parametrize("statement, words", [
    ("UPDATE server SET port = 0", ("server", "port", "0")),
    ("UPDATE server SET port = 65536", ("server", "port", "65536")),
    ("UPDATE server SET port = 'http'", ("server", "port", "http")),
    ("UPDATE server SET default_host = 'nobody'", ("server", "default_host", "nobody")),
    ("UPDATE server SET bind_addr = 'localhost.'", ("server", "bind_addr", "localhost.")),
    ("DELETE FROM host", ("host",)),
    ("UPDATE route SET target_type = 'teapot'", ("route", "target_type", "teapot")),
    ("UPDATE route SET target_id = 77", ("route", "target_id", "77")),
    ("UPDATE route SET path = '/x([a-z'", ("route", "path", "/x([a-z")),
    ("UPDATE directory SET base = 'www'", ("directory", "base", "www")),
    ("UPDATE directory SET base = '/'", ("directory", "base", "/")),
    ("UPDATE directory SET base = '../'", ("directory", "base", "../")),
    ("UPDATE directory SET cache_ttl = -1", ("directory", "cache_ttl", "-1")),
    ("UPDATE proxy SET port = -5", ("proxy", "port", "-5")),
    ("UPDATE handler SET send_spec = 'nonsense'", ("handler", "send_spec", "nonsense")),
    ("UPDATE handler SET recv_spec = send_spec", ("handler", "recv_spec")),
    ("INSERT INTO setting (key, value) VALUES ('workers', 'many')", ("setting", "workers", "many")),
    ("INSERT INTO setting (key, value) VALUES ('workers', '1000')", ("setting", "workers", "1000")),
    ("INSERT INTO mimetype (mimetype, extension) VALUES ('a/b', 'nodot')", ("mimetype", "nodot")),
    ("DROP TABLE route", ("route",)),
    ("DROP TABLE setting", ("setting",)),
])
def test_findings(deployment, statement, words):
    deployment.configure({"/": dir_(), "/h": handler(), "/p": proxy(9)})
    deployment.sql(statement)
    done = run("--check", deployment.database, UUID)
    assert done.returncode == 1, done.stdout
    lines = done.stdout.splitlines()
    assert any(all(word in line for word in words) for line in lines), done.stdout
    assert run(deployment.database, UUID).returncode == 1


# Goal: several faults are all told at once, one line each.
def test_all_findings_at_once(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    deployment.sql("UPDATE server SET port = 0", "UPDATE directory SET base = 'www'",
                   "INSERT INTO setting (key, value) VALUES ('limits.idle_ms', 'soon')")
    done = run("--check", deployment.database, UUID)
    assert done.returncode == 1
    for word in ("port", "base", "limits.idle_ms"):
        assert sum(word in line for line in done.stdout.splitlines()) == 1, done.stdout


# Goal: --check of a good database exits 0, opens no port and leaves no file.
def test_check_changes_nothing(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    before = sorted(os.walk(deployment.folder))
    with Server(deployment, workers=1) as server:  # a server that runs is not disturbed either
        assert run("--check", deployment.database, UUID).returncode == 0
        assert run("--check", deployment.database, "test").returncode == 0
        assert run("--check", deployment.database, "nobody").returncode == 1
        assert server.get().status == 200
        assert server.stop() == 0
    after = sorted(os.walk(deployment.folder))
    assert [entry[0] for entry in before] == [entry[0] for entry in after]
    assert os.listdir(deployment.path("run")) == [] or set(os.listdir(deployment.path("run"))) <= {
        "h-q", "h-r", "control"}


# Goal: a database with only the columns of 2010 serves every kind of target; what came later has
# its default. Method: SQL from the manual's time, NULL where it leaves fields out.
def test_columns_of_2010(deployment, workers):
    connection = sqlite3.connect(deployment.database)
    connection.executescript(SCHEMA_OF_2010)
    connection.executescript(f"""
      INSERT INTO server VALUES (1, '{UUID}', '/logs/access.log', '/logs/error.log',
        '{deployment.folder}', '/run/mongrel2.pid', 'localhost', NULL, {deployment.port});
      INSERT INTO host VALUES (1, 1, 0, 'localhost', 'localhost');
      INSERT INTO directory VALUES (1, 'www/', 'index.html', 'text/plain');
      INSERT INTO handler VALUES (1, 'ipc://run/h-q', 'old-ident', 'ipc://run/h-r', '');
      INSERT INTO route (path, host_id, target_id, target_type) VALUES
        ('/', 1, 1, 'dir'), ('/h', 1, 1, 'handler');
      INSERT INTO mimetype VALUES (1, 'text/html', '.html');
      INSERT INTO setting VALUES (1, 'zeromq.threads', '1');
    """)
    connection.close()
    deployment.give_away()
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http(request.sender), ident="old-ident"):
        assert server.get().headers["content-type"] == "text/html"
        assert server.get("/h").body == b"old-ident"


# Goal: a database that Debian's own m2sh wrote loads unchanged. Method: its configuration language,
# its program, then every kind of target.
def test_database_of_debian(deployment, workers):
    tool = debian_m2sh()
    deployment.write("mongrel2.conf", f"""
static = Dir(base='www/', index_file='index.html', default_ctype='text/plain')
app = Handler(send_spec='ipc://run/h-q', send_ident='deb-ident', recv_spec='ipc://run/h-r',
  recv_ident='')
tnet = Handler(send_spec='ipc://run/t-q', send_ident='tnet-ident', recv_spec='ipc://run/t-r',
  recv_ident='', protocol='tnetstring', raw_payload=1)
main = Server(uuid='{UUID}', access_log='/logs/access.log', error_log='/logs/error.log',
  chroot='{deployment.folder}', default_host='localhost', name='test',
  pid_file='/run/mongrel2.pid', port={deployment.port}, bind_addr='127.0.0.1',
  hosts=[Host(name='localhost', routes={{'/': static, '/h': app, '/t': tnet}})])
settings = {{'zeromq.threads': 1, 'limits.min_ping': 0, 'superpoll.max_fd': 1024}}
servers = [main]
""")
    done = subprocess.run([tool, "load", "--db", deployment.database, "--config",
                           deployment.path("mongrel2.conf")], capture_output=True,
                          stdin=subprocess.DEVNULL, cwd=deployment.folder)
    assert done.returncode == 0, done
    deployment.give_away()
    done = run("--check", deployment.database, UUID)
    assert done.returncode == 0, done.stdout
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http(request.sender), ident="deb-ident"), \
            Answering(deployment, lambda request: http(request.headers["METHOD"]), name="t",
                      ident="tnet-ident", tnetstring=True):
        assert server.get().headers["content-type"] == "text/html"
        assert server.get("/h").body == b"deb-ident"
        assert server.get("/t").body == b"GET"


# Goal: NULL means the default, in every column that has one. Method: those where 1.x crashes.
def test_null_is_default(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    deployment.sql("UPDATE handler SET protocol = NULL, raw_payload = NULL",
                   "UPDATE server SET bind_addr = '127.0.0.1', use_ssl = NULL, control_port = NULL",
                   "UPDATE directory SET cache_ttl = NULL", "UPDATE host SET maintenance = NULL")
    with Server(deployment, workers=1) as server, Answering(deployment):
        assert server.get("/h").status == 200


# Goal: unknown tables and columns are ignored.
def test_unknown_is_ignored(deployment):
    deployment.configure()
    deployment.sql("CREATE TABLE other (x)", "ALTER TABLE route ADD COLUMN note TEXT",
                   "UPDATE route SET note = 'mine'")
    with Server(deployment, workers=1) as server:
        assert server.get().status == 200


# Goal: a database in WAL mode, as other tools may leave it, is read.
def test_wal(deployment):
    deployment.configure()
    deployment.sql("PRAGMA journal_mode = WAL")
    copy = deployment.path("copy.sqlite")
    shutil.copy(deployment.database, copy)
    assert run("--check", deployment.database, UUID).returncode == 0
