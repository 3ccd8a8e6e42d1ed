"""The control port (manual 3.8): words and JSON, the tnetstrings of 1.x, m2sh and the Python
module; over all workers, and never in the way of what is served."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lib.deployment import TOP, UUID, dir_, handler, m2sh
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import DEADLINE, wait_until

sys.path.insert(0, os.path.join(TOP, "scripts"))
from mongrel2.control import ControlError, ControlPort  # noqa: E402


def control(deployment, workers):
    """The control port of a server, once its relay can ask all workers."""
    port = ControlPort(deployment.endpoint("ipc://run/control"), timeout=DEADLINE)
    wait_until(lambda: len(tasks(port)) == workers + 1, "the relay to know the workers")
    net(port)
    return port


def tasks(port):
    return [task["name"] for task in json.loads(port.words("status tasks"))["task_list"]]


def net(port):
    """What it says once each worker has answered within its second."""
    def look():
        listed = json.loads(port.words("status net"))
        return listed if "silent_workers" not in listed else None
    return wait_until(look, "all workers to answer in time")


# Goal: "status net" has every client of every worker under the id that handlers know, and "kill"
# ends one of them, wherever it is; its handler hears of it once.
def test_net_and_kill(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on, \
            control(deployment, workers) as port:
        assert net(port) == {"total": 0}
        clients = [server.client().send_request(path="/h") for _ in range(12)]
        requests = [on.recv() for _ in clients]
        silent = server.client()
        wait_until(lambda: net(port)["total"] == 13, "all clients to be accepted")
        listed = net(port)
        assert all(0 <= listed[request.id] < 60 for request in requests)
        assert len(listed) == 14  # the one that has said nothing has an id, too
        victim = requests[5].id
        assert json.loads(port.words(f"kill {victim}")) == {"result": f"killed {victim}"}
        assert json.loads(port.words(f"kill {victim}")) == {"error": f"does not exist: {victim}"}
        notice = on.recv()
        assert notice.is_disconnect() and notice.id == victim
        for request in requests:
            if request.id != victim:
                on.reply(request, request.id)
        closed = 0
        for client in clients:
            try:
                assert client.answer().status == 200
            except AssertionError:
                closed += 1
        assert closed == 1 and silent.is_quiet()
        assert net(port)["total"] == 12
        for name in listed:
            if name not in ("total", victim):
                port.words(f"kill {name}")
        assert silent.is_closed()
        assert net(port) == {"total": 0}


# Goal: a client that is killed before its request reached a handler, and one that was served a
# file, count what they sent and got.
def test_numbers(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server, server.client() as client, \
            control(deployment, workers) as port:
        client.send_request()
        answer = client.answer()
        rows = port.request("status", what="net")
        assert len(rows) == 1
        sent = len(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (rows[0]["type"], rows[0]["bytes_read"]) == (1, sent)
        assert rows[0]["bytes_written"] == len(answer.head) + 4 + len(answer.body)
        assert port.request("kill", id=rows[0]["id"]) == [{"status": "OK"}]
        assert client.is_closed()
        with pytest.raises(ControlError) as error:
            port.request("kill", id=rows[0]["id"])
        assert error.value.code == "NOT_CONNECTED"


# Goal: the rest of both languages, on one socket.
def test_commands(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server, control(deployment, workers) as port:
        assert abs(json.loads(port.words("time"))["time"] - time.time()) < 60
        assert port.request("uuid") == [{"uuid": UUID}]
        assert json.loads(port.words("uuid")) == {"uuid": UUID}
        info = port.request("info")[0]
        assert (info["port"], info["default_hostname"]) == (deployment.port, "localhost")
        names = tasks(port)
        assert names == ["relay"] + [f"worker {slot}" for slot in range(workers)]
        assert [row["name"] for row in port.request("status", what="tasks")] == names
        assert "kill" in [row["name"] for row in port.request("help")]
        assert json.loads(port.words("nonsense")) == {"error": "invalid command"}
        deployment.configure({"/new/": dir_()})
        assert port.request("reload") == [{"msg": "signal sent to server"}]
        wait_until(lambda: server.answers("/new/"), "the reload")
        assert json.loads(port.words("stop")) == {"msg": "signal sent to server"}
        assert server.wait_end() == 0


# Goal: what is not a command gets the errors of 1.x, and nothing hurts.
def test_garbage(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=2) as server, control(deployment, 2) as port:
        for words in ("", "kill", "kill -1", "kill 1 2", "9:short,", "\x00", "5" * 4000,
                      "999999999:x,", "12:6:status,0:}] behind"):
            assert "error" in json.loads(port.words(words)), words
        with pytest.raises(ControlError, match="Invalid argument type"):
            port.request("status")
        with pytest.raises(ControlError, match="not found"):
            port.request("nope")
        assert server.get().status == 200


# Goal: a worker that hangs costs an answer a second at most, and no relayed message its time.
def test_hung_worker(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"heartbeat_ms": 60000})
    with Server(deployment, workers=2) as server, control(deployment, 2) as port, \
            Answering(deployment, lambda request: http("h")):
        client = server.clients_of(server.workers()[1], 1)[0]
        assert client.request(path="/h").body == b"h"
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        try:
            question = subprocess.Popen(
                [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[2])\n"
                 "from mongrel2.control import ControlPort\n"
                 "print(ControlPort(sys.argv[1]).words('status net'))",
                 deployment.endpoint("ipc://run/control"), os.path.join(TOP, "scripts")],
                stdout=subprocess.PIPE, text=True)
            for _ in range(200):
                assert client.request(path="/h").body == b"h"
            answer = json.loads(question.communicate(timeout=30)[0])
            assert answer["silent_workers"] == 1 and answer["total"] >= 1
        finally:
            os.kill(victim, signal.SIGCONT)
        net(port)  # it answers again


# Goal: a replaced worker and a replaced relay answer, too.
def test_after_deaths(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=2) as server, server.client() as client:
        for victim in (server.workers()[0], server.relay()[0]):
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda victim=victim: victim not in server.workers() + server.relay() and
                       len(server.workers()) == 2 and server.relay(), "the successor")

            control(deployment, 2).close()  # it has heard of both
        assert client.is_quiet() or client.is_closed()


# Goal: m2sh control is the manual's conversation, finds the port by the database, and -do is for
# scripts; its status tells errors.
def test_m2sh(deployment):
    deployment.configure({"/": dir_()}, settings={"control_port": "ipc://run/other"})
    with Server(deployment, workers=1):
        with ControlPort(deployment.endpoint("ipc://run/other")) as port:
            wait_until(lambda: len(tasks(port)) == 2, "the relay to know the worker")
            net(port)
        select = ["-db", deployment.database, "-name", "test"]
        talk = subprocess.run([sys.executable, os.path.join(TOP, "scripts", "m2sh"), "control",
                               *select], input="status net\ntime\nuuid a=b\nnope\n", text=True,
                              capture_output=True, timeout=60, check=False)
        lines = talk.stdout.split("\n")
        assert lines[:2] == ["CONNECTING...", '> {"total": 0}'], talk
        assert lines[2].startswith('> {"time": ') and lines[3] == f"> uuid:  {UUID}"
        assert lines[4] == '> {"error": "invalid command"}' and talk.returncode == 0
        assert m2sh("control", *select, "-do", "status net").stdout == '{"total": 0}\n'
        table = m2sh("control", *select, "-do", "status what=tasks").stdout.splitlines()
        assert table[0] == "id  system  name  state  status"
        assert m2sh("control", *select, "-do", "kill 5", check=False).returncode == 1
        assert "stopping" in m2sh("control", *select, "-do", "control stop").stdout
    gone = m2sh("control", *select, "-do", "time", check=False)
    assert gone.returncode == 1 and "does not answer" in gone.stdout
