# Goal: m2sh makes databases that hold exactly what a file says, whole or not at all, and prints
# them in the words of the manual. Debian's own m2sh is the peer: both must agree on the same file.
import os
import re
import shutil
import sqlite3
import subprocess

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
def folder(tmp_path):
    (tmp_path / "conf.py").write_text(CONFIG)
    return tmp_path


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


def bad(folder, line, **more):
    done = m2sh(*line.split(), cwd=folder, **more)
    assert done.returncode == 1, done
    return done.stdout + done.stderr


def test_rows(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    columns = "uuid, name, default_host, port, bind_addr, use_ssl"
    assert rows(folder, f"SELECT {columns} FROM server") == [
        ("u-1", "main", "localhost", 6767, "0.0.0.0", 0),
        ("u-2", "site", "example.org", 6768, "0.0.0.0", 0)]
    assert rows(folder, "SELECT server_id, name, matching, maintenance FROM host") == [
        (1, "localhost", "localhost", 0), (2, "example.org", "example.org", 0),
        (2, "b", "(.*).b", 0)]
    assert rows(folder, "SELECT path, host_id, target_type, target_id, reversed FROM route") == [
        ("/", 1, "dir", 1, 0), ("/", 2, "dir", 2, 0), ("/z", 3, "handler", 1, 0),
        ("/a", 3, "handler", 1, 0), ("/p", 3, "proxy", 1, 0), ("@chat", 3, "handler", 1, 0)]
    columns = "id, send_spec, send_ident, recv_spec, recv_ident, raw_payload, protocol"
    assert rows(folder, f"SELECT {columns} FROM handler") == [
        (1, "tcp://127.0.0.1:9999", "ident", "tcp://127.0.0.1:9998", "", 0, "tnetstring")]
    assert rows(folder, "SELECT key, value FROM setting") == [("zeromq.threads", "2")]
    assert rows(folder, "SELECT count(*), count(DISTINCT extension) FROM mimetype") == [(858, 858)]
    types = dict(rows(folder, "SELECT extension, mimetype FROM mimetype"))
    assert (types[".txt"], types[".new"], types[".html"]) == ("text/odd", "a/b", "text/html")


def test_a_load_replaces_and_the_history_stays(folder):
    good(folder, "init -db x.sqlite")
    assert rows(folder, "SELECT count(*) FROM server") == [(0,)]
    for _ in range(2):
        good(folder, "load -db x.sqlite -config conf.py -clear")
    assert rows(folder, "SELECT count(*) FROM server") == [(2,)]
    assert rows(folder, "SELECT count(*) FROM route") == [(6,)]
    good(folder, "init -db x.sqlite")
    assert rows(folder, "SELECT what, why FROM log") == [
        ("init_command", "m2sh init -db x.sqlite"),
        ("load_command", "m2sh load -db x.sqlite -config conf.py -clear"),
        ("load_command", "m2sh load -db x.sqlite -config conf.py -clear"),
        ("init_command", "m2sh init -db x.sqlite")]
    assert rows(folder, "SELECT count(*) FROM server") == [(0,)]


def test_a_load_that_fails_leaves_everything_as_it_was(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    before = (folder / "x.sqlite").read_bytes()
    (folder / "bad.py").write_text(CONFIG + "\nboom\n")
    (folder / "bad.conf").write_text("servers = [")
    assert "bad.py:" in bad(folder, "load -db x.sqlite -config bad.py")
    assert "bad.conf:1:11" in bad(folder, "load -db x.sqlite -config bad.conf")
    assert (folder / "x.sqlite").read_bytes() == before
    bad(folder, "load -db new.sqlite -config bad.py")
    assert not (folder / "new.sqlite").exists()


def test_files_that_are_no_database_are_neither_read_nor_destroyed(folder):
    (folder / "text").write_text("This is not a database. " * 100)
    for line in ("init -db text", "load -db text -config conf.py", "dump -db text",
                 "commit -db text -what a -why b"):
        assert "SQLite error: text: file is not a database" in bad(folder, line)
    assert (folder / "text").read_text().startswith("This is not")
    (folder / "empty").write_text("")
    assert "no such table: server" in bad(folder, "servers -db empty")
    assert "none not readable" in bad(folder, "servers -db none")
    assert "none not readable" in bad(folder, "commit -db none -what a -why b")
    assert not (folder / "none").exists()


def test_a_database_that_is_being_written_is_waited_for(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    writer = sqlite3.connect(folder / "x.sqlite", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    slow = subprocess.Popen([m2sh_tools.M2SH, "servers", "-db", "x.sqlite"], cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        slow.wait(0.5)
    writer.execute("ROLLBACK")
    assert "main localhost u-1" in slow.communicate(timeout=m2sh_tools.SECONDS)[0]
    writer.close()


def test_what_is_printed(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    assert good(folder, "servers -db x.sqlite") == (
        "-------\nmain localhost u-1\nsite example.org u-2\n")
    dump = good(folder, "dump -db x.sqlite").split("\n")
    assert dump[:4] == [
        "LOADING DB:  x.sqlite",
        "Server(uuid='u-1', access_log='/logs/access.log', error_log='/logs/error.log', "
        "chroot='./', default_host='localhost', port=6767)",
        "\tHost(maintenance=0, name='localhost', matching='localhost')",
        "\t\tRoute(path='/', reversed=0, target=Dir(base='www/', index_file='index.html', "
        "default_ctype='text/plain'))"]
    hosts = good(folder, "hosts -db x.sqlite -host example.org")
    assert hosts.startswith("--------\nHost(maintenance=0, name='example.org', ")
    assert "Host(maintenance=0, name='b', matching='(.*).b') :\n\t/z : Handler(send_spec=" in hosts
    assert "\t/p : Proxy(addr='127.0.0.1', port=80)\n" in hosts
    for selector in ("-name site", "-uuid u-2", "--server site", "-name site -host example.org"):
        assert good(folder, f"hosts -db x.sqlite {selector}") == hosts
    assert bad(folder, "hosts -db x.sqlite") == "ERROR: Must give a -host or -uuid or -name.\n"
    assert bad(folder, "hosts -db x.sqlite -host b") == "No servers found.\n"
    routes = good(folder, "routes -db x.sqlite --server site --host b").split("\n")
    assert routes[:2] == ["ROUTES in host b, server site", "-----"]
    assert [line.split(" ")[0] for line in routes[2:6]] == ["/z", "/a", "/p", "@chat"]
    assert good(folder, "routes -db x.sqlite -host b").split("\n") == routes
    assert bad(folder, "routes -db x.sqlite -host none") == "No hosts found.\n"


def test_history(folder):
    good(folder, "init -db x.sqlite")
    for number in range(25):
        done = m2sh("commit", "-db", "x.sqlite", "-what", "mongrel2.org", "-why", f"Test {number}.",
                    cwd=folder, LOGNAME="zed")
        assert done.returncode == 0
    lines = good(folder, "log -db x.sqlite").strip().split("\n")
    assert len(lines) == 20
    form = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d, zed@\S+, mongrel2\.org\] Test 24\."
    assert re.fullmatch(form, lines[-1])
    assert lines[0].endswith("Test 5.")
    assert len(good(folder, "log -db x.sqlite -count 3").strip().split("\n")) == 3
    assert "whole number" in bad(folder, "log -db x.sqlite -count many")


def test_databases_of_2010(folder):
    # Only the columns of the manual, NULL here and there, and no table of later years.
    connection = sqlite3.connect(folder / "old.sqlite")
    connection.executescript("""
        CREATE TABLE server (id INTEGER PRIMARY KEY, uuid TEXT, access_log TEXT, error_log TEXT,
            chroot TEXT, pid_File TEXT, default_host INTEGER, name TEXT, port INTEGER);
        CREATE TABLE host (id INTEGER PRIMARY KEY, server_id INTEGER, maintenance BOOLEAN,
            name TEXT, matching TEXT);
        CREATE TABLE route (id INTEGER PRIMARY KEY, path TEXT, reversed BOOLEAN, host_id INTEGER,
            target_id INTEGER, target_type TEXT);
        CREATE TABLE directory (id INTEGER PRIMARY KEY, base TEXT, index_file TEXT,
            default_ctype TEXT);
        INSERT INTO server VALUES (1, 'old', '/a', '/e', './', '/p', 'localhost', NULL, 6767);
        INSERT INTO host VALUES (1, 1, 0, 'localhost', 'localhost');
        INSERT INTO route VALUES (1, '/', 0, 1, 1, 'dir'), (2, '/x', 0, 1, 7, 'dir'),
            (3, '/y', 0, 1, 7, 'cgi');
        INSERT INTO directory VALUES (1, 'www/', 'index.html', NULL);
    """)
    connection.commit()
    connection.close()
    assert good(folder, "servers -db old.sqlite") == "-------\n localhost old\n"
    hosts = good(folder, "hosts -db old.sqlite -uuid old")
    assert "\t/ : Dir(base='www/', index_file='index.html', default_ctype='')\n" in hosts
    assert "\t/x : nothing (there is no 'dir' with id 7)\n" in hosts
    assert "\t/y : nothing (there is no 'cgi' with id 7)\n" in hosts
    assert bad(folder, "running -db old.sqlite -uuid old") == (
        "PID file p not found for server  old\n")
    good(folder, "load -db old.sqlite -config conf.py")
    assert rows(folder, "SELECT count(*) FROM server", "old.sqlite") == [(2,)]


def test_usage(folder):
    names = good(folder, "help").split("\n")
    assert names[:2] == ["Available commands:", ""] and names[2:19] == sorted(names[2:19])
    for command in names[2:names.index("", 2)]:
        assert command in good(folder, f"help -for {command}")
    assert "No help for zork" in bad(folder, "help -for zork")
    assert bad(folder, "zork").startswith("You must specify a valid command.  Try these: check ")
    assert bad(folder, "dump") == "Option -db is required by this command.\n"
    assert "Option -db needs a value" in bad(folder, "dump -db")
    assert "has no option -bd" in bad(folder, "dump -bd x")
    assert "'x' is no option" in bad(folder, "dump x")
    assert "given twice" in bad(folder, "dump -db a --db b")
    assert re.fullmatch(r"Mongrel2/\d+\.\d+\.\d+\n", good(folder, "version"))
    assert good(folder, "-version") == good(folder, "--version") == good(folder, "version")
    plain, hexadecimal = good(folder, "uuid"), good(folder, "uuid -hex")
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n", plain)
    assert re.fullmatch("[0-9a-f]{32}\n", hexadecimal)


def test_default_files_of_1x(folder):
    shutil.copy(folder / "conf.py", folder / "mongrel2.conf")
    assert "Option -db is required" in bad(folder, "load")
    good(folder, "init -db config.sqlite")
    done = m2sh("load", cwd=folder)
    assert done.returncode == 0 and done.stderr == (
        'No option --db given, using "config.sqlite" as the default.\n'
        'No option --config given, using "mongrel2.conf" as the default.\n')
    assert "main localhost u-1" in m2sh("servers", cwd=folder).stdout


def test_the_shell(folder):
    lines = "servers -db x.sqlite\nzork\n\n'unclosed\nconfig -db x.sqlite -config conf.py\n" \
            "servers -db x.sqlite\n"
    done = m2sh(cwd=folder, stdin=lines)
    assert done.returncode == 0 and done.stdout.count("m2> ") == 7
    assert "main localhost u-1" in done.stdout
    assert "x.sqlite not readable" in done.stderr and "valid command" in done.stderr
    assert m2sh("shell", cwd=folder, stdin="zork\nexit\nversion\n").returncode == 1


def test_a_reader_that_goes_away(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    done = subprocess.run(f"{m2sh_tools.M2SH} dump -db x.sqlite | true", shell=True, cwd=folder,
                          stderr=subprocess.PIPE, timeout=m2sh_tools.SECONDS)
    assert done.stderr == b""


LISTENERS = """
main = Server(uuid='u', access_log='a', error_log='e', chroot='./', default_host='h',
    pid_file='p', port=80, proxy_protocol=1, hosts=[Host(name='h')], listeners=[
        Listener(address='::1', port=81, proxy_protocol=1),
        Listener(address='unix:run/web', mode='0600')])
"""


# Goal: both languages write listeners, and dump and servers show them; a database without the table
# is read as well.
def test_listeners(folder):
    (folder / "new.py").write_text(f"from mongrel2.config import *\n{LISTENERS}commit([main])")
    (folder / "new.conf").write_text(f"{LISTENERS}servers = [main]")
    for name in ("new.py", "new.conf"):
        good(folder, f"config -db x.sqlite -config {name}")
        assert rows(folder, "SELECT proxy_protocol FROM server") == [(1,)]
        query = "SELECT server_id, address, port, proxy_protocol, mode FROM listener"
        assert rows(folder, query) == [(1, "::1", 81, 1, "0660"), (1, "unix:run/web", 0, 0, "0600")]
    shown = ("\tListener(address='::1', port=81, proxy_protocol=1)\n"
             "\tListener(address='unix:run/web', mode='0600')\n")
    assert shown in good(folder, "dump -db x.sqlite")
    assert good(folder, "servers -db x.sqlite").endswith("h h u\n" + shown)
    with sqlite3.connect(folder / "x.sqlite") as connection:
        connection.execute("DROP TABLE listener")
    assert good(folder, "servers -db x.sqlite").endswith("h h u\n")
    for wrong, why in (("port='81'", "must be a whole number"), ("mode=0", "must be text"),
                       ("port=1, host='a'", "host")):
        (folder / "new.py").write_text(
            f"from mongrel2.config import *\nListener(address='::1', {wrong})")
        assert why in bad(folder, "load -db x.sqlite -config new.py")


OLD_STYLE = '''
app = Handler(send_spec='tcp://127.0.0.1:9997', send_ident='i', recv_spec='tcp://127.0.0.1:9996',
              recv_ident='', raw_payload=1, protocol='tnetstring')
main = Server(uuid="f400bf85" access_log="/logs/access.log" error_log="/logs/error.log"
    chroot="./" default_host="localhost" name="test" pid_file="/run/mongrel2.pid" port=6767
    bind_addr="127.0.0.1" use_ssl=0
    filters=[Filter(name="/usr/lib/null.so", settings={"min_size": 1000})]
    hosts=[Host(name="localhost", routes={
            '/a\\.b': Dir(base='a/', index_file='i', default_ctype='text/html', cache_ttl=7)}),
        Host(name="b", matching="(.*).b", routes={'/': app, "/p": Proxy(addr='a.b', port=81)})])
settings = {"zeromq.threads": 1, "limits.url_path": 512}
servers = [main]
'''
TABLES = {
    "server": "id uuid access_log error_log chroot pid_file control_port default_host name "
              "bind_addr port use_ssl",
    "host": "id server_id maintenance name matching",
    "route": "id path reversed host_id target_id target_type",
    "directory": "id base index_file default_ctype cache_ttl",
    "proxy": "id addr port",
    "handler": "id send_spec send_ident recv_spec recv_ident raw_payload protocol",
    "filter": "id server_id name settings",
    "xrequest": "id server_id name settings",
    "setting": "key value",
    "mimetype": "extension mimetype",
}


def test_debians_m2sh_makes_the_same_database_of_the_same_file(folder):
    (folder / "old.conf").write_text(OLD_STYLE)
    good(folder, "config -db ours.sqlite -config old.conf")
    tool = m2sh_tools.debian_m2sh()
    subprocess.run([tool, "load", "--db", "theirs.sqlite", "--config", "old.conf"], cwd=folder,
                   check=True, env={**os.environ, "LOGNAME": "zed"}, timeout=m2sh_tools.SECONDS)
    for table, columns in TABLES.items():
        # The order of settings and MIME types means nothing; theirs is that of a hash.
        order = "id" if columns.startswith("id ") else "1, 2"
        query = f"SELECT {', '.join(columns.split())} FROM {table} ORDER BY {order}"
        ours, theirs = rows(folder, query, "ours.sqlite"), rows(folder, query, "theirs.sqlite")
        if table == "route":  # theirs are in the order of a hash within a host
            ours, theirs = ([row[1:] for row in sorted(each, key=lambda row: row[1])]
                            for each in (ours, theirs))
        assert ours == theirs, table


def test_debians_m2sh_reads_what_ours_wrote(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    tool = m2sh_tools.debian_m2sh()
    done = subprocess.run([tool, "servers", "--db", "x.sqlite"], cwd=folder, text=True,
                          stdout=subprocess.PIPE, check=True, timeout=m2sh_tools.SECONDS)
    assert "main localhost u-1" in done.stdout and "site example.org u-2" in done.stdout
