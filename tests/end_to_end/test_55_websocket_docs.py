"""The examples of docs/websockets.md run, as they are printed there, with the Python package."""

import os
import re
import signal
import subprocess
import sys

import pytest
import websocket

from lib.deployment import IDENT, TOP, dir_, handler
from lib.server import Server
from lib.waiting import DEADLINE


def example(contract):
    with open(os.path.join(TOP, "docs/websockets.md"), encoding="utf-8") as page:
        return re.search(rf"```python {contract}\n(.*?)```", page.read(), re.S).group(1)


# Goal: both examples greet, send back texts and bytes, and hear of the end.
@pytest.mark.parametrize("contract", ["messages", "frames"])
def test_example(deployment, workers, contract):
    specs = dict(send_spec="ipc://run/h-q", recv_spec="ipc://run/h-r")
    deployment.configure({"/": dir_(), "/ws": handler(websocket=contract, **specs)},
                         settings={"handler.wait_ms": 60000})
    server = Server(deployment, workers=workers)
    names = (f"SENDER, REQUESTS, REPLIES = {IDENT!r}, "
             f"{deployment.endpoint(specs['send_spec'])!r}, "
             f"{deployment.endpoint(specs['recv_spec'])!r}\n")
    process = subprocess.Popen([sys.executable, "-u", "-c", names + example(contract)],
                               stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": os.path.join(TOP, "scripts")})
    try:
        client = websocket.create_connection(f"ws://127.0.0.1:{deployment.port}/ws",
                                             timeout=DEADLINE)
        assert client.recv() == "welcome"
        client.send("gr\u00fc\u00df")
        assert client.recv() == "gr\u00fc\u00df"
        client.send_binary(b"\x00\xff")
        assert client.recv() == b"\x00\xff"
        client.ping(b"p")
        opcode, got = client.recv_data_frame(control_frame=True)
        assert (opcode, got.data) == (websocket.ABNF.OPCODE_PONG, b"p")
        client.send_close(1000)
        opcode, got = client.recv_data_frame(control_frame=True)
        assert (opcode, got.data) == (websocket.ABNF.OPCODE_CLOSE, b"\x03\xe8")
        client.shutdown()
        if contract == "messages":  # with 'frames' it asked for the end itself
            assert process.stdout.readline().startswith("gone:")
        assert server.log().count("Skipped invalid message") == 0
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE)
