"""A handler's connection for asyncio: the same as handler.Connection, but receiving is awaited.

    async with aio.Connection(sender_id, "tcp://127.0.0.1:9997", "tcp://127.0.0.1:9996") as conn:
        async for request in conn:
            conn.reply_http(request, "hello")

Sending needs no await: a PUB socket never blocks. All of a Connection belongs to one event loop.
"""

from __future__ import annotations

from typing import Any, AsyncIterator, Optional

import zmq
import zmq.asyncio

from mongrel2 import handler
from mongrel2.request import Request, json_or


class Connection(handler.Connection):
    """recv and recv_json are coroutines; all else is handler.Connection's."""

    @staticmethod
    def _pull_socket(context: zmq.Context) -> Any:
        return zmq.asyncio.Socket(context, zmq.PULL)

    async def recv(self, timeout: Optional[float] = None) -> Optional[Request]:  # type: ignore
        """The next request. With a timeout in seconds: None if none came in time."""
        if timeout is not None and not await self.reqs.poll(max(0, int(timeout * 1000))):
            return None
        return Request.parse(await self.reqs.recv())

    async def recv_json(self, timeout: Optional[float] = None  # type: ignore
                        ) -> Optional[Request]:
        """Like recv, for requests that have a JSON body: it is in `data`, None if it is none."""
        request = await self.recv(timeout)
        if request is not None and not request.data:
            request.data = json_or(request.body, None)
        return request

    async def __aiter__(self) -> AsyncIterator[Request]:
        while True:
            request = await self.recv()
            assert request is not None  # there was no timeout
            yield request

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.shutdown()
