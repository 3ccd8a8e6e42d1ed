"""An upgrade that comes to nothing changes nothing: whatever is wrong with the new program, the old
server goes on with everything it has, and says why."""

import contextlib
import os
import shutil
import signal
import sqlite3

import pytest

from lib.deployment import GID, IS_ROOT, UID, UUID, dir_, handler, listener, m2sh
from lib.handler import Answering, Handler
from lib.server import Server, program
from lib.upgrade import HeldUpgrade, own_program, replace, wait_accepts_no_more
from lib.waiting import is_alive, wait_until


@pytest.fixture
def copy(deployment):
    """A program file of this test's own."""
    return own_program(deployment)


def refused(server):
    """Asks for an upgrade; what m2sh says of its refusal."""
    done = m2sh("upgrade", "-db", "config.sqlite", "-uuid", UUID, cwd=server.deployment.folder,
                check=False)
    assert done.returncode == 1, done.stdout
    assert "goes on as before: upgrade refused: " in done.stdout
    return done.stdout


def unchanged(server, client, before):
    """The same processes serve the same connections, files and handlers."""
    assert is_alive(server.pid)
    assert {pid: name for pid, name in server.children().items() if "upgrade" not in name} == before
    assert client.request("GET", "/").status == 200
    assert server.get("/h").status == 200
    assert server.deployment.read("run/mongrel2.pid") == b"%d" % server.pid
    assert {"h-q", "h-r", "web"} <= set(os.listdir(server.deployment.path("run")))


def configure(deployment, **settings):
    deployment.configure({"/": dir_(), "/h": handler()}, settings=settings,
                         listeners=[listener("unix:run/web")])


SCRIPTS = {
    "false": ("#!/bin/sh\nexit 3\n", "exited with status 3 before it served"),
    "killed": ("#!/bin/sh\nkill -SEGV $$\n", "killed by signal 11 (Segmentation fault)"),
    "no interpreter": ("#!/nowhere\n", "cannot execute"),
    "other version": ("""#!/usr/bin/python3
import os, socket, struct
channel = socket.socket(fileno=int(os.environ["MONGREL2_UPGRADE_FD"]))
channel.setblocking(True)
channel.send(struct.pack("=IIQQ", 1000, 1, 99, os.getpid()) + b"9.9")
channel.recv(65536)
""", "(Mongrel2 9.9) hands over in version 99, this one in version 1; restart"),
    "garbage": ("""#!/usr/bin/python3
import os, socket
socket.socket(fileno=int(os.environ["MONGREL2_UPGRADE_FD"])).send(b"hello")
""", "before it served"),
}


# Goal: programs of all bad kinds are refused with the reason, and change nothing; then a good one
# at the same place takes over. Method: one server; the file is replaced by each.
def test_bad_programs(deployment, copy, workers):
    configure(deployment)
    with Server(deployment, workers=workers, program=copy) as server, Answering(deployment), \
            server.client() as client:
        assert server.get("/h").status == 200
        before = server.children()
        for name, (text, reason) in SCRIPTS.items():
            replace(copy, text)
            assert reason in refused(server), name
            unchanged(server, client, before)
        os.unlink(copy)
        assert "No such file" in refused(server)
        os.mkdir(copy)
        assert "is no file that can be executed" in refused(server)
        os.rmdir(copy)
        unchanged(server, client, before)
        shutil.copy(program(), copy)
        done = m2sh("upgrade", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder)
        assert "Upgraded server" in done.stdout
        server.taken_over()
        assert client.request("GET", "/").status == 200
        assert server.get("/h").status == 200


# Goal: a program that says nothing is given up. Method: a limit that counts from a reload on.
def test_program_that_hangs(deployment, copy, workers):
    configure(deployment)
    with Server(deployment, workers=workers, program=copy) as server, Answering(deployment), \
            server.client() as client:
        assert server.get("/h").status == 200
        configure(deployment, **{"reload.prepare_ms": 500})
        assert "serves" in server.reload()
        before = server.children()
        replace(copy, "#!/bin/sh\nexec sleep 1000\n")
        assert "has not said that it is one within 500 ms" in refused(server)
        unchanged(server, client, before)


# Goal: root never runs a program that others may have put there.
@pytest.mark.usefixtures("root")
def test_program_of_others(deployment, copy):
    configure(deployment)
    with Server(deployment, workers=1, as_root=True, program=copy) as server, \
            Answering(deployment), server.client() as client:
        assert server.get("/h").status == 200
        before = server.children()
        os.chmod(copy, 0o775)
        assert "others may write to it, and root would run it" in refused(server)
        os.chmod(copy, 0o755)
        os.chown(copy, UID, GID)
        assert f"belongs to uid {UID}, and root would run it" in refused(server)
        unchanged(server, client, before)


