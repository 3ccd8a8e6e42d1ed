"""A server with a route /ws for WebSockets, a handler of the test's own, and clients."""

import threading

from lib.handler import Handler
from lib.waiting import DEADLINE
from lib.websocket import CLOSE, PING, PONG, WebSocketClient, close_payload, frame, order


class WebSocketSite:
    """contract: 'messages', or 'frames', where the handler is played as 1.x handlers are."""

    def __init__(self, deployment, server, on, contract="messages"):
        self.deployment, self.server, self.on = deployment, server, on
        self.frames = contract == "frames"
        self.ended = []  # ids in the notices that have come

    def next(self):
        """The next message for the handler that is no notice."""
        while (request := self.on.recv()).is_disconnect():
            self.note_end(request)
        return request

    def note_end(self, notice):
        assert notice.is_disconnect(), notice.message
        assert notice.id not in self.ended, f"told of the end of {notice.id} twice"
        self.ended.append(notice.id)

    def handshake(self, path="/ws", **headers):
        return WebSocketClient(self.server.deployment.port).handshake(path, **headers)

    def accept(self, client, request):
        """What a handler of 1.x answers to a handshake."""
        self.on.send(request.id, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + request.body + b"\r\n\r\n")
        client.opened()

    def client(self, path="/ws", **headers):
        """An open client; client.id is its id."""
        client = self.handshake(path, **headers)
        request = self.next()
        if self.frames:
            assert request.headers["METHOD"] == "WEBSOCKET_HANDSHAKE"
            self.accept(client, request)
        else:
            assert request.headers["EVENT"] == "open" and request.body == b""
            client.opened()
        client.id = request.id
        return client

    def message(self):
        """(opcode, payload) of the next message or control frame that the handler sees."""
        request = self.next()
        assert request.headers["METHOD"] == "WEBSOCKET", request.message
        if self.frames:
            return int(request.headers["FLAGS"], 16) - 0x80, request.body
        return {"text": 1, "binary": 2, "close": 8}[request.headers["EVENT"]], request.body

    def send(self, client, text):
        """A text for the client, in the words of the contract."""
        text = text.encode() if isinstance(text, str) else text
        if self.frames:
            self.on.send(client.id, frame(text, masked=False))
        elif text:
            self.on.send(client.id, text)
        else:  # an empty message would close
            self.order(client, "text", text)

    def order(self, client, kind, value):
        self.on.send_extended(client.id, order(kind, value))

    def close_by_handler(self, client):
        if self.frames:
            self.on.send(client.id, frame(close_payload(1000), opcode=CLOSE, masked=False))
        self.on.send(client.id, b"")

    def told_of_the_end(self, client):
        """The notice, now, and nothing before it but those of others."""
        assert client.id not in self.ended
        while client.id not in self.ended:
            self.note_end(self.on.recv())
        return True


class Echo(Handler):
    """Sends everything back, in the words of its contract, until it is closed."""

    def __init__(self, deployment, contract):
        super().__init__(deployment)
        self.contract = contract
        self.ending = False
        self.fault = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.ending:
                if self.requests.poll(20):
                    self.answer(self.recv())
        except Exception as fault:
            self.fault = fault

    def answer(self, request):
        if request.is_disconnect():
            return
        if self.contract == "messages":
            if request.headers["EVENT"] in ("text", "binary"):
                self.send_extended(request.id, order(request.headers["EVENT"], request.body))
            return
        if request.headers["METHOD"] == "WEBSOCKET_HANDSHAKE":
            self.send(request.id, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + request.body +
                      b"\r\n\r\n")
            return
        opcode = int(request.headers["FLAGS"], 16) & 15
        if opcode != PONG:
            opcode = PONG if opcode == PING else opcode
            self.send(request.id, frame(request.body, opcode=opcode, masked=False))
        if opcode == CLOSE:
            self.send(request.id, b"")

    def close(self):
        self.ending = True
        self.thread.join(DEADLINE)
        super().close()
        assert self.fault is None, f"the handler failed: {self.fault!r}"
