"""Ten thousand requests at once for a handler that dies or hangs with many of them in hand: each
ends, and the sum is right. Fewer where the system allows a process fewer descriptors."""

import resource

import pytest

from lib.child_handler import ChildHandler
from lib.deployment import handler
from lib.handler import Answering, http
from lib.server import Server
from lib.waiting import wait_until

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
MANY = 10_000 if HARD == resource.RLIM_INFINITY else min(10_000, HARD - 3000)
ANSWERED, TAKEN = MANY // 5, MANY // 5 * 2
SETTINGS = {"limits.connections": MANY + 100, "superpoll.max_fd": MANY + 1000,
            "handler.queue": MANY + 100, "handler.wait_ms": 600_000}


@pytest.fixture(autouse=True)
def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(MANY + 3000, 1 << 20) if hard < 0 else hard,
                                                hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ask_all(server):
    return [server.client().send_request(path=f"/h/{number}") for number in range(MANY)]


class Outcome:
    """What became of all requests: numbers by status, and those that each handler answered."""

    def __init__(self, clients):
        self.by_child, self.by_other, self.refused = set(), set(), {}
        for number, client in enumerate(clients):
            answer = client.answer()
            if answer.status == 200:
                assert answer.body == f"/h/{number}".encode(), "somebody else's answer"
                by = self.by_child if "x-by" in answer.headers else self.by_other
                by.add(f"/h/{number}")
            else:
                self.refused[f"/h/{number}"] = answer.status

    def total(self):
        return len(self.by_child) + len(self.by_other) + len(self.refused)


# Goal: a handler that is killed: what it answered has arrived, what it may have had is refused with
# 502, everything else goes to the next one: no request is without an end, none is answered by both,
# and the pair hears once of each client. Method: kill -9 in the middle of ten thousand.
def test_killed(deployment, workers):
    deployment.configure({"/h": handler()}, settings={**SETTINGS, "handler.grace_ms": 300})
    with Server(deployment, workers=workers) as server:
        with ChildHandler(deployment, ANSWERED) as child:
            clients = ask_all(server)
            child.wait_received(TAKEN)
            wait_until(lambda: sum(not client.is_quiet() for client in clients) == ANSWERED,
                       "all that it has said to arrive")
            child.kill()
            received = set(child.received())
        with Answering(deployment, lambda request: http(request.path)) as other:
            outcome = Outcome(clients)
            for client in clients:
                client.close()
            wait_until(lambda: len(set(other.notices)) == MANY, "a notice for each client")
            assert len(other.notices) == MANY
        assert outcome.total() == MANY and set(outcome.refused.values()) <= {502}
        assert len(outcome.by_child) == ANSWERED
        assert outcome.by_other == {request.path for request in other.seen}
        assert not received & outcome.by_other
        # Refused is what the child had read and not answered, and what lay in its sockets.
        assert received - outcome.by_child <= set(outcome.refused)


# Goal: a handler that hangs: handler.timeout ends the wait for what it has, with 504; its healthy
# neighbour gets all others; what it says when it goes on reaches nobody. Method: SIGSTOP in the
# middle of ten thousand, SIGCONT when all are answered.
def test_hung(deployment, workers):
    deployment.configure({"/h": handler()}, settings={
        **SETTINGS, "handler.timeout": 2000, "handler.send_mark": 16})
    with Server(deployment, workers=workers) as server, \
            ChildHandler(deployment, MANY) as child:
        wait_until(server.has_handlers, "the handler")
        child.stop()
        clients = ask_all(server)
        with Answering(deployment, lambda request: http(request.path)) as other:
            outcome = Outcome(clients)
            assert outcome.total() == MANY and set(outcome.refused.values()) <= {504}
            assert not outcome.by_child
            assert outcome.by_other <= {request.path for request in other.seen}
            child.go_on()
            # It has said all it had to say when it answers something new, for its words keep order.
            with server.client() as probe:
                wait_until(lambda: "x-by" in probe.request(path="/h/new").headers, "its answer")
            for number, client in enumerate(clients):
                if f"/h/{number}" in outcome.refused:
                    assert client.is_closed()
                else:
                    assert client.is_quiet(), "a late answer reached somebody"
            for number in range(0, MANY, 100):
                if f"/h/{number}" not in outcome.refused:
                    answer = clients[number].request(path=f"/h/{number}")
                    assert answer.body == f"/h/{number}".encode()
            for client in clients:
                client.close()
