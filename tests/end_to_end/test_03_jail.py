"""Every process says which privileges it has left, the master compares, and m2sh jail shows it."""

import os
import re
import signal

import pytest

from lib.deployment import IS_ROOT, UUID, dir_, handler, m2sh
from lib.handler import Answering
from lib.server import Server, process_facts, run
from lib.waiting import wait_until


def jail(deployment, check=True):
    return m2sh("jail", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder, check=check)


# Goal: m2sh jail tells of every process what was asked, what it says and what the kernel says, and
# they agree; the file that it reads goes with the server. Method: as an ordinary user and, where
# the tests are root, as root.
@pytest.mark.parametrize("as_root", [False, True] if IS_ROOT else [False])
def test_what_was_asked_is_what_is_there(deployment, workers, as_root):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"server.daemonize": 0})
    with Server(deployment, workers=workers, as_root=as_root) as server:
        text = jail(deployment).stdout
        names = re.findall(r"^(\S.*), process (\d+)", text, re.MULTILINE)
        known = {int(pid): name for name, pid in names}
        for pid, name in server.children().items():
            assert known[pid] == name.replace("m2-", "").replace("-", " ")
            facts = process_facts(pid) if IS_ROOT else None
            assert facts is None or facts["seccomp"] == "2" and facts["no_new_privs"] == "1"
        assert "config reader" in known.values()
        assert "All of it is as asked for." in text and "WEAKER" not in text
        asked = re.findall(r"^  seccomp +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE)
        assert set(asked) == {("yes", "yes", "yes"), ("yes", "yes", "-")}
        assert server.stop() == 0
    assert not os.path.exists(deployment.path("run/mongrel2.jail"))


# Goal: a process that is weaker than asked, by its own word or seen from outside, is named, with
# status 1; so is one that nobody knows of. Method: the file says what is not so.
def test_weaker_is_said(deployment):
    deployment.configure()
    with Server(deployment, workers=1):
        path = deployment.path("run/mongrel2.jail")
        with open(path, encoding="ascii") as file:
            book = file.read()

        def with_book(text):
            with open(path, "w", encoding="ascii") as changed:
                changed.write(text)
            done = jail(deployment, check=False)
            assert done.returncode == 1
            return done.stdout

        worker = next(line for line in book.splitlines() if line.startswith("worker 0"))
        head, asked, has = worker.split("\t")
        weaker = "\t".join([head, asked, has.replace("seccomp=1", "seccomp=0")])
        text = with_book(book.replace(worker, weaker))
        assert re.search(r"seccomp +yes +no +yes +WEAKER \(it says\)", text)
        other = re.sub(r"uid=\d+,\d+,\d+", "uid=7,7,7", worker)
        text = with_book(book.replace(worker, other))
        assert re.search(r"uid +7 +7 +\d+ +WEAKER \(seen\)", text)
        text = with_book(book.replace(worker + "\n", ""))
        assert "is in no jail that the server has on file" in text
        assert "is not what a server writes" in with_book("nonsense\n")


# Goal: the operators' way out works and is warned of; it takes a restart.
def test_switched_off(deployment):
    deployment.configure(settings={"jail.seccomp": 0, "jail.landlock": 0})
    with Server(deployment, workers=1) as server:
        assert "jail.seccomp is 0" in server.log() and "jail.landlock is 0" in server.log()
        text = jail(deployment).stdout
        assert re.search(r"seccomp +no +no", text) and re.search(r"landlock +no +no", text)
        deployment.configure()
        assert "takes a restart: setting jail.landlock, setting jail.seccomp" in server.reload()
        assert server.get().status == 200


# Goal: the death of a process by its filter is in the error log, and it is replaced. Method: the
# very signal that the kernel sends then.
def test_death_by_the_filter_is_said(deployment):
    deployment.configure()
    with Server(deployment, workers=1) as server:
        worker = server.workers()[0]
        os.kill(worker, signal.SIGSYS)
        wait_until(lambda: "killed by signal 31 (Bad system call): a system call that its jail "
                   "forbids" in server.log(), "the reason in the log")
        wait_until(lambda: server.workers() not in ([], [worker]), "another worker")
        assert server.get().status == 200


# Goal: started by an ordinary user there is no chroot, and still no way out of the server's folder:
# links in a served folder lead nowhere, a folder for uploads outside of it works when the server
# was started with it, and another one is refused at a reload.
def test_an_ordinary_user_stays_in_the_folder(deployment, tmp_path):
    os.chmod(tmp_path, 0o777)
    for parent in list(tmp_path.parents)[:2]:
        os.chmod(parent, 0o755)
    os.symlink("/etc", deployment.path("outside"))
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        os.chmod(folder, 0o777)
    routes = {"/out/": dir_(base="outside/"), "/h": handler(), "/": dir_()}
    deployment.configure(routes, settings={
        "upload.temp_store": f"{first}/x.XXXXXX", "limits.content_length": 20480})
    with Server(deployment, workers=1) as server:
        assert server.get("/out/passwd").status in (403, 404)
        assert server.get().status == 200
        with Answering(deployment):
            with server.client() as client:
                client.send(b"POST /h HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n"
                            + b"x" * 50000)
                assert client.answer().status == 200
        deployment.configure(routes, settings={"upload.temp_store": f"{second}/x.XXXXXX"})
        if "ABI" in jail(deployment).stdout:
            assert "is outside of the server's folder" in server.reload()
        deployment.configure(routes, settings={"upload.temp_store": "run/x.XXXXXX"})
        assert "serves" in server.reload()


# Goal: the configuration is never served, whatever folder it lies in and whatever name it has there
# (the manual's first example keeps it in one); logs in a served folder are refused as root and
# warned of otherwise (manual 4.9).
def test_what_nobody_may_see(deployment):
    os.link(deployment.write("www/page.txt", "seen"), deployment.path("www/other.txt"))
    deployment.configure()
    os.link(deployment.database, deployment.path("www/innocent.txt"))
    with Server(deployment, workers=1) as server:
        assert server.get("/other.txt").body == b"seen"
        assert server.get("/innocent.txt").status in (403, 404)
        deployment.configure({"/": dir_(base="logs/")})
        assert "serves" in server.reload()
        assert 'base "logs/": would serve the access log' in server.log()


@pytest.mark.usefixtures("root")
def test_dangerous_places_are_refused_as_root(deployment):
    def refusal():
        done = run(deployment.database, UUID, as_root=True)
        assert done.returncode == 1
        checked = run("--check", deployment.database, UUID, as_root=True)
        assert checked.returncode == 1 and "error: " in checked.stdout
        return done.stdout

    settings = {"server.daemonize": 0}
    deployment.configure({"/": dir_(base="logs/")}, settings=settings)
    assert "would serve the access log (/logs/access.log) to everybody" in refusal()
    deployment.configure(settings=settings)
    os.chmod(deployment.database, 0o666)
    assert "everybody may write to it, and so decide" in refusal()
    os.chmod(deployment.database, 0o644)
    for name, why in ((".", "everybody may put another file in its place"),
                      ("run", "run/ in it: everybody may write to it (chmod o-w)"),
                      ("logs", "logs/ in it: everybody may write to it (chmod o-w)")):
        os.chmod(deployment.path(name), 0o777)
        assert why in refusal()
        os.chmod(deployment.path(name), 0o755)
    with Server(deployment, workers=1, as_root=True) as server:
        assert server.get().status == 200
