"""Uploads when the disk is full, locked or stands still, and when somebody is killed meanwhile:
the client gets an answer if anybody can give one, and no half-done file stays."""

import ctypes
import os
import resource
import signal

import pytest

from lib.deployment import GID, UID, dir_, handler
from lib.handler import Answering, Handler, http
from lib.server import Server, process_facts
from lib.stiff_disk import StiffDisk
from lib.waiting import wait_until

START, DONE = "x-mongrel2-upload-start", "x-mongrel2-upload-done"
STORE = {"upload.temp_store": "tmp/body.XXXXXX", "limits.content_length": 20480}


def files(deployment):
    return [name for name in os.listdir(deployment.path("tmp")) if name.startswith("body.")]


def begin(server, length=900_000, first=b"a" * 30_000):
    return server.client().send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
                                % (length, first))


def mount(source, target, kind, options=b""):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source, target.encode(), kind, 0, options) != 0:
        pytest.skip(f"needs root that may mount: {os.strerror(ctypes.get_errno())}")
    return libc


@pytest.fixture
def small_disk(deployment, root):
    """tmp/ as a file system of its own with room for some pages."""
    libc = mount(b"tmpfs", deployment.path("tmp"), b"tmpfs",
                 f"size=256k,uid={UID},gid={GID},mode=755".encode())
    yield deployment
    libc.umount2(deployment.path("tmp").encode(), 2)


@pytest.fixture
def stiff_disk(deployment, root):
    with StiffDisk(deployment, "tmp") as disk:
        yield deployment, disk


# Goal: a full disk is a clear 507, the file goes and makes room, the handler hears of the end, and
# the next upload, which fits, is stored.
def test_full_disk(small_disk, workers):
    deployment = small_disk
    deployment.configure({"/h": handler()}, settings=STORE)
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        with begin(server, 2_000_000) as client:
            first = on.recv()
            client.send(b"a" * 1_000_000)
            answer = client.answer()
            assert answer.status == 507 and answer.headers["connection"] == "close"
            notice = on.recv()
            assert notice.is_disconnect() and notice.id == first.id
            wait_until(lambda: not files(deployment), "the file to go")
            server.says("tmp/body.XXXXXX")
            server.says("No space left")
        with begin(server, 30_000) as client:
            on.recv()
            assert len(deployment.read(on.recv().headers[DONE])) == 30_000


# Goal: the same for a limit of the system on the size of files, also met by the last bytes.
@pytest.mark.parametrize("length", [65537, 900_000])
def test_file_size_limit(deployment, length):
    deployment.configure({"/h": handler()}, settings=STORE)
    server = Server(deployment, workers=1, start=False)
    server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
    with server, Handler(deployment) as on:
        with begin(server, length) as client:
            first = on.recv()
            client.send(b"a" * (min(length, 200_000) - 30_000))
            assert client.answer().status == 507
            assert client.is_closed()
            assert on.recv().id == first.id
            wait_until(lambda: not files(deployment), "the file to go")


# Goal: a folder that stops taking files is a 500 before the body is asked for, and a line in the
# log that names the setting's value. Method: lock it, and remove it, under a running server.
@pytest.mark.parametrize("fault", ["locked", "gone"])
def test_no_folder(deployment, fault):
    deployment.configure({"/h": handler()}, settings=STORE)
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        if fault == "gone":
            os.rmdir(deployment.path("tmp"))
        else:
            os.chown(deployment.path("tmp"), 0 if os.geteuid() == 0 else UID, GID)
            os.chmod(deployment.path("tmp"), 0o555)
        with server.client() as client:
            client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n"
                        b"Expect: 100-continue\r\n\r\n")
            answer = client.answer()
            assert (answer.status, answer.interim) == (500, [])
        server.says("upload.temp_store tmp/body.XXXXXX: cannot create a file")
        assert not on.has_message(0)


# Goal: as root's server, workers are nobody in the chroot: the file is theirs and inside; and the
# checker says so when they cannot write there.
def test_in_chroot(deployment, root):
    deployment.configure({"/h": handler()}, settings={
        **STORE, "server.daemonize": 0, "upload.temp_store": "/tmp/body.XXXXXX"})
    with Server(deployment, workers=1, as_root=True) as server, Handler(deployment) as on:
        assert process_facts(server.workers()[0])["uids"][0] == str(UID)
        with begin(server, 30_000):
            on.recv()
            name = on.recv().headers[DONE]
            assert name.startswith("/tmp/body.")
            facts = os.stat(deployment.folder + name)
            assert (facts.st_uid, facts.st_size) == (UID, 30_000)
        os.chown(deployment.path("tmp"), 0, 0)
        server.reload()
        server.says(f"uid {UID}")
        server.says("cannot create files")


