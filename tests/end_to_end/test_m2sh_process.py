# Goal: m2sh starts, finds, reloads and stops the right processes, says so in the words of the
# manual (3.9), and its exit status can be trusted.
# Method: a stand-in for the server: it writes and locks its pid file, lives in its folder if root
# started it, notes signals, and can be stubborn. The real one is in test_m2sh_transcript.py.
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import pytest

from lib import m2sh_tools
from lib.m2sh_tools import M2SH, SECONDS, m2sh
from lib.waiting import wait_until

STAND_IN = r'''#!/usr/bin/python3
import fcntl, os, signal, sys, time
if sys.argv[1] == "--check":
    print("checked", sys.argv[2], sys.argv[3])
    sys.exit(1 if sys.argv[3] == os.environ.get("BAD") else 0)
db, uuid = sys.argv[1:]
if os.environ.get("REFUSE") == uuid and os.environ.get("DETACH"):
    sys.exit(3)
if os.environ.get("DETACH") and os.fork() != 0:
    sys.exit(0)
pid_file = f"run/{uuid}.pid"
stop = []
def note(number, _):
    with open(f"logs/{uuid}.log", "a") as log:
        print(signal.Signals(number).name, file=log)
    if os.environ.get("DRAIN") and number == signal.SIGINT:
        comm.write("mongrel2-drains")
        comm.flush()
    if number in (signal.SIGTERM, signal.SIGQUIT) or (
            number == signal.SIGINT and not os.environ.get("STUBBORN")):
        stop.append(number)
comm = open("/proc/self/comm", "w")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, note)
if os.geteuid() == 0:
    os.chroot(".")
file = open(pid_file + ".new", "w")
file.write(str(os.getpid()))
file.flush()
fcntl.lockf(file, fcntl.LOCK_EX)
os.rename(pid_file + ".new", pid_file)
if os.environ.get("REFUSE") == uuid:
    sys.exit(3)
deadline = time.monotonic() + 60
while not stop and time.monotonic() < deadline:
    time.sleep(0.02)
os.unlink(pid_file)
'''

CONFIG = '''
from mongrel2.config import *
def server(uuid, name, host, port):
    return Server(uuid=uuid, name=name, default_host=host, port=port, chroot="./",
                  access_log="/logs/a", error_log="/logs/e", pid_file=f"/run/{uuid}.pid",
                  hosts=[Host(host, routes={"/": Dir("www/", "index.html")})])
commit([server("u-1", "one", "localhost", 6767), server("u-2", "two", "localhost", 6768),
        server("u-3", "three", "example.org", 6769)], settings={"server.daemonize": 0})
'''
NO_PID_FILE = "PID file run/u-1.pid not found for server one u-1\n"


