"""Start, reload and --check find the same: what has no place, what leaves the folder, and what is
only a pity."""

import os
import shutil

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import IS_ROOT, UUID, Deployment, dir_, handler, listener, m2sh, proxy
from lib.handler import Answering, http
from lib.server import Server, run
from lib.waiting import wait_until

AS_ROOT = [False, True] if IS_ROOT else [False]


def errors(text):
    return [line for line in text.splitlines() if line.startswith("error: ")]


def same_everywhere(deployment, as_root, *words):
    """Start and --check refuse with the same lines; returns them."""
    found = []
    for options in ((), ("--check",)):
        done = run(*options, deployment.database, UUID, as_root=as_root)
        assert done.returncode == 1, done.stdout
        lines = errors(done.stdout)
        for word in words:
            assert any(word in line for line in lines), done.stdout
        found.append(lines)
    assert found[0] == found[1]
    return found[0]


# Goal: each thing that is missing, or stands in another's place, is an error everywhere, with the
# way out; several are told at once. Method: one change of the folder at a time, then all.
@pytest.mark.parametrize("as_root", AS_ROOT)
def test_missing_places(deployment, as_root):
    routes = {"/": dir_(), "/h": handler(send_spec="ipc://sockets/q", recv_spec="ipc://sockets/r")}
    os.mkdir(deployment.path("sockets"))
    deployment.configure(routes, settings={"server.daemonize": 0},
                         listeners=[listener("unix:web/socket")],
                         access_log="/access/a.log", error_log="/errors/e.log")
    for name in ("web", "access", "errors"):
        os.makedirs(deployment.path(name), exist_ok=True)
    deployment.give_away()
    assert run("--check", deployment.database, UUID, as_root=as_root).stdout.startswith("ok: ")
    changes = [("sockets", ["send_spec", "recv_spec"]), ("web", ["listener", "address"]),
               ("access", ["access_log"]), ("run", ["pid_file"])]
    if as_root:
        changes.append(("errors", ["error_log"]))
    for name, words in changes:
        os.rename(deployment.path(name), deployment.path("away"))
        lines = same_everywhere(deployment, as_root, *words, f"mkdir -p {deployment.path(name)}")
        assert len(lines) <= 2, lines
        deployment.write(name, "in its place")
        same_everywhere(deployment, as_root, *words, "is a file")
        os.unlink(deployment.path(name))
        os.rename(deployment.path("away"), deployment.path(name))
    os.mkdir(deployment.path("access/a.log"))
    deployment.write("sockets/q", "no socket")
    same_everywhere(deployment, as_root, "is a folder", "is not a socket")
    for name in ("access", "sockets", "run", "web"):
        shutil.rmtree(deployment.path(name))
    lines = same_everywhere(deployment, as_root, "access_log", "send_spec", "recv_spec", "pid_file",
                            "address")
    assert len(lines) == 5


# Goal: a chroot that is not there, or is a file, or as root is not named at all.
@pytest.mark.parametrize("as_root", AS_ROOT)
def test_missing_chroot(deployment, as_root):
    deployment.configure()
    deployment.sql(f"UPDATE server SET chroot = '{deployment.path('nowhere')}'")
    same_everywhere(deployment, as_root, f"mkdir -p {deployment.path('nowhere')}/run")
    deployment.write("nowhere", "")
    same_everywhere(deployment, as_root, "chroot")
    if as_root:
        deployment.sql("UPDATE server SET chroot = ''")
        same_everywhere(deployment, as_root, "start as another user")


# Goal: a base that is missing is a warning, since a start serves the rest; a file in its place is
# an error; so is a control port at a bound port; columns without an effect are warned of.
def test_targets(deployment):
    deployment.configure({"/": dir_(), "/none": dir_("none/")})
    done = run("--check", deployment.database, UUID)
    assert done.returncode == 0 and 'base "none/": is not there' in done.stdout
    with Server(deployment, workers=1) as server:
        assert server.get("/none/x").status == 404
        assert server.stop() == 0
    deployment.write("none", "a file")
    same_everywhere(deployment, False, 'base "none/": is a file')
    os.unlink(deployment.path("none"))
    deployment.configure(control_port=f"tcp://127.0.0.1:{deployment.port}")
    same_everywhere(deployment, False, "control_port")
    deployment.configure()
    deployment.sql("UPDATE host SET maintenance = 1", "UPDATE route SET reversed = 1")
    done = run("--check", deployment.database, UUID)
    assert done.returncode == 0
    for word in ("maintenance 1: has no effect", "reversed 1: has no effect"):
        assert any(line.startswith("warning: ") and word in line
                   for line in done.stdout.splitlines()), done.stdout


