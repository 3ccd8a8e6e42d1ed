"""m2sh as root, in the folder of a user who does not mean well: whatever he puts there, root
signals, empties, follows and waits for nothing that the user could not have reached himself."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import pytest

from lib.deployment import GID, TOP, UID, UUID, Deployment, dir_, m2sh
from lib.server import Server
from lib.waiting import is_alive, wait_until

pytestmark = pytest.mark.usefixtures("root")

COMMANDS = ("stop", "stop -murder", "reload", "upgrade", "reopen", "running", "jail")
OTHER = 65533  # whose server must not notice anything
LOCKED = """
import fcntl, os, sys, time
if os.fork():
    sys.exit(os.wait()[1] != 0)
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX)
print(os.getpid(), flush=True)
time.sleep(60)
"""


class Sites:
    """The folder of a user, with a database that belongs to root; and another site, which runs."""

    def __init__(self, stack):
        self.mine = stack.enter_context(Deployment())
        self.other = stack.enter_context(Deployment())
        self.place = stack.enter_context(tempfile.TemporaryDirectory(prefix="m2-roots-"))
        os.chmod(self.place, 0o755)
        self.mine.database = os.path.join(self.place, "config.sqlite")
        self.mine.configure({"/": dir_()})
        os.chown(self.mine.database, 0, 0)
        self.other.configure({"/": dir_()}, settings={"server.daemonize": 0})
        self.other.give_away(OTHER, OTHER)
        self.server = stack.enter_context(Server(self.other, workers=1, as_root=True))
        self.pid_file = self.mine.path("run/mongrel2.pid")
        self.others_pid_file = self.other.path("run/mongrel2.pid")

    def run(self, line, **more):
        return m2sh(*self.words(line), check=False, **more)

    def words(self, line):
        command, *rest = line.split()
        return [command, "-db", self.mine.database, "-uuid", UUID, *rest]

    def all_fail(self, *words):
        """Every command says so and does nothing."""
        for command in COMMANDS:
            done = self.run(command)
            assert done.returncode == 1 and "Traceback" not in done.stdout, (command, done.stdout)
            assert not words or any(word in done.stdout for word in words), (command, done.stdout)
        self.other_serves()

    def other_serves(self):
        assert is_alive(self.server.pid)
        assert self.server.get("/").status == 200
        for word in ("reload:", "logs reopened", "stops", "upgrade"):
            assert word not in self.server.log(), self.server.log()

    def plant(self, text):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.pid_file)
        self.mine.write("run/mongrel2.pid", text)


@pytest.fixture
def sites():
    with contextlib.ExitStack() as stack:
        yield Sites(stack)


# Goal: a number is no proof. Method: that of the other master, and of a process of root's.
def test_numbers_of_others(sites):
    sites.plant(str(sites.server.pid))
    sites.all_fail("NOT RUNNING")
    innocent = subprocess.Popen(["sleep", "60"])
    try:
        sites.plant(str(innocent.pid))
        sites.all_fail("NOT RUNNING")
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


# Goal: a lock proves only its holder, and root signals that one if it is the user's, or the master
# of this folder. Method: the other master's number, the lock a process of root's; then the user's.
def test_locks_of_others(sites):
    sites.plant(str(sites.server.pid))
    words = [sys.executable, "-c", LOCKED, sites.pid_file]
    as_user = ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups"]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline()
        sites.all_fail("no server of that folder")
    finally:
        for child in children(holder.pid):
            os.kill(child, 9)
        holder.wait()
        holder.stdout.close()
    holder = subprocess.Popen([*as_user, *words], stdout=subprocess.PIPE, text=True)
    try:
        pid = int(holder.stdout.readline())
        done = sites.run("stop")
        assert done.returncode == 0 and f"at PID {pid}" in done.stdout
        assert not is_alive(pid)
        sites.other_serves()
    finally:
        holder.wait()
        holder.stdout.close()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


# Goal: no link leads to the pid file of another server, in whatever part of the path it is.
@pytest.mark.parametrize("part", ["file", "run", "folder", "hard link"])
def test_links(sites, part):
    if part == "file":
        os.symlink(sites.others_pid_file, sites.pid_file)
    elif part == "run":
        os.rename(sites.mine.path("run"), sites.mine.path("old"))
        os.symlink(sites.other.path("run"), sites.mine.path("run"))
        os.chown(sites.mine.path("run"), UID, GID, follow_symlinks=False)
    elif part == "hard link":
        os.link(sites.others_pid_file, sites.pid_file)
    else:  # the folder lies in one of the user's
        inner = os.path.join(sites.mine.folder, "inner")
        os.symlink(sites.other.folder, inner)
        os.chown(inner, UID, GID, follow_symlinks=False)
        with sqlite3.connect(sites.mine.database) as connection:
            connection.execute("UPDATE server SET chroot = ?", (inner,))
        connection.close()
    sites.all_fail("link", "second name", "can change the database")


# Goal: a database of the user's names no server of somebody else, though root uses it.
def test_a_database_of_the_users(sites):
    path = sites.mine.path("his.sqlite")
    shutil.copy(sites.other.database, path)
    os.chown(path, UID, GID)
    sites.mine.database = path
    sites.all_fail("can change the database")


# Goal: whatever is in the place of the pid file and of the files beside it, root neither waits for
# it nor reads it without end. Method: pipes and links to /dev/zero; a server of the user's runs, so
# that the files beside its pid file are looked at.
@pytest.mark.parametrize("kind", ["pipe", "zero", "link", "large"])
def test_files_that_block_or_never_end(sites, kind):
    def put(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "large":
            with open(path, "wb") as file:
                file.truncate(1 << 40)
        else:
            os.symlink("/dev/zero" if kind == "zero" else "/etc/shadow", path)

    put(sites.pid_file)
    sites.all_fail()
    os.unlink(sites.pid_file)
    with Server(sites.mine, workers=1):
        for ending in ("verdict", "jail"):
            wait_until(lambda ending=ending: sites.mine.read(f"run/mongrel2.{ending}"), ending)
            put(sites.mine.path(f"run/mongrel2.{ending}"))
        done = sites.run("jail")
        assert done.returncode == 1 and "root:" not in done.stdout
        assert "may not know upgrades" in sites.run("upgrade").stdout
        assert "its error log says how it went" in sites.run("reload").stdout
    sites.other_serves()


SWAPS = """
import os, sys
mine, other = sys.argv[1:]
run = mine + "/run"
while True:
    for target in (other + "/run/mongrel2.pid", "/dev/zero", "plain", "pipe"):
        os.path.lexists(run + "/new") and os.unlink(run + "/new")
        if target == "pipe":
            os.mkfifo(run + "/new")
        elif target == "plain":
            with open(run + "/new", "w") as file:
                file.write(open(other + "/run/mongrel2.pid").read())
        else:
            os.symlink(target, run + "/new")
        os.rename(run + "/new", run + "/mongrel2.pid")
        os.rename(run, mine + "/away")
        os.symlink(other + "/run", run)
        os.unlink(run)
        os.rename(mine + "/away", run)
