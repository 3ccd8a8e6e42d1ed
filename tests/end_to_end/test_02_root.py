"""Started as root: chroot, daemon, and no privilege left in any child."""

import grp
import os
import shutil
import signal
import tempfile

import pytest

from lib.deployment import GID, UID, UUID, dir_, handler, m2sh
from lib.handler import Answering, http
from lib.server import Server, process_facts, program, run
from lib.waiting import is_alive, low_port, occupy, wait_until

pytestmark = pytest.mark.usefixtures("root")


def check_jail(server, deployment):
    # While it touches files of the folder, the last of its ids, for files, is the owner's.
    wait_until(lambda: process_facts(server.pid)["uids"] == ["0"] * 4, "the ids of root")
    children = server.children()
    assert children
    for pid, name in children.items():
        facts = process_facts(pid)
        assert facts["uids"] == [str(UID)] * 4, name
        assert facts["gids"] == [str(GID)] * 4, name
        assert facts["groups"] == [], name
        assert facts["no_new_privs"] == "1", name
        assert facts["capabilities"] == 0, name
        assert facts["bounding"] == 0, name
        assert facts["seccomp"] == "2", name
        assert facts["root"] == deployment.folder, name
        assert facts["cwd"] == deployment.folder, name


def open_targets(pid):
    targets = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            targets.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            pass
    return targets


# Goal: as root the start returns 0 only when the server really serves, in the background, and every
# process but the master is in the chroot without privilege. Method: /proc of every child, then a
# request to each kind of target.
def test_daemon(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    server = Server(deployment, workers=workers, as_root=True, start=False)
    assert server.start_daemon() == 0, server.log()
    assert server.get().status == 200  # at once: no waiting
    assert server.pid and server.pid != server.process.pid
    assert os.getsid(server.pid) != os.getsid(0)
    check_jail(server, deployment)
    assert len(server.workers()) == workers
    with Answering(deployment):
        assert server.get("/h").status == 200
    for pid in server.children():
        assert not any(target.endswith("config.sqlite") for target in open_targets(pid))
    pids = [server.pid, *server.children()]
    server.send_signal(signal.SIGTERM)
    wait_until(lambda: not any(map(is_alive, pids)), "the daemon to end")
    assert not os.path.exists(deployment.path("run/mongrel2.pid"))


# Goal: server.daemonize=0 keeps root's server in the foreground, with the same jail.
def test_foreground(deployment, workers):
    deployment.configure(settings={"server.daemonize": 0})
    with Server(deployment, workers=workers, as_root=True) as server:
        check_jail(server, deployment)
        assert server.get().status == 200
        assert server.stop() == 0


# Goal: a privileged port is served by processes without privilege.
def test_privileged_port(deployment):
    deployment.port = low_port()
    deployment.give_database_to_root()
    deployment.configure(settings={"server.daemonize": 0})
    with Server(deployment, workers=2, as_root=True) as server:
        assert server.get().status == 200
        check_jail(server, deployment)


# Goal: the parent of a daemon that cannot start says why and returns 1. Method: a port in use, a
# database with a fault, a missing log folder.
def test_daemon_failure(deployment):
    deployment.configure()
    with occupy(deployment.port):
        done = run(deployment.database, UUID, as_root=True)
        assert done.returncode == 1 and str(deployment.port) in done.stdout
    assert not os.path.exists(deployment.path("run/mongrel2.pid"))
    deployment.sql("UPDATE route SET target_type = 'nonsense'")
    done = run(deployment.database, UUID, as_root=True)
    assert done.returncode == 1 and "nonsense" in done.stdout
    deployment.configure()
    shutil.rmtree(deployment.path("logs"))
    done = run(deployment.database, UUID, as_root=True)
    assert done.returncode == 1 and "logs" in done.stdout
    assert not os.path.exists(deployment.path("run/mongrel2.pid"))


# Goal: a folder that belongs to root is refused with the way out; the setting that asks for it
# works.
def test_folder_of_root(deployment):
    deployment.give_database_to_root()
    deployment.configure(settings={"server.daemonize": 0})
    os.chown(deployment.folder, 0, 0)
    done = run(deployment.database, UUID, as_root=True)
    assert done.returncode == 1 and "chown" in done.stdout and deployment.folder in done.stdout
    deployment.configure(settings={"server.daemonize": 0, "allow_root": 1})
    os.chown(deployment.folder, 0, 0)
    with Server(deployment, workers=1, as_root=True) as server:
        assert server.get().status == 200
        facts = process_facts(server.workers()[0])
        assert facts["root"] == deployment.folder and facts["no_new_privs"] == "1"


# Goal: root's groups do not reach the children. Method: start with every group there is.
def test_groups_are_dropped(deployment):
    deployment.configure(settings={"server.daemonize": 0})
    groups = [entry.gr_gid for entry in grp.getgrall()][:16]
    server = Server(deployment, workers=1, as_root=True, start=False)
    server.start(preexec_fn=lambda: os.setgroups(groups))
    with server:
        check_jail(server, deployment)


# Goal: files outside of the folder are out of reach even through the configuration. Method: links
# in the served tree to absolute places; inside the chroot they lead nowhere.
def test_chroot_confines(deployment):
    deployment.configure(settings={"server.daemonize": 0})
    os.symlink("/etc/passwd", deployment.path("www/passwd"))
    os.symlink("../../../../etc/passwd", deployment.path("www/passwd2"))
    with Server(deployment, workers=1, as_root=True) as server:
        assert server.get("/passwd").status in (403, 404)
        assert server.get("/passwd2").status in (403, 404)


# Goal: a reload reads the database although the master sits in the chroot. Method: a database
# outside of the folder, root daemon, change a route, HUP.
def test_reload_in_chroot(deployment):
    # In a folder of its own: in a sticky one root may not write to others' files.
    outside = tempfile.mkdtemp(prefix="m2-outside-", dir="/tmp")
    os.chmod(outside, 0o755)
    deployment.database = os.path.join(outside, "config.sqlite")
    try:
        deployment.configure({"/": dir_()})
        server = Server(deployment, workers=2, as_root=True, start=False)
        assert server.start_daemon() == 0
        assert server.get("/new/").status == 404
        deployment.configure({"/": dir_(), "/new/": dir_()})
        server.reload_daemon()
        assert server.get("/new/").status == 200
        check_jail(server, deployment)
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: not is_alive(server.pid), "the daemon to end")
    finally:
        shutil.rmtree(outside)