class Place:
    """A folder with a database of three servers and the stand-in."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("run", "logs"):
            (folder / name).mkdir()
        (folder / "conf.py").write_text(CONFIG)
        self.program = folder / "mongrel2"
        self.program.write_text(STAND_IN)
        self.program.chmod(0o755)
        self.started = []
        assert self.run("config -config conf.py").returncode == 0

    def line(self, line):
        command, *rest = line.split()
        return [command, "-db", "x.sqlite", *rest]

    def run(self, line, **environment):
        environment.setdefault("MONGREL2_BIN", str(self.program))
        return m2sh(*self.line(line), cwd=self.folder, **environment)

    def start(self, line, **environment):
        child = subprocess.Popen([M2SH, *self.line(line)], cwd=self.folder, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 start_new_session=True,
                                 env={**os.environ, "MONGREL2_BIN": str(self.program),
                                      **environment})
        self.started.append(child)
        return child

    def up(self, *uuids):
        for uuid in uuids:
            wait_until((self.folder / "run" / f"{uuid}.pid").exists, f"the start of {uuid}")

    def pid(self, uuid):
        return int((self.folder / "run" / f"{uuid}.pid").read_text())

    def log(self, uuid):
        path = self.folder / "logs" / f"{uuid}.log"
        return path.read_text().split() if path.exists() else []

    def close(self):
        for child in self.started:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is hidden from other users
        os.chmod(folder, 0o755)
        place = Place(pathlib.Path(folder))
        yield place
        place.close()


def test_start_becomes_the_server(place):
    child = place.start("start -name one")
    place.up("u-1")
    assert place.pid("u-1") == child.pid  # nobody in between: signals and status are the server's
    os.killpg(child.pid, signal.SIGINT)  # what Ctrl-C does
    assert child.wait(SECONDS) == 0
    assert child.stdout.read() == "Launching server one u-1 on port 6767\n"
    assert place.log("u-1") == ["SIGINT"]


def test_the_status_of_a_server_that_refuses_is_passed_on(place):
    assert place.run("start -uuid u-1", REFUSE="u-1").returncode == 3


def test_ambiguous_selections_do_nothing(place):
    expected = ("Not sure which server to run, what I found:\n"
                "NAME HOST UUID\n"
                "--------------\n"
                "one localhost u-1\n"
                "two localhost u-2\n"
                "* Use -every to run them all.\n")
    for command in ("start", "stop", "reload", "running", "check"):
        done = place.run(f"{command} -host localhost")
        assert (done.returncode, done.stdout) == (1, expected), command
    assert not list((place.folder / "run").iterdir())


def test_selections_that_match_nothing(place):
    assert place.run("start -name none").stdout == "No matching servers found, nothing launched\n"
    for command in ("start", "stop", "reload", "running", "check"):
        assert place.run(f"{command} -name none").returncode == 1
        assert place.run(f"{command} -name one -host example.org").returncode == 1
    for command in ("start", "stop", "reload", "running"):
        done = place.run(command)
        assert done.returncode == 2
        assert done.stderr == "You must give either -every, -name, -host, or -uuid.\n"


def test_every_server_at_once(place):
    child = place.start("start -every")
    place.up("u-1", "u-2", "u-3")
    done = place.run("running -every")
    assert done.returncode == 0
    assert done.stdout == "".join(
        f"Found server {name} {uuid} RUNNING at PID {place.pid(uuid)}\n"
        for name, uuid in (("one", "u-1"), ("two", "u-2"), ("three", "u-3")))
    assert place.run("reload -every -host localhost").returncode == 0
    wait_until(lambda: place.log("u-1") == place.log("u-2") == ["SIGHUP"], "the reload")
    assert place.log("u-3") == []
    assert place.run("stop -every").returncode == 0
    assert child.wait(SECONDS) == 0
    assert not list((place.folder / "run").iterdir())


def test_ctrl_c_reaches_all_servers_and_their_status_counts(place):
    child = place.start("start -every", REFUSE="u-2")
    place.up("u-1", "u-2", "u-3")
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(SECONDS) == 1
    assert place.log("u-1")[:1] == place.log("u-3")[:1] == ["SIGINT"]


def test_signals_to_m2sh_are_passed_on_to_all(place):
    child = place.start("start -every")
    place.up("u-1", "u-2", "u-3")
    child.send_signal(signal.SIGHUP)
    for uuid in ("u-1", "u-2", "u-3"):
        wait_until(lambda uuid=uuid: place.log(uuid) == ["SIGHUP"], f"the reload of {uuid}")
    child.send_signal(signal.SIGTERM)
    assert child.wait(SECONDS) == 0
    assert place.log("u-1") == ["SIGHUP", "SIGTERM"]


def test_running(place):
    done = place.run("running -name one")
    assert (done.returncode, done.stdout) == (1, NO_PID_FILE)
    child = place.start("start -name one")
    place.up("u-1")
    done = place.run("running -every")
    assert done.returncode == 1
    assert done.stdout.split("\n")[:2] == [
        f"Found server one u-1 RUNNING at PID {child.pid}",
        "PID file run/u-2.pid not found for server two u-2"]
    os.killpg(child.pid, signal.SIGKILL)
    wait_until(lambda: "NOT" in place.run("running -name one").stdout, "noticing the end")
    # The child is a zombie now: it has a pid, but it does not run.
    done = place.run("running -name one")
    assert (done.returncode, done.stdout) == (1, f"Server one u-1 NOT RUNNING at PID {child.pid}\n")


@pytest.mark.parametrize("text", ["", "nonsense", "-5", "0", "1 2", "\0"])
def test_pid_files_with_nonsense(place, text):
    (place.folder / "run" / "u-1.pid").write_text(text)
    done = place.run("running -name one")
    assert (done.returncode, done.stdout) == (
        1, "PID file run/u-1.pid of server one u-1 has no number in it, and no server holds it; "
        "remove it\n")


# Goal: each reason why there is no server behind a pid file has a message of its own.
def test_what_can_be_in_the_place_of_a_pid_file(place):
    def said():
        done = place.run("running -name one")
        assert done.returncode == 1
        return done.stdout

    run = place.folder / "run"
    run.rmdir()
    assert said() == NO_PID_FILE[:-1] + ": there is no folder run\n"
    run.write_text("")
    assert "cannot be used: run is no folder" in said()
    run.unlink()
    run.mkdir()
    pid_file = run / "u-1.pid"
    pid_file.mkdir()
    assert "run/u-1.pid is a folder, and is not used; remove it" in said()
    pid_file.rmdir()
    pid_file.symlink_to("other")
    assert "run/u-1.pid is a link, and is not used; remove it" in said()
    pid_file.unlink()
    os.mkfifo(pid_file)
    assert "run/u-1.pid is a named pipe, and is not used; remove it" in said()
    pid_file.unlink()
    pid_file.write_text("7")
    os.link(pid_file, run / "other")
    assert "run/u-1.pid has a second name" in said()


# Goal: a second stop waits like the first one, for what that one promised.
def test_stop_said_twice(place):
    child = place.start("start -name one", STUBBORN="1", DRAIN="1")
    place.up("u-1")
    assert place.run("stop -name one -wait 0").returncode == 1
    wait_until(lambda: place.log("u-1") == ["SIGINT"], "the signal")
    done = place.run("stop -name one -wait 0")
    assert done.returncode == 1
    assert done.stdout.startswith(f"Server one u-1 at PID {child.pid} stops already\n")
    assert "still RUNNING" in done.stdout
    assert place.log("u-1") == ["SIGINT"]
    assert "is stopping" in place.run("reload -name one").stderr
    assert place.run("stop -name one -murder").returncode == 0


# Goal: root starts all servers that can be started, whichever of them cannot, and says which.
def test_one_that_does_not_start_keeps_no_other_from_it(place):
    if os.geteuid() != 0:
        pytest.skip("needs root, for servers in the background")
    (place.folder / "conf.py").write_text(CONFIG.replace("daemonize\": 0", "daemonize\": 1"))
    assert place.run("config -config conf.py").returncode == 0
    child = place.start("start -every", REFUSE="u-1", DETACH="1")
    place.up("u-2", "u-3")
    assert child.wait(SECONDS) == 1
    assert "Server one u-1 is NOT started" in child.stdout.read()
    assert place.run("stop -every").returncode == 1  # one never ran
    assert not (place.folder / "run" / "u-3.pid").exists()


def test_a_pid_that_belongs_to_somebody_else_by_now_is_left_alone(place):
    other = subprocess.Popen(["/bin/sleep", "60"])
    try:
        (place.folder / "run" / "u-1.pid").write_text(str(other.pid))
        for command in ("running", "stop", "reload", "stop -murder"):
            done = place.run(f"{command} -name one")
            assert (done.returncode, done.stdout) == (
                1, f"Server one u-1 NOT RUNNING at PID {other.pid}\n")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_stop_waits_and_murder_does_not_ask(place):
    child = place.start("start -name one", STUBBORN="1")
    place.up("u-1")
    done = place.run("stop -name one -wait 1")
    assert done.returncode == 1
    assert re.match(f"Server one u-1 still RUNNING at PID {child.pid} after 1 seconds; ",
                    done.stdout)
    assert child.poll() is None
    done = place.run("stop -name one -murder")
    assert (done.returncode, done.stdout) == (0, f"Stopped server one u-1 at PID {child.pid}\n")
    assert child.wait(SECONDS) == 0
    assert place.log("u-1") == ["SIGINT", "SIGQUIT"]
    assert place.run("stop -name one").returncode == 1


def test_check(place):
    done = place.run("check")
    assert done.returncode == 0
    assert done.stdout == "".join(f"checked x.sqlite u-{number}\n" for number in (1, 2, 3))
    assert place.run("check -name two").stdout == "checked x.sqlite u-2\n"
    done = place.run("check", BAD="u-2")
    assert done.returncode == 1 and "u-3" in done.stdout
    assert place.run("check -name two", BAD="u-2").returncode == 1
    assert place.run("check -name one", BAD="u-2").returncode == 0


def test_sudo_may_be_another_command(place):
    wrapper = place.folder / "as_somebody"
    wrapper.write_text('#!/bin/sh\necho "$@" >> wrapped\nexec "$@"\n')
    wrapper.chmod(0o755)
    done = m2sh("start", "-db", "x.sqlite", "-name", "one", "-sudo", f"{wrapper} env REFUSE=u-1",
                cwd=place.folder, MONGREL2_BIN=str(place.program))
    assert done.returncode == 3
    expected = f"env REFUSE=u-1 {place.program} x.sqlite u-1\n"
    assert (place.folder / "wrapped").read_text() == expected
    (place.folder / "run" / "u-1.pid").unlink()
    child = place.start("start -name one")
    place.up("u-1")
    done = m2sh("stop", "-db", "x.sqlite", "-name", "one", "-sudo", str(wrapper), cwd=place.folder)
    assert done.returncode == 0
    assert (place.folder / "wrapped").read_text().endswith("/m2sh stop -db x.sqlite -uuid u-1\n")
    assert child.wait(SECONDS) == 0


def test_no_program_to_start(place):
    done = place.run("start -name one", MONGREL2_BIN="/nonexistent/mongrel2")
    assert done.returncode == 1 and "/nonexistent/mongrel2 is not a program" in done.stderr
    place.program.write_text("#!/nonexistent/interpreter\n")
    done = place.run("start -name one")
    assert done.returncode == 1 and "No such file" in done.stderr
    assert place.run("start -every").returncode == 1


def test_a_server_of_somebody_else(place):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    child = place.start("start -name one")
    place.up("u-1")
    bare = {"PATH": "/nonexistent", "HOME": "/"}  # where there is no sudo
    # m2sh is loaded before the user changes: the checkout may be hidden from others.
    code = (f"import os, sys; sys.path.insert(0, {m2sh_tools.SCRIPTS!r})\n"
            "from mongrel2.m2sh.main import main\n"
            f"os.setgroups([]); os.setgid({m2sh_tools.NOBODY}); os.setuid({m2sh_tools.NOBODY})\n"
            "sys.exit(main(sys.argv[1:]))\n")

    def as_nobody(line):
        return subprocess.run(["/usr/bin/python3", "-c", code, *place.line(line)], env=bare,
                              cwd=place.folder, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS)

    done = as_nobody("running -name one")
    assert done.stdout == f"Found server one u-1 RUNNING at PID {child.pid}\n", done
    done = as_nobody("stop -name one")
    assert done.returncode == 1
    assert f"The process {child.pid} belongs to another user" in done.stdout
    assert f"run this as the owner of process {child.pid}, or as root" in done.stderr
    assert child.poll() is None
