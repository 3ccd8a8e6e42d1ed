"""ids.bits=31: connection ids that a handler may read into an int."""

import pytest

from lib.deployment import dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import wait_until

MOST = 2 ** 31 - 1
SHORT = {"ids.bits": 31}


def slot_of(client_id):
    return int(client_id) >> 25


# Goal: every id fits, none comes twice, each worker's are apart, and answers find their clients by
# them, to many in one message too. Method: as many clients of each worker.
@pytest.mark.with_four
def test_ids(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings=SHORT)
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        clients = [client.send_request(path=f"/h/{number}")
                   for number, worker in enumerate(server.workers())
                   for client in server.clients_of(worker, 16)]
        requests = [on.recv() for _ in clients]
        ids = [request.id for request in requests]
        assert len(set(ids)) == len(clients) and all(0 < int(each) <= MOST for each in ids)
        assert len({(slot_of(request.id), request.path) for request in requests}) == workers
        on.send(ids, http("to all"))
        for client in clients:
            assert client.answer().body == b"to all"
            client.close()
        assert {on.recv().id for _ in clients} == set(ids), "one notice for each"


# Goal: an id of an earlier run, or of a worker that was killed, is nobody's: a late answer reaches
# no stranger, and its handler is told. Method: runs and workers one after another.
@pytest.mark.with_four
def test_do_not_come_back(deployment, workers):
    deployment.configure({"/h": handler()}, settings=SHORT)
    seen = set()
    for _ in range(3):
        with Server(deployment, workers=workers) as server, Handler(deployment) as on:
            clients = [server.client().send_request(path="/h") for _ in range(20)]
            ids = {on.recv().id for _ in clients}
            assert not ids & seen
            for late in sorted(seen)[:5]:
                on.send(late, http("too late"))
                notice = on.recv()
                assert notice.is_disconnect() and notice.id == late
            for client, answer in zip(clients, sorted(ids)):
                on.send(answer, http("in time"))
            for client in clients:
                assert client.answer().body == b"in time"
            seen |= ids


# Goal: a reload changes the kind for new connections, both ways; those that are there keep theirs.
def test_reload(deployment, workers):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, Answering(
            deployment, lambda request: http(request.id)):
        with server.client() as long:
            first = long.request(path="/h").body
            assert int(first) > MOST
            deployment.configure({"/h": handler()}, settings=SHORT)
            server.reload()
            wait_until(lambda: int(server.get("/h").body) <= MOST, "short ids")
            assert long.request(path="/h").body == first
            with server.client() as short:
                second = short.request(path="/h").body
                deployment.configure({"/h": handler()})
                server.reload()
                assert short.request(path="/h").body == second and int(second) <= MOST
                assert int(server.get("/h").body) > MOST


# Goal: a handler that reads ids of 53 bits into an int of 32 is told from one that answers late:
# the log names the setting. Method: the ways in which such an int is written, and numbers that are
# nobody's.
@pytest.mark.parametrize("cut", [lambda number: number & 0xFFFFFFFF,
                                 lambda number: ((number & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000,
                                 lambda number: MOST], ids=["unsigned", "signed", "largest"])
def test_cut_ids_are_named(deployment, workers, cut):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        with server.client() as client:
            client.send_request(path="/h")
            number = int(on.recv().id)
            for other in (7, (number & 0xFFFFFFFF) ^ 1, number ^ 1, number >> 32):
                on.send(str(other), http("nobody's"))

            def said():
                on.send(str(cut(number)), http("cut"))
                return "set ids.bits to 31" in server.log()
            assert "ids.bits" not in server.log()
            wait_until(said, "the advice")
            on.send(str(number), http("whole"))
            assert client.answer().body == b"whole"