# Goal: a worker that is replaced goes into the same jail; so does one that a reload adds.
def test_replaced_worker_is_jailed(deployment):
    deployment.configure({"/": dir_(), "/h": handler()},
                         settings={"server.daemonize": 0, "workers": 2})
    with Server(deployment, as_root=True) as server, \
            Answering(deployment, lambda request: http("ok")):
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and victim not in server.workers(),
                   "a new worker")
        wait_until(lambda: all(process_facts(pid)["seccomp"] == "2"
                               for pid in server.workers()), "its jail")
        check_jail(server, deployment)
        deployment.sql("UPDATE setting SET value = '3' WHERE key = 'workers'")
        server.reload()
        assert len(server.workers()) == 3
        check_jail(server, deployment)
        assert server.get("/h").body == b"ok"


# Goal: m2sh start, running, reload and stop work for root's daemon and do what they say.
def test_m2sh(deployment):
    deployment.configure({"/": dir_()})
    options = ["-db", deployment.database, "-name", "test"]
    server = Server(deployment, start=False)
    environment = {**os.environ, "MONGREL2_BIN": program()}
    done = m2sh("start", *options, env=environment)
    assert f"Launching server test {UUID} on port {deployment.port}" in done.stdout
    pid = int(deployment.read("run/mongrel2.pid"))
    server.pid = pid
    try:
        assert server.get().status == 200
        assert f"RUNNING at PID {pid}" in m2sh("running", *options).stdout
        deployment.sql("UPDATE route SET path = '/moved/'")
        m2sh("reload", *options)
        wait_until(lambda: server.get("/moved/").status == 200, "the reload")
        m2sh("stop", *options)
        wait_until(lambda: not is_alive(pid), "the server to end")
        assert "NOT RUNNING" in m2sh("running", *options, check=False).stdout or \
            "not found" in m2sh("running", *options, check=False).stdout
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


# Goal: a user who can put another folder in the place of the server's has root serve nobody else's.
# Method: the folder of another user, by a link or a rename in a folder of his; and his own.
@pytest.mark.parametrize("how", ["link", "rename", "link of root's"])
def test_the_folder_of_another_user(deployment, how):
    deployment.give_database_to_root()
    with tempfile.TemporaryDirectory(prefix="m2-home-") as home:
        os.chmod(home, 0o755)
        his, victims = os.path.join(home, "site"), deployment.folder
        if how == "rename":
            victims = shutil.copytree(deployment.folder, his)
            for place, _, names in os.walk(his):
                for path in [place] + [os.path.join(place, name) for name in names]:
                    os.chown(path, UID, GID)
        else:
            os.symlink(deployment.folder, his)
        named = his
        if how == "link of root's":
            named = os.path.join(deployment.of_root, "link")
            os.symlink(his, named)
        deployment.configure(chroot=named)
        os.chown(home, UID - 1, GID)
        for words in ([], ["--check"]):
            done = run(*words, deployment.database, UUID, as_root=True)
            assert done.returncode == 1, done.stdout
            assert f"and uid {UID - 1}, who owns" in done.stdout, done.stdout
        assert not os.path.exists(os.path.join(victims, "run/mongrel2.pid"))
        os.chown(home, UID, GID)
        with Server(deployment, workers=1, as_root=True) as server:
            assert server.get().status == 200
