"""Stopping: gracefully, now, and with work in flight."""

import os
import signal

import pytest

from lib.deployment import dir_, handler
from lib.handler import Handler
from lib.server import Server
from lib.waiting import can_connect, is_alive, stands_still, wait_until


# Goal: TERM and INT end an idle server at once with status 0, its children too, and what it has
# made in the run folder is gone. Method: also with an idle keep-alive connection, which is closed.
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_idle(deployment, workers, number):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server:
        client = server.client()
        assert client.request().status == 200
        children = server.children()
        assert server.stop(number) == 0
        assert client.is_closed()
        assert not any(map(is_alive, children))
        assert not can_connect(deployment.port)
        assert not os.path.exists(deployment.path("run/mongrel2.pid"))


# Goal: a request in flight at a handler is answered after TERM, then the server ends with status 0;
# meanwhile nobody can connect. Method: hold a request, TERM, answer it.
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_request_in_flight(deployment, workers, number):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as answering:
        client = server.client().send_request(path="/h")
        request = answering.recv()
        server.children()
        server.send_signal(number)
        wait_until(lambda: not can_connect(deployment.port), "the port to close")
        assert server.process.poll() is None
        answering.reply(request, "late")
        answer = client.answer()
        assert answer.body == b"late"
        assert client.is_closed()
        assert server.wait_end() == 0


# Goal: a download in flight is finished after TERM. Method: a large file to a client that has not
# read yet, TERM, then read.
def test_download_in_flight(deployment, workers):
    content = os.urandom(1 << 20) * 8
    deployment.write("www/large", content)
    deployment.configure()
    with Server(deployment, workers=workers) as server:
        client = server.client().send_request(path="/large")
        assert client.more()
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: not can_connect(deployment.port), "the port to close")
        assert client.answer().body == content
        assert server.wait_end() == 0


# Goal: a second TERM or INT, or QUIT after it, ends the server now though a request is in flight.
# Method: the second one is said until it is heard; at once it would be the same word twice.
@pytest.mark.parametrize("first, second", [
    (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM, signal.SIGINT), (signal.SIGTERM, signal.SIGQUIT)])
def test_second_signal(deployment, first, second):
    deployment.configure({"/": handler()})
    with Server(deployment, workers=2) as server, Handler(deployment) as answering:
        client = server.client().send_request()
        answering.recv()
        children = server.children()
        server.send_signal(first)
        wait_until(lambda: not can_connect(deployment.port), "the port to close")
        assert server.process.poll() is None
        wait_until(lambda: server.process.poll() is not None or server.send_signal(second),
                   "the end")
        server.wait_end()
        assert client.is_closed()
        assert not any(map(is_alive, children))


# Goal: INT and TERM at the same moment are one stop, as when a Ctrl-C reaches the server and a
# program that passes it on. Method: both while the master stands still, so that it hears them in
# one turn, with a request in flight that must be answered. Meanwhile ps shows that it stops.
def test_two_signals_at_once_are_one(deployment, workers):
    deployment.configure({"/": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as answering:
        client = server.client().send_request()
        request = answering.recv()
        server.send_signal(signal.SIGSTOP)
        wait_until(lambda: stands_still(server.pid), "the master to stand still")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
            server.send_signal(number)
        wait_until(lambda: not can_connect(deployment.port), "the port to close")
        wait_until(lambda: "told so twice at once" in server.log(), "the second one to be heard")
        with open(f"/proc/{server.pid}/comm", encoding="ascii") as file:
            assert file.read() == "mongrel2-drains\n"
        answering.reply(request, "late")
        assert client.answer().body == b"late"
        assert server.wait_end() == 0


# Goal: QUIT at once ends it now with work in flight.
def test_quit(deployment, workers):
    deployment.configure({"/": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as answering:
        client = server.client().send_request()
        answering.recv()
        server.stop(signal.SIGQUIT)
        assert client.is_closed()


# Goal: a graceful stop has a limit: what is still in flight after drain_ms is cut off, status 0.
def test_drain_limit(deployment, workers):
    deployment.configure({"/": handler()}, settings={"drain_ms": 500})
    with Server(deployment, workers=workers) as server, Handler(deployment) as answering:
        client = server.client().send_request()
        answering.recv()
        assert server.stop() == 0
        assert client.is_closed()


# Goal: a server that was stopped starts again on the same ports and endpoints at once. Method: five
# times, each time a request through a handler that stays.
def test_start_again(deployment, workers):
    deployment.configure({"/": handler()})
    with Handler(deployment) as answering:
        for number in range(5):
            with Server(deployment, workers=workers) as server:
                client = server.client().send_request(path=f"/{number}")
                request = answering.recv()
                while request.is_disconnect():
                    request = answering.recv()
                assert request.path == f"/{number}"
                answering.reply(request, str(number))
                assert client.answer().body == str(number).encode()
                client.close()
                assert server.stop() == 0


# Goal: systemd hears of the stop.
def test_stopping_is_notified(deployment):
    deployment.configure()
    with Server(deployment, workers=1) as server:
        server.send_signal(signal.SIGTERM)
        assert server.wait_end() == 0
        while server.notify.next() is not None:
            pass
        assert any(message.get("STOPPING") == "1" for message in server.notify.seen)


# Goal: TERM while the server is still starting ends it, with no child left. Method: TERM at once
# after the start, many times, at whatever point of the start it hits.
def test_term_during_start(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    for _ in range(15):
        server = Server(deployment, workers=2, start=False).launch()
        wait_until(lambda: server.process.poll() is not None or
                   os.path.exists(deployment.path("run/mongrel2.pid")), "the pid file")
        children = server.children()
        if server.process.poll() is None:
            server.send_signal(signal.SIGTERM)
        assert server.wait_end() in (0, 1)
        wait_until(lambda: not any(map(is_alive, children)), "children to end")
        assert not os.path.exists(deployment.path("run/mongrel2.pid"))
