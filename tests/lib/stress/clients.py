"""Clients of every kind, as coroutines that go on until they are told to end. Each request goes
into the ledger with its outcome; a client that loses its connection opens another."""

import asyncio
import base64
import os
import struct
import time
import zlib

from lib.websocket import CLOSE, TEXT, frame

ANSWER_S = 40.0  # a request that has no outcome by then hangs
KILLED_S = 5.0   # and one whose answer had begun when its handler was killed


class Closed(Exception):
    """The connection ended; begun: within an answer."""

    def __init__(self, why, begun=False):
        super().__init__(why)
        self.begun = begun


class Wire:
    """One connection."""

    @classmethod
    async def open(cls, port):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        self.id = (self.writer.get_extra_info("sockname")[1], time.monotonic())
        return self

    def close(self):
        self.writer.close()

    async def send(self, data):
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError:
            pass  # what the server said before it closed is still to be read

    async def answer(self, pace=None):
        """(status, keeps, body)"""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        except (asyncio.IncompleteReadError, OSError) as fault:
            begun = bool(getattr(fault, "partial", b""))
            raise Closed(f"instead of an answer: {fault!r}", begun) from None
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        try:
            if fields.get(b"transfer-encoding") == b"chunked":
                body = b""
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readexactly(2)
            else:
                body = await self.take(int(fields.get(b"content-length", 0)), pace)
        except (asyncio.IncompleteReadError, OSError) as fault:
            raise Closed(f"within an answer: {fault!r}"[:200], True) from None
        return int(head[9:12]), fields.get(b"connection") != b"close", body

    async def take(self, size, pace):
        if pace is None:
            return await self.reader.readexactly(size)
        parts = []
        while size > 0:
            parts.append(await self.reader.readexactly(min(size, 65536)))
            size -= len(parts[-1])
            await asyncio.sleep(pace)
        return b"".join(parts)