# Goal: a reload that is refused says every reason, in the log and to m2sh.
def test_refused_reload_says_all(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1) as server:
        deployment.configure({"/": dir_("../"), "/x([a": dir_()}, pid_file="/away/x.pid")
        deployment.sql("UPDATE server SET pid_file = '/run/mongrel2.pid', access_log = '/none/a'")
        done = m2sh("reload", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder,
                    check=False)
        assert done.returncode != 0
        said = f"{done.stdout}{done.stderr}"
        for word in ("access_log", 'base "../"', "/x([a"):
            assert word in said and word in server.log(), said
        assert server.get().status == 200


# Goal: no path leaves the folder, as root or not, and nothing is made outside.
@pytest.mark.parametrize("as_root", AS_ROOT)
@pytest.mark.parametrize("column", ["access_log", "error_log", "pid_file"])
def test_paths_that_climb(deployment, as_root, column):
    outside = f"/tmp/m2-outside-{os.getpid()}"
    deployment.configure(**{column: f"/../../..{outside}"})
    same_everywhere(deployment, as_root, column, "must not climb")
    assert not os.path.exists(outside)


# Goal: a control port that cannot be had is a warning that names the column, and the server serves,
# also through a reload, and takes it when it is free. Method: two servers of one folder that both
# want ipc://run/control; then the first one goes.
def test_control_port_is_optional(deployment, workers):
    deployment.configure()
    with Server(deployment, workers=workers) as first, Deployment() as other:
        assert first.get().status == 200
        other.configure({"/": dir_(), "/h": handler()}, chroot=deployment.folder,
                        pid_file="/run/second.pid", access_log="/logs/access2.log")
        with Server(other, workers=workers) as second, Answering(
                deployment, lambda request: http("h")):
            assert "server.control_port ipc://run/control" in second.log()
            assert second.get().status == 200 and second.get("/h").status == 200
            assert "generation 2 serves" in second.reload()
            assert second.get("/h").status == 200
            assert first.stop() == 0
            assert "generation 3 serves" in second.reload()
            assert os.path.exists(deployment.path("run/control"))
            assert second.get("/h").status == 200


# Goal: the same for one whose folder is missing.
def test_control_port_without_its_folder(deployment):
    deployment.configure(control_port="ipc://none/control")
    done = run("--check", deployment.database, UUID)
    assert done.returncode == 0
    assert "warning: " in done.stdout and 'control_port "ipc://none/control"' in done.stdout
    with Server(deployment, workers=1) as server:
        assert "server.control_port ipc://none/control" in server.log()
        assert server.get().status == 200


# Goal: a name that cannot be resolved costs its routes and nothing else: they are answered 502,
# name and routes are in the log at the start, and the reason with each answer. Method: a name that
# never exists, and --check.
def test_unresolvable_name(deployment, workers):
    with Backend() as backend:
        deployment.configure({"/": dir_(), "/p": proxy(80, addr="backend.invalid"),
                              "/q": proxy(backend.port)})
        done = run("--check", deployment.database, UUID)
        assert done.returncode == 0 and "backend.invalid" in done.stdout
        with Server(deployment, workers=workers) as server:
            assert server.get().status == 200
            assert server.get("/q").status == 200
            assert server.get("/p").status == 502
            wait_until(lambda: "backend.invalid cannot be looked up again" in server.log(),
                       "another look-up")
            assert "backend.invalid:80: the name has no address" in server.log()
            assert "generation 2 serves" in server.reload()
            assert 'route "/p" of host "localhost" will answer 502' in server.log()
            assert server.get("/p").status == 502 and server.get("/q").status == 200


# Goal: without a chroot, paths are what they are, for the server and for m2sh. Method: an ordinary
# user's server with absolute paths outside of the current folder, started, reloaded, stopped.
def test_no_chroot(deployment, workers):
    with Deployment() as other:
        deployment.configure({"/": dir_(), "/h": handler()}, chroot="",
                             access_log=other.path("logs/a.log"), pid_file=other.path("run/x.pid"),
                             error_log="logs/error.log")
        other.give_away()
        with Server(deployment, workers=workers) as server, Answering(
                deployment, lambda request: http("h")):
            assert server.get().status == 200 and server.get("/h").body == b"h"
            assert other.read("run/x.pid") == b"%d" % server.pid
            wait_until(lambda: other.read("logs/a.log"), "the access log")
            done = m2sh("reload", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder)
            assert "generation 2 serves" in done.stdout
            assert server.get("/h").status == 200
            assert server.stop() == 0
        assert os.listdir(other.path("run")) == []


# Goal: HTTP/1.0 without Host goes to the default host though another one takes every name.
def test_no_host(deployment):
    deployment.write("other/index.html", "other")
    deployment.configure(hosts={"localhost": {"/": dir_()}, ("any", "(.*)"): {"/": dir_("other/")}})
    with Server(deployment, workers=1) as server:
        with Client(deployment.port) as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            assert client.answer().body == b"<h1>hello</h1>\n"
        assert server.get("/", host="x.org").body == b"other"
