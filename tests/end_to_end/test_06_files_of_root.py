"""Every file below the folder that the root master opens, makes, changes or removes, against what
the serving user can put in its place, at each moment at which the master touches it."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import time

import pytest

from lib.deployment import GID, UID, dir_, handler, listener
from lib.server import Server
from lib.waiting import DEADLINE, is_alive, wait_until

pytestmark = pytest.mark.usefixtures("root")

FILES = ["run/mongrel2.pid", "run/mongrel2.verdict", "run/mongrel2.verdict.new",
         "run/mongrel2.jail", "run/mongrel2.jail.new", "logs/error.log", "logs/access.log",
         "run/control", "run/h-q", "run/h-r", "run/web", "run/m2-0-1-q"]
FOLDERS = ["run", "logs"]
SETTINGS = {"server.daemonize": 0, "drain_ms": 2000}


class Secret:
    """A folder that only root may enter, with a file of each name, and what it looked like."""

    def __init__(self, deployment):
        self.path = deployment.path("secret")
        os.mkdir(self.path, 0o700)
        for name in [os.path.basename(file) for file in FILES] + ["plain"]:
            with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
                file.write("of root\n")
            os.chmod(os.path.join(self.path, name), 0o600)
        self.before = self.look()

    def look(self):
        found = {}
        for name in sorted(os.listdir(self.path)):
            path = os.path.join(self.path, name)
            facts = os.lstat(path)
            with open(path, "rb") as file:
                found[name] = (file.read(), facts.st_mode, facts.st_uid, facts.st_ino)
        return found

    def check(self, moment):
        assert self.look() == self.before, moment


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):  # the server may just have done it
            os.unlink(path)


def link(deployment, file):
    os.symlink("/secret/" + os.path.basename(file), deployment.path(file))


def hard_link(deployment, file):
    """What a kernel that does not protect hard links lets him do."""
    os.link(deployment.path("secret/" + os.path.basename(file)), deployment.path(file))


def pipe(deployment, file):
    os.mkfifo(deployment.path(file))
    os.chown(deployment.path(file), UID, GID)


def folder(deployment, file):
    os.mkdir(deployment.path(file))
    os.chown(deployment.path(file), UID, GID)


def plant(deployment, trick, file):
    def planted():
        remove(deployment.path(file))
        try:
            trick(deployment, file)
        except FileExistsError:  # the server was quicker
            return False
        return True
    wait_until(planted, f"room for {file}")


def configure(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings=SETTINGS,
                         listeners=[listener("unix:run/web")])


def said(server):
    """On stderr alone: its file may be a pipe."""
    return server.deployment.read(os.path.basename(server.stderr)).decode("utf-8", "replace")


def start(deployment):
    """A server that serves, or None: it was refused. Nothing else, and soon."""
    server = Server(deployment, workers=2, as_root=True, start=False).launch()
    wait_until(lambda: server.process.poll() is not None or "serves:" in said(server),
               "the verdict of the start")
    if server.process.poll() is None:
        server.wait_notified("READY")
        return server
    assert server.process.returncode == 1
    server.end_now()
    return None


def rotate(server):
    before = said(server).count("reopened")
    server.send_signal(signal.SIGUSR1)
    wait_for_word(server, lambda: said(server).count("reopened") > before)


def wait_for_word(server, said):
    """Its log may be the very thing that was taken away: then a reload tells that it lives."""
    end = time.monotonic() + 2
    while not said() and time.monotonic() < end:
        time.sleep(0.01)
    server.reload()


def upgrade(server):
    before = said(server).count("upgrade refused")
    old = server.pid
    server.notify.forget()
    server.send_signal(signal.SIGUSR2)

    def verdict():
        message = server.notify.next() or {}
        if "MAINPID" in message:
            server.pid = int(message["MAINPID"])
            server.known.add(server.pid)
        return server.pid != old or "READY" in message or \
            said(server).count("upgrade refused") > before
    wait_until(verdict, "the verdict of the upgrade")
    if server.pid != old:
        wait_until(lambda: not is_alive(old), "the end of the old one")


def stop(server):
    pid = server.pid
    server.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_alive(pid), "the end")


# Goal: whatever stands in the place of a file, root changes, makes and removes nothing that is not
# the serving user's, and waits for nothing. Method: each file, each trick, each moment; a folder
# that only root may enter is compared with what it was.
@pytest.mark.parametrize("trick", [link, hard_link, pipe, folder], ids=lambda each: each.__name__)
@pytest.mark.parametrize("file", FILES)
def test_in_the_place_of_a_file(deployment, file, trick):
    configure(deployment)
    secret = Secret(deployment)
    plant(deployment, trick, file)
    server = start(deployment)
    secret.check("start")
    if server is None:
        remove(deployment.path(file))
        server = start(deployment)
    with server:
        for moment in (rotate, Server.reload, upgrade, stop):
            plant(deployment, trick, file)
            moment(server)
            secret.check(moment.__name__)


# Goal: the same for a folder of these files, which is moved away and replaced by a link.
@pytest.mark.parametrize("name", FOLDERS)
def test_in_the_place_of_a_folder(deployment, name):
    configure(deployment)
    secret = Secret(deployment)
    place, aside = deployment.path(name), deployment.path(name + ".aside")

    def swap():
        os.rename(place, aside)
        os.symlink("/secret", place)

    def back():
        os.unlink(place)
        os.rename(aside, place)
    swap()
    server = start(deployment)
    secret.check("start")
    if server is not None:
        stop(server)
        secret.check("stop")
    back()
    server = start(deployment)
    with server:
        for moment in (rotate, Server.reload, upgrade, stop):
            swap()
            moment(server)
            secret.check(moment.__name__)
            back()


# Goal: the same while the serving user renames without an end, so that what root looks at is not
# what root opens. Method: a process of his puts files, links and pipes at all the names in turn.
def test_renames_in_a_loop(deployment):
    configure(deployment)
    secret = Secret(deployment)
    names = [deployment.path(file) for file in FILES]
    spare = deployment.path("tmp")
    for number in range(3):
        os.chown(deployment.write(f"tmp/file{number}", "x"), UID, GID)
    attacker = os.fork()
    if attacker == 0:
        try:
            os.setgroups([])
            os.setresgid(GID, GID, GID)
            os.setresuid(UID, UID, UID)
            end = time.monotonic() + DEADLINE * 4
            turn = 0
            while time.monotonic() < end:
                turn += 1
                for path in names:
                    made = f"{spare}/made{turn % 3}"
                    try:
                        if turn % 3 == 0:
                            os.symlink("/secret/" + os.path.basename(path), made)
                        elif turn % 3 == 1:
                            os.mkfifo(made)
                        else:
                            os.close(os.open(made, os.O_CREAT | os.O_WRONLY, 0o644))
                        os.rename(made, path)
                    except OSError:
                        pass
        finally:
            os._exit(0)
    try:
        for _ in range(3):
            server = start(deployment)
            secret.check("start")
            if server is None:
                continue
            with server:
                for moment in (signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
                    server.send_signal(moment)
                    if moment == signal.SIGHUP:
                        server.wait_notified("READY")
                    secret.check("loop")
                stop(server)
                secret.check("stop")
    finally:
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)
    secret.check("the end")


# Goal: root makes and changes its pid file nowhere but where the serving user could remove it.
# Method: the user renames a folder of root's that lies in his own; with and without a file there.
@pytest.mark.parametrize("there", [None, "of root\n", "4711"])
def test_a_folder_of_roots_in_the_place_of_run(deployment, there):
    deployment.give_database_to_root()
    configure(deployment)
    roots, file = deployment.path("roots"), deployment.path("run/mongrel2.pid")
    os.mkdir(roots, 0o755)
    if there is not None:
        with open(os.path.join(roots, "mongrel2.pid"), "w", encoding="ascii") as made:
            made.write(there)
    before = os.listdir(roots)
    os.rename(deployment.path("run"), deployment.path("old"))
    as_user(lambda: os.rename(roots, deployment.path("run")))
    assert start(deployment) is None
    assert f"its folder cannot be written by uid {UID}" in said(deployment.servers[-1])
    assert os.listdir(deployment.path("run")) == before
    assert there is None or deployment.read(file) == there.encode()


# Goal: in a folder of his too root writes over nothing but a pid file. Method: files of root's and
# of another user's that the serving user has put in its place.
def test_another_file_in_the_place_of_the_pid_file(deployment):
    deployment.give_database_to_root()
    configure(deployment)
    file = deployment.path("run/mongrel2.pid")
    for text, owner, word in (("of root\n", 0, "something else than the number"),
                              ("17", UID - 1, f"belongs to uid {UID - 1}")):
        deployment.write(file, text)
        os.chown(file, owner, owner)
        assert start(deployment) is None
        assert word in said(deployment.servers[-1])
        assert deployment.read(file) == text.encode()


# Goal: who may only read the pid file of a dead master keeps no other one from starting. Method:
# a lock for reading by a stranger.
def test_a_strangers_lock_on_the_pid_file(deployment):
    configure(deployment)
    file = deployment.path("run/mongrel2.pid")
    deployment.write(file, "4711")
    os.chown(file, 0, 0)
    with open(file, "rb") as opened:
        fcntl.lockf(opened, fcntl.LOCK_SH)
        with start(deployment) as server:
            assert deployment.read(file) == b"%d" % server.pid
            assert start(deployment) is None
            assert f"Process {server.pid} is still running" in said(deployment.servers[-1])
            stop(server)
    assert not os.path.exists(file)


# Goal: nothing is opened in the folder by the C library on its own behalf, as the zone for the time
# of a line. Method: a pipe nobody writes to is in that file's place, at start and upgrade.
def test_files_of_the_c_library(deployment, monkeypatch):
    monkeypatch.delenv("TZ", raising=False)
    configure(deployment)
    os.mkdir(deployment.path("etc"))
    pipe(deployment, "etc/localtime")
    with start(deployment) as server:
        rotate(server)
        old = server.pid
        upgrade(server)
        assert server.pid != old
        stop(server)


# Goal: the master is not kept busy by names that the serving user makes up. Method: very many that
# look like those of a worker; they cost no more than some, and are left where they are.
def test_very_many_files(deployment):
    configure(deployment)
    names = [deployment.path(f"run/m2-0-1-{number}") for number in range(6000)]
    for name in names:
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(name)
            os.chown(name, UID, GID)
    with start(deployment) as server:
        left = sum(map(os.path.lexists, names))
        assert 0 < left < len(names)
        stop(server)


def as_user(body):
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(GID, GID, GID)
            os.setresuid(UID, UID, UID)
            body()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
