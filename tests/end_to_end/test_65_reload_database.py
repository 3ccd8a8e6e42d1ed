"""Whatever the database is at the moment of a reload: one clear line, nothing changed, and m2sh
reload says so with its exit status."""

import os
import sqlite3

import pytest

from lib.deployment import GID, UID, UUID, dir_, handler, m2sh
from lib.handler import Handler
from lib.load import Load
from lib.server import Server
from lib.waiting import wait_until


def emptied(deployment):
    deployment.write("config.sqlite", b"")


def garbage(deployment):
    deployment.write("config.sqlite", os.urandom(20_000))


def garbage_behind_a_good_head(deployment):
    content = deployment.read("config.sqlite")
    deployment.write("config.sqlite", content[:100] + os.urandom(len(content) - 100))


def cut_off(deployment):
    content = deployment.read("config.sqlite")
    deployment.write("config.sqlite", content[:len(content) // 2])


def removed(deployment):
    os.unlink(deployment.database)


def a_folder(deployment):
    os.unlink(deployment.database)
    os.mkdir(deployment.database)


def a_fifo(deployment):
    os.unlink(deployment.database)
    os.mkfifo(deployment.database)
    os.chown(deployment.database, UID, GID)


def a_dead_link(deployment):
    os.unlink(deployment.database)
    os.symlink("nowhere", deployment.database)


def forbidden(deployment):
    os.chmod(deployment.database, 0)


def locked(deployment):
    connection = sqlite3.connect(deployment.database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def replaced_by_a_bad_one(deployment):
    other = deployment.path("other.sqlite")
    with open(other, "wb") as file:
        file.write(deployment.read("config.sqlite"))
    connection = sqlite3.connect(other)
    with connection:
        connection.execute("UPDATE directory SET base = 'nonsense'")
    connection.close()
    os.chown(other, UID, GID)
    os.rename(other, deployment.database)


FAULTS = [emptied, garbage, garbage_behind_a_good_head, cut_off, removed, a_folder, a_fifo,
          a_dead_link, forbidden, locked, replaced_by_a_bad_one]


def make_whole(deployment, held):
    if held is not None:
        held.close()
    if os.path.isdir(deployment.database) and not os.path.islink(deployment.database):
        os.rmdir(deployment.database)
    elif os.path.lexists(deployment.database):
        os.unlink(deployment.database)


# Goal: at load, with a request in flight: m2sh reload ends with 1 and says why in one line that
# names the file or the row; the log has that line; processes, routes and clients are as before; a
# good database then loads.
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault(deployment, fault):
    deployment.configure({"/": dir_(), "/h": handler()})
    # What m2sh needs to find the server comes from the database too.
    deployment.write("good.sqlite", deployment.read("config.sqlite"))
    with Server(deployment, workers=2) as server, Handler(deployment) as on, \
            Load(deployment.port, connections=4) as load:
        client = server.client().send_request(path="/h")
        request = on.recv()
        children = server.children()
        held = fault(deployment)
        before = server.log()
        done = m2sh("reload", "-db", "good.sqlite", "-uuid", UUID, cwd=deployment.folder,
                    check=False)
        assert done.returncode == 1, done.stdout
        lines = [line for line in server.log()[len(before):].splitlines()
                 if "reload refused, generation 1 goes on: " in line]
        assert len(lines) == 1, server.log()[len(before):]
        why = lines[0].split("goes on: ", 1)[1]
        assert "config.sqlite" in why or "nonsense" in why, why
        assert why in done.stdout, done.stdout
        assert set(server.children()) == set(children)
        on.reply(request, "as before")
        assert client.answer().body == b"as before"
        make_whole(deployment, held)
        deployment.configure({"/": dir_(), "/h": handler(), "/new/": dir_()})
        assert "1 route added" in server.reload()
        more = load.total() + 20
        wait_until(lambda: load.total() > more, "more load")
    assert (load.failures, load.closed, set(load.answered)) == ([], 0, {200})


# Goal: a database that another takes the place of (rename), as careful tools do it, is the one that
# loads; a reader of the old file does not hold it up.
def test_replaced(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server:
        reader = sqlite3.connect(deployment.database, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM server").fetchall()
        deployment.write("next.sqlite", deployment.read("config.sqlite"))
        next_one = sqlite3.connect(deployment.path("next.sqlite"))
        with next_one:
            next_one.execute("UPDATE route SET path = '/next/'")
        next_one.close()
        os.rename(deployment.path("next.sqlite"), deployment.database)
        assert "1 route added, 1 route removed" in server.reload()
        assert server.get("/next/").status == 200
        reader.close()