# Goal: what a killed worker leaves half-done goes when the next one starts; what was done before
# stays, and so does what others write; its handlers are told.
def test_worker_killed(deployment, workers):
    deployment.configure({"/": dir_(), "/h": handler()}, settings=STORE)
    deployment.write("tmp/body.foreig", b"not ours")
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        with begin(server, 30_000):
            on.recv()
            done = on.recv().headers[DONE]
        while not on.recv().is_disconnect():
            pass
        victim = server.workers()[0]
        [client] = server.clients_of(victim, 1)
        client.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n" + b"a" * 30_000)
        lost = on.recv()
        others = []
        if workers > 1:
            [other] = server.clients_of(server.workers()[1], 1)
            other.send(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n")
            others = [on.recv()]
        os.kill(victim, signal.SIGKILL)
        kept = {"body.foreig", done.removeprefix("tmp/")}
        kept |= {request.headers[START].removeprefix("tmp/") for request in others}
        wait_until(lambda: set(files(deployment)) == kept, "the half-done file alone to go")
        if workers > 1:
            notice = on.recv()
            assert notice.is_disconnect() and notice.id == lost.id
            other.send(b"b" * 90_000)
            assert len(deployment.read(on.recv().headers[DONE])) == 90_000


# Goal: the same when everything was killed: the next start tidies up.
def test_server_killed(deployment):
    deployment.configure({"/h": handler()}, settings=STORE)
    with Server(deployment, workers=2) as server, Handler(deployment) as on:
        client = begin(server)
        on.recv()
        server.end_now()
        client.close()
    assert len(files(deployment)) == 1
    with Server(deployment, workers=2):
        wait_until(lambda: not files(deployment), "the half-done file to go")


# Goal: a handler that dies between the two messages: another of the pair gets the second.
def test_handler_killed(deployment, workers):
    deployment.configure({"/h": handler()}, settings={**STORE, "handler.wait_ms": 20000})
    with Server(deployment, workers=workers) as server:
        with Handler(deployment) as first:
            client = begin(server)
            name = first.recv().headers[START]
        wait_until(lambda: "no handler is connected" in server.log(), "the handler's end")
        client.send(b"b" * 870_000)
        with Handler(deployment) as second:
            done = second.recv()
            assert done.headers[DONE] == name and len(deployment.read(name)) == 900_000
            second.reply(done, "by another")
            assert client.answer().body == b"by another"


# Goal: the file of a finished upload belongs to the handlers as soon as one of them has the message
# that names it: it stays when that one dies before it answers, and when it is silent for too long.
@pytest.mark.parametrize("end", ["dies", "silent"])
def test_done_and_then(deployment, workers, end):
    deployment.configure({"/h": handler()}, settings={
        **STORE, "handler.grace_ms": 300, "handler.timeout": 0 if end == "dies" else 1000})
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        client = begin(server, 30_000)
        on.recv()
        name = on.recv().headers[DONE]
        if end == "dies":
            on.close()
        assert client.answer().status == (502 if end == "dies" else 504)
        assert client.is_closed()
        with begin(server, 90_000) as other:  # the disk's thread works in order
            wait_until(lambda: len(files(deployment)) == 2, "the file of another upload")
            other.close()
            wait_until(lambda: len(files(deployment)) == 1, "its end")
        assert deployment.read(name) == b"a" * 30_000


# Goal: the file of an upload that no handler took is removed, whatever ends the wait: also when
# handler.timeout is shorter than handler.wait_ms, and the second message still waits.
def test_done_and_not_taken(deployment, workers):
    deployment.configure({"/h": handler()}, settings={**STORE, "handler.timeout": 500})
    with Server(deployment, workers=workers) as server:
        with begin(server, 30_000) as client:
            assert client.answer().status == 504
            wait_until(lambda: not files(deployment), "the file to go")
        with Handler(deployment) as on:
            with server.client() as client:
                client.send_request("GET", "/h/next")
                request = on.recv_request()
                assert request.path == "/h/next"
                on.reply(request, "k")
                assert client.answer().body == b"k"


# Goal: while the disk stands still everybody else is served by the same worker, the client of the
# upload is kept waiting and costs no more memory than two buffers; afterwards it goes on as if
# nothing had been. Method: freeze the file system within an upload.
def test_disk_stands_still(stiff_disk):
    deployment, disk = stiff_disk
    deployment.configure({"/": dir_(), "/h": handler(), "/ask": handler("k")}, settings=STORE)
    with Server(deployment, workers=1) as server, Handler(deployment) as on, \
            Answering(deployment, lambda request: http("k"), name="k"):
        client = begin(server, 8_000_000)
        name = on.recv().headers[START]
        wait_until(lambda: len(deployment.read(name)) == 30_000, "its beginning on the disk")
        disk.freeze()
        client.socket.setblocking(False)
        sent = 30_000
        for _ in range(100):  # as much as it takes
            try:
                sent += client.socket.send(b"a" * min(100_000, 8_000_000 - sent))
            except BlockingIOError:
                pass
            assert server.get().status == 200 and server.get("/ask").body == b"k"
        assert sent < 8_000_000  # the rest has no room: the server reads no more
        disk.thaw()
        client.socket.settimeout(30)
        client.send(b"a" * (8_000_000 - sent))
        done = on.recv()
        assert deployment.read(done.headers[DONE]) == b"a" * 8_000_000
        on.reply(done, "at last")
        assert client.answer().body == b"at last"


# Goal: a client that leaves meanwhile is noticed though nobody reads it, and a disk that stands
# still for upload.disk_ms is a 503; both files go when it moves again.
def test_disk_never_moves(stiff_disk):
    deployment, disk = stiff_disk
    deployment.configure({"/": dir_(), "/h": handler()}, settings={**STORE, "upload.disk_ms": 6000})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        clients = [begin(server, 4_000_000) for _ in range(2)]
        told = [on.recv() for _ in clients]
        ids = {request.id for request in told}
        disk.freeze()
        for client in clients:
            client.send(b"a" * 1_000_000)
        clients[0].close()
        notice = on.recv()
        assert notice.is_disconnect() and notice.id in ids
        answer = clients[1].answer()
        assert answer.status == 503 and "retry-after" in answer.headers
        clients[1].close()
        assert on.recv().id in ids - {notice.id}
        assert server.get().status == 200
        disk.thaw()
        wait_until(lambda: not files(deployment), "the files to go")
