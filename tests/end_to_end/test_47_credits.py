"""download.flow_control: handlers hear how much of a long answer its client has taken."""

import re

import pytest

from lib.client import Client
from lib.deployment import IDENT, Deployment, handler
from lib.handler import Handler, Request, http
from lib.server import Server
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four

WINDOW = 102400


class Site:
    def __init__(self, deployment, server):
        self.deployment, self.server = deployment, server
        self.on = Handler(deployment)

    def request(self, client, **more):
        client.send_request(path="/h", **more)
        while True:
            request = self.on.recv()
            if request.headers["METHOD"] != "JSON":
                return request

    def credits(self, client_id, total):
        """Collects credits of this connection until there are this many; returns their messages."""
        seen, found = 0, []
        while seen < total:
            raw = self.on.recv_raw()
            message = Request(raw)
            assert message.headers["METHOD"] == "JSON" and message.path == "@*"
            if message.id != client_id or message.is_disconnect():
                continue
            assert message.body == b'{"type":"credits"}'
            assert set(message.headers) == {"METHOD", "DOWNLOAD_CREDITS"}
            seen += int(message.headers["DOWNLOAD_CREDITS"])
            found.append(raw)
        assert seen == total, "more bytes have left than were sent"
        return found


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/h": handler(), "/t": handler("t", protocol="tnetstring")},
                             settings={"download.flow_control": 1})
        made = Site(deployment, Server(deployment, workers=workers))
        with made.on:
            yield made


# Goal: the window is named with the first request of a connection only; every byte that leaves
# comes back as credits, over several requests, in the exact form.
def test_accounts(site):
    with site.server.client() as client:
        request = site.request(client)
        assert request.headers["DOWNLOAD_CREDITS"] == str(WINDOW)
        for size in (1, 5000, 20000):
            answer = http(b"x" * size)
            site.on.send(request.id, answer)
            assert client.answer().body == b"x" * size
            messages = site.credits(request.id, len(answer))
            amount = re.search(rb'CREDITS":"(\d+)"', messages[0]).group(1)
            block = b'{"METHOD":"JSON","DOWNLOAD_CREDITS":"%s"}' % amount
            assert messages[0] == b"%s %s @* %d:%s,18:{\"type\":\"credits\"}," % (
                IDENT.encode(), request.id.encode(), len(block), block)
            again = site.request(client)
            assert again.id == request.id and "DOWNLOAD_CREDITS" not in again.headers


# Goal: the tnetstring form.
def test_tnetstring(site):
    with Handler(site.deployment, name="t", tnetstring=True) as on, \
            site.server.client() as client:
        client.send_request(path="/t")
        request = on.recv()
        assert request.headers["DOWNLOAD_CREDITS"] == b"102400"
        on.send(request.id, http("12345"))
        size = len(http("12345"))
        assert client.answer().body == b"12345"
        assert on.recv_raw() == (
            f"{IDENT} {request.id} @* 41:16:DOWNLOAD_CREDITS,2:{size},6:METHOD,4:JSON,"
            '}18:{"type":"credits"},').encode()


# Goal: flow control for real: a handler that sends only what it has credits for delivers an answer
# of many windows, and the server is never sent more than a window ahead of what has left. Method:
# the client reads a piece only when the handler has no credits left and none come.
def test_long_answer(site):
    size = 20 * WINDOW
    client = Client(site.deployment.port, receive_buffer=16384)
    request = site.request(client)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    site.on.send(request.id, head)
    free, sent = int(request.headers["DOWNLOAD_CREDITS"]) - len(head), 0
    taken, total = b"", len(head) + size
    while len(taken) < total:
        while sent < size and free >= 8192:
            part = min(8192, size - sent)
            site.on.send(request.id, b"%08d" % sent + b"y" * (part - 8))
            sent, free = sent + part, free - part
        if site.on.has_message(0.02):
            message = site.on.recv()
            if message.id == request.id and not message.is_disconnect():
                free += int(message.headers["DOWNLOAD_CREDITS"])
                assert free <= WINDOW
            continue
        taken += client.take(min(128 * 1024, len(head) + sent - len(taken)))
    assert taken.startswith(head) and len(taken) == total
    assert all(int(taken[len(head) + at:len(head) + at + 8]) == at for at in range(0, size, 8192))
    client.close()


