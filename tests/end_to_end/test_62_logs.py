"""Log files: rotation by USR1 and HUP, levels, and who writes where."""

import os
import signal

import pytest

from lib.deployment import IS_ROOT
from lib.server import Server
from lib.waiting import wait_until


# Goal: after a rename, USR1 and HUP open the files anew: no line is lost, later lines stand in the
# new file. Method: requests before and after, both files counted; each time until this client's
# worker has the new file.
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
def test_reopen(deployment, workers, number):
    deployment.configure()
    with Server(deployment, workers=workers) as server, server.client() as client:
        def count(path, name="access.log"):
            return [line[5] for line in server.access_log(f"logs/{name}")].count(path.encode())

        for turn in range(3):
            for _ in range(10):
                assert client.request(path=f"/{turn}").status == 404
            wait_until(lambda turn=turn: count(f"/{turn}") == 10, "a line for each")
            os.rename(deployment.path("logs/access.log"), deployment.path(f"logs/access.{turn}"))
            server.send_signal(number)
            wait_until(lambda: os.path.exists(deployment.path("logs/access.log")), "a new file")

            def reopened():
                assert client.request(path="/probe").status == 404
                return deployment.read("logs/access.log")
            wait_until(reopened, "lines in the new file")
            os.unlink(deployment.path("logs/access.log"))
            server.send_signal(number)
            wait_until(lambda: os.path.exists(deployment.path("logs/access.log")), "a new file")

            def newest():
                assert client.request(path="/probe").status == 404
                return count("/probe")
            wait_until(newest, "lines in the newest file")
            assert count(f"/{turn}", f"access.{turn}") == 10


# Goal: root's daemon writes its error log into the folder, as its user, and reopens it.
def test_error_log_of_daemon(deployment, root):
    deployment.configure()
    server = Server(deployment, workers=2, as_root=True, start=False)
    assert server.start_daemon() == 0
    path = deployment.path("logs/error.log")
    assert os.stat(path).st_size > 0
    os.rename(path, path + ".1")
    server.send_signal(signal.SIGUSR1)
    wait_until(lambda: os.path.exists(path), "a new error log")

    def in_new_file():  # workers hear of it a moment later
        with server.client() as client:
            client.send("nonsense\r\n\r\n").answer()
        return b"bad request" in deployment.read("logs/error.log")
    wait_until(in_new_file, "a line in it")
    assert deployment.read("stderr0") == b"" or b"[ERROR]" not in deployment.read("stderr0")


# Goal: error_log_level is honoured, and changes with a reload.
def test_level(deployment):
    deployment.configure()
    deployment.sql("UPDATE server SET error_log_level = 0")
    with Server(deployment, workers=1) as server:
        with server.client() as client:
            client.send("nonsense\r\n\r\n").answer()
        server.wait_access(1)
        assert "bad request" not in server.log()
        deployment.sql("UPDATE server SET error_log_level = 3")
        server.reload()
        with server.client() as client:
            client.send("nonsense\r\n\r\n").answer()
        server.says("bad request")
        assert server.log().count("bad request") == 1  # the earlier one would stand before it


# Goal: every line of the error log has time, level and who wrote it.
def test_form(deployment):
    deployment.configure()
    with Server(deployment, workers=2) as server:
        with server.client() as client:
            client.send("nonsense\r\n\r\n").answer()
        wait_until(lambda: "bad request" in server.log(), "the line")
        for line in server.log().split("\n")[:-1]:  # the last one may be on its way
            assert any(f"[{level}]" in line for level in ("ERROR", "WARN", "INFO", "DEBUG")), line
            assert "GMT" in line and ("(master)" in line or "(worker" in line or "(relay)" in line)
    assert IS_ROOT or os.getuid() != 0


# Goal: the journal of systemd gets levels as its priorities, and no second time. Method: the file
# that stderr leads to is said to be the journal's, as systemd says it.
def test_journal(deployment):
    deployment.configure()
    server = Server(deployment, workers=1, start=False)
    with open(server.stderr, "wb") as file:
        facts = os.fstat(file.fileno())
    server.start(environment={"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"})
    with server, server.client() as client:
        client.send("nonsense\r\n\r\n").answer()
        server.says("<6>(worker 0) bad request from")
        os.kill(server.workers()[0], signal.SIGKILL)
        server.says("<3>(master) worker 0")
        assert "GMT" not in server.log()
