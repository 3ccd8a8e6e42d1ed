"""What handlers say of a connection, in whatever state it is: it does what the pages say or else
nothing, the worker lives, and others are served."""

import base64
import contextlib

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import Deployment, dir_, handler, proxy
from lib.handler import Handler, http
from lib.server import Server
from lib.waiting import wait_until
from lib.websocket import CLOSE, WebSocketClient, close_payload, frame, order

pytestmark = pytest.mark.with_four

LARGE = b"0123456789abcdef" * (6 << 16)  # more than sockets hold
BODY = b"x" * 100_000                    # above limits.content_length
ANSWER = http(b"late")

# What a handler may say: the bytes behind its list of ids, and whether that begins with X.
KINDS = {
    "message": (ANSWER, False),
    "close": (b"", False),
    "keep-alive": (b"27:3:ctl,17:10:keep-alive,0:,}]", True),
    "credits": (b"27:3:ctl,17:7:credits,4:5000#}]", True),
    "sendfile": (b"26:8:sendfile,11:/index.html,]", True),
    "cancel": (b"22:3:ctl,12:6:cancel,0:,}]", True),
    "unknown": (b"14:5:dance,3:now,]", True),
    "text": (order("text", "late"), True),
    "closing order": (order("close", "1000 enough"), True),
}
ENDS = ("cancel", "unknown")  # wherever the connection stands


class Site:
    def __init__(self, deployment, server, on):
        self.deployment, self.server, self.on = deployment, server, on
        self.open = []  # sockets whose state would end with them
        self.backend_goes_on = None

    def told(self, client):
        client.id = self.on.recv_request().id
        return client

    def known(self, **more):
        """A client that handlers know, between two requests."""
        client = self.told(Client(self.deployment.port, **more).send_request(path="/h"))
        self.on.send(client.id, http("first"))
        assert client.answer().body == b"first"
        return client

    def socket(self, **more):
        """A message socket with nothing under way."""
        return self.told(Client(self.deployment.port, **more).send('@chat {"a":1}\0'))

    def reply(self, body):
        self.on.send(self.on.recv_request().id, body)


@pytest.fixture(scope="module")
def site(workers):
    made = Site(None, None, None)

    def script(exchange, head):
        if b"/p/tunnel" in head:
            exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          b"Connection: Upgrade\r\n\r\n")
            exchange.send(exchange.socket.recv(4))
            return False
        made.backend_goes_on = exchange
        return True

    with Deployment() as deployment, Backend(script) as backend:
        deployment.write("www/large", LARGE)
        deployment.configure(
            {"/": dir_(), "/h": handler(), "@chat": handler(), "/p": proxy(backend.port),
             "/frames": handler(), "/messages": handler("m", websocket="messages")},
            settings={"handler.sendfile": "www", "upload.temp_store": "tmp/body.XXXXXX",
                      "limits.content_length": 20000, "handler.output_bytes": 64 << 20})
        server = Server(deployment, workers=workers)
        with Handler(deployment) as on, Handler(deployment, "m") as messages:
            made.deployment, made.server, made.on, made.messages = deployment, server, on, messages
            yield made


def unread(site, client):
    """Bytes of this client that lie in the server's socket."""
    ends = [f":{port:04X}" for port in (site.deployment.port, client.socket.getsockname()[1])]
    with open("/proc/self/net/tcp", encoding="ascii") as file:
        lines = [line.split() for line in file]
    return sum(int(line[4].split(":")[1], 16) for line in lines
               if [line[1][-5:], line[2][-5:]] == ends)


# Each state: a function that brings a client there, and one that goes on from there and looks at
# all that it gets. After the latter the client is between two requests, or its connection ends.

def idle(site):
    return site.known()


def ask_again(site, client):
    assert client.request().body == b"<h1>hello</h1>\n"


def half_a_head(site):
    return site.known().send("GET / HT")


def rest_of_the_head(site, client):
    assert client.send("TP/1.1\r\nHost: localhost\r\n\r\n").answer().body == b"<h1>hello</h1>\n"


def half_a_body(site):
    return site.known().send("POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")


def rest_of_the_body(site, client):
    client.send("56789")
    site.reply(http("posted"))
    assert client.answer().body == b"posted"


def upload(site):
    client = site.known().send(
        b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY[:30000])
    assert "x-mongrel2-upload-start" in site.on.recv_request().headers
    return client


def rest_of_the_upload(site, client):
    client.send(BODY[30000:])
    assert "x-mongrel2-upload-done" in (done := site.on.recv_request()).headers
    site.on.send(done.id, http("stored"))
    assert client.answer().body == b"stored"


def awaited(site):
    return site.told(site.known().send_request(path="/h"))


def the_answer(site, client):
    site.on.send(client.id, http("in time"))
    assert client.answer().body == b"in time"


