"""A relay dies with requests, messages and parts of answers in its hands: nobody waits for ever,
and nobody takes half an answer for a whole one."""

import os
import signal
import time

import pytest

from lib.deployment import dir_, handler
from lib.handler import Handler
from lib.server import Server, kill_stopped
from lib.waiting import wait_until
from lib.websocket import TEXT
from lib.websocket_site import WebSocketSite


def let_it_say_passed(server, on, site, sockets):
    """The relay says within 5 ms what it has passed on, in one stream with answers: what it passed
    on before is known to the workers when the second answer that came after that is there."""
    time.sleep(0.05)
    for worker in server.workers():
        client = server.clients_of(worker, 1)[0]
        for _ in range(2):
            client.send_request(path="/h/settle")
            request = on.recv()
            while request.is_disconnect():
                request = on.recv()
            on.reply(request, "settled")
            assert client.answer().body == b"settled"
    for client in sockets * 2:
        site.send(client, "settled")
        assert client.text() == "settled"


def wait_until_heard(server, on):
    """What a PUB socket says before it is connected again is lost: a request shows that it is."""
    with server.client() as client:
        client.send_request(path="/h/heard")
        request = on.recv()
        while request.path != "/h/heard":
            request = on.recv()
        on.reply(request, "heard")
        assert client.answer().body == b"heard"


# Goal: requests that the relay had not passed on are answered 502 after handler.grace_ms, though no
# handler.timeout is set; WebSockets with a message in it are closed with 1012; an answer that has
# begun and says where it ends is cut off, an endless one goes on; what a handler holds is answered.
# Method: the relay is stopped, gets all that, and is killed. Each kill signal in turn.
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["killed", "crashes"])
def test_in_its_hands(deployment, number):
    deployment.configure({"/": dir_(), "/h": handler(), "/ws": handler("w", websocket="messages")},
                         settings={"handler.grace_ms": 500})
    with Server(deployment, workers=2) as server, Handler(deployment) as on, \
            Handler(deployment, "w") as on_sockets:
        site = WebSocketSite(deployment, server, on_sockets)
        talking, silent = site.client(), site.client()
        held, begun, endless = (server.client() for _ in range(3))
        held.send_request(path="/h/held")
        begun.send_request(path="/h/begun")
        endless.send_request(path="/h/endless", version="HTTP/1.0")
        requests = {request.path: request for request in (on.recv() for _ in range(3))}
        on.send(requests["/h/begun"].id, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        on.send(requests["/h/endless"].id, b"HTTP/1.0 200 OK\r\n\r\none ")
        assert begun.take_until(b"12345") and endless.take_until(b"one ")
        let_it_say_passed(server, on, site, [talking, silent])
        relay = server.relay()[0]
        os.kill(relay, signal.SIGSTOP)
        lost = [server.client().send_request(path=f"/h/lost{count}") for count in range(4)]
        talking.send_frame("nobody gets this")
        # They are in the hands of the workers at least when a later client is answered by each.
        for worker in server.workers():
            server.clients_of(worker, 1)
        kill_stopped(relay, number)
        assert begun.is_closed()
        wait_until(lambda: server.relay() and server.relay() != [relay], "a new relay")
        # What was still in the worker is passed on by the new relay; the others are refused.
        outcomes = set()

        def all_have_one():
            while on.has_message(0):
                request = on.recv()
                if not request.is_disconnect():
                    on.reply(request, "after all")
            for client in [each for each in lost if not each.is_quiet()]:
                outcomes.add(client.answer().status)
                lost.remove(client)
            return not lost
        wait_until(all_have_one, "an outcome for each request")
        assert outcomes <= {200, 502} and 502 in outcomes
        assert talking.closed_with() == 1012
        wait_until_heard(server, on)
        silent.send_frame("heard")
        assert site.message() == (TEXT, b"heard")
        on.reply(requests["/h/held"], "held")
        assert held.answer().body == b"held"
        on.send(requests["/h/endless"].id, b"two")
        assert endless.take(3) == b"two"
        site.send(silent, "stays")
        assert silent.text() == "stays"
