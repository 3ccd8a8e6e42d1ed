"""Starting: as a user, as root, by name, and everything that must refuse."""

import os
import signal
import subprocess

from lib.deployment import IS_ROOT, UID, UUID, Deployment, dir_, handler, m2sh
from lib.server import Server, command, faults, process_facts, run
from lib.waiting import can_connect, free_port, is_alive, occupy, wait_until


def one_line(done):
    """A refusal: status 1 and one line that says why."""
    assert done.returncode == 1, done.stdout
    lines = faults(done.stdout)
    assert len(lines) == 1, done.stdout
    return lines[0]


# Goal: an ordinary user gets a server in the foreground, with his own ids, outside of any chroot,
# that logs to stderr. Method: look at /proc, at its stderr and at an answer.
def test_as_user(deployment, workers):
    deployment.configure()
    with Server(deployment, workers=workers) as server:
        assert server.get().body == b"<h1>hello</h1>\n"
        assert server.process.poll() is None
        assert len(server.workers()) == workers
        assert deployment.read("stderr0") != b""
        for pid in [server.pid, *server.children()]:
            facts = process_facts(pid)
            assert facts["root"] == "/"
            assert facts["uids"] == [str(UID)] * 4
        for pid in server.children():
            assert process_facts(pid)["no_new_privs"] == "1"
        assert deployment.read("run/mongrel2.pid") == str(server.pid).encode()


# Goal: without -w and without the setting there is a worker for each core that may be used.
# Method: start on one core, then on all, and count; then the setting, then -w over it.
def test_number_of_workers(deployment):
    cores = sorted(os.sched_getaffinity(0))
    for settings, use, options, expected in (
            ({}, cores[:1], {}, 1),
            ({}, cores, {}, len(cores)),
            ({"workers": 3}, cores, {}, 3),
            ({"workers": 3}, cores, {"workers": 1}, 1)):
        deployment.configure(settings=settings)
        server = Server(deployment, start=False, **options)
        server.start(preexec_fn=lambda use=use: os.sched_setaffinity(0, use))
        with server:
            assert len(server.workers()) == expected
            assert server.get().status == 200
            assert server.stop() == 0


# Goal: paths of the configuration mean the deployment folder also when it is given as "./".
def test_relative_folder(deployment):
    deployment.configure(chroot="./")
    with Server(deployment, workers=1) as server:
        assert server.get().status == 200
        server.wait_access(1)


# Goal: SERVER may be a uuid, a name or a host, if it means one server only; others are refused with
# the candidates. Method: a database with two servers on one host.
def test_selection(deployment):
    other = free_port()
    text = deployment.source()
    text = text.replace("commit([main]", (
        f"other = Server(uuid='other-uuid', access_log='/logs/a2.log', error_log='/logs/e2.log', "
        f"chroot={deployment.folder!r}, default_host='localhost', name='second', "
        f"pid_file='/run/second.pid', bind_addr='127.0.0.1', port={other}, "
        f"hosts=[Host(name='localhost', routes={{'/': target0}})])\n"
        f"commit([main, other]"))
    deployment.configure()
    deployment.write("two.py", text)
    m2sh("config", "-db", deployment.database, "-config", deployment.path("two.py"))
    deployment.give_away()
    for name, port in (("test", deployment.port), ("second", other), (UUID, deployment.port),
                       ("other-uuid", other)):
        with Server(deployment, workers=1, name=name) as server:
            assert can_connect(port)
            assert server.stop() == 0
    line = one_line(run(deployment.database, "localhost"))
    assert UUID in line and "other-uuid" in line
    assert "nobody-has-this" in one_line(run(deployment.database, "nobody-has-this"))


# Goal: a default host selects too when it means one server only.
def test_host_selects_when_unique(deployment):
    deployment.configure(hosts={"example.org": {"/": dir_()}})
    with Server(deployment, workers=1, name="example.org") as server:
        assert server.get().status == 200


# Goal: wrong words on the command line give one usage line and exit status 1.
def test_usage():
    for arguments in ((), ("one",), ("a", "b", "c"), ("-w", "0", "a", "b"), ("-w", "x", "a", "b"),
                      ("--no-such-option", "a", "b")):
        done = run(*arguments)
        assert done.returncode == 1, (arguments, done.stdout)
        assert "usage: mongrel2" in done.stdout and len(done.stdout.splitlines()) <= 2
    assert run("--version").returncode == 0
    assert "TERM" in run("--help").stdout


