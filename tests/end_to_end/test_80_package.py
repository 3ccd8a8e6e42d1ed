"""The Debian packages and the files for systemd and logrotate, on a copy of this system."""

import glob
import os
import re
import shutil
import subprocess

import pytest

from lib.client import Client
from lib.deployment import TOP, UUID, dir_
from lib.server import Server
from lib.waiting import DEADLINE, can_connect, free_port, is_alive, wait_until

pytestmark = pytest.mark.usefixtures("root")


def run(*words, check=True, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, **more)
    assert not check or done.returncode == 0, f"{words}: {done.stdout}"
    return done


@pytest.fixture(scope="module")
def packages():
    """The paths of all three."""
    for path in glob.glob(os.path.join(TOP, "build", "*mongrel2*.deb")):
        os.unlink(path)
    run("make", "-s", "-o", "build/mongrel2", "deb", cwd=TOP)
    found = glob.glob(os.path.join(TOP, "build", "*mongrel2*.deb"))
    assert len(found) == 3
    return found


class Copy:
    """This system with everything that is changed in it kept elsewhere."""

    def __init__(self, folder):
        self.folder = folder
        self.root = str(folder / "root")
        places = [folder / name for name in ("changed", "work", "root")]
        for place in places:
            place.mkdir()
        options = f"lowerdir=/,upperdir={places[0]},workdir={places[1]}"
        done = run("mount", "-t", "overlay", "overlay", "-o", options, self.root, check=False)
        if done.returncode != 0:
            pytest.skip("needs overlayfs")
        run("mount", "-t", "proc", "proc", f"{self.root}/proc")

    def run(self, *words, **more):
        return run("chroot", self.root, *words, **more)

    def path(self, name):
        return self.root + name

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def install(self, packages):
        """Another time is an upgrade."""
        run("dpkg", "--root", self.root, "--remove", "--force-depends", "mongrel2-core",
            check=False)
        os.makedirs(self.path("/debs"), exist_ok=True)
        names = [os.path.basename(shutil.copy(path, self.path("/debs"))) for path in packages]
        return self.run("dpkg", "--force-unsafe-io", "--install",
                        *[f"/debs/{name}" for name in names]).stdout

    def close(self):
        for place in ("/proc", ""):
            run("umount", "-l", self.root + place, check=False)


@pytest.fixture
def system(tmp_path_factory):
    folder = tmp_path_factory.mktemp("system")
    made = Copy(folder)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


CONFIG = f"""
from mongrel2.config import *
commit([Server(uuid='{UUID}', name='site', chroot='/var/lib/mongrel2/site', port=0,
               access_log='/logs/access.log', error_log='/logs/error.log', default_host='localhost',
               pid_file='/run/mongrel2.pid', bind_addr='127.0.0.1',
               hosts=[Host(name='localhost', routes={{'/': Dir(base='www/', index_file='i',
                                                             default_ctype='text/plain')}})])])
"""


def make_site(system, port=7997):
    system.run("sh", "-c", "cd /var/lib/mongrel2 && mkdir -p site/run site/logs site/www &&"
               " echo hello > site/www/i && chown -R mongrel2:mongrel2 site")
    system.write("/etc/site.py", CONFIG.replace("port=0", f"port={port}"))
    system.run("m2sh", "load", "-db", "/etc/mongrel2/site.sqlite", "-config", "/etc/site.py")


