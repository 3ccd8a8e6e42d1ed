"""Whoever can change the database of root's server gets no more than his own rights from it
(docs/security.md), whatever he puts in its place, and whenever."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from lib.client import Client
from lib.deployment import GID, UID, UUID, Deployment, dir_, handler, listener
from lib.server import Server, process_facts, run
from lib.waiting import is_alive, low_port, wait_until

pytestmark = pytest.mark.usefixtures("root")

BOUND = "gets no more than his own rights"

# The last word of a path that leads to the database, replaced over and over.
SWAPPER = """
import os, sys
place, good, evil = sys.argv[1:]
while True:
    for each in (evil, good):
        os.link(each, place + ".next") if not os.path.islink(each) else os.symlink(
            os.readlink(each), place + ".next")
        os.rename(place + ".next", place)
"""


def as_user(*words):
    return ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", *words]


def do(*words):
    subprocess.run(as_user(*words), check=True)


class Site:
    """A server's folder and what its user would like to have: a folder of root's, served by root,
    as his own database says. The server's database is root's file in a folder of the user's."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.secret = tempfile.mkdtemp(prefix="m2-secret-", dir="/tmp")  # 0700, root's
        for name in ("run", "logs", "www"):
            os.mkdir(os.path.join(self.secret, name))
        with open(os.path.join(self.secret, "www/index.html"), "w", encoding="ascii") as file:
            file.write("for root only")
        deployment.configure(settings={"server.daemonize": 0})
        os.mkdir(deployment.path("conf"))
        self.place = deployment.path("conf/config.sqlite")
        os.mkdir(deployment.path("evil"))
        self.evil = deployment.path("evil/config.sqlite")
        shutil.copy(deployment.database, self.place)
        shutil.copy(deployment.database, self.evil)
        deployment.database = self.evil
        deployment.sql(f"UPDATE server SET chroot = '{self.secret}'",
                       "INSERT INTO setting (key, value) VALUES ('allow_root', '1')")
        deployment.database = self.place
        deployment.give_away()
        os.chown(self.place, 0, 0)

    def close(self):
        shutil.rmtree(self.secret, ignore_errors=True)

    def put_evil(self, how):
        conf, evil = os.path.dirname(self.place), os.path.dirname(self.evil)
        if how == "rename":
            do("mv", "-f", self.evil, self.place)
        elif how == "link":
            do("ln", "-sf", self.evil, self.place)
        elif how == "folder":
            do("sh", "-c", f"mv {conf} {conf}.old && mv {evil} {conf}")
        elif how == "journal":  # one that SQLite would play back into the database
            do("sh", "-c", f"head -c 600 /dev/zero > {self.place}-journal")


@pytest.fixture(name="site")
def make_site(deployment):
    site = Site(deployment)
    yield site
    site.close()


def check_user(server):
    children = server.children()
    assert children
    for pid, name in children.items():
        with contextlib.suppress(FileNotFoundError):  # one that has just ended
            assert process_facts(pid)["uids"] == [str(UID)] * 4, name


# Goal: the manual's start with -sudo (4.2): a user's folder, his database or root's file in it;
# root starts it, and it runs as the user. Method: every child, and --check.
@pytest.mark.parametrize("owner", ["user", "root"])
def test_runs_as_who_decides(site, workers, owner):
    if owner == "user":
        os.chown(site.place, UID, GID)
    done = run("--check", site.place, UUID, as_root=True)
    assert done.returncode == 0, done.stdout
    with Server(site.deployment, workers=workers, as_root=True) as server:
        assert server.get().status == 200
        check_user(server)
        assert "generation 2 serves" in server.reload()
        check_user(server)


# Goal: what the user puts in the place of the database gives him nothing: the start and --check are
# refused, a reload and an upgrade too, and the server goes on as it was.
@pytest.mark.parametrize("how", ["rename", "link", "folder"])
def test_another_database(site, how):
    with Server(site.deployment, workers=2, as_root=True) as server:
        site.put_evil(how)
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload refused" in server.log(), "the verdict")
        assert BOUND in server.log() and "allow_root" in server.log()
        check_user(server)
        server.send_signal(signal.SIGUSR2)
        wait_until(lambda: "upgrade refused" in server.log(), "the verdict")
        assert server.log().count(BOUND) > 1
        check_user(server)
        assert server.get().body == b"<h1>hello</h1>\n"
        assert server.stop() == 0
    for options in ((), ("--check",)):
        done = run(*options, site.place, UUID, as_root=True)
        assert done.returncode == 1 and BOUND in done.stdout and "chown root" in done.stdout
    assert os.listdir(os.path.join(site.secret, "run")) == []


# Goal: not even the folder alone, without the setting, is his to choose.
def test_another_folder(site):
    site.deployment.database = site.evil
    site.deployment.sql("DELETE FROM setting WHERE key = 'allow_root'")
    with tempfile.TemporaryDirectory(prefix="m2-", dir="/tmp") as other:
        for name in ("run", "logs", "www"):
            os.mkdir(os.path.join(other, name))
        for owner in (0, 1):
            os.chown(other, owner, GID)
            site.deployment.sql(f"UPDATE server SET chroot = '{other}'")
            done = run("--check", site.evil, UUID, as_root=True)
            assert done.returncode == 1 and f"belongs to uid {owner}" in done.stdout
            assert BOUND in done.stdout


