"""The Debian package and the files for systemd and logrotate, on a copy of this system."""

import glob
import os
import shutil
import subprocess

import pytest

from lib.deployment import TOP, UUID, dir_
from lib.server import Server
from lib.waiting import wait_until

pytestmark = pytest.mark.usefixtures("root")


def run(*words, check=True, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, **more)
    assert not check or done.returncode == 0, f"{words}: {done.stdout}"
    return done


@pytest.fixture(scope="module")
def package():
    run("make", "-s", "-o", "build/mongrel2", "deb", cwd=TOP)
    return glob.glob(os.path.join(TOP, "build", "mongrel2_*.deb"))[0]


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


# Goal: installed on a clean system it works by the paths it names, an upgrade keeps what the
# operator has, and nothing of it is left after a purge but that. Method: dpkg itself, in a copy of
# this system.
def test_install_upgrade_remove(system, package):
    shutil.copy(package, system.path("/package.deb"))
    system.run("dpkg", "--remove", "--force-depends", "mongrel2-core", check=False)
    system.run("dpkg", "--install", "/package.deb")
    owner = system.run("getent", "passwd", "mongrel2").stdout
    assert "/var/lib/mongrel2" in owner
    system.run("sh", "-c", "cd /var/lib/mongrel2 && mkdir -p site/run site/logs site/www &&"
               " echo hello > site/www/i && chown -R mongrel2:mongrel2 site")
    with open(system.path("/etc/site.py"), "w", encoding="utf-8") as file:
        file.write(CONFIG.replace("port=0", "port=7997"))
    system.run("m2sh", "load", "-db", "/etc/mongrel2/site.sqlite", "-config", "/etc/site.py")
    system.run("mongrel2", "--check", "/etc/mongrel2/site.sqlite", "site")

    system.run("dpkg", "--install", "/package.deb")  # the same again is an upgrade
    assert os.path.exists(system.path("/etc/mongrel2/site.sqlite"))
    system.run("dpkg", "--purge", "mongrel2")
    assert not os.path.exists(system.path("/usr/bin/mongrel2"))
    assert not os.path.exists(system.path("/usr/lib/python3/dist-packages/mongrel2"))
    assert not os.path.exists(system.path("/etc/logrotate.d/mongrel2"))
    assert os.path.exists(system.path("/etc/mongrel2/site.sqlite"))
    assert os.path.exists(system.path("/var/lib/mongrel2/site/www/i"))


# Goal: systemd of this Debian understands the units of the package without a complaint, and
# finds
# little to be exposed.
def test_units(system, package):
    shutil.copy(package, system.path("/package.deb"))
    system.run("dpkg", "--remove", "--force-depends", "mongrel2-core", check=False)
    system.run("dpkg", "--install", "/package.deb")
    unit = "/tmp/mongrel2@site.service"
    shutil.copy(system.path("/usr/lib/systemd/system/mongrel2@.service"), system.path(unit))
    shutil.copy(system.path("/usr/lib/systemd/system/mongrel2@.socket"),
                system.path("/tmp/mongrel2@site.socket"))
    for name in (unit, "/tmp/mongrel2@site.socket"):
        done = system.run("systemd-analyze", "verify", "--man=no", name)
        assert "mongrel2" not in done.stdout, done.stdout
    done = system.run("systemd-analyze", "security", "--offline=true", "--threshold=29", unit)
    assert "Overall exposure level" in done.stdout


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


# Goal: logrotate accepts its file, moves the log, and USR1 has the server write a new one.
def test_logrotate(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1, as_root=True) as server:
        assert server.get().status == 200
        wait_until(lambda: deployment.read("logs/access.log"), "a line in the log")
        text = open(os.path.join(TOP, "deploy/logrotate.conf"), encoding="utf-8").read()
        text = text.replace("/var/lib/mongrel2/*", deployment.folder)
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
