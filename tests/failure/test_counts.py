"""A process of the server is killed with many requests in flight: the numbers add up. Sent is
answered, refused, or cut off with the worker that had the client, and of each client that went that
way the handlers hear, once."""

import os
import signal

import pytest

from lib.deployment import dir_, handler
from lib.handler import Handler, http
from lib.server import Server
from lib.waiting import wait_until

MANY = 900
TAKEN = 500


class Counts:
    """What became of the requests of clients, by their number."""

    def __init__(self, clients):
        self.answered, self.refused, self.cut_off = set(), {}, set()
        for number, client in enumerate(clients):
            try:
                answer = client.answer()
            except (AssertionError, ConnectionResetError) as end:
                assert "closed before" in str(end) or isinstance(end, ConnectionResetError), end
                self.cut_off.add(number)
                continue
            if answer.status == 200:
                assert answer.body == f"/h/{number}".encode(), "somebody else's answer"
                self.answered.add(number)
            else:
                self.refused[number] = answer.status

    def total(self):
        return len(self.answered) + len(self.refused) + len(self.cut_off)


class Holding:
    """A handler that takes requests and answers when it is told to; notices are counted."""

    def __init__(self, on):
        self.on, self.requests, self.notices = on, {}, []

    def take(self, message):
        if message.is_disconnect():
            self.notices.append(message.id)
        else:
            self.requests[message.id] = message

    def take_until(self, done, what):
        def look():
            while self.on.has_message(0):
                self.take(self.on.recv())
            return done()
        wait_until(look, what)

    def answer(self, ids):
        for each in ids:
            self.on.reply(self.requests[each], self.requests[each].path)


def ask_all(server):
    """As many clients of each worker, in turn, each with a request."""
    workers = server.workers()
    groups = [server.clients_of(worker, MANY // len(workers)) for worker in workers]
    clients = [client for group in zip(*groups) for client in group]
    for number, client in enumerate(clients):
        client.send_request(path=f"/h/{number}")
    return clients


# Goal: the clients of a killed worker are cut off and no others; all that a handler knew of, of
# these, it hears of, once. Method: kill -9 when some are answered, more are held, and others wait.
@pytest.mark.with_four
def test_worker(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={
        "handler.wait_ms": 600_000, "handler.queue": 2 * MANY})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        clients = ask_all(server)
        holding = Holding(on)
        while len(holding.requests) < TAKEN:
            holding.take(on.recv())
        early = list(holding.requests)[:TAKEN // 2]
        holding.answer(early)
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in server.workers() and len(server.workers()) == workers,
                   "a new worker")
        # Who waited, and did not go with the worker, comes now.
        with server.client() as probe:
            probe.send_request(path="/h/probe")
            answered = set(early)

            def all_ended():
                late = [each for each in holding.requests if each not in answered]
                holding.answer(late)
                answered.update(late)
                return not any(client.is_quiet() for client in [probe, *clients])
            holding.take_until(all_ended, "an end of every request")
            assert probe.answer().body == b"/h/probe"
            counts = Counts(clients)
        assert counts.total() == len(clients) and not counts.refused
        # Answers that the worker had and could not write any more count as cut off, too.
        assert len(counts.cut_off) <= len(clients) // workers
        for client in clients:
            client.close()
        # A request that died on its way to the handler may have one, too.
        holding.take_until(lambda: set(holding.requests) <= set(holding.notices),
                           "a notice for each client")
        assert len(holding.notices) == len(set(holding.notices)), "one was told of twice"
        assert len(holding.notices) <= len(clients) + 1


# Goal: what a relay has in its hands when it is killed is answered 502, or 504 where the answer was
# lost on its way back; every other request is answered, no client is cut off. Method: as above.
@pytest.mark.parametrize("workers", [2, 4], indirect=True)
def test_relay(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={
        "handler.wait_ms": 600_000, "handler.queue": 2 * MANY, "handler.timeout": 4000,
        "handler.grace_ms": 300})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        clients = ask_all(server)
        holding = Holding(on)
        while len(holding.requests) < TAKEN:
            holding.take(on.recv())
        holding.answer(list(holding.requests)[:TAKEN // 2])
        victim = server.relay()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: server.relay() and server.relay() != [victim], "a new relay")
        answered = set(list(holding.requests)[:TAKEN // 2])

        def all_ended():
            while on.has_message(0):
                holding.take(on.recv())
            late = [each for each in holding.requests if each not in answered]
            holding.answer(late)
            answered.update(late)
            return not any(client.is_quiet() for client in clients)
        wait_until(all_ended, "an end of every request")
        counts = Counts(clients)
        assert counts.total() == len(clients) and not counts.cut_off
        assert set(counts.refused.values()) <= {502, 504}
        assert len(counts.answered) >= 1
        for number in counts.refused:
            assert clients[number].is_closed()
        wait_until(lambda: server.get().status == 200, "files")