# Goal: installed on a clean system it works by the paths it names, an upgrade keeps what the
# operator has, and nothing of it is left after a purge but that. Method: dpkg itself, in a copy of
# this system.
def test_install_upgrade_remove(system, packages):
    system.install(packages)
    owner = system.run("getent", "passwd", "mongrel2").stdout
    assert "/var/lib/mongrel2" in owner
    make_site(system)
    system.run("mongrel2", "--check", "/etc/mongrel2/site.sqlite", "site")
    done = system.run("/usr/bin/python3", "-c", "import mongrel2; print(mongrel2.__file__)",
                      cwd="/")
    assert done.stdout.strip() == "/usr/lib/python3/dist-packages/mongrel2/__init__.py"
    assert os.path.exists(system.path("/usr/lib/python3/dist-packages/mongrel2/py.typed"))

    system.install(packages)
    assert os.path.exists(system.path("/etc/mongrel2/site.sqlite"))
    system.run("dpkg", "--purge", "mongrel2", "python3-mongrel2", "libmongrel2-dev")
    for name in ("/usr/bin/mongrel2", "/usr/bin/m2sh", "/usr/lib/mongrel2",
                 "/usr/lib/python3/dist-packages/mongrel2", "/usr/include/mongrel2",
                 "/etc/logrotate.d/mongrel2"):
        assert not os.path.exists(system.path(name))
    assert os.path.exists(system.path("/etc/mongrel2/site.sqlite"))
    assert os.path.exists(system.path("/var/lib/mongrel2/site/www/i"))


# Goal: with the -dev package pkg-config knows what a program in C++ needs.
def test_development_package(system, packages):
    system.install(packages)
    flags = system.run("pkg-config", "--cflags", "--libs", "mongrel2").stdout.split()
    assert "-lzmq" in flags and "-lsimdjson" in flags
    system.run("g++", "-std=c++20", "-fsyntax-only",
               "/usr/share/doc/libmongrel2-dev/echo.cc", *flags)
    version = system.run("pkg-config", "--modversion", "mongrel2").stdout.strip()
    assert f"_{version}_" in packages[0]


# Goal: Debian's own checker has nothing to say.
def test_lintian(packages):
    done = run("lintian", "--allow-root", *packages, check=False)
    assert (done.returncode, done.stdout) == (0, "")


SYSTEMCTL = """#!/bin/sh
echo "$*" >> /calls
case "$*" in list-units*) echo 'mongrel2@site.service loaded active running Mongrel2' ;; esac
"""


