"""Standard streams: descriptors that were there at the start, or /dev/null; logs that lead to
them."""

import itertools
import os
import signal
import socket
import subprocess

import pytest

from lib.deployment import IS_ROOT, UID, UUID, dir_, m2sh
from lib.server import Server, run
from lib.waiting import wait_until


def descriptors(pid):
    """{number: target}"""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            pass
    return found


# Goal: whichever of the three standard streams are closed at the start, children have /dev/null or
# a log there, none has a folder (the real root directory, above all), the log of a server without
# stderr is in its file, and the jail of each is as asked for. Method: all combinations, as root in
# a chroot and as an ordinary user, without Landlock, which would hide the hole.
@pytest.mark.parametrize("as_root", [False, True] if IS_ROOT else [False])
@pytest.mark.parametrize("closed", [which for size in range(4)
                                    for which in itertools.combinations((0, 1, 2), size)], ids=str)
def test_closed_at_the_start(deployment, as_root, closed):
    if as_root:
        deployment.give_database_to_root()  # nobody else may switch Landlock off
    deployment.configure(settings={"server.daemonize": 0, "jail.landlock": 0})

    def close():
        for number in closed:
            os.close(number)
    server = Server(deployment, workers=2, as_root=as_root, start=False)
    server.start(preexec_fn=close)
    with server:
        children = server.children()
        assert len(children) >= 3
        for pid, name in children.items():
            if not IS_ROOT:  # processes that root started cannot be looked into by others
                continue
            found = descriptors(pid)
            assert found[0] == "/dev/null", (name, found)
            logs = {"/dev/null", server.stderr, deployment.path("logs/error.log")}
            assert found[1] in logs and found[2] in logs, (name, found)
            folders = [target for target in found.values() if os.path.isdir(target)]
            assert folders == [], (name, found)
        text = m2sh("jail", "-db", deployment.database, "-uuid", UUID,
                    cwd=deployment.folder).stdout
        assert "All of it is as asked for." in text, text
        os.kill(server.workers()[0], signal.SIGKILL)
        server.says("died: killed by signal 9")
        in_file = b"killed by signal 9" in deployment.read("logs/error.log")
        assert in_file == (2 in closed)
        assert server.stop() == 0


# Goal: the reader of the configuration and the rest of an upgrade leak nothing either. Method: the
# same, after a reload and an upgrade.
@pytest.mark.usefixtures("root")
def test_closed_and_upgraded(deployment):
    deployment.configure(settings={"server.daemonize": 0})
    server = Server(deployment, workers=1, as_root=True, start=False)
    server.start(preexec_fn=lambda: os.closerange(0, 3))
    with server:
        assert "serves" in server.reload()
        server.upgrade()
        for pid in server.children():
            assert not [each for each in descriptors(pid).values() if os.path.isdir(each)]
        before = len(deployment.read("logs/error.log"))
        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(lambda: b"killed by signal 9" in deployment.read("logs/error.log")[before:],
                   "the new server's log, in the file too")


# Goal: access log and error log on standard output, by name and by a link in the folder, as
# containers want it; a rotation leaves them as they are. Method: pipes as stdout and stderr.
@pytest.mark.parametrize("as_root", [False, True] if IS_ROOT else [False])
@pytest.mark.parametrize("how", ["name", "link"])
def test_logs_on_standard_output(deployment, as_root, how):
    deployment.configure({"/": dir_()}, settings={"server.daemonize": 0},
                         access_log="/dev/stdout" if how == "name" else "/logs/access.log")
    if how == "link":
        os.symlink("/dev/stdout", deployment.path("logs/access.log"))
        os.symlink("/dev/stdout", deployment.path("logs/error.log"))
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    server = Server(deployment, workers=2, as_root=as_root, start=False)
    seen = []

    def text():
        try:
            seen.append(os.read(readable, 65536))
        except BlockingIOError:
            pass
        return b"".join(seen)
    server.start(output=writable)
    os.close(writable)
    with server:
        for turn in range(3):
            assert server.get(f"/?{turn}").status == 200
            wait_until(lambda turn=turn: text().count(b"3:GET,1:/,8:HTTP/1.1,3:200#") == turn + 1,
                       "a line of the access log")
            server.send_signal(signal.SIGUSR1)
            wait_until(lambda turn=turn: text().count(b"logs reopened") == turn + 1, "the rotation")
        assert "serves" in server.reload()
        assert server.get("/last").status == 404
        wait_until(lambda: b"5:/last," in text(), "a line after the reload")
        assert server.stop() == 0
    text()
    for line in b"".join(seen).splitlines():
        assert line.endswith(b"]") or b"GMT [" in line, line
    os.close(readable)
    assert how == "link" or not os.path.exists(deployment.path("logs/access.log"))


