"""Load from an asyncio client of our own: keep-alive connections that ask all the time and count
what happened, so that nothing lost stays unnoticed."""

import asyncio
import threading

from lib.waiting import DEADLINE


class Load:
    """`with Load(port, paths) as load:` keeps connections busy until the block ends. Then:
    answered {status: count}, failures (texts), closed (connections that the server ended)."""

    def __init__(self, port, paths=("/",), connections=32):
        self.port, self.paths, self.connections = port, paths, connections
        self.answered, self.failures, self.closed = {}, [], 0
        self.ending = False
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive(), "the load does not end: a request hangs"

    def total(self):
        return sum(self.answered.values())

    async def _run(self):
        await asyncio.gather(*(self._client(number) for number in range(self.connections)))

    async def _client(self, number):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError as fault:
            self.failures.append(f"connect: {fault}")
            return
        path = self.paths[number % len(self.paths)]
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        while not self.ending:
            try:
                writer.write(request)
                status, keeps = await asyncio.wait_for(self._answer(reader), DEADLINE)
                self.answered[status] = self.answered.get(status, 0) + 1
                if keeps:
                    continue
                self.closed += 1
            except Exception as fault:
                self.failures.append(f"{path}: {fault!r}")
                self.closed += 1
            writer.close()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as fault:
                self.failures.append(f"connect again: {fault}")
                return
        writer.close()

    @staticmethod
    async def _answer(reader):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        await reader.readexactly(int(fields[b"content-length"]))
        return int(head[9:12]), fields.get(b"connection") != b"close"