class Clients:
    def __init__(self, ledger, port, files):
        self.ledger, self.port, self.files = ledger, port, files
        self.ending = False
        self.number = 0

    def unique(self):
        self.number += 1
        return self.number

    async def connect(self):
        """The port is there at any time."""
        since = self.ledger.begin("connections")
        try:
            wire = await asyncio.wait_for(Wire.open(self.port), ANSWER_S)
            self.ledger.answer("connections")
            return wire
        except (OSError, asyncio.TimeoutError) as fault:
            self.ledger.lose("connections", since, None, repr(fault))
            await asyncio.sleep(0.1)
            return None

    async def http(self, kind, ask, pause=0.0):
        """ask(wire) sends one request: (path, follows, check(body)). Goes on to the end."""
        wire = None
        while not self.ending:
            wire = wire or await self.connect()
            if wire is None:
                continue
            since = self.ledger.begin(kind)
            keeps, path, begun_is_excuse = False, "", False
            try:
                path, begun_is_excuse, check, pace = await ask(wire)
                status, keeps, body = await self.patient(wire.answer(pace), since, begun_is_excuse)
                if status != 200:
                    self.ledger.refuse(kind, status)
                else:
                    self.ledger.answer(kind)
                    if not check(body):
                        self.ledger.wrong.append(f"{kind} {path}: {body[:100]!r}")
            except Closed as fault:
                self.ledger.lose(kind, since, wire.id, str(fault), path,
                                 follows=fault.begun and begun_is_excuse)
            except asyncio.TimeoutError:
                self.ledger.lose(kind, since, wire.id, "no answer", path, follows=begun_is_excuse)
            if not keeps:
                wire.close()
                wire = None
            await asyncio.sleep(pause)
        if wire is not None:
            wire.close()

    async def patient(self, answer, since, is_stream):
        """Waits for an answer; of a stream whose handler may have been killed, not for long."""
        task = asyncio.ensure_future(answer)
        while not task.done():
            waited = time.monotonic() - since
            if waited > ANSWER_S or is_stream and waited > KILLED_S and self.ledger.excuse(since):
                task.cancel()
                raise asyncio.TimeoutError
            await asyncio.wait({task}, timeout=1.0)
        return task.result()

    # What is asked for

    def file(self, path, pace=None):
        content = self.files[path]

        async def ask(wire):
            await wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            return path, False, lambda body: body == content, pace
        return ask

    def page(self, prefix, size=0, slowly=False):
        """A handler says what it has got."""
        content = os.urandom(size)
        wanted = f"{size} {zlib.crc32(content)}".encode()

        async def ask(wire):
            path = f"{prefix}{self.unique()}"
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n" \
                if size else f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            await wire.send(head.encode())
            for at in range(0, size, 32768):
                await wire.send(content[at:at + 32768])
                if slowly:
                    await asyncio.sleep(0.02)
            return path, False, lambda body: body.split(b" ", 1)[1] == \
                path.encode() + b" " + wanted, None
        return ask

    def stream(self):
        async def ask(wire):
            path = f"/stream/{self.unique()}"
            await wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            return path, True, lambda body: body == b"0000000100020003", None
        return ask

    def proxied(self, size):
        content = os.urandom(size)

        async def ask(wire):
            path = f"/p/{self.unique()}"
            await wire.send(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}"
                            "\r\n\r\n".encode() + content)
            return path, False, lambda body: body == path.encode() + b" " + content, None
        return ask

    # Sockets

    async def sockets(self, kind, session, pause):
        while not self.ending:
            wire = await self.connect()
            if wire is None:
                continue
            open_ones = {}  # text: when it was sent
            try:
                await session(wire, open_ones, kind, pause)
            except Closed as fault:
                for text, since in open_ones.items():
                    self.ledger.lose(kind, since, wire.id, str(fault), text, follows=True)
            wire.close()

    async def exchange(self, kind, open_ones, send, receive, pause):
        """Sends three and takes their echoes, again and again. An echo that comes before an older
        one shows that the older one is lost."""
        while not self.ending:
            for _ in range(3):
                text = f'{{"n":{self.unique()}}}'
                open_ones[text] = self.ledger.begin(kind)
                await send(text)
            last = text
            while last in open_ones:
                try:
                    echo = await asyncio.wait_for(receive(), 10.0)
                except asyncio.TimeoutError:
                    raise Closed("no echo") from None
                if isinstance(echo, int):
                    for _ in open_ones:
                        self.ledger.refuse(kind, echo)
                    open_ones.clear()
                    return
                if echo not in open_ones:
                    self.ledger.wrong.append(f"{kind}: {echo[:100]!r}")
                    return
                for older in list(open_ones):
                    if older == echo:
                        break
                    self.ledger.lose(kind, open_ones.pop(older), None, "passed over", older,
                                     follows=True)
                del open_ones[echo]
                self.ledger.answer(kind)
            await asyncio.sleep(pause)

    async def websocket(self, wire, open_ones, kind, pause):
        key = base64.b64encode(os.urandom(16)).decode()
        since = self.ledger.begin("handshakes")
        await wire.send(f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n".encode())
        try:
            status, _, _ = await asyncio.wait_for(wire.answer(), ANSWER_S)
        except (Closed, asyncio.TimeoutError) as fault:
            return self.ledger.lose("handshakes", since, wire.id, repr(fault))
        if status != 101:
            return self.ledger.refuse("handshakes", status)
        self.ledger.answer("handshakes")

        async def send(text):
            await wire.send(frame(text))

        async def receive():
            while True:
                opcode, payload = await self.frame(wire)
                if opcode == TEXT:
                    return payload.decode()
                if opcode == CLOSE:
                    await wire.send(frame(payload[:2], opcode=CLOSE))
                    return struct.unpack(">H", payload[:2])[0]
        await self.exchange(kind, open_ones, send, receive, pause)

    @staticmethod
    async def frame(wire):
        try:
            first, second = await wire.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                size, = struct.unpack(">H", await wire.reader.readexactly(2))
            return first & 15, await wire.reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as fault:
            raise Closed(f"without a close frame: {fault!r}", True) from None

    async def message_socket(self, wire, open_ones, kind, pause):
        async def send(text):
            await wire.send(f"@chat {text}\0".encode())

        async def receive():
            try:
                raw = await wire.reader.readuntil(b"\0")
            except (asyncio.IncompleteReadError, OSError) as fault:
                raise Closed(f"JSSocket: {fault!r}", True) from None
            return base64.b64decode(raw[:-1]).decode()
        await self.exchange(kind, open_ones, send, receive, pause)
