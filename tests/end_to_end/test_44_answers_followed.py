"""The server follows what handlers send without changing it: where an answer ends, what of it left,
and what does not belong to it."""

import pytest

from lib.client import Client
from lib.deployment import Deployment, dir_, handler
from lib.handler import Handler, http
from lib.server import Server
from lib.site import Site
from lib.waiting import wait_until


class LoggedSite(Site):
    def line(self, path):
        """The line of the access log for this path, once it is there."""
        def find():
            return [line for line in self.server.access_log() if line[5] == path.encode()]
        wait_until(find, f"a line for {path}")
        assert len(find()) == 1
        return find()[0]


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.write("www/big", b"x" * (32 << 20))
        deployment.configure({"/": dir_(), "/h": handler()}, settings={"limits.write_ms": 1000})
        server = Server(deployment, workers=workers)
        with Handler(deployment) as on:
            yield LoggedSite(deployment, server, on)


# Goal: the line of the access log is written when the answer has ended, with status and body bytes,
# however the handler cut it into messages and whatever frames it.
@pytest.mark.parametrize("name, messages, status, size", [
    ("whole", [http("12345", status="299 Odd")], 299, 5),
    ("pieces", [b"HTTP/1.1 200 OK\r\nCont", b"ent-Length: 6\r\n\r\n123", b"456"], 200, 6),
    ("chunked", [b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
                 b"3\r\nefg\r\n0\r\n\r\n"], 404, 7),
    ("until-close", [b"HTTP/1.1 200 OK\r\n\r\n", b"12345", b"678", b""], 200, 8),
    ("bodiless", [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"], 304, 0),
    ("interim", [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", http("12")], 200, 2),
    ("icy", [b"ICY 200 OK\r\nicy-name: x\r\n\r\n", b"mp3", b""], 200, 3),
    ("none", [b""], 0, 0),
])
def test_access_log(site, name, messages, status, size):
    path = f"/h/{name}"
    with site.client(path) as client:
        for message in messages[:-1]:
            site.on.send(client.id, message)
        if len(messages) > 1:
            client.take_until(messages[0][-4:])
            assert not [line for line in site.server.access_log() if line[5] == path.encode()]
        site.on.send(client.id, messages[-1])
        assert site.line(path)[7:] == [status, size]


# Goal: a download that is cut off shows what left, not its full size: from a directory, and from a
# handler. Method: a client with a small buffer that takes a little and goes.
@pytest.mark.parametrize("path", ["/big", "/h/big"])
def test_cut_off(site, path):
    size = 32 << 20
    client = Client(site.server.deployment.port, receive_buffer=4096)
    client.send_request(path=path)
    if path != "/big":
        site.told(client)
        site.on.send(client.id, http(b"x" * size))
    client.take_until(b"\r\n\r\n")
    client.take(1000)
    client.close()
    line = site.line(path)
    assert line[7] == 200
    assert 1000 <= line[8] < size


# Goal: the same for a client that stays and takes nothing: the deadline of writing ends it.
def test_cut_off_by_deadline(site):
    size = 32 << 20
    client = Client(site.server.deployment.port, receive_buffer=4096)
    client.send_request(path="/h/stays")
    site.told(client)
    site.on.send(client.id, http(b"x" * size))
    line = site.line("/h/stays")
    assert line[7] == 200 and 0 < line[8] < size


# Goal: the interim answers before one answer are bounded.
def test_interim_answers(site):
    client = site.client()
    site.on.send(client.id, b"HTTP/1.1 100 Continue\r\n\r\n" * 16 + http("after 16"))
    assert client.answer().interim == [100] * 16
    site.told(client.send_request(path="/h"))
    for _ in range(17):
        site.on.send(client.id, b"HTTP/1.1 103 Early Hints\r\n\r\n")
    client.take_all()
    wait_until(lambda: "interim answers" in site.server.log(), "a line in the log")


# Goal: an answer that cannot be followed still reaches the client, which is closed behind it, and
# the log says what is wrong and whose it is.
@pytest.mark.parametrize("data, why", [
    (b"hello, this is no HTTP", "not an answer in HTTP/1.0 or HTTP/1.1"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc", "bad Content-Length"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "together"),
])
def test_broken(site, data, why):
    client = site.client()
    site.on.send(client.id, data)
    assert client.take_all() == data
    site.server.says(f"to connection {client.id} is not HTTP")
    site.server.says(why)


# Goal: an answer that its handler ends before it is complete is noticed: the client sees the end,
# the log says it.
def test_ended_early(site):
    client = site.client()
    site.on.send(client.id, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123")
    site.on.send(client.id, b"")
    assert client.take_all().endswith(b"\r\n\r\n0123")
    wait_until(lambda: f"to connection {client.id} was ended by its handler before it was complete"
               in site.server.log(), "a line in the log")


# Goal: HTTP/1.1 keep-alive without a length: the body goes on until the zero-length message.
def test_without_length(site):
    client = site.client()
    site.on.send(client.id, b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n")
    for number in range(100):
        site.on.send(client.id, b"%05d" % number)
    client.take_until(b"00099")
    assert client.is_quiet()
    site.on.send(client.id, b"")
    assert client.is_closed()


# Goal: bytes behind a complete answer, and messages after it, never reach the client as part of its
# next answer, also when a directory gives that one; they are counted and logged.
def test_surplus(site):
    client = site.client()
    for _ in range(20):
        site.on.send(client.id, http("right") + http("glued on"))
        for _ in range(3):
            site.on.send(client.id, http("wrong"))
        assert client.answer().body == b"right"
        # The directory answers at once; what the handler sent too much came in before or after.
        assert client.request(path="/").body == b"<h1>hello</h1>\n"
        site.on.heard(client.id)  # what was sent too much is through
        assert client.request(path="/").body == b"<h1>hello</h1>\n"
        site.told(client.send_request(path="/h"))
    site.on.send(client.id, http("last"))
    assert client.answer().body == b"last"
    assert client.is_quiet()
    site.server.says("came behind it in the same message; dropped")
    site.server.says("it waits for no answer (dropped so far: 1)")


# Goal: an answer that comes before any handler was given the request is not taken for it. Method:
# the only handler for requests has gone, another socket for replies is still there: the request
# waits. A second client, answered by the same socket behind it, shows that the answer came in.
def test_answer_before_its_request(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"handler.wait_ms": 20000})
    with Server(deployment, workers=1) as server, \
            Handler(deployment, replies_only=True) as replies:
        site = Site(deployment, server, Handler(deployment))
        client, other = site.client(), site.client()
        wait_until(lambda: replies.send(client.id, http("first")) or not client.is_quiet(),
                   "an answer of the second socket")
        assert client.answer().body == b"first"
        site.on.close()
        wait_until(lambda: "no handler is connected" in server.log(), "the end of the handler")
        client.send_request(path="/h")
        for _ in range(3):
            assert server.get().status == 200  # the request has come in meanwhile
        for _ in range(5):
            replies.send(client.id, http("first again"))
        replies.send(other.id, http("behind them"))
        assert other.answer().body == b"behind them"
        assert client.is_quiet()
        with Handler(deployment) as site.on:
            site.told(client)
            site.on.send(client.id, http("second"))
            assert client.answer().body == b"second"