def half_answered(site):
    client = awaited(site)
    site.on.send(client.id, b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n")
    client.take_until(b"\r\n\r\n")
    return client


def with_the_backend(site):
    site.backend_goes_on = None
    client = site.known().send_request(path="/p")
    wait_until(lambda: site.backend_goes_on, "the request at the backend")
    return client


def the_backend_answers(site, client):
    site.backend_goes_on.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert client.answer().body == b"ok"


def flushing(site):
    client = site.known(receive_buffer=4096).send_request(path="/large")
    client.take_until(b"\r\n\r\n")
    return client


def all_of_it(site, client):
    assert client.take(len(LARGE)) == LARGE


def lingering(site):
    client = site.known().send_request("POST", "/h", headers={"Content-Length": "5", "Expect": "x"})
    assert client.answer().status == 417 and client.more() is False
    return client


def nothing_more(site, client):
    client.close()


def tunnel(site):
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    client = site.known().send_request(path="/p/tunnel", headers=headers)
    assert client.answer().status == 101
    return client


def through_the_tunnel(site, client):
    assert client.send("ping").take_all() == b"ping"


def websocket_frames(site):
    client = WebSocketClient(site.deployment.port).handshake("/frames")
    client.id = (request := site.on.recv_request()).id
    site.on.send(client.id, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + request.body + b"\r\n\r\n")
    client.opened()
    return client


def a_frame(site, client):
    client.send(frame("hi"))
    site.on.send(site.on.recv_request().id, frame("ho", masked=False))
    assert client.frame().payload == b"ho"
    client.close()


def websocket_messages(site):
    client = WebSocketClient(site.deployment.port).handshake("/messages")
    client.id = site.messages.recv_request().id
    client.opened()
    return client


def a_text(site, client):
    site.messages.send(client.id, b"ho")
    assert client.frame().payload == b"ho"
    client.close()


def message_socket(site):
    return site.socket()


def a_message(site, client):
    client.send('@chat {"b":2}\0')
    site.reply(b"two")
    assert client.take_until(b"\0") == base64.b64encode(b"two")


def half_a_message(site):
    return site.socket().send('@chat {"b":')


def rest_of_the_message(site, client):
    client.send("2}\0")
    site.reply(b"two")
    assert client.take_until(b"\0") == base64.b64encode(b"two")


def half_a_head_of_a_socket(site):
    return site.socket().send("GET / HT")


def flushing_socket(site):
    client = site.socket(receive_buffer=4096)
    site.on.send(client.id, LARGE)
    return client


def all_that_is_owed(site, client):
    owed = base64.b64encode(LARGE) + b"\0"
    assert client.take(len(owed)) == owed


def gone(site):
    client = site.known()
    client.close()
    while not (message := site.on.recv()).is_disconnect() or message.id != client.id:
        pass
    return client


# What else but nothing comes of it: "ends": the connection, now; "last": it goes on to the end of
# what it does, and ends then; a function: looks at what the client gets before it goes on.

def gets_it(site, client):
    assert client.answer().body == b"late"


def gets_its_part(site, client):
    assert client.take(15) == ANSWER[:15] and client.is_quiet()


def gets_bytes(site, client):
    assert client.take(len(ANSWER)) == ANSWER


def gets_an_answer(site, client):
    assert client.take_until(b"\0") == base64.b64encode(ANSWER)


def gets_a_text(site, client):
    assert client.frame().payload in (ANSWER, b"late")


def gets_closed(site, client):
    assert client.frame().opcode == CLOSE
    client.send(frame(close_payload(1000), opcode=CLOSE))
    assert client.at_end()


def gets_it_and_the_end(site, client):
    gets_it(site, client)
    assert client.is_closed()


def gets_the_file(site, client):
    assert client.take(15) == b"<h1>hello</h1>\n"


def gets_it_behind(site, client):
    all_that_is_owed(site, client)
    gets_an_answer(site, client)


STATES = {
    idle: (ask_again, {"close": "ends"}),
    half_a_head: (rest_of_the_head, {"close": "last"}),
    half_a_body: (rest_of_the_body, {"close": "last"}),
    upload: (rest_of_the_upload, {"message": gets_it_and_the_end, "close": "ends",
                                  "sendfile": "ends"}),
    awaited: (the_answer, {"message": gets_it, "close": "ends", "sendfile": "ends"}),
    half_answered: (None, {"message": gets_its_part, "close": "ends", "sendfile": gets_the_file}),
    with_the_backend: (the_backend_answers, {"close": "last"}),
    flushing: (all_of_it, {"close": "last"}),
    lingering: (nothing_more, {}),
    tunnel: (through_the_tunnel, {}),
    websocket_frames: (a_frame, {"message": gets_bytes, "close": "ends"}),
    websocket_messages: (a_text, {"message": gets_a_text, "text": gets_a_text,
                                  "close": gets_closed, "closing order": gets_closed}),
    message_socket: (a_message, {"message": gets_an_answer, "close": "ends"}),
    half_a_message: (rest_of_the_message, {"message": gets_an_answer, "close": "ends"}),
    half_a_head_of_a_socket: (rest_of_the_head, {"message": gets_an_answer, "close": "ends"}),
    flushing_socket: (all_that_is_owed, {"message": gets_it_behind, "close": "last"}),
    gone: (nothing_more, {}),
}


# Goal: every kind of reply, in every state.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_reply(site, state, kind):
    go_on, outcomes = STATES[state]
    body, extended = KINDS[kind]
    pids = site.server.workers()
    client = state(site)
    if state is not gone:
        wait_until(lambda: unread(site, client) == 0, "the worker to read what was sent")
    on = site.messages if state is websocket_messages else site.on
    (on.send_extended if extended else on.send)(client.id, body)
    on.heard(client.id)
    what = outcomes.get(kind, "ends" if kind in ENDS else None)
    if state in (lingering, gone):
        what = None
    if what == "ends":
        drop_until_closed(client)  # of what was owed nothing has to come
    else:
        if callable(what):
            what(site, client)
        if what in (None, "last") and go_on:
            go_on(site, client)
        if what == "last":
            assert client.is_closed()
    client.close()
    assert site.server.get().status == 200
    assert site.server.workers() == pids, site.server.log()


def drop_until_closed(client):
    with contextlib.suppress(ConnectionResetError):
        while client.more():
            client.received = b""