class Service:
    """A server in the copy, as if systemd ran it: systemctl is a stand-in that writes its calls
    down."""

    def __init__(self, system):
        self.system = system
        self.port = free_port()
        make_site(system, self.port)
        os.makedirs(system.path("/run/systemd/system"), exist_ok=True)
        os.unlink(system.path("/usr/bin/systemctl"))
        system.write("/usr/bin/systemctl", SYSTEMCTL, 0o755)
        self.process = subprocess.Popen(
            ["chroot", system.root, "/usr/bin/mongrel2", "/etc/mongrel2/site.sqlite", "site"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.pid, "the server's start")
        wait_until(lambda: can_connect(self.port), "the server")

    def pid(self):
        try:
            with open(self.system.path("/var/lib/mongrel2/site/run/mongrel2.pid"),
                      encoding="ascii") as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0

    def calls(self):
        with open(self.system.path("/calls"), encoding="ascii") as file:
            return file.read()

    def close(self, pid):
        self.system.run("m2sh", "stop", "-db", "/etc/mongrel2/site.sqlite", "-every", check=False)
        if pid and is_alive(pid):
            os.kill(pid, 9)
        self.process.wait(DEADLINE)


@pytest.fixture
def service(system, packages):
    system.install(packages)
    made = Service(system)
    pid = 0
    try:
        yield made
        pid = made.pid()
    finally:
        made.close(pid)


# Goal: an upgrade of the package replaces servers that run without a connection lost. One whose
# database has faults goes on as it is, with the reason; one that cannot be upgraded is restarted.
def test_upgrade_of_what_runs(system, packages, service):
    before = service.pid()
    with Client(service.port) as client:
        assert client.request().body == b"hello\n"
        system.install(packages)
        after = wait_until(lambda: service.pid() not in (0, before) and service.pid(),
                           "the new server")
        assert client.request().body == b"hello\n"
    assert "restart" not in service.calls()
    wait_until(lambda: not is_alive(before), "the old one's end")

    good = system.path("/etc/mongrel2/site.sqlite")
    shutil.copy(good, good + ".good")
    run("sqlite3", good, "UPDATE host SET matching = '('; UPDATE server SET default_host = 'none'")
    said = system.install(packages)
    assert "goes on with the program it has" in said and "default_host" in said
    assert service.pid() == after and "restart" not in service.calls()
    assert Client(service.port).request().status == 200

    shutil.copy(good + ".good", good)
    pid_file = system.path("/var/lib/mongrel2/site/run/mongrel2.pid")
    os.rename(pid_file, pid_file + ".away")
    said = system.install(packages)
    assert "it is restarted" in said and "restart mongrel2@site.service" in service.calls()
    os.rename(pid_file + ".away", pid_file)


# Goal: systemd of this Debian understands the units of the package without a complaint, and
# finds little to be exposed.
def test_units(system, packages):
    system.install(packages)
    unit = "/tmp/mongrel2@site.service"
    shutil.copy(system.path("/usr/lib/systemd/system/mongrel2@.service"), system.path(unit))
    shutil.copy(system.path("/usr/lib/systemd/system/mongrel2@.socket"),
                system.path("/tmp/mongrel2@site.socket"))
    for name in (unit, "/tmp/mongrel2@site.socket"):
        done = system.run("systemd-analyze", "verify", "--man=no", name)
        assert "mongrel2" not in done.stdout, done.stdout
    done = system.run("systemd-analyze", "security", "--offline=true", "--threshold=29", unit)
    assert "Overall exposure level" in done.stdout


# Goal: a server may write to the folder that the documentation gives its sites.
def test_unit_lets_sites_of_the_documentation_be_written():
    with open(os.path.join(TOP, "deploy/systemd/mongrel2@.service"), encoding="utf-8") as file:
        places = re.search("^ReadWritePaths=(.*)$", file.read(), re.M).group(1)
    writable = [place.lstrip("-") for place in places.split()]
    named = set()
    for path in glob.glob(os.path.join(TOP, "docs", "*.md")):
        with open(path, encoding="utf-8") as file:
            named.update(re.findall("/srv/[a-z]+|/var/lib/mongrel2", file.read()))
    assert "/srv/site" in named
    assert [place for place in named
            if not any((place + "/").startswith(one + "/") for one in writable)] == []


# Goal: the tree's own unit is for systemd from 253 on: notify-reload, and nothing else that this
# one does not know.
def test_unit_of_the_tree(tmp_path):
    unit = tmp_path / "mongrel2@site.service"
    text = open(os.path.join(TOP, "deploy/systemd/mongrel2@.service"), encoding="utf-8").read()
    assert "Type=notify-reload\n" in text
    unit.write_text(text.replace("/usr/bin/mongrel2 ", f"{TOP}/build/mongrel2 "))
    done = run("systemd-analyze", "verify", "--man=no", str(unit), check=False)
    lines = [line for line in done.stdout.splitlines() if "mongrel2@" in line]
    assert all("notify-reload" in line for line in lines), done.stdout
    run("systemd-analyze", "security", "--offline=true", "--threshold=29", str(unit))


# Goal: logrotate accepts its file, moves the log, and m2sh has the server write a new one; a number
# that its user wrote into another pid file is nobody's business.
def test_logrotate(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1, as_root=True) as server:
        assert server.get().status == 200
        wait_until(lambda: deployment.read("logs/access.log"), "a line in the log")
        text = open(os.path.join(TOP, "deploy/logrotate.conf"), encoding="utf-8").read()
        assert "kill" not in text and "/run/" not in text
        text = text.replace("/var/lib/mongrel2/*", deployment.folder)
        text = text.replace("/etc/mongrel2/*.sqlite", deployment.database)
        text = text.replace("/usr/bin/m2sh", f"{TOP}/scripts/m2sh")
        text = text.replace("mongrel2 mongrel2", "nobody nogroup")
        config = os.path.join("/root" if os.path.isdir("/root") else "/", ".m2-logrotate-test")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            os.chmod(config, 0o644)
            run("logrotate", "--force", "--state", deployment.path("state"), config)
        finally:
            os.unlink(config)
        wait_until(lambda: "logs reopened" in server.log(), "the new log")
        assert os.path.exists(deployment.path("logs/access.log.1"))
        assert server.get().status == 200
        wait_until(lambda: b"200" in deployment.read("logs/access.log"), "a line in the new log")