# Goal: an upload is a request like any other: its first message names the window, its answer's
# bytes come back as credits. Method: one in pieces, one by way of a file.
@pytest.mark.parametrize("settings", [{"upload.stream": 1}, {}], ids=["stream", "file"])
def test_uploads(deployment, settings):
    deployment.configure({"/h": handler()}, settings={
        "download.flow_control": 1, "limits.content_length": 1000,
        "upload.temp_store": "tmp/body.XXXXXX", **settings})
    with Server(deployment, workers=1) as server, Handler(deployment) as on, \
            server.client() as client:
        client.send_request("POST", "/h", body=b"x" * 5000)
        request = on.recv()
        assert request.headers["DOWNLOAD_CREDITS"] == str(WINDOW)
        if settings:
            on.send_extended(request.id, b"22:3:ctl,12:7:credits,")  # not a message: passed over
            on.send_extended(request.id, extended_credits(5000))
        done = "UPLOAD_STREAM_DONE" if settings else "x-mongrel2-upload-done"
        while done not in request.headers:
            request = on.recv()
            assert "DOWNLOAD_CREDITS" not in request.headers
        answer = http("taken")
        on.send(request.id, answer)
        assert client.answer().body == b"taken"
        assert int(on.recv().headers["DOWNLOAD_CREDITS"]) == len(answer)


def extended_credits(count):
    value = b"7:credits,%d:%d#" % (len(str(count)), count)
    value = b"3:ctl,%d:%s}" % (len(value), value)
    return b"%d:%s]" % (len(value), value)


# Goal: credits outlast a handler that hangs for longer than handler.wait_ms: none is lost, and none
# is taken for a request that found no handler. Method: the handler stops reading until requests are
# refused, an answer leaves meanwhile, and one more request is refused after that.
def test_hung_handler(deployment, workers):
    def wait_for_handlers(milliseconds):
        deployment.configure({"/h": handler()}, settings={
            "download.flow_control": 1, "handler.wait_ms": milliseconds, "handler.send_mark": 1,
            "limits.content_length": 1 << 20})
    wait_for_handlers(30000)
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        on.requests.rcvhwm = 1
        client = server.client()
        client.send_request(path="/h")
        request = on.recv()
        wait_for_handlers(150)
        server.reload()

        def until_refused():  # one of so many is, even if buffers had some room yet
            others = [server.client().send_request("POST", "/h/more", body=b"x" * 1_000_000)
                      for _ in range(12)]
            wait_until(lambda: not all(other.is_quiet() for other in others), "full buffers")
            return next(other for other in others if other.received).answer().status
        assert until_refused() == 503
        answer = http("z" * 1000)
        on.send(request.id, answer)
        assert client.answer().body == b"z" * 1000
        assert until_refused() == 503
        credits = 0
        while credits < len(answer):
            message = on.recv()
            if message.id == request.id:
                assert message.body == b'{"type":"credits"}'
                credits += int(message.headers["DOWNLOAD_CREDITS"])
        assert credits == len(answer)
        wait_for_handlers(30000)
        server.reload()
        client.send_request(path="/h/next")
        message = on.recv()
        while message.path != "/h/next":
            message = on.recv()
        on.reply(message, "goes on")
        assert client.answer().body == b"goes on"


# Goal: without the setting handlers get neither.
def test_off(deployment):
    deployment.configure({"/h": handler()})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        with server.client() as client:
            client.send_request(path="/h")
            request = on.recv()
            assert "DOWNLOAD_CREDITS" not in request.headers
            on.reply(request, "ok")
            assert client.answer().body == b"ok"
            client.send_request(path="/h")
            assert on.recv().headers["METHOD"] == "GET"


# Goal: credits that find the handler's queue full are said later, none is lost. Method: no handler
# takes requests while requests fill the queue and an answer leaves; then one comes.
def test_full_queue(deployment):
    deployment.configure({"/h": handler()}, settings={
        "download.flow_control": 1, "handler.queue": 10, "handler.wait_ms": 60000,
        "handler.grace_ms": 0})
    with Server(deployment, workers=1) as server, \
            Handler(deployment, replies_only=True) as replies:
        first = Handler(deployment)
        client = server.client().send_request(path="/h")
        request = first.recv()
        first.close()
        wait_until(lambda: "no handler is connected" in server.log(), "the end of the handler")
        waiting = [server.client().send_request(path=f"/h/{number}") for number in range(11)]
        wait_until(lambda: "10 requests wait already" in server.log(), "a full queue")
        answer = http("z" * 1000)
        wait_until(lambda: replies.send(request.id, answer) or not client.is_quiet(), "an answer")
        assert client.answer().body == b"z" * 1000
        with Handler(deployment) as on:
            seen, credits = set(), 0
            while len(seen) < 10 or credits == 0:
                message = on.recv()
                if message.body == b'{"type":"credits"}' and message.id == request.id:
                    credits += int(message.headers["DOWNLOAD_CREDITS"])
                else:
                    seen.add(message.path)
                    on.reply(message, "late")
            assert credits == len(answer)
        statuses = [one.answer().status for one in waiting]
        assert sorted(statuses) == [200] * 10 + [503]
