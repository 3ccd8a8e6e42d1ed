# Goal: the first hour with the manual (2.4, 3.2, 3.3) works as it is written there, with the real
# server. Method: a folder with what a built checkout has, made for an ordinary user; the lines of
# the manual run in a shell. Only the port is another one, since 6767 may be in use here.
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from lib import m2sh_tools
from lib.m2sh_tools import NOBODY, SECONDS, TOP, fetch
from lib.waiting import free_port, wait_until

UUID = "f400bf85-4538-4f7a-8908-67e313d515c2"
AS_ROOT = os.geteuid() == 0


class Checkout:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.started = []
        shutil.copytree(os.path.join(TOP, "scripts"), self.folder / "scripts",
                        ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(os.path.join(TOP, "tests", "www"), self.folder / "tests" / "www")
        sample = pathlib.Path(TOP, "tests", "sample_conf.py").read_text()
        assert "port=6767," in sample
        (self.folder / "tests" / "sample_conf.py").write_text(
            sample.replace("port=6767,", f"port={self.port},"))
        (self.folder / "build").mkdir()
        shutil.copy(m2sh_tools.server_binary(), self.folder / "build" / "mongrel2")
        if AS_ROOT:
            self.give_away()
        # What make does.
        self.run("m2sh config -db tests/config.sqlite -config tests/sample_conf.py -force")
        self.run("mkdir run\nmkdir logs\nmkdir tmp")

    def give_away(self):
        """Everything belongs to an ordinary user, as a checkout does."""
        for folder, _, files in os.walk(self.folder):
            for name in [".", *files]:
                os.chown(os.path.join(folder, name), NOBODY, NOBODY)

    def environment(self):
        path = f"{self.folder}/scripts:{os.environ['PATH']}"
        kept = {key: value for key, value in os.environ.items() if key != "MONGREL2_BIN"}
        return {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder)}

    def options(self, as_root):
        user = {}
        if AS_ROOT and not as_root:
            user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return dict(cwd=self.folder, env=self.environment(), text=True, stdin=subprocess.DEVNULL,
                    stderr=subprocess.STDOUT, **user)

    def run(self, lines, status=0, as_root=False):
        # Into a file: a server in the background may keep what it was given open.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(["bash", "-c", lines], timeout=60, stdout=output,
                                  **self.options(as_root))
            output.seek(0)
            text = output.read()
        assert done.returncode == status, (lines, text, self.error_log())
        return text

    def start(self, line):
        child = subprocess.Popen(["bash", "-c", f"exec {line}"], start_new_session=True,
                                 stdout=subprocess.PIPE, **self.options(False))
        self.started.append(child)
        return child

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def wait_until_up(self):
        return wait_until(lambda: fetch(self.url()), "an answer")

    def error_log(self):
        path = self.folder / "logs" / "error.log"
        return path.read_text() if path.exists() else ""

    def close(self):
        for child in self.started:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
        pid_file = self.folder / "run" / "mongrel2.pid"
        if pid_file.exists() and pid_file.read_text().strip().isdigit():  # only after a failure
            try:
                os.kill(int(pid_file.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass


@pytest.fixture
def checkout():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        checkout = Checkout(folder)
        yield checkout
        checkout.close()


def test_looking_around(checkout):
    dump = checkout.run("m2sh dump -db tests/config.sqlite")
    assert dump.startswith(f"LOADING DB:  tests/config.sqlite\nServer(uuid='{UUID}', ")
    assert "\t\tRoute(path='/tests/', reversed=0, target=Dir(base='tests/'," in dump
    assert f"test localhost {UUID}" in checkout.run("m2sh servers -db tests/config.sqlite")
    hosts = checkout.run("m2sh hosts -db tests/config.sqlite -host localhost")
    assert "\t/tests/ : Dir(base='tests/', index_file='index.html'" in hosts
    running = checkout.run("m2sh running -db tests/config.sqlite -host localhost", status=1)
    assert running == f"PID file run/mongrel2.pid not found for server test {UUID}\n"


def test_first_start_as_an_ordinary_user(checkout):
    child = checkout.start("m2sh start -db tests/config.sqlite -host localhost")
    status, headers, body = checkout.wait_until_up()
    assert status == 200 and headers["Content-Type"] == "text/html" and b"is running" in body
    assert fetch(checkout.url("/tests/sample_conf.py"))[0] == 200
    assert fetch(checkout.url("/none"))[0] == 404
    running = checkout.run("m2sh running -db tests/config.sqlite -host localhost")
    assert running.startswith(f"Found server test {UUID} RUNNING at PID ")
    checkout.run("m2sh reload -db tests/config.sqlite -host localhost")
    assert fetch(checkout.url())[0] == 200
    os.killpg(child.pid, signal.SIGINT)  # Ctrl-C
    assert child.wait(SECONDS) == 0
    assert child.stdout.read().startswith(f"Launching server test {UUID} on port {checkout.port}\n")
    checkout.run("m2sh running -db tests/config.sqlite -host localhost", status=1)


def test_start_reload_and_stop_in_the_background(checkout):
    if not AS_ROOT:
        pytest.skip("needs root, or sudo without a password")
    # -sudo changes nothing for root: it needs no sudo.
    out = checkout.run("m2sh start -db tests/config.sqlite -host localhost -sudo", as_root=True)
    assert f"Launching server test {UUID} on port {checkout.port}\n" in out
    checkout.wait_until_up()
    assert checkout.run("tail logs/error.log") != ""
    checkout.run("m2sh reload -db tests/config.sqlite -host localhost", as_root=True)
    page = checkout.run(f"curl -sS http://127.0.0.1:{checkout.port}/")
    assert "Mongrel2 is running" in page
    out = checkout.run("m2sh running -db tests/config.sqlite -host localhost", as_root=True)
    assert "RUNNING at PID" in out
    out = checkout.run("m2sh stop -db tests/config.sqlite -host localhost", as_root=True)
    assert out.startswith(f"Stopped server test {UUID} at PID ")
    assert fetch(checkout.url()) is None
    checkout.run("m2sh running -db tests/config.sqlite -host localhost", status=1, as_root=True)


# Goal: who owns the folder needs no sudo to stop and reload the server that root started there: he
# may use its control port. The history has each of these, and who it was.
def test_the_owner_of_a_server_of_roots(checkout):
    if not AS_ROOT:
        pytest.skip("needs root, or sudo without a password")
    checkout.run("m2sh start -db tests/config.sqlite -host localhost", as_root=True)
    checkout.wait_until_up()
    out = checkout.run("m2sh reload -db tests/config.sqlite -host localhost")
    assert "Reloaded server test" in out and "sudo" not in out
    out = checkout.run("m2sh stop -db tests/config.sqlite -host localhost")
    assert out.startswith(f"Stopped server test {UUID} at PID ")
    assert fetch(checkout.url()) is None
    lines = checkout.run("m2sh log -db tests/config.sqlite").splitlines()[-3:]
    for line, who, command in zip(lines, ("root", "nobody", "nobody"), ("start", "reload", "stop")):
        assert f", {who}@" in line and f"{command}_command] m2sh {command} -db" in line, lines
        assert line.endswith(f"(test {UUID})")


def test_a_configuration_of_ones_own(checkout):
    checkout.run("m2sh init -db simple.sqlite")
    checkout.run("m2sh load -db simple.sqlite -config tests/sample_conf.py")
    assert f"test localhost {UUID}" in checkout.run("m2sh servers -db simple.sqlite")
    assert "Dir(base='tests/'" in checkout.run("m2sh hosts -db simple.sqlite -host localhost")
    child = checkout.start("m2sh start -db simple.sqlite -host localhost")
    assert checkout.wait_until_up()[0] == 200
    out = checkout.run("m2sh stop -db simple.sqlite -host localhost")
    assert out == f"Stopped server test {UUID} at PID {child.pid}\n"
    assert child.wait(SECONDS) == 0
