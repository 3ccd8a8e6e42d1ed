"""CURVE: on a network only who holds an allowed key can take requests and answer browsers."""

import os
import sys

import pytest
import zmq

from lib.deployment import GID, TOP, UID, handler, m2sh
from lib.handler import Answering, Handler, http
from lib.server import Server, faults, run
from lib.waiting import free_port, wait_until

sys.path.insert(0, os.path.join(TOP, "scripts"))
from mongrel2 import keys  # noqa: E402
from mongrel2.handler import Connection  # noqa: E402

SETTINGS = {"handler.wait_ms": 20000}


@pytest.fixture
def guarded(deployment):
    """Keys of the server and of two handlers, of which the server knows one; a pair on tcp."""
    for name in ("server", "friend", "stranger"):
        m2sh("keys", "-out", deployment.path(name))
    deployment.write("clients", b"# who may connect\n\n" + keys.read(deployment.path("friend.pub"))
                     + b" the friend\n")
    specs = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    deployment.settings = {**SETTINGS, "curve.key_file": deployment.path("server.key"),
                           "curve.clients_file": deployment.path("clients")}
    deployment.routes = {"/h": handler(send_spec=specs[0], recv_spec=specs[1])}
    deployment.configure(deployment.routes, settings=deployment.settings)
    deployment.specs = specs
    os.chown(deployment.path("server.key"), UID, GID)
    return deployment


def curve_of(deployment, name):
    return keys.load(deployment.path("server.pub"), deployment.path(name))


# Goal: a handler with an allowed key serves; one with another key, one without, and one that takes
# somebody else for the server get no request and can answer nobody.
def test_only_holders_of_a_key(guarded, workers):
    friend, stranger = curve_of(guarded, "friend"), curve_of(guarded, "stranger")
    mistaken = friend._replace(server=stranger.public)
    with Server(guarded, workers=workers) as server, server.client() as client:
        client.send_request(path="/h")
        with Handler(guarded, specs=guarded.specs, curve=stranger) as bad, \
                Handler(guarded, specs=guarded.specs) as plain, \
                Handler(guarded, specs=guarded.specs, curve=mistaken) as wrong:
            wait_until(lambda: "no key that stands in curve.clients_file" in server.log(),
                       "a refusal in the log")
            assert client.is_quiet()
            with Handler(guarded, specs=guarded.specs, curve=friend) as good:
                request = good.recv()
                for other in (bad, plain, wrong):
                    other.send(request.id, http("forged"))
                good.reply(request, "true")
                assert client.answer().body == b"true"
                for number in range(20):
                    client.send_request(path=f"/h/{number}")
                    good.reply(good.recv(), "again")
                    assert client.answer().body == b"again"
                assert not any(other.has_message(0) for other in (bad, plain, wrong))
        assert keys.read(guarded.path("server.key")).decode() not in server.log()


# Goal: the Python library knows how; ipc endpoints of the same server stay as they are.
def test_python_and_ipc(guarded, workers):
    guarded.configure({**guarded.routes, "/ipc": handler("plain")}, settings=guarded.settings)
    with Server(guarded, workers=workers) as server, server.client() as client, \
            Answering(guarded, lambda request: http("ipc"), name="plain"):
        assert client.request(path="/ipc").body == b"ipc"
        connection = Connection("34f9ceee", *guarded.specs, curve=curve_of(guarded, "friend"))
        client.send_request(path="/h")
        connection.reply_http(connection.recv(), "by curve")
        assert client.answer().body == b"by curve"
        connection.shutdown()


# Goal: a reload changes who may connect; who is connected stays. The server's own key stays.
def test_reload(guarded, workers):
    with Server(guarded, workers=workers) as server, server.client() as client, \
            Answering(guarded, lambda request: http("friend"), specs=guarded.specs,
                      curve=curve_of(guarded, "friend")):
        assert client.request(path="/h").body == b"friend"
        guarded.write("clients", keys.read(guarded.path("stranger.pub")))
        server.reload()
        assert client.request(path="/h").body == b"friend"
        with Answering(guarded, lambda request: http("stranger"), specs=guarded.specs,
                       curve=curve_of(guarded, "stranger")):
            wait_until(lambda: client.request(path="/h").body == b"stranger", "the new one")
        guarded.write("server.key", keys.read(guarded.path("stranger.key")))
        os.chmod(guarded.path("server.key"), 0o600)
        server.reload()
        server.says("CURVE key cannot change while the pair is open")


# Goal: each thing that can be wrong with keys is a clear finding, and no key stands in one.
@pytest.mark.parametrize("break_it, finding", [
    (lambda d: os.remove(d.path("server.key")), "cannot be read"),
    (lambda d: os.chmod(d.path("server.key"), 0o640), "chmod 600"),
    (lambda d: d.write("clients", "too short\n"), 'clients", line 1: is no CURVE key'),
    (lambda d: d.write("clients", b"#\n"), "line 1: is no CURVE key"),
    (lambda d: d.sql("DELETE FROM setting WHERE key = 'curve.clients_file'"),
     "nobody may connect without curve.clients_file"),
    (lambda d: d.sql("DELETE FROM setting WHERE key = 'curve.key_file'"),
     "no effect without the server's own key"),
    (lambda d: d.write("server.key", b"# nothing\n"), "must hold one key"),
])
def test_findings(guarded, break_it, finding):
    secret = keys.read(guarded.path("server.key")).decode()
    break_it(guarded)
    done = run("--check", guarded.database, "test")
    assert done.returncode == 1 and finding in done.stdout, faults(done.stdout)
    assert secret not in done.stdout


# Goal: m2sh keys makes what the server and libzmq take, prints without files, overwrites nothing.
def test_m2sh_keys(deployment):
    words = m2sh("keys").stdout.split()
    assert words[0] == "public" and words[2] == "secret"
    assert zmq.curve_public(words[3].encode()) == words[1].encode()
    m2sh("keys", "-out", deployment.path("k"))
    assert os.stat(deployment.path("k.key")).st_mode & 0o777 == 0o600
    assert zmq.curve_public(keys.read(deployment.path("k.key"))) == \
        keys.read(deployment.path("k.pub"))
    again = m2sh("keys", "-out", deployment.path("k"), check=False)
    assert again.returncode == 1 and "File exists" in again.stdout


# Goal: the reason of a refusal stands in the log: a client's key that is not in the list, and a
# server's key that is not the server's.
@pytest.mark.parametrize("which, reason", [
    ("stranger", "no key that stands in curve.clients_file"),
    ("mistaken", "has another CURVE key of the server than curve.key_file: refused"),
])
def test_wrong_keys_are_named(guarded, workers, which, reason):
    friend, stranger = curve_of(guarded, "friend"), curve_of(guarded, "stranger")
    curve = {"stranger": stranger, "mistaken": friend._replace(server=stranger.public)}[which]
    with Server(guarded, workers=workers) as server:
        with Handler(guarded, specs=guarded.specs, curve=curve):
            wait_until(lambda: reason in server.log(), "the refusal in the log")