def has_started(server):
    def settled():
        message = server.notify.next()
        return (message and "READY" in message) or not is_alive(server.pid)
    wait_until(settled, "a start or a refusal")
    return is_alive(server.pid)


def ask(server, number, *verdicts):
    before = len(server.log())
    server.send_signal(number)
    wait_until(lambda: any(word in server.log()[before:] for word in verdicts), verdicts[0])


# Goal: a rename between the look and the reading wins nothing, at start, reload or upgrade. Method:
# the user swaps good and evil as fast as he can, also for a link to a database of root's.
@pytest.mark.parametrize("bait", ["own", "root"])
def test_races(site, bait):
    evil, good = site.evil, site.deployment.path("evil/good.sqlite")
    shutil.copy(site.place, good)
    os.chown(good, UID, GID)
    if bait == "root":  # one that nobody else could change
        trusted = os.path.join(site.secret, "..", os.path.basename(site.secret) + ".sqlite")
        shutil.copy(evil, trusted)
        evil = site.deployment.path("evil/link")
        os.symlink(os.path.abspath(trusted), evil)
    swapper = subprocess.Popen(as_user(sys.executable, "-c", SWAPPER, site.place, good, evil))
    try:
        for _ in range(12):  # how many start depends on the luck of the swapper
            server = Server(site.deployment, workers=1, as_root=True, start=False)
            server.launch()
            if has_started(server):
                check_user(server)
                ask(server, signal.SIGHUP, "reload refused", "reload: generation")
                ask(server, signal.SIGUSR2, "upgrade refused", "has ended")
                server.pid = int(site.deployment.read("run/mongrel2.pid"))
                server.known.add(server.pid)
                check_user(server)
                ask(server, signal.SIGHUP, "reload refused", "reload: generation")
                check_user(server)
            server.end_now()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(site.deployment.path("run/mongrel2.pid"))
    finally:
        swapper.kill()
        swapper.wait()
    assert swapper.returncode == -signal.SIGKILL
    assert os.listdir(os.path.join(site.secret, "run")) == []
    assert os.listdir(os.path.join(site.secret, "logs")) == []


# Goal: nobody serves when more than one user decides, and each is named with his reason; nor when
# everybody does.
def test_several_users(site):
    os.chown(site.deployment.path("conf"), 1, 1)
    for options in ((), ("--check",)):
        done = run(*options, site.place, UUID, as_root=True)
        assert done.returncode == 1, done.stdout
        assert "more than one user beside root can change it" in done.stdout
        assert f"(nobody), who owns {site.deployment.folder}" in done.stdout
        assert f"(daemon), who owns {site.deployment.path('conf')}" in done.stdout
    os.chown(site.deployment.path("conf"), UID, GID)
    os.chmod(site.deployment.path("conf"), 0o777)
    done = run(site.place, UUID, as_root=True)
    assert done.returncode == 1 and "everybody may write to" in done.stdout


# Goal: what only root may give is refused to a user's database, and had by giving it to root; the
# ports of the web are what such a server is started for. Method: each value, then root's database.
@pytest.mark.parametrize("settings, word", [
    ({"allow_root": 1}, "allow_root"),
    ({"jail.seccomp": 0}, "jail.seccomp"),
    ({"jail.landlock": 0}, "jail.landlock"),
    ({"handler.ipc_owner": "daemon"}, "handler.ipc_owner"),
    ({"control_port": "tcp://127.0.0.1:1023"}, "1023"),
])
def test_more_than_his_rights(deployment, settings, word):
    routes = {"/": dir_(), "/h": handler()}
    settings = {"server.daemonize": 0, **settings}
    deployment.configure(routes, settings=settings)
    with Deployment() as other:
        other.give_database_to_root()
        other.configure(routes, settings=settings)
        for options in ((), ("--check",)):
            done = run(*options, deployment.database, UUID, as_root=True)
            assert done.returncode == 1 and word in done.stdout and BOUND in done.stdout
        assert run("--check", other.database, UUID, as_root=True).returncode == 0
    assert os.listdir(deployment.path("run")) == []


def test_ports(deployment):
    deployment.configure(settings={"server.daemonize": 0})
    with Server(deployment, workers=1, as_root=True) as server:
        deployment.configure(listeners=[listener(port=low_port())],
                             settings={"server.daemonize": 0})
        status = server.reload()
        assert "reload refused" in status and BOUND in status, status
        port = next((port for port in (80, 443) if can_bind(port)), None)
        if port is None:
            return
        deployment.configure(listeners=[listener(port=port)], settings={"server.daemonize": 0})
        assert "generation 2 serves" in server.reload()
        with Client(port) as client:
            assert client.request("GET", "/").status == 200


def can_bind(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False
