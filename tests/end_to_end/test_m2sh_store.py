# Goal: m2sh makes databases that hold exactly what a file says, whole or not at all, and prints
# them in the words of the manual. Debian's own m2sh is the peer: both must agree on the same file.
import os
import pwd
import re
import sqlite3
import subprocess

import pytest

from lib import m2sh_tools
from lib.m2sh_folder import CONFIG, bad, folder, give_away, good, rows  # noqa: F401
from lib.m2sh_tools import m2sh


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
    give_away(folder / "text")
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
        "chroot='./', default_host='localhost', port=6767, pid_file='/run/mongrel2.pid', "
        "name='main')",
        "\tHost(maintenance=0, name='localhost', matching='localhost')",
        "\t\tRoute(path='/', reversed=0, target=Dir(base='www/', index_file='index.html', "
        "default_ctype='text/plain'))"]
    hosts = good(folder, "hosts -db x.sqlite -host example.org")
    assert hosts.startswith("--------\nHost(maintenance=0, name='example.org', ")
    assert "Host(maintenance=0, name='b', matching='(.*).b') :\n\t/z : Handler(send_spec=" in hosts
    assert "\t/p : Proxy(addr='127.0.0.1', port=80)\n" in hosts
    for selector in ("-name site", "-uuid u-2", "--server site", "-name site -host example.org"):
        assert good(folder, f"hosts -db x.sqlite {selector}") == hosts
    assert bad(folder, "hosts -db x.sqlite", 2) == "ERROR: Must give a -host or -uuid or -name.\n"
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
                    cwd=folder, LOGNAME="zed", SUDO_UID="")
        assert done.returncode == 0
    lines = good(folder, "log -db x.sqlite").strip().split("\n")
    assert len(lines) == 20
    user = pwd.getpwuid(os.getuid()).pw_name
    form = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d, %s@\S+, mongrel2\.org\] Test 24\." % user
    assert re.fullmatch(form, lines[-1])
    assert lines[0].endswith("Test 5.")
    assert len(good(folder, "log -db x.sqlite -count 3").strip().split("\n")) == 3
    assert "whole number" in bad(folder, "log -db x.sqlite -count many", 2)


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
    give_away(folder / "old.sqlite")
    assert good(folder, "servers -db old.sqlite") == "-------\n localhost old\n"
    hosts = good(folder, "hosts -db old.sqlite -uuid old")
    assert "\t/ : Dir(base='www/', index_file='index.html', default_ctype='')\n" in hosts
    assert "\t/x : nothing (there is no 'dir' with id 7)\n" in hosts
    assert "\t/y : nothing (there is no 'cgi' with id 7)\n" in hosts
    assert bad(folder, "running -db old.sqlite -uuid old") == (
        "PID file p not found for server  old\n")
    good(folder, "load -db old.sqlite -config conf.py")
    assert rows(folder, "SELECT count(*) FROM server", "old.sqlite") == [(2,)]


# Goal: dump shows all that a load can make, and columns that it does not know.
def test_dump_shows_everything(folder):
    (folder / "all.py").write_text(CONFIG + """
main.listeners.append(Listener("::1", 7000, mode="0600"))
main.filters.append(Filter("/lib/f.so", {"a": 1}))
main.control_port, main.error_log_level, main.use_ssl = "ipc://run/c", 3, 1
app.replies = "pull"
commit([], settings={"limits.head_ms": 7}, mimetypes={".odd": "x/y"})
""")
    (folder / "all.py").write_text((folder / "all.py").read_text()
                                   .replace("listeners.append", "listeners += (").replace(
        'mode="0600"))', 'mode="0600"),)').replace("filters.append(", "filters += (").replace(
        '{"a": 1}))', '{"a": 1}),)').replace("+= ((", "+= ("))
    good(folder, "load -force -db x.sqlite -config all.py")
    with sqlite3.connect(folder / "x.sqlite") as connection:
        connection.execute("ALTER TABLE handler ADD COLUMN later TEXT DEFAULT 'new'")
    connection.close()
    dump = good(folder, "dump -db x.sqlite")
    for text in ("name='main'", "pid_file='/run/mongrel2.pid'", "control_port='ipc://run/c'",
                 "error_log_level=3", "use_ssl=1", "Filter(name='/lib/f.so'", "replies='pull'",
                 "Listener(address='::1', port=7000, mode='0600')", "later='new'",
                 "Setting(key='limits.head_ms', value='7')",
                 "MimeType(mimetype='x/y', extension='.odd')"):
        assert text in dump, text
    assert dump.count("MimeType(") == 3  # the odd one, and those of the file


# Goal: a load refuses what no server could start with, says all of it, and leaves what was there;
# -force loads it. Without a program to ask, it says so.
def test_a_load_of_what_cannot_start(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    (folder / "bad.py").write_text(CONFIG.replace("6767", "70000").replace("'www/'", "'www'"))
    before = (folder / "x.sqlite").read_bytes()
    for command in ("load", "config"):
        said = bad(folder, f"{command} -db x.sqlite -config bad.py")
        assert "error: server row 1, port 70000: must be" in said and "-force" in said
        assert bad(folder, f"{command} -db none.sqlite -config bad.py").count("port 70000") == 1
    assert (folder / "x.sqlite").read_bytes() == before
    assert not [name for name in os.listdir(folder) if name.startswith((".", "none"))]
    good(folder, "load -force -db x.sqlite -config bad.py")
    assert "port 70000" in bad(folder, "check -db x.sqlite -uuid u-1")
    done = m2sh("load", "-db", "x.sqlite", "-config", "conf.py", cwd=folder,
                MONGREL2_BIN="/bin/false")
    assert done.returncode == 0 and "Loaded unchecked but for the language" in done.stderr
    assert "is not a program" in bad(folder, "load -db x.sqlite -config conf.py",
                                     MONGREL2_BIN="/none")


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
        good(folder, f"config -db x.sqlite -config {name} -force")
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
    good(folder, "config -db ours.sqlite -config old.conf -force")
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