"""


# Goal: no moment is good for the user, however fast he puts one thing in the place of another.
def test_renames_in_a_loop(sites):
    swaps = subprocess.Popen(["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups",
                              sys.executable, "-c", SWAPS, sites.mine.folder, sites.other.folder])
    try:
        sites.all_fail()
        sites.all_fail()
        assert swaps.poll() is None
    finally:
        swaps.kill()
        swaps.wait()


# Goal: root talks with the control port of the server that was named. Method: a link to another.
def test_links_to_control_ports(sites):
    os.symlink(sites.other.path("run/control"), sites.mine.path("run/control"))
    done = sites.run("control -do stop")
    assert done.returncode == 1 and "run/control is a link" in done.stdout, done.stdout
    done = m2sh("control", "-db", sites.other.database, "-uuid", UUID, "-do", "uuid")
    assert UUID in done.stdout
    sites.other_serves()


# Goal: m2sh of root's writes no database for a user beyond what he could write. Method: a link to
# one of root's; a new one is the user's.
def test_databases_in_the_users_folder(sites):
    target, link = os.path.join(sites.place, "target.sqlite"), sites.mine.path("link.sqlite")
    m2sh("init", "-db", target)
    before = open(target, "rb").read()
    os.symlink(target, link)
    os.chown(link, UID, GID, follow_symlinks=False)
    for line in (["init"], ["commit", "-what", "a", "-why", "b"],
                 ["load", "-config", os.path.join(sites.place, "config.py")]):
        done = m2sh(line[0], "-db", link, *line[1:], check=False)
        assert done.returncode == 1 and "folder of uid" in done.stdout, done.stdout
    assert open(target, "rb").read() == before
    new = sites.mine.path("new.sqlite")
    m2sh("init", "-db", new)
    assert os.stat(new).st_uid == UID
    os.mkfifo(sites.mine.path("pipe"))
    assert "not a plain file" in m2sh("servers", "-db", sites.mine.path("pipe"), check=False).stdout


# Goal: root writes no database where everybody can put a journal beside it, and reads it there.
def test_databases_where_everybody_writes(sites):
    path = sites.mine.path("tmp/x.sqlite")
    os.chown(sites.mine.path("tmp"), 0, 0)
    os.chmod(sites.mine.path("tmp"), 0o1777)
    os.chown(sites.mine.folder, 0, 0)
    shutil.copy(sites.mine.database, path)
    assert UUID in m2sh("servers", "-db", path).stdout
    for line in ("init", "commit -what a -why b"):
        command, *rest = line.split()
        done = m2sh(command, "-db", path, *rest, check=False)
        assert done.returncode == 1 and "a journal beside it" in done.stdout


# Goal: the master of a root's server is found in a folder like this, also when its pid file has
# nonsense in it, and a file of the user's in its place hides it at most.
def test_the_true_master_is_found(sites):
    with Server(sites.mine, workers=1, as_root=True) as server:
        assert f"RUNNING at PID {server.pid}" in sites.run("running").stdout
        assert "All of it is as asked for" in sites.run("jail").stdout
        with open(sites.pid_file, "r+", encoding="ascii") as file:
            file.write("1" * 9)
        assert f"RUNNING at PID {server.pid}" in sites.run("running").stdout
        assert sites.run("reload").returncode == 0
        os.rename(sites.pid_file, sites.pid_file + ".old")
        sites.plant(str(sites.server.pid))
        assert sites.run("stop").returncode == 1
        os.rename(sites.pid_file + ".old", sites.pid_file)
        assert sites.run("stop").returncode == 0
        assert server.wait_end() == 0
    sites.other_serves()


# Goal: as in containers and units, where root may not look at the root directory of others, the
# master is found, and no other one.
def test_without_the_right_to_look(sites):
    def run(line):
        bare = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
        return subprocess.run([*bare, sys.executable, f"{TOP}/scripts/m2sh", *sites.words(line)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.STDOUT, text=True, check=False)

    sites.plant(str(sites.server.pid))
    holder = subprocess.Popen([sys.executable, "-c", LOCKED, sites.pid_file, UUID], text=True,
                              stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline()
        assert "no server of that folder" in run("stop").stdout
    finally:
        for child in children(holder.pid):
            os.kill(child, 9)
        holder.wait()
        holder.stdout.close()
    os.unlink(sites.pid_file)
    with Server(sites.mine, workers=1, as_root=True) as server:
        assert f"RUNNING at PID {server.pid}" in run("running").stdout
        assert run("stop").returncode == 0
        assert server.wait_end() == 0
    sites.other_serves()


PROGRAM = """
import os
with open({witness!r}, "a") as file:
    file.write(f"{{os.getresuid()}} {{os.getresgid()}} {{os.getsid(0) == os.getpid()}}\\n")
