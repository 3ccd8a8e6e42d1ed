"""Dir: large downloads: what happens to the file meanwhile, memory, fairness, descriptors."""

import os
import socket
import threading

import pytest

from lib.client import Client
from lib.deployment import dir_
from lib.server import Server
from lib.waiting import wait_until

SIZE = 16 << 20  # far above what the sockets of both sides hold
GIGABYTE = 1 << 30


def sparse(deployment, name, size=GIGABYTE):
    path = deployment.write(name, b"")
    os.truncate(path, size)
    os.utime(path, (1e9, 1e9))
    return path


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def body_of(client, length):
    """As much of the length as comes, however the connection ends."""
    body = bytearray(client.received)
    try:
        while len(body) < length and (data := client.socket.recv(1 << 20)):
            body += data
    except ConnectionResetError:
        pass
    return bytes(body)


def rewrite(path, content, mode="r+b"):
    with open(path, mode) as file:
        file.write(content)


def replace(path):
    rewrite(path + ".new", b"b" * SIZE, "wb")
    os.rename(path + ".new", path)


# Goal: around the size up to which files are sent from memory, and far above it, each answer is the
# same: whole, HEAD, a range, several, one that ends the connection, and the next on the connection.
@pytest.mark.parametrize("size", [16 << 10, (32 << 10) - 1, 32 << 10, (32 << 10) + 1, 100 << 10,
                                  (256 << 10) + 1, 1 << 20])
def test_sizes(deployment, size):
    content = os.urandom(size)
    path = deployment.write("www/f", content)
    os.utime(path, (1e9, 1e9))
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=1) as server, server.client() as client:
        for _ in range(2):
            whole = client.request(path="/f")
            assert whole.body == content
            head = client.request("HEAD", "/f")
            assert head.body == b"" and head.headers == {**whole.headers,
                                                         "date": head.headers["date"]}
            part = client.request(path="/f", headers={"Range": f"bytes=5-{size - 7}"})
            assert (part.status, part.body) == (206, content[5:size - 6])
            parts = client.request(path="/f", headers={"Range": f"bytes=0-0,{size - 1}-"})
            assert parts.status == 206 and parts.body.count(b"Content-Range: bytes ") == 2
            assert client.request(path="/f", headers={
                "If-None-Match": whole.headers["etag"]}).status == 304
        last = client.request(path="/f", headers={"Connection": "close"})
        assert last.body == content and last.headers["connection"] == "close"
        assert client.is_closed()
        assert {line[8] for line in server.wait_access(11)[:1]} == {size}


# Goal: a download shows one state of the file: the one it began with, whole, or it ends early.
# Method: a client that reads slowly; the file is changed in every way once the head is out.
@pytest.mark.parametrize("change, whole", [
    (os.unlink, True), (replace, True), (lambda path: os.rename(path, path + ".old"), True),
    (lambda path: os.chmod(path, 0), True), (lambda path: rewrite(path, b"b", "ab"), True),
    (lambda path: os.truncate(path, 100), False),
    (lambda path: rewrite(path, b"b" * SIZE), False),
    (lambda path: rewrite(path, b"b" * (SIZE + 1000), "wb"), False),
], ids=["deleted", "replaced", "renamed", "locked", "appended", "truncated", "rewritten", "longer"])
@pytest.mark.parametrize("spec", [None, f"0-9,100-{SIZE - 1}"], ids=["whole", "parts"])
def test_changed_while_sent(deployment, change, whole, spec):
    path = deployment.write("www/f.txt", b"a" * SIZE)
    os.utime(path, (1e9, 1e9))
    deployment.configure()
    with Server(deployment, workers=1) as server:
        with Client(deployment.port, receive_buffer=4096) as client:
            client.send_request(path="/f.txt", headers={"Range": f"bytes={spec}"} if spec else {})
            head = client.take_until(b"\r\n\r\n").decode()
            length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            change(path)
            body = body_of(client, length)
            if whole:
                assert len(body) == length and b"b" * 10 not in body
                assert body.count(b"a") >= SIZE - 90 - 100
            else:
                # What the sockets held already may follow; the client sees that it is not all.
                assert len(body) < length
                wait_until(lambda: "while it was sent" in server.log(), "the reason in the log")
        answer = server.get("/f.txt")
        if answer.status == 200:
            with open(path, "rb") as file:
                assert answer.body == file.read()
        else:
            assert answer.status == (403 if os.path.exists(path) else 404)


