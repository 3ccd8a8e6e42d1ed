"""Two independent clients, each with its own idea of RFC 6455: Debian's websocket-client and
websockets, against both contracts."""

import asyncio
import zlib

import pytest
import websocket
import websockets

from lib.deployment import Deployment, dir_, handler
from lib.server import Server
from lib.waiting import DEADLINE
from lib.websocket import WebSocketClient, frame
from lib.websocket_site import Echo

SIZES = (1, 125, 126, 65535, 65536, 200000)


def agrees(url):
    return url.endswith("messages")


@pytest.fixture(scope="module", params=["messages", "frames"])
def url(request, workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/ws": handler(websocket=request.param)},
                             settings={"websocket.deflate": 1})
        Server(deployment, workers=workers)
        with Echo(deployment, request.param):
            yield f"ws://127.0.0.1:{deployment.port}/ws?{request.param}"


# Goal: websocket-client's view of the handshake, text, binary, ping and the closing handshake.
def test_websocket_client(url):
    client = websocket.create_connection(url, timeout=DEADLINE)
    for size in SIZES:
        client.send("\u00fc" * size)
        assert client.recv() == "\u00fc" * size
        client.send_binary(b"\xff\x00" * size)
        assert client.recv() == b"\xff\x00" * size
    client.ping("are you there")
    opcode, got = client.recv_data_frame(control_frame=True)
    assert (opcode, got.data) == (websocket.ABNF.OPCODE_PONG, b"are you there")
    client.send_close(1000, b"bye")
    opcode, got = client.recv_data_frame(control_frame=True)
    assert opcode == websocket.ABNF.OPCODE_CLOSE and got.data[:2] == b"\x03\xe8"
    client.close()


# Goal: the same with websockets: fragments, several connections at once; with the compression that
# it offers too: agreed on by `messages`, left alone by `frames`.
@pytest.mark.parametrize("compression", ["deflate", None])
def test_websockets(url, compression):
    async def one(number):
        async with websockets.connect(url, compression=compression, max_size=None,
                                      open_timeout=DEADLINE, close_timeout=DEADLINE) as client:
            assert bool(client.extensions) == (compression is not None and agrees(url))
            for size in SIZES:
                await client.send(f"{number} \u00fc" * size)
                assert await client.recv() == f"{number} \u00fc" * size
                await client.send([b"\xff" * size, b"", b"\x00" * size])  # three fragments
                assert await client.recv() == b"\xff" * size + b"\x00" * size
            await asyncio.wait_for(await client.ping(b"there"), DEADLINE)
            await client.close(1000, "bye")
            return client.close_code

    async def all_of_them():
        return await asyncio.gather(*(one(number) for number in range(8)))
    assert asyncio.run(all_of_them()) == [1000] * 8


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


# Goal: compressed messages frame by frame: what is agreed on, both directions, no state between
# messages, what cannot be inflated, text that is none, and a bomb that is stopped at the limit.
def test_compressed_frames(workers):
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/ws": handler(websocket="messages")},
                             settings={"websocket.deflate": 1})
        Server(deployment, workers=workers)
        with Echo(deployment, "messages"):
            def client():
                made = WebSocketClient(deployment.port)
                made.handshake(Sec_WebSocket_Extensions="permessage-deflate; "
                               "client_max_window_bits; server_max_window_bits=12")
                assert made.opened().headers["sec-websocket-extensions"] == (
                    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                    "server_max_window_bits=12")
                return made
            one = client()
            for text in (b"x" * 5000, b"again " * 100):
                one.send(frame(deflated(text)[:7], rsv=4, fin=False) +
                         frame(deflated(text)[7:], opcode=0))
                got = one.frame()
                assert got.rsv == 4 and got.opcode == 1 and len(got.payload) < len(text)
                assert zlib.decompress(got.payload + b"\x00\x00\xff\xff\x03\x00", -12) == text
            one.send_frame("short")  # uncompressed, both ways
            assert one.text() == "short"
            one.close()
            for data, code in ((b"\xff\xff nonsense", 1007), (deflated(b"ab\xff"), 1007),
                               (deflated(b"x" * (50 << 20)), 1009)):
                bad = client()
                bad.send(frame(data, rsv=4))
                assert bad.closed_with() == code and bad.at_end()
                bad.close()