"""


# Goal: a configuration file is a program, and root runs none that somebody else can write; the
# user's is loaded with his rights. Method: it writes down who runs it; a database of his and one of
# root's, which is not his to change.
@pytest.mark.parametrize("how", ["file", "folder", "link"])
def test_configuration_files_of_the_users(sites, how):
    witness = sites.mine.path("tmp/witness")
    file = sites.mine.write("site.py", PROGRAM.format(witness=witness) + sites.mine.source())
    if how == "folder":  # root's file, which he can replace
        os.chown(file, 0, 0)
    elif how == "link":
        os.chown(os.rename(file, moved := os.path.join(sites.place, "site.py")) or moved, 0, 0)
        os.symlink(moved, file)
        os.chown(file, UID, GID, follow_symlinks=False)
    before = open(sites.mine.database, "rb").read()
    done = m2sh("load", "-db", sites.mine.database, "-config", file, "-force", check=False)
    assert done.returncode == 1 and f"with the rights of uid {UID}" in done.stdout, done.stdout
    assert open(sites.mine.database, "rb").read() == before
    m2sh("config", "-db", sites.mine.path("new.sqlite"), "-config", file, "-force")
    assert os.stat(sites.mine.path("new.sqlite")).st_uid == UID
    assert set(open(witness, encoding="ascii")) == {f"{(UID,) * 3} {(GID,) * 3} True\n"}


# Goal: nor does root run what a file of its own includes, or finds beside itself, of others.
def test_parts_of_configuration_files(sites):
    witness = sites.mine.path("tmp/witness")
    part = sites.mine.write("part.py", PROGRAM.format(witness=witness))
    places = {os.path.join(sites.place, "site.py"): "others than root can change",
              sites.mine.path("tmp/site.py"): "everybody can put modules beside it"}
    for folder in (sites.mine.path("tmp"), sites.mine.folder):
        os.chown(folder, 0, 0)
    os.chmod(sites.mine.path("tmp"), 0o1777)
    for path, word in places.items():
        with open(path, "w", encoding="ascii") as file:
            file.write(f"from mongrel2.config import *\ninclude('part', {part!r})\n"
                       + sites.mine.source())
        done = m2sh("load", "-db", sites.mine.database, "-config", path, "-force", check=False)
        assert done.returncode == 1 and word in done.stdout, done.stdout
    assert not os.path.exists(witness)


# Goal: who can write to a folder by its group counts for a database and a configuration file there.
def test_a_group_that_can_write(sites):
    path, config = (os.path.join(sites.place, name) for name in ("config.sqlite", "config.py"))
    os.chown(sites.place, 0, GID)
    os.chmod(sites.place, 0o775)
    for line in (["init"], ["load", "-config", config, "-force"]):
        done = m2sh(line[0], "-db", path, *line[1:], check=False)
        assert done.returncode == 1 and "the users " in done.stdout, done.stdout
        assert str(UID) in done.stdout, done.stdout
