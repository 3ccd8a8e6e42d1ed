"""A child dies, or stands still, in each phase of a reload, of a stop, of its own birth: others
notice nothing, and the log says why."""

import os
import re
import signal

import pytest

from lib.deployment import IS_ROOT, dir_, handler, listener
from lib.handler import Handler
from lib.server import Server, kill_stopped
from lib.waiting import can_connect, free_port, is_alive, wait_until


def child(server, name):
    return next(pid for pid, its in server.children().items() if its == name)


def new_child(server, name, old):
    return wait_until(lambda: next((pid for pid, its in server.children().items()
                                    if its == name and pid != old), 0), f"a new {name}")


def begin_reload(server, deployment, routes, **more):
    """HUP, and waits until the children have been asked to prepare: a listener that is new is open
    by then."""
    port = free_port()
    deployment.configure(routes, listeners=[listener(port=port)], **more)
    server.send_signal(signal.SIGHUP)
    server.wait_notified("RELOADING")
    wait_until(lambda: can_connect(port), "the new listener")


# Goal: a child killed between PREPARE and COMMIT costs the reload and nothing else; requests in
# flight at the others are answered; the next reload works. Method: it is stopped before HUP, so it
# is certain that it has not answered, and killed while the reload waits for it.
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT], ids=["killed", "crashes"])
@pytest.mark.parametrize("name", ["m2-worker-0", "m2-worker-1", "m2-relay"])
def test_before_commit(deployment, name, number):
    deployment.configure({"/": dir_(), "/h": handler(replies="pull")},
                         settings={"handler.grace_ms": 60000})
    with Server(deployment, workers=2) as server, Handler(deployment, replies="pull") as on:
        victim = child(server, name)
        other = next(pid for pid in server.workers() if pid != victim)
        client = server.clients_of(other, 1)[0]
        if "worker" in name:
            client.send_request(path="/h/held")
            request = on.recv()
        os.kill(victim, signal.SIGSTOP)
        begin_reload(server, deployment,
                     {"/": dir_(), "/h": handler(replies="pull"), "/new/": dir_()},
                     settings={"handler.grace_ms": 60000})
        kill_stopped(victim, number)
        status = server.wait_notified("READY")["STATUS"]
        who = name[3:].replace("-", " ")
        assert f"reload refused, generation 1 goes on: {who} died: killed by signal" in status
        new_child(server, name, victim)
        if "worker" in name:
            on.reply(request, "held")
            assert client.answer().body == b"held"
        assert client.request(path="/new/").status == 404
        assert "1 route added" in server.reload()
        assert client.request(path="/new/").status == 200
        assert server.stop() == 0


# Goal: the same when all but one die, one after the other.
def test_all_before_commit(deployment):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=3) as server:
        names = ["m2-worker-0", "m2-worker-1", "m2-relay"]
        victims = [child(server, name) for name in names]
        survivor = child(server, "m2-worker-2")
        client = server.clients_of(survivor, 1)[0]
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        begin_reload(server, deployment, {"/": dir_()})
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        assert "refused" in server.wait_notified("READY")["STATUS"]
        for name, pid in zip(names, victims):
            new_child(server, name, pid)
        assert client.request().status == 200
        assert "serves: 3 workers" in server.reload()
        assert child(server, "m2-worker-2") == survivor


# Goal: a child that dies while the server stops does not hold the stop up, and clients of the
# others are answered. Method: a request held at each worker; TERM; the child is killed.
@pytest.mark.parametrize("name", ["m2-worker-0", "m2-relay"])
def test_within_a_stop(deployment, name):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"drain_ms": 60000})
    with Server(deployment, workers=2) as server, Handler(deployment) as on:
        victim, other = child(server, name), child(server, "m2-worker-1")
        client = server.clients_of(other, 1)[0]
        client.send_request(path="/h")
        request = on.recv()
        if "worker" in name:
            lost = server.clients_of(victim, 1)[0]
            lost.send_request(path="/h")
            on.recv()
        server.send_signal(signal.SIGTERM)
        server.wait_notified("STOPPING")
        os.kill(victim, signal.SIGKILL)
        if "relay" in name:  # nobody is replaced any more: no answer of a handler comes through
            client.close()
        else:
            assert lost.is_closed()
            on.reply(request, "answered")
            assert client.answer().body == b"answered"
        assert server.wait_end() == 0
        assert not any(is_alive(pid) for pid in (victim, other))


# Goal: one that stands still while the server stops is killed at the limit.
def test_stands_still_within_a_stop(deployment):
    deployment.configure({"/": dir_()}, settings={"drain_ms": 300})
    with Server(deployment, workers=2) as server:
        os.kill(child(server, "m2-worker-1"), signal.SIGSTOP)
        server.send_signal(signal.SIGTERM)
        assert server.wait_end() == 0
        assert "worker 1 has not finished within its limit and is killed" in server.log()


# Goal: a worker that cannot come up is tried again with growing delay, with the reason each time,
# and comes up when it can; others serve meanwhile. Method: it cannot make its sockets in the run
# directory, and then it can.
def test_dies_at_birth(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=2) as server:
        if IS_ROOT:
            os.chown(deployment.path("run"), 0, 0)
        os.chmod(deployment.path("run"), 0o555)
        victim, other = child(server, "m2-worker-0"), child(server, "m2-worker-1")
        client = server.clients_of(other, 1)[0]
        os.kill(victim, signal.SIGKILL)
        delays = r"worker 0 starts again in (\d+) ms"
        wait_until(lambda: len(re.findall(delays, server.log())) >= 3, "three attempts")
        grown = [int(text) for text in re.findall(delays, server.log())]
        assert grown == sorted(grown) and grown[-1] > grown[0], grown
        assert "worker 0 failed at generation 1: " in server.log()
        assert client.request().status == 200
        os.chmod(deployment.path("run"), 0o755)
        deployment.give_away()
        wait_until(lambda: len(server.workers()) == 2 and server.get().status == 200, "worker 0")
        assert child(server, "m2-worker-1") == other
        assert "serves: 2 workers" in server.reload()