# Goal: a port that somebody else has is a refusal that names it; nothing is left behind.
def test_port_in_use(deployment):
    deployment.configure()
    with occupy(deployment.port):
        assert str(deployment.port) in one_line(run(deployment.database, UUID))
    assert not os.path.exists(deployment.path("run/mongrel2.pid"))
    with Server(deployment, workers=1) as server:
        assert server.get().status == 200


# Goal: the same for the endpoint of a handler pair, tcp and ipc.
def test_endpoint_in_use(deployment):
    port = free_port()
    deployment.configure({"/": handler(send_spec=f"tcp://127.0.0.1:{port}")})
    with occupy(port):
        assert str(port) in one_line(run(deployment.database, UUID))
    assert not can_connect(deployment.port)
    deployment.configure({"/": handler()})
    with Server(deployment, workers=1) as server, Deployment() as second:
        second.configure({"/": handler(send_spec=f"ipc://{deployment.folder}/run/h-q")},
                         uuid="second")
        line = one_line(run(second.database, "second"))
        assert f"{deployment.folder}/run/h-q" in line
        assert server.get(version="HTTP/1.0", path="/nothing").status == 503


# Goal: a folder that is not there is a refusal that names it and says how to make it.
def test_chroot_missing(deployment):
    for as_root in {False, IS_ROOT}:
        deployment.configure(chroot=deployment.path("nowhere"))
        line = one_line(run(deployment.database, UUID, as_root=as_root))
        assert deployment.path("nowhere") in line and "mkdir" in line


# Goal: a folder without run or logs is a refusal that names what is missing.
def test_folders_missing(deployment):
    deployment.configure()
    os.rmdir(deployment.path("run"))
    assert "run" in one_line(run(deployment.database, UUID))
    os.mkdir(deployment.path("run"))
    os.rmdir(deployment.path("logs"))
    deployment.give_away()
    done = run(deployment.database, UUID)
    assert done.returncode == 1 and "logs" in done.stdout


# Goal: the pid file. A live server refuses a second start and goes on; a stale file and a file with
# garbage are replaced; it goes away at a clean end. Method: start twice, kill -9, start again.
def test_pid_file(deployment):
    deployment.configure()
    with Server(deployment, workers=1) as server:
        done = run(deployment.database, UUID)
        assert done.returncode == 1 and f"Process {server.pid} is still running" in done.stdout
        assert server.get().status == 200
        pids = [server.pid, *server.children()]
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        wait_until(lambda: not any(map(is_alive, pids)), "children to end after their master")
    assert deployment.read("run/mongrel2.pid") == str(pids[0]).encode()
    with Server(deployment, workers=1) as server:
        assert deployment.read("run/mongrel2.pid") == str(server.pid).encode()
        assert server.stop() == 0
        assert not os.path.exists(deployment.path("run/mongrel2.pid"))
    for content in (b"garbage", b"", b"-1", b"99999999999999999999", f"{os.getpid()}\n".encode()):
        deployment.write("run/mongrel2.pid", content)
        with Server(deployment, workers=1) as server:
            assert server.stop() == 0


# Goal: two starts at the same moment: one serves, the other refuses, whatever the order.
def test_two_starts_at_once(deployment):
    deployment.configure()
    servers = [Server(deployment, workers=1, start=False).launch() for _ in range(2)]
    ended = wait_until(lambda: [s for s in servers if s.process.poll() is not None], "one to end")
    assert len(ended) == 1 and ended[0].process.returncode == 1
    serving = servers[1 - servers.index(ended[0])]
    serving.wait_notified("READY")
    assert serving.get().status == 200
    assert serving.stop() == 0


# Goal: a closed stdin, and a stdout that is closed, do not hurt the server in the foreground.
def test_without_standard_files(deployment):
    deployment.configure()
    words = " ".join(command("-w", "1", deployment.database, UUID))
    server = Server(deployment, workers=1, start=False)
    environment = {**os.environ, "NOTIFY_SOCKET": server.notify.path}
    server.process = subprocess.Popen(["sh", "-c", f"exec {words} <&- >&- 2>&-"], env=environment,
                                      cwd=deployment.folder)
    server.pid = server.process.pid
    server.known.add(server.pid)
    server.wait_notified("READY")
    for _ in range(3):
        assert server.get().body == b"<h1>hello</h1>\n"
    assert server.stop() == 0
