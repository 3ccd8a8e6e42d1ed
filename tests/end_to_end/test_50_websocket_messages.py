"""WebSockets with websocket='messages': the server speaks the protocol, the handler sees and sends
whole messages."""

import pytest

from lib.deployment import Deployment, dir_, handler
from lib.handler import Handler
from lib.server import Server
from lib.waiting import wait_until
from lib.websocket import (BINARY, CLOSE, PING, PONG, TEXT, WebSocketClient, close_payload, frame,
                           order)
from lib.websocket_site import WebSocketSite

pytestmark = pytest.mark.with_four


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/ws": handler(websocket="messages")})
        server = Server(deployment, workers=workers)
        with Handler(deployment) as on:
            yield WebSocketSite(deployment, server, on)


# Goal: what the handler is told: the event, and every header of the handshake each time.
def test_messages_of_a_client(site):
    client = site.client(path="/ws/room?x=1", X_Mine="a")
    client.send_frame("hello")
    client.send_frame(b"\x00\xff", opcode=BINARY)
    for event, body in (("text", b"hello"), ("binary", b"\x00\xff")):
        told = site.next()
        assert (told.id, told.path, told.body) == (client.id, "/ws/room", body)
        assert told.headers["METHOD"] == "WEBSOCKET" and told.headers["EVENT"] == event
        assert told.headers["x-mine"] == "a" and told.headers["QUERY"] == "x=1"
        assert told.headers["PATTERN"] == "/ws" and told.headers["sec-websocket-key"] == client.key
    client.send_frame(close_payload(4001, "enough"), opcode=CLOSE)
    told = site.next()
    assert (told.headers["EVENT"], told.body) == ("close", b"4001 enough")
    assert client.closed_with() == 4001 and client.at_end()
    client.close()
    assert site.told_of_the_end(client)


# Goal: a close frame without a code is told as 1005 and answered without one.
def test_close_without_code(site):
    client = site.client()
    client.send_frame(b"", opcode=CLOSE)
    assert site.message() == (CLOSE, b"1005")
    assert client.closed_with() is None and client.at_end()
    assert site.told_of_the_end(client)


# Goal: what the handler can say: a text by default, by order text, binary and a code of closing.
def test_messages_of_the_handler(site):
    client = site.client()
    site.on.send(client.id, "gr\u00fc\u00df".encode())
    assert client.text() == "gr\u00fc\u00df"
    site.order(client, "text", b"")
    assert client.text() == ""
    site.order(client, "binary", b"\xff\x00" * 40000)
    got = client.frame()
    assert got.opcode == BINARY and got.payload == b"\xff\x00" * 40000
    site.order(client, "close", "4002 go away")
    got = client.frame()
    assert (got.opcode, got.code, got.payload[2:]) == (CLOSE, 4002, b"go away")
    client.send_frame("too late")
    client.send_frame(close_payload(4002), opcode=CLOSE)
    assert client.at_end()
    assert site.told_of_the_end(client)


# Goal: the empty message of every contract closes, with 1000, once all before it is sent.
def test_empty_message_closes(site):
    client = site.client()
    site.on.send(client.id, b"last")
    site.on.send(client.id, b"")
    assert client.text() == "last" and client.closed_with() == 1000
    client.send_frame(close_payload(1000), opcode=CLOSE)
    assert client.at_end()


# Goal: one message for many clients reaches each, whatever contract their bytes need.
def test_many_clients(site):
    clients = [site.client() for _ in range(5)]
    for size in (5, 200, 70000):
        site.on.send([client.id for client in clients], b"x" * size)
        assert all(client.text() == "x" * size for client in clients)
    for client in clients:
        client.close()
    ended = {site.on.recv().id for _ in clients}
    assert ended == {client.id for client in clients}


# Goal: text of a handler that is no text is dropped with a line in the log; the client stays.
def test_bad_text_of_the_handler(site):
    client = site.client()
    site.on.send(client.id, b"\xff")
    site.on.send(client.id, b"good")
    assert client.text() == "good"
    site.server.says("is not UTF-8; dropped")
    client.close()
    assert site.told_of_the_end(client)


# Goal: orders that are none of the form are skipped, and the next counts.
def test_bad_orders(site):
    client = site.client()
    for kind, value in (("shout", "x"), ("close", "1005"), ("close", "later")):
        site.order(client, kind, value)
    site.on.send_extended(client.id, order("text", "x")[:-1] + b"}")
    site.order(client, "text", "good")
    assert client.text() == "good"
    client.close()
    assert site.told_of_the_end(client)


# Goal: pings are answered by the server with their payload; neither they nor pongs reach the
# handler.
def test_pings(site):
    client = site.client()
    client.send_frame(b"are you there", opcode=PING)
    got = client.frame()
    assert (got.opcode, got.payload) == (PONG, b"are you there")
    client.send_frame(b"", opcode=PONG)
    client.send_frame("next")
    assert site.message() == (TEXT, b"next")
    client.close()
    assert site.told_of_the_end(client)


# Goal: what a client sends right behind its handshake, before it has the answer, counts.
def test_early_messages(site):
    client = WebSocketClient(site.deployment.port)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    client.key = key
    client.send(f"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode() +
                frame("early"))
    assert client.opened().headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert site.next().headers["EVENT"] == "open"
    assert site.message() == (TEXT, b"early")
    client.close()


# Goal: a handshake that is none is refused in HTTP, before any handler hears of it.
@pytest.mark.parametrize("fault, status", [
    ({"Sec_WebSocket_Version": "8"}, 426), ({"Sec_WebSocket_Key": "short"}, 400)])
def test_bad_handshakes(site, fault, status):
    client = site.handshake(**fault)
    answer = client.answer()
    assert answer.status == status
    assert status != 426 or answer.headers["sec-websocket-version"] == "13"
    assert client.at_end()


# Goal: without all the fields it is a request like any other, with an answer of HTTP.
def test_ordinary_request_on_the_route(site):
    client = site.handshake(Sec_WebSocket_Key=None)
    request = site.next()
    assert request.headers["METHOD"] == "GET" and "EVENT" not in request.headers
    site.on.reply(request, "plain")
    assert client.answer().body == b"plain"
    client.close()
    assert site.on.recv().is_disconnect()


# Goal: of the subprotocols on offer the first is agreed on; the handler reads all in the header.
def test_subprotocol(site):
    client = site.handshake(Sec_WebSocket_Protocol="chat, other")
    assert client.opened().headers["sec-websocket-protocol"] == "chat"
    assert site.next().headers["sec-websocket-protocol"] == "chat, other"
    client.close()


# Goal: a WebSocket is one line of the access log, with 101.
def test_access_log(site):
    client = site.client(path="/ws/logged")
    client.close()

    def logged():
        return [line for line in site.server.access_log() if b"/ws/logged" in line]
    line = wait_until(logged, "a line of the WebSocket")[0]
    assert 101 in line