# Goal: large downloads cost no memory. Method: forty clients with a gigabyte each under way, as far
# as the sockets take it; the worker is as small as before.
def test_memory(deployment):
    sparse(deployment, "www/gigabyte")
    deployment.configure()
    with Server(deployment, workers=1) as server:
        assert server.get("/").status == 200
        worker, = server.workers()
        before = resident_bytes(worker)
        clients = [Client(deployment.port, receive_buffer=4096) for _ in range(40)]
        try:
            for client in clients:
                client.send_request(path="/gigabyte")
            for client in clients:
                assert b"Content-Length: 1073741824" in client.take_until(b"\r\n\r\n")
            assert server.get("/").status == 200
            assert resident_bytes(worker) - before < 8 << 20
        finally:
            for client in clients:
                client.close()
        assert server.get("/").status == 200


class Downloader(threading.Thread):
    """Reads as fast as it can and throws away what it gets."""

    def __init__(self, port, path):
        super().__init__()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        self.got = 0
        self.end = False

    def run(self):
        scratch = bytearray(1 << 18)
        while not self.end:
            count = self.socket.recv_into(scratch, len(scratch), socket.MSG_TRUNC)
            self.got += count
            if count == 0:
                break
        self.socket.close()


# Goal: many large downloads starve nobody: neither small requests nor each other. Method: sixteen
# clients take a terabyte each as fast as they can from one worker, which is not over soon; in the
# meantime a hundred requests for a small file are answered, and each download goes on.
def test_fairness(deployment):
    sparse(deployment, "www/terabyte", 1024 * GIGABYTE)
    deployment.configure()
    with Server(deployment, workers=1) as server, server.client() as client:
        downloads = [Downloader(deployment.port, "/terabyte") for _ in range(16)]
        try:
            for download in downloads:
                download.start()
            wait_until(lambda: all(each.got > 1 << 20 for each in downloads), "all have begun")
            before = [each.got for each in downloads]
            for _ in range(100):
                assert client.request(path="/index.html").status == 200
            wait_until(lambda: all(each.got > seen for each, seen in zip(downloads, before)),
                       "all go on")
        finally:
            for download in downloads:
                download.end = True
            for download in downloads:
                download.join()


# Goal: dir.cache_files bounds the open files of a worker, however many Dirs there are. Method:
# three Dirs with more large files than it; then the descriptors of the worker are counted.
def test_open_files_are_bounded(deployment):
    for number in range(30):
        sparse(deployment, f"www/f{number}", 1 << 20)
    deployment.configure({"/": dir_(), "/a/": dir_(cache_ttl=1), "/b/": dir_(cache_ttl=2)},
                         settings={"dir.cache_files": 10})
    with Server(deployment, workers=1) as server, server.client() as client:
        worker, = server.workers()

        def open_files():
            folder = f"/proc/{worker}/fd"
            return sum(os.readlink(f"{folder}/{fd}").startswith(deployment.path("www/f"))
                       for fd in os.listdir(folder))
        for base in ("/", "/a/", "/b/"):
            for number in range(30):
                answer = client.request(path=f"{base}f{number}", headers={"Range": "bytes=-1"})
                assert (answer.status, answer.body) == (206, b"\0")
        assert 0 < open_files() <= 10


# Goal: without a cache everything is served all the same.
def test_without_cache(deployment):
    sparse(deployment, "www/large", 1 << 20)
    deployment.configure(settings={"dir.cache_files": 0, "dir.cache_bytes": 0})
    with Server(deployment, workers=1) as server, server.client() as client:
        for _ in range(3):
            assert client.request(path="/index.html").body == b"<h1>hello</h1>\n"
            assert client.request("HEAD", "/index.html").headers["content-length"] == "15"
            assert client.request(path="/large").body == bytes(1 << 20)
            assert client.request(path="/index.html", headers={"Range": "bytes=4-8"}).status == 206
