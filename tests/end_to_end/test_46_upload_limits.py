"""Uploads within their settings, and what a reload, a stop and absent handlers make of them."""

import os
import stat

import pytest

from lib.deployment import UUID, handler
from lib.handler import Handler
from lib.server import Server, faults, run
from lib.waiting import wait_until

LIMIT = 20480
START, DONE = "x-mongrel2-upload-start", "x-mongrel2-upload-done"
STORE = {"upload.temp_store": "tmp/body.XXXXXX", "limits.content_length": LIMIT}


def files(deployment):
    return os.listdir(deployment.path("tmp"))


def begin(server, length=900_000, first=b"a" * 30_000, fields=""):
    client = server.client()
    return client.send(f"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n"
                       f"{fields}\r\n".encode() + first)


# Goal: the file has exactly upload.temp_store_mode, whatever the umask; an absolute path works.
def test_mode(deployment):
    deployment.configure({"/h": handler()}, settings={
        **STORE, "upload.temp_store": deployment.path("tmp/abs.XXXXXX"),
        "upload.temp_store_mode": "0664"})
    server = Server(deployment, workers=1, start=False)
    server.start(preexec_fn=lambda: os.umask(0o077))
    with server, Handler(deployment) as on, begin(server, 30_000):
        on.recv()
        name = on.recv().headers[DONE]
        assert name.startswith(deployment.path("tmp/abs."))
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o664


# Goal: the checker names what is wrong with the settings. Method: one fault at a time.
@pytest.mark.parametrize("key, value, words", [
    ("upload.temp_store", "tmp/body", "XXXXXX"),
    ("upload.temp_store", "tmp/body.XXXXX", "XXXXXX"),
    ("upload.temp_store", "nowhere/body.XXXXXX", "nowhere"),
    ("upload.temp_store", "locked/body.XXXXXX", "locked"),
    ("upload.temp_store_mode", "600", "octal"),
    ("upload.temp_store_mode", "0400", "octal"),
    ("upload.temp_store_mode", "01600", "octal"),
    ("upload.temp_store_mode", "rw", "octal"),
    ("upload.max_bytes", "0", "upload.max_bytes"),
])
def test_checked(deployment, key, value, words):
    os.mkdir(deployment.path("locked"))
    os.chmod(deployment.path("locked"), 0o555)
    os.chown(deployment.path("locked"), 0, 0) if os.geteuid() == 0 else None
    deployment.configure({"/h": handler()}, settings={key: value})
    done = run("--check", deployment.database, UUID)
    lines = faults(done.stdout)
    assert done.returncode == 1 and any(key in line and words in line for line in lines), lines


# Goal: upload.max_bytes bounds both kinds of body; beyond, 413 and no file.
def test_max_bytes(deployment, workers):
    deployment.configure({"/h": handler()}, settings={**STORE, "upload.max_bytes": 100_000})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        with begin(server, 100_001, b"", "Expect: 100-continue\r\n") as client:
            answer = client.answer()
            assert (answer.status, answer.interim) == (413, [])
        with begin(server, 100_000, b"a" * 100_000):
            on.recv()
            os.unlink(deployment.path(on.recv().headers[DONE]))
        while not on.recv().is_disconnect():
            pass
        with server.client() as client:
            client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send(b"5000\r\n" + b"b" * 0x5000 + b"\r\n5000\r\n" + b"b" * 0x5000)
            on.recv()
            client.send(b"\r\nf000\r\n" + b"b" * 0xf000)
            assert client.answer().status == 413
        assert on.recv().is_disconnect()
        wait_until(lambda: not files(deployment), "the file to go")


# Goal: upload.files bounds how many there are at a time; the next is told 503 and when to come
# again, and gets its turn when one has ended.
def test_files(deployment):
    deployment.configure({"/h": handler()}, settings={**STORE, "upload.files": 2})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        clients = [begin(server) for _ in range(2)]
        for _ in clients:
            on.recv()
        with begin(server, fields="Expect: 100-continue\r\n", first=b"") as late:
            answer = late.answer()
            assert (answer.status, answer.interim) == (503, [])
            assert "retry-after" in answer.headers
        clients[0].close()
        assert on.recv().is_disconnect()
        wait_until(lambda: len(files(deployment)) == 1, "one file less")

        def come_again():  # the worker hears of it a moment later
            client = begin(server, fields="Expect: 100-continue\r\n", first=b"")
            return client if b" 100 " in client.take_until(b"\r\n\r\n") else client.close()
        with wait_until(come_again, "its turn"):
            assert START in on.recv().headers
        clients[1].close()


