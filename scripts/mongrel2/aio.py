"""A handler's connection for asyncio: handler.Connection with receiving to be awaited.

    async with aio.Connection(sender_id, "tcp://127.0.0.1:9997", "tcp://127.0.0.1:9996") as conn:
        async for request in conn:
            conn.reply_http(request, "hello")

Sending needs no await: a PUB socket never blocks. All of a Connection belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from typing import Any, AsyncIterator, Awaitable, Callable, Optional, Set

import zmq
import zmq.asyncio

from mongrel2 import handler
from mongrel2.ending import SIGNALS
from mongrel2.handler import GRACE_SECONDS, LAST_SECONDS, TICK_SECONDS
from mongrel2.request import Request, json_or


# Requests that serve() has under way at a time; more wait in the socket, and then at the server.
CONCURRENT = 1000


class Connection(handler.Connection):
    """recv, recv_json and serve are coroutines; all else is handler.Connection's."""

    @staticmethod
    def _pull_socket(context: zmq.Context[Any]) -> Any:
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

    async def serve(self, answer: Callable[[Request], Awaitable[Any]],  # type: ignore
                    disconnected: Optional[Callable[[Request], Any]] = None,
                    credited: Optional[Callable[[Request], Any]] = None, *,
                    grace: float = GRACE_SECONDS, concurrent: int = CONCURRENT) -> None:
        """Starts answer(request) as a task for each request until TERM, INT or stop(), then for
        those that have arrived, and waits for all, at most grace seconds. What still runs then is
        cancelled. disconnected gets the notices of browsers that left, credited those of
        download.flow_control; both may be coroutines too."""
        loop = asyncio.get_running_loop()
        tasks: Set[asyncio.Task[Any]] = set()
        signals = []
        for number in SIGNALS:
            try:
                loop.add_signal_handler(number, self.stop)
                signals.append(number)
            except (RuntimeError, ValueError, NotImplementedError):
                pass  # only the main thread may set signals; whoever started this one calls stop()
        def start(request: Request) -> None:
            call = self._chosen(request, answer, disconnected, credited)
            if call is not None:
                task = asyncio.create_task(self._run(call, request))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        try:
            while not self._stopped:
                await self._next(TICK_SECONDS, start)
                while len(tasks) >= concurrent and not self._stopped:
                    await asyncio.wait(tasks, timeout=TICK_SECONDS,
                                       return_when=asyncio.FIRST_COMPLETED)
            deadline = loop.time() + grace
            while loop.time() < deadline:
                if not await self._next(LAST_SECONDS, start):
                    break
            if tasks:
                await asyncio.wait(tasks, timeout=max(0.0, deadline - loop.time()))
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=1.0)

    async def _next(self, timeout: float, start: Callable[[Request], None]) -> bool:
        """Starts what comes next; False: nothing came."""
        try:
            request = await self.recv(timeout)
        except ValueError as error:
            print(f"mongrel2: a message that is no request: {error}", file=sys.stderr)
            return True
        if request is not None:
            start(request)
        return request is not None

    async def _run(self, call: Callable[[Request], Any], request: Request) -> None:
        try:
            result = call(request)
            if inspect.isawaitable(result):
                await result
        except Exception:
            self._failed(request)

    async def __aiter__(self) -> AsyncIterator[Request]:
        while True:
            request = await self.recv()
            assert request is not None  # there was no timeout
            yield request

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.shutdown()