# Goal: error_log /dev/stdout in the foreground goes there, and stderr stays empty.
def test_error_log_on_standard_output(deployment):
    deployment.configure(settings={"server.daemonize": 0}, error_log="/dev/stdout")
    out = deployment.path("out")
    server = Server(deployment, workers=1, start=False)
    words = server.words()
    with open(out, "wb") as stdout, open(server.stderr, "wb") as stderr:
        os.chown(out, UID, -1)
        server.process = subprocess.Popen(
            words, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL,
            cwd=deployment.folder, env={**os.environ, "NOTIFY_SOCKET": server.notify.path})
    server.pid = server.process.pid
    server.known.add(server.pid)
    with server:
        server.wait_notified("READY")
        assert b"serves: 1 worker" in deployment.read("out")
        assert deployment.read(os.path.basename(server.stderr)) == b""
        assert not os.path.exists(deployment.path("logs/error.log"))


# Goal: a server in the background has no standard output: the start and a reload say so, with the
# way out.
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("which", ["access_log", "error_log"])
def test_refused_in_the_background(deployment, which):
    deployment.configure(**{which: "/dev/stdout"})
    done = run(deployment.database, UUID, as_root=True)
    assert done.returncode == 1 and "server.daemonize" in done.stdout, done.stdout
    assert os.listdir(deployment.path("run")) == []
    deployment.configure()
    server = Server(deployment, workers=1, as_root=True, start=False)
    assert server.start_daemon() == 0
    deployment.configure(**{which: "/dev/stdout"})
    server.reload_daemon()
    assert "a server in the background has no such stream" in server.log()
    assert server.get().status == 200


# Goal: nothing that the serving user puts into the folder is opened for stderr, at a rotation in
# the chroot. Method: what a chroot would find as /proc/self/fd/2 and /dev/stderr leads to a file of
# root's; stderr is a pipe, a socket, a file.
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("kind", ["pipe", "socket", "file"])
def test_rotation_opens_no_stream(deployment, kind):
    deployment.configure(settings={"server.daemonize": 0}, error_log="/dev/stderr")
    secret = deployment.path("secret")
    os.mkdir(secret, 0o700)
    with open(os.path.join(secret, "target"), "wb"):
        pass
    os.makedirs(deployment.path("proc/self/fd"))
    os.makedirs(deployment.path("dev"))
    for name in ("proc/self/fd/2", "proc/self/fd/1", "dev/stderr", "dev/stdout"):
        os.symlink("/secret/target", deployment.path(name))
    for name in ("proc", "proc/self", "proc/self/fd", "dev"):
        os.chown(deployment.path(name), UID, -1)
    if kind == "pipe":
        readable, writable = os.pipe()
    elif kind == "socket":
        ends = socket.socketpair()
        readable, writable = (end.detach() for end in ends)
    else:
        writable = os.open(deployment.path("err"), os.O_RDWR | os.O_CREAT)
        readable = os.dup(writable)
    server = Server(deployment, workers=1, as_root=True, start=False)
    server.start(output=writable)
    os.close(writable)
    with server:
        for _ in range(3):
            server.send_signal(signal.SIGUSR1)
            server.send_signal(signal.SIGHUP)
            server.wait_notified("READY")
        assert server.stop() == 0
    assert os.stat(os.path.join(secret, "target")).st_size == 0
    os.close(readable)