# Goal: no handler takes the first message, or the second: 503, and no file is left.
@pytest.mark.parametrize("lost", ["first", "second"])
def test_no_handler(deployment, workers, lost):
    short = {**STORE, "handler.wait_ms": 300, "handler.grace_ms": 0}
    patient = {**short, "handler.wait_ms": 30000}
    deployment.configure({"/h": handler()}, settings=short if lost == "first" else patient)
    with Server(deployment, workers=workers) as server:
        if lost == "first":
            client = begin(server)
        else:
            with Handler(deployment) as on:
                client = begin(server)
                on.recv()
            server.handlers_gone(1)
            deployment.configure({"/h": handler()}, settings=short)
            server.reload()
            client.send(b"b" * 870_000)
        answer = client.answer()
        assert answer.status == 503 and "retry-after" in answer.headers
        wait_until(lambda: not files(deployment), "the file to go")


# Goal: a reload within an upload changes nothing for it, not even when the store moves; the next
# one goes to the new place.
def test_reload(deployment, workers):
    deployment.configure({"/h": handler()}, settings=STORE)
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        with begin(server) as client:
            first = on.recv()
            deployment.configure({"/h": handler()},
                                 settings={**STORE, "upload.temp_store": "tmp/new.XXXXXX"})
            server.reload()
            client.send(b"b" * 870_000)
            done = on.recv()
            assert done.headers[DONE] == first.headers[START]
            assert len(deployment.read(done.headers[DONE])) == 900_000
            on.reply(done, "kept")
            assert client.answer().body == b"kept"
            client.send_request("POST", "/h", body=b"c" * 30_000)
            assert on.recv().headers[START].startswith("tmp/new.")
            on.reply(on.recv(), "moved")
            assert client.answer().body == b"moved"


# Goal: a graceful stop lets an upload end; one that takes too long is cut off, without its file.
@pytest.mark.parametrize("in_time", [True, False])
def test_stop(deployment, workers, in_time):
    deployment.configure({"/h": handler()},
                         settings={**STORE, "drain_ms": 30000 if in_time else 300})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        with begin(server) as client:
            on.recv()
            server.children()
            server.send_signal(15)
            wait_until(lambda: "STOPPING" in str(server.notify.next()), "the stop to begin")
            if in_time:
                client.send(b"b" * 870_000)
                done = on.recv()
                assert len(deployment.read(done.headers[DONE])) == 900_000
                on.reply(done, "last")
                assert client.answer().body == b"last"
            server.wait_end()
            assert len(files(deployment)) == (1 if in_time else 0)


# Goal: the access log has the answer of an upload like that of any request.
def test_access_log(deployment):
    deployment.configure({"/h": handler()}, settings=STORE)
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        with begin(server, 30_000) as client:
            on.recv()
            on.reply(on.recv(), "stored")
            client.answer()
            line = server.wait_access(1)[0]
            assert line[4:] == [b"POST", b"/h", b"HTTP/1.1", 200, 6]


# Goal: an answer to the first message counts while the second one waits for a handler, which then
# never sees it; the file goes. Method: a handler that only answers is left.
def test_answered_while_waiting(deployment):
    deployment.configure({"/h": handler()}, settings={
        **STORE, "handler.wait_ms": 60000, "handler.grace_ms": 0})
    with Server(deployment, workers=1) as server:
        with Handler(deployment) as on, Handler(deployment, replies_only=True) as other:
            client = begin(server)
            first = on.recv()
            on.close()
            server.handlers_gone(1)
            client.send(b"b" * 870_000)
            path = deployment.path(first.headers[START])
            wait_until(lambda: stat.S_IMODE(os.stat(path).st_mode) == 0o600, "the whole file")
            server.get("/")  # a turn of the loop, behind the one that knows of it
            wait_until(lambda: other.reply(first, "never mind") or not client.is_quiet(),
                       "the answer of the other one")
            assert client.answer().body == b"never mind"
            wait_until(lambda: not files(deployment), "the file to go")
