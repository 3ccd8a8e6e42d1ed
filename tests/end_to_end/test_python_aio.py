"""mongrel2.aio: many conversations in one thread, with the real server."""

import asyncio

from lib import m2sh_tools  # noqa: F401  (the package's place)
from lib.client import Client
from lib.deployment import IDENT, handler
from lib.server import Server
from lib.waiting import DEADLINE
from mongrel2 import aio


def connection(deployment):
    return aio.Connection(IDENT, deployment.endpoint("ipc://run/h-q"),
                          deployment.endpoint("ipc://run/h-r"))


# Goal: requests are awaited, answers sent while others wait. Method: the first request is answered
# only when a second has come.
def test_conversations(deployment, workers):
    deployment.configure({"/h": handler()})

    async def serve(conn, clients):
        waiting = []
        async for request in conn:
            waiting.append(request)
            if len(waiting) == len(clients):
                break
        for request in reversed(waiting):
            conn.reply_http(request, request.path)
        assert await conn.recv(timeout=0.01) is None

    async def run(clients):
        async with connection(deployment) as conn:
            await asyncio.wait_for(serve(conn, clients), DEADLINE)

    with Server(deployment, workers=workers):
        clients = [Client(deployment.port).send_request(path=f"/h/{n}") for n in range(3)]
        asyncio.run(run(clients))
        for number, client in enumerate(clients):
            assert client.answer().body == f"/h/{number}".encode()


# Goal: waiting for a request keeps nothing else from running, and can be cancelled.
def test_cancel(deployment):
    deployment.configure({"/h": handler()})

    async def run():
        async with connection(deployment) as conn:
            task = asyncio.create_task(conn.recv_json())
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return True

    with Server(deployment, workers=1):
        assert asyncio.run(run())