# Goal: a new server that cannot come up is refused with its own reason: an error in the database, a
# port that somebody has, a pid file that it may not have.
def test_bad_configurations(deployment, workers):
    configure(deployment)
    with Server(deployment, workers=workers) as server, Answering(deployment), \
            server.client() as client, Server(deployment, start=False):
        assert server.get("/h").status == 200
        before = server.children()
        deployment.sql("UPDATE route SET target_type = 'hander' WHERE path = '/h'")
        assert "hander" in refused(server)
        unchanged(server, client, before)
        os.mkdir(deployment.path("closed"), 0o555)
        deployment.sql("UPDATE route SET target_type = 'handler' WHERE path = '/h'",
                       "UPDATE handler SET send_spec = 'ipc://closed/x'")
        assert "cannot listen on ipc://closed/x" in refused(server)
        unchanged(server, client, before)
        deployment.sql("UPDATE handler SET send_spec = 'ipc://run/h-q'",
                       "UPDATE server SET pid_file = '/run/other.pid'")
        os.symlink("/dev/null", deployment.path("run/other.pid"))
        server.send_signal(signal.SIGUSR2)
        wait_until(lambda: "other.pid: Too many levels" in
                   server.log().rsplit("upgrade refused", 1)[-1], "the reason")
        new = int(server.log().rsplit("starts as process ", 1)[1].split()[0])
        wait_until(lambda: not is_alive(new), "the end of the new one")
        unchanged(server, client, before)
        deployment.sql("UPDATE server SET pid_file = '/run/mongrel2.pid'")
        server.upgrade()
        assert client.request("GET", "/").status == 200


# Goal: the new program killed before it serves changes nothing; the old one killed takes the new
# one along; stopped, it ends both.
def test_killed_in_the_middle(deployment, copy, workers):
    configure(deployment)
    with Server(deployment, workers=workers, program=copy) as server, Answering(deployment):
        with server.client() as client:
            assert server.get("/h").status == 200
            before = server.children()
            new = HeldUpgrade(server, copy).pid
            os.kill(new, signal.SIGKILL)
            wait_until(lambda: "killed by signal 9 (Killed) before it served" in server.log(),
                       "the reason")
            unchanged(server, client, before)
            new = HeldUpgrade(server, copy).pid
            server.send_signal(signal.SIGUSR2)
            wait_until(lambda: "an upgrade is under way already" in server.log(), "its answer")
            server.children()
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: not is_alive(new), "the end of the new one")
            assert server.wait_end() == 0
    with Server(deployment, workers=workers, program=own_program(deployment)) as server:
        new = HeldUpgrade(server, copy).pid
        server.children()
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(new), "the end of the new one")


# Goal: the new server killed while it comes up (it says hello, then waits for its database)
# changes nothing.
def test_killed_after_hello(deployment, copy, workers):
    configure(deployment)
    with Server(deployment, workers=workers, program=copy) as server, Answering(deployment), \
            server.client() as client:
        assert server.get("/h").status == 200
        before = server.children()
        locked = sqlite3.connect(deployment.database, isolation_level=None)
        locked.execute("BEGIN EXCLUSIVE")
        server.send_signal(signal.SIGUSR2)
        wait_until(lambda: "starts as process" in server.log(), "its hello")
        new = int(server.log().rsplit("starts as process ", 1)[1].split()[0])
        os.kill(new, signal.SIGKILL)
        wait_until(lambda: "killed by signal 9 (Killed) before it served" in server.log(),
                   "the reason")
        locked.close()
        unchanged(server, client, before)
        server.upgrade()
        assert client.request("GET", "/").status == 200


# Goal: the old one killed while it finishes: the new one is the server all the same, and handlers
# come to it. Method: a request is held, so that the old one still has its handlers.
def test_old_one_killed_while_it_finishes(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()},
                         settings={"upgrade.handlers_ms": 60000, "handler.wait_ms": 60000})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        held = server.client().send_request(path="/h/held")
        on.recv()
        children = server.children()
        old = server.upgrade(wait=False)
        for pid in [old, *children]:
            wait_accepts_no_more(pid, deployment.port)
        late = server.client().send_request(path="/h/late")
        for pid in [old, *children]:
            with contextlib.suppress(ProcessLookupError):
                if is_alive(pid):  # a worker that holds nothing has ended by itself
                    os.kill(pid, signal.SIGKILL)
        assert held.is_closed()
        request = on.recv()
        while request.path != "/h/late":
            request = on.recv()
        on.reply(request, "here")
        assert late.answer().body == b"here"
        wait_until(lambda: f"process {old} has ended" in server.log(), "its word")
        assert server.deployment.read("run/mongrel2.pid") == b"%d" % server.pid
        server.upgrade()
        assert server.get("/").status == 200


# Goal: where the end of the process ends everything there is no upgrade. Method: process 1 of a
# namespace.
@pytest.mark.skipif(not IS_ROOT, reason="needs root")
def test_process_1(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1, as_root=True,
                prefix=["unshare", "--pid", "--fork", "--kill-child"]) as server:
        master = wait_until(lambda: next(iter(server.children()), None), "the master")
        os.kill(master, signal.SIGUSR2)
        wait_until(lambda: "upgrade refused, this server goes on: the server is process 1"
                   in server.log(), "the reason")
        assert server.get("/").status == 200
