"""What handlers may answer: to one, to many, in pieces, late, from elsewhere, and to nobody."""

import os

import pytest

from lib.client import Client
from lib.deployment import IDENT, Deployment, dir_, handler
from lib.handler import Handler, http, reply_message
from lib.server import Server
from lib.site import Site
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/h": handler()},
                             settings={"limits.handler_targets": 128})
        server = Server(deployment, workers=workers)
        with Handler(deployment) as on:
            yield Site(deployment, server, on)


# Goal: the bytes of a handler go out as they are.
def test_raw(site):
    data = b"HTTP/1.1 299 Own Words\r\nx-OWN:a\r\nContent-Length: 3\r\n\r\n\x00\xff\n"
    client = site.client()
    site.on.send(client.id, data)
    assert client.take(len(data)) == data
    assert client.is_quiet()


# Goal: an answer in many messages, by length and chunked, each on its way at once.
def test_streamed(site):
    client = site.client()
    for piece in (b"HTTP/1.1 200 OK\r\nContent-", b"Length: 10\r\n", b"\r\n", b"01234"):
        site.on.send(client.id, piece)
        assert client.take(len(piece)) == piece  # before the rest exists
    site.on.send(client.id, b"56789")
    assert client.take(5) == b"56789"
    site.told(client.send_request(path="/h"))
    site.on.send(client.id, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(50):
        site.on.send(client.id, b"2\r\n%02d\r\n" % number)
    site.on.send(client.id, b"0\r\n\r\n")
    assert client.answer().body == b"".join(b"%02d" % number for number in range(50))
    site.told(client.send_request(path="/h"))
    site.on.send(client.id, http("goes on"))
    assert client.answer().body == b"goes on"


# Goal: an answer without length ends when the handler closes: the zero-length message.
def test_zero_length_closes(site):
    client = site.client()
    site.on.send(client.id, b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    site.on.send(client.id, b"")
    assert client.answer().body == b"until the end"
    client = site.client()  # instead of an answer
    site.on.send(client.id, b"")
    assert client.is_closed()
    client = site.client()  # behind a complete answer
    site.on.send(client.id, http("done"))
    site.on.send(client.id, b"")
    assert client.answer().body == b"done"
    assert client.is_closed()


# Goal: one message to many browsers, up to 128; with one more nobody gets it and the log says so.
# Method: 129 clients.
def test_many_targets(site):
    clients = [site.client() for _ in range(129)]
    ids = [client.id for client in clients]
    site.on.send(ids, http("refused"))
    site.on.send(ids[:128], http("to all of you"))
    for client in clients[:128]:
        assert client.answer().body == b"to all of you"
    site.on.send(ids[128], http("the last"))
    assert clients[128].answer().body == b"the last"
    site.server.says("Skipped invalid message from handler")
    for client in clients:
        client.close()


# Goal: 1,000 clients wait at once and are answered in any order, each with its own answer.
def test_thousand_clients(site):
    clients = [site.server.client() for _ in range(1000)]
    for number, client in enumerate(clients):
        client.send_request(path=f"/h/{number}")
    ids = {}
    while len(ids) < 1000:
        request = site.on.recv()
        if not request.is_disconnect():
            ids[request.path] = request.id
    assert len(set(ids.values())) == 1000
    for path in sorted(ids):
        site.on.send(ids[path], http(path))
        if hash(path) % 10 == 0:
            number = int(path.split("/")[-1])
            assert clients[number].answer().body == path.encode()
            clients[number].send_request(path=path)
            site.told(clients[number])
            site.on.send(ids[path], http(path))
    for number, client in enumerate(clients):
        assert client.answer().body == f"/h/{number}".encode()
        client.close()


# Goal: a 5 MB answer in one message, to fast and slow readers.
def test_large(site):
    content = os.urandom(1 << 20) * 5
    with site.client() as client:
        site.on.send(client.id, http(content))
        assert client.answer().body == content


# Goal: a slow reader of a large answer gets all of it up to handler.output_bytes; beyond that it is
# cut off, and nobody else waits for it.
def test_slow_reader(deployment):
    deployment.configure({"/h": handler()}, settings={"handler.output_bytes": 1 << 20})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        slow = Client(deployment.port, receive_buffer=4096)
        slow.send_request(path="/h")
        request = on.recv()
        on.send(request.id, b"HTTP/1.1 200 OK\r\n\r\n")
        slow.take_until(b"\r\n\r\n")
        for _ in range(300):
            on.send(request.id, b"x" * 65536)
        with server.client() as other:
            other.send_request(path="/h")
            following = on.recv()
            while following.is_disconnect():
                following = on.recv()
            on.reply(following, "not delayed")
            assert other.answer().body == b"not delayed"
        wait_until(lambda: "handler.output_bytes" in server.log(), "the cut in the log")
        try:
            while slow.socket.recv(1 << 20):
                pass
        except ConnectionResetError:
            pass


# Goal: HTTP/1.0 clients and "Connection: close" clients are closed once the answer is complete, not
# before, whatever the handler does or does not send then.
def test_close_after_answer(site):
    for version, headers in (("HTTP/1.0", {}), ("HTTP/1.1", {"Connection": "close"})):
        client = site.client(version=version, headers=headers)
        site.on.send(client.id, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        assert client.take_until(b"01234").endswith(b"\r\n\r\n")
        assert client.is_quiet()
        site.on.send(client.id, b"56789")
        assert client.take(5) == b"56789"
        assert client.is_closed()
    client = site.client()
    site.on.send(client.id, http("bye", headers={"Connection": "close"}))
    assert client.answer().body == b"bye"
    assert client.is_closed()


# Goal: the setting restores what 1.x does: only the handler closes.
def test_close_after_answer_off(deployment):
    deployment.configure({"/h": handler()}, settings={"close_after_answer": 0})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        with server.client() as client:
            client.send("GET /h HTTP/1.0\r\n\r\n")
            request = on.recv()
            on.reply(request, "stay")
            assert client.answer().body == b"stay"
            client.send("GET /h HTTP/1.0\r\n\r\n")
            assert on.recv().id == request.id
            on.send(request.id, b"")
            assert client.is_closed()


# Goal: any handler may answer any id: a reply from another PUB socket, with another sender's name.
def test_other_socket(site):
    with Handler(site.server.deployment, ident="somebody-else", replies_only=True) as other:
        client = site.client()
        wait_until(lambda: other.send(client.id, http("from elsewhere")) or
                   not client.is_quiet(), "the answer of the other socket")
        assert client.answer().body == b"from elsewhere"


# Goal: recv_ident is a prefix filter: only senders that begin with it are heard.
def test_recv_ident(deployment, workers):
    deployment.configure({"/h": handler(ident="good-1", recv_ident="good")})
    with Server(deployment, workers=workers) as server, Handler(deployment, ident="good-1") as on:
        with server.client() as client:
            client.send_request(path="/h")
            request = on.recv()
            on.replies.send(reply_message([request.id], http("not heard"), "bad-1"))
            on.replies.send(reply_message([request.id], http("heard"), "good-2"))
            assert client.answer().body == b"heard"


# Goal: an unknown id gets its handler one notice, also among known ones, which get their data; a
# zero-length message for a dead id gets none, and many messages do not make a storm. Method: ids
# beside the two, of the same slots, bring a notice when all that was sent before has been seen to.
def test_unknown_ids(deployment, workers):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        client = Site(deployment, server, on).client()
        on.send(["123456789", client.id], http("mixed"))
        assert client.answer().body == b"mixed"
        assert on.recv_raw() == (f"{IDENT} 123456789 @* 17:".encode() +
                                 b'{"METHOD":"JSON"},21:{"type":"disconnect"},')
        for _ in range(400):  # a plain PUB drops what is above its own mark of 1,000
            on.send("123456789", http("again"))
        on.send("987654321", b"")
        for behind in ("123456788", "987654320"):
            on.send(behind, http("behind them"))
        assert sorted(on.recv().id for _ in range(2)) == ["123456788", "987654320"]
        client.send_request(path="/h")
        assert on.recv().id == client.id
        on.send(client.id, http("still here"))
        assert client.answer().body == b"still here"
        client.close()
        notice = on.recv()
        assert notice.is_disconnect() and notice.id == client.id


# Goal: a second answer to the same request, and one to a connection between requests, do not become
# the answer of the next request.
def test_late_answers(site):
    client = site.client()
    site.on.send(client.id, http("first") + http("glued on"))
    site.on.send(client.id, http("second"))
    assert client.answer().body == b"first"
    assert client.request(path="/").body == b"<h1>hello</h1>\n"
    site.on.heard(client.id)
    site.told(client.send_request(path="/h"))
    site.on.send(client.id, http("right"))
    assert client.answer().body == b"right"
    assert client.is_quiet()


# Goal: an answer to a client that has left is dropped; others are served.
def test_answer_to_closed(site):
    for _ in range(5):
        client = site.client()
        client.close()
        site.on.send(client.id, http("too late"))
    client = site.client()
    site.on.send(client.id, http("ok"))
    assert client.answer().body == b"ok"


# Goal: HEAD: the answer's length is not waited for.
def test_head(site):
    with site.server.client() as client:
        for _ in range(2):
            site.told(client.send_request("HEAD", "/h"))
            site.on.send(client.id, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
            assert client.answer(head=True).headers["content-length"] == "99"


# Goal: interim answers and 204/304 are followed rightly: the connection is ready for the next
# request.
def test_bodiless(site):
    with site.server.client() as client:
        for data, status in ((b"HTTP/1.1 204 No Content\r\n\r\n", 204),
                             (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304),
                             (b"HTTP/1.1 100 Continue\r\n\r\n" + http("x"), 200)):
            site.told(client.send_request(path="/h"))
            site.on.send(client.id, data)
            assert client.answer().status == status


# Goal: a message of two parts is not two messages: dropped as one; what comes next is heard.
def test_multipart(site):
    client = site.client()
    site.on.replies.send_multipart([reply_message([client.id], http("part one")), b"part two"])
    site.on.replies.send_multipart([reply_message([client.id], b"HTTP/1.1 200 OK\r\n\r\n"), b""])
    site.on.send(client.id, http("single"))
    assert client.answer().body == b"single"


# Goal: the context of a handler that ends abruptly harms nobody. Method: connect, send half a
# story, go.
def test_handler_that_ends_abruptly(site):
    for _ in range(10):
        with Handler(site.server.deployment, replies_only=True) as other:
            other.replies.send(b"no such message")
    client = site.client()
    site.on.send(client.id, http("ok"))
    assert client.answer().body == b"ok"
