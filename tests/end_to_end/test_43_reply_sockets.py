"""The column `replies` of a handler row: on what kind of socket answers come, or none at all."""

import pytest

from lib.deployment import IDENT, dir_, handler, m2sh
from lib.handler import Answering, Handler, http
from lib.server import Server, run

pytestmark = pytest.mark.with_four


# Goal: with replies='pull' a handler that pushes is served like one that publishes, over restarts.
def test_pull(deployment, workers):
    deployment.configure({"/h": handler(replies="pull")}, settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=workers) as server, server.client() as client:
        for number in range(3):
            with Answering(deployment, lambda request: http(request.path), replies="pull"):
                for path in [f"/h/{number}" for number in range(20)]:
                    assert client.request(path=path).body == path.encode()
            server.handlers_gone(number + 1)


# Goal: pull is lossless: a burst of answers many times above every mark arrives whole and in order,
# with the handler's own marks as they are by default. (A PUB socket would drop most of it.)
def test_pull_loses_nothing(deployment, workers):
    deployment.configure({"/h": handler(replies="pull")}, settings={"handler.recv_mark": 10})
    with Server(deployment, workers=workers) as server, server.client() as client, \
            Handler(deployment, replies="pull") as on:
        client.send_request(path="/h", version="HTTP/1.0")
        request = on.recv()
        on.send(request.id, b"HTTP/1.0 200 OK\r\n\r\n")
        for number in range(20000):
            on.send(request.id, b"%d\n" % number)
        on.send(request.id, b"")
        client.take_until(b"\r\n\r\n")
        assert client.take_all() == b"".join(b"%d\n" % number for number in range(20000))


# Goal: recv_ident lets the same messages through as a subscription does.
def test_pull_with_recv_ident(deployment, workers):
    deployment.configure({"/h": handler(replies="pull", recv_ident=IDENT)})
    with Server(deployment, workers=workers) as server, server.client() as client, \
            Handler(deployment, replies="pull") as on:
        client.send_request(path="/h")
        request = on.recv()
        own, on.ident = on.ident, "somebody-else"
        on.reply(request, "wrong")
        on.ident = own
        on.reply(request, "right")
        assert client.answer().body == b"right"


# Goal: a row without replies takes requests and binds no second endpoint; any other pair's handler
# may answer them.
def test_none(deployment, workers):
    deployment.configure({"/in": handler("in", replies="none", recv_spec=""), "/h": handler()},
                         settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=workers) as server, server.client() as client, \
            Handler(deployment) as out, Handler(deployment, "in", replies="none") as taker:
        client.send_request(path="/h")
        out.reply(out.recv(), "heard")  # it is heard from here on
        assert client.answer().body == b"heard"
        for number in range(20):
            client.send_request(path=f"/in/{number}")
            out.reply(taker.recv(), str(number))
            assert client.answer().body == str(number).encode()
        client.close()
        assert taker.recv().is_disconnect()


# Goal: what cannot work is a finding: another word, an endpoint that nobody would use, none where
# one is needed; and a change while the pair is open refuses the reload.
@pytest.mark.parametrize("change, finding", [
    ("replies = 'push'", 'must be "sub"'),
    ("replies = 'none'", 'since replies is "none"; leave it empty'),
    ("replies = 'pull', recv_spec = ''", "recv_spec"),
])
def test_findings(deployment, change, finding):
    deployment.configure({"/h": handler()})
    deployment.sql(f"UPDATE handler SET {change}")
    done = run("--check", deployment.database, "test")
    assert done.returncode == 1 and finding in done.stdout


def test_change_needs_a_new_pair(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers) as server, Answering(deployment):
        assert server.get("/h").status == 200
        deployment.configure({"/": dir_(), "/h": handler(replies="pull")})
        server.reload()
        server.says("replies cannot change while the pair is open")
        assert server.get("/h").status == 200
        deployment.configure({"/": dir_(), "/h": handler("other", replies="pull")})
        server.reload()
        with Answering(deployment, name="other", replies="pull"):
            assert server.get("/h").status == 200


# Goal: old databases have no such column: rows count as 'sub'.
def test_old_database(deployment):
    deployment.configure({"/h": handler()})
    deployment.sql("ALTER TABLE handler DROP COLUMN replies")
    with Server(deployment, workers=1) as server, Answering(deployment):
        assert server.get("/h").status == 200
    assert m2sh("dump", "-db", deployment.database).returncode == 0


# Goal: marks are those of the sockets: a reload that changes them says that open pairs keep theirs.
def test_marks_stay(deployment, workers):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, Answering(deployment):
        deployment.configure({"/h": handler()}, settings={"handler.send_mark": 5})
        server.reload()
        assert server.get("/h").status == 200
        text = "handler.send_mark=5 (before: 64): handler pairs that are open keep what they have"
        assert server.log().count(text) == 1
        server.reload()
        assert server.log().count(text) == 1
