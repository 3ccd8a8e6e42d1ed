"""A reload removes a handler pair, while an answer is due or not; another brings it back."""

from lib.deployment import dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server
from lib.waiting import free_port, wait_until


# Goal: the answer still arrives; until then the port is taken, which a configuration that wants it
# is told, and nothing else happens; afterwards it can be had again. Method: one held request.
def test_port(deployment, workers):
    requests, replies = free_port(), free_port()
    specs = (f"tcp://127.0.0.1:{requests}", f"tcp://127.0.0.1:{replies}")
    pair = handler(send_spec=specs[0], recv_spec=specs[1])
    deployment.configure({"/": dir_(), "/h": pair})
    with Server(deployment, workers=workers) as server, server.client() as client:
        with Handler(deployment, specs=specs) as on:
            client.send_request(path="/h")
            held = on.recv()
            deployment.configure({"/": dir_()})
            server.reload()
            deployment.configure({"/": dir_(), "/again": pair})
            server.reload()
            assert server.get("/again").status == 404
            assert str(requests) in server.log() and "Address already in use" in server.log()
            on.reply(held, "late but whole")
            assert client.answer().body == b"late but whole"

        def serves():
            server.reload()
            return "refused" not in server.log().rsplit("reload", 1)[-1] and \
                server.get("/again").status != 404
        deployment.configure({"/": dir_(), "/again": pair}, settings={"handler.wait_ms": 1})
        wait_until(serves, "the port to be free")


# Goal: a pair that comes back while an answer is due goes on with the handlers that are connected,
# at once, and takes new ones; the answer arrives; so in each worker, whether the answer is due
# there or not. Method: a held poll, removed and back, several times.
def test_back_while_due(deployment, workers):
    with_pair = {"/": dir_(), "/h": handler()}
    deployment.configure(with_pair)
    with Server(deployment, workers=workers) as server, server.client() as poll:
        with Answering(deployment, lambda request: None if request.path == "/h/poll"
                       else http("first")) as first:
            poll.send_request(path="/h/poll")
            first.wait_for("/h/poll")
            for round in range(3):
                deployment.configure({"/": dir_()})
                server.reload()
                assert server.get("/h").status == 404
                deployment.configure(with_pair)
                server.reload()
                for worker in server.workers():
                    [client] = server.clients_of(worker, 1)
                    assert client.request(path=f"/h/{round}").body == b"first"
            with Answering(deployment, lambda request: http("second")) as second, \
                    server.client() as asks:  # one that stays: no notices
                wait_until(lambda: asks.request(path="/h").body == b"second",
                           "a handler that is new")
                assert second.seen
            first.send(first.seen[0].id, http("late but whole"))
            assert poll.answer().body == b"late but whole"
    assert "refused" not in server.log()


# Goal: the same without an answer that is due, however short the pair is away.
def test_back_at_once(deployment, workers):
    with_pair = {"/": dir_(), "/h": handler()}
    deployment.configure(with_pair)
    with Server(deployment, workers=workers) as server, \
            Answering(deployment, lambda request: http("k")):
        for round in range(5):
            assert server.get(f"/h/{round}").body == b"k"
            deployment.sql("CREATE TABLE kept AS SELECT * FROM route WHERE path = '/h'",
                           "DELETE FROM route WHERE path = '/h'")
            server.reload()
            deployment.sql("INSERT INTO route SELECT * FROM kept", "DROP TABLE kept")
            server.reload()
        for worker in server.workers():
            [client] = server.clients_of(worker, 1)
            assert client.request(path="/h/last").body == b"k"


# Goal: a pair that comes back again and again while an answer is due does not use up descriptors:
# the reload is refused, with the way out, and works when the answer is out.
def test_back_without_end(deployment, workers):
    with_pair = {"/": dir_(), "/h": handler()}
    deployment.configure(with_pair)
    with Server(deployment, workers=workers) as server, server.client() as poll, \
            Handler(deployment) as on:
        poll.send_request(path="/h/poll")
        held = on.recv()
        for _ in range(17):
            deployment.sql("CREATE TABLE kept AS SELECT * FROM route WHERE path = '/h'",
                           "DELETE FROM route WHERE path = '/h'")
            server.reload()
            deployment.sql("INSERT INTO route SELECT * FROM kept", "DROP TABLE kept")
            server.reload()
        server.says("it was removed and came back 16 times while answers were due")
        assert server.get("/h").status == 404
        on.reply(held, "late but whole")
        assert poll.answer().body == b"late but whole"

        def serves():
            server.reload()
            return server.get("/h").status != 404
        deployment.sql("INSERT INTO setting (key, value) VALUES ('handler.wait_ms', '1')")
        wait_until(serves, "the pair to be there")
