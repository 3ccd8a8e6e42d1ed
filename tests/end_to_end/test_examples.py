"""The examples of docs/examples, each in its language, with the real server."""

import os
import subprocess
import sys

import pytest

from lib.client import Client
from lib.deployment import TOP, handler
from lib.server import Server
from lib.waiting import DEADLINE

EXAMPLES = os.path.join(TOP, "docs", "examples")


def compile_cpp(folder):
    program = str(folder / "echo")
    subprocess.run(["g++", "-std=c++20", "-I", os.path.join(TOP, "deploy", "include"),
                    os.path.join(EXAMPLES, "echo.cc"), "-o", program, "-lzmq", "-lsimdjson"],
                   check=True, timeout=300)
    return [program]


def find_node(_):
    """The package zeromq, which brings its library along. scripts/run-tests fetches it."""
    folder = os.path.join(os.environ.get("M2_NPM", "/nonexistent"), "node_modules")
    if not os.path.isdir(os.path.join(folder, "zeromq")):
        pytest.skip("needs the npm registry")
    os.environ["NODE_PATH"] = folder
    return ["node", os.path.join(EXAMPLES, "echo.js")]


def script(*words):
    return lambda _: [*words[:-1], os.path.join(EXAMPLES, words[-1])]


# Goal: what the documentation shows works as it stands there: GET, POST with a body, HEAD where the
# kit knows it, a browser that leaves in between; TERM ends those that serve by a library of ours.
# Method: run it as a reader would.
@pytest.mark.parametrize("name, prepare", [
    ("Python", script(sys.executable, "echo.py")), ("C++", compile_cpp),
    ("Ruby", script("ruby", "echo.rb")), ("Perl", script("perl", "echo.pl")),
    ("PHP", script("php", "echo.php")), ("Node", find_node)],
    ids=["python", "cpp", "ruby", "perl", "php", "node"])
def test_example(deployment, tmp_path, name, prepare):
    command = prepare(tmp_path)
    deployment.configure({"/": handler()}, settings={"handler.wait_ms": 30000})
    with Server(deployment, workers=1):
        process = subprocess.Popen(
            [*command, deployment.endpoint("ipc://run/h-q"), deployment.endpoint("ipc://run/h-r")],
            env={**os.environ, "PYTHONPATH": os.path.join(TOP, "scripts")})
        try:
            client = Client(deployment.port, deadline=2 * DEADLINE)
            assert client.request(path="/a").body == f"{name}: GET /a, 0 bytes\n".encode()
            Client(deployment.port).request(path="/gone")
            body = "ä€".encode() + bytes(range(256))
            answer = client.request("POST", "/b", body=body)
            assert answer.body == f"{name}: POST /b, {len(body)} bytes\n".encode()
            if name in ("Python", "C++"):
                process.terminate()
                assert process.wait(DEADLINE) == 0
        finally:
            process.kill()
            process.wait(DEADLINE)
