"""Long polls, raw and chunked streams, internet radio with a real player, N handlers for M
clients, presence."""

import re
import resource
import subprocess
import threading

import pytest

from lib.deployment import Deployment, handler
from lib.handler import Handler, http
from lib.server import Server
from lib.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.with_four

METAINT = 8192


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({"/h": handler()}, settings={"handler.queue": 5000})
        server = Server(deployment, workers=workers)
        server.site = deployment
        yield server


def told(on, client):
    client.id = on.recv_request().id
    return client


def memory(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            total += int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024
    return total


@pytest.fixture(autouse=True)
def next_test_meets_no_old_handler(site):
    before = site.log().count(": no handler is connected (")
    yield
    site.handlers_gone(before + 1)


# Goal: held requests cost little memory, and one event answers all of them, 128 with a message.
# Method: 2,000 clients with the headers of a browser; all must be held at once.
def test_long_polls(site):
    fields = {"User-Agent": "Mozilla/5.0 " + "x" * 70, "Accept": "text/html," + "x" * 70,
              "Accept-Language": "en-US,en;q=0.5", "Cookie": "session=" + "x" * 40}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4000)), hard))
    with Handler(site.site) as on:
        clients = [site.client() for _ in range(2000)]
        with site.client() as first:
            told(on, first.send_request(path="/h", headers=fields))
            before = memory(site.workers())
            for client in clients:
                client.send_request(path="/h/poll", headers=fields)
            ids = set()
            while len(ids) < len(clients):
                ids.add(on.recv().id)
            assert memory(site.workers()) - before < len(clients) * 4096
        ids = sorted(ids)
        for at in range(0, len(ids), 128):
            on.send(ids[at:at + 128], http("an event"))
        for client in clients:
            assert client.answer().body == b"an event"
            client.close()
        gone = set()
        while not gone >= set(ids):
            notice = on.recv()
            assert notice.is_disconnect() and notice.id not in gone
            gone.add(notice.id)


# Goal: many chunked and raw streams at once, written by one message for all of them, in pieces that
# have nothing to do with chunks, to clients of both versions.
def test_many_streams(site):
    with Handler(site.site) as on:
        chunked = [told(on, site.client().send_request(path="/h")) for _ in range(30)]
        raw = [told(on, site.client().send_request(path="/h", version=version))
               for version in ("HTTP/1.0", "HTTP/1.1") for _ in range(15)]
        on.send([client.id for client in chunked],
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        on.send([client.id for client in raw], b"HTTP/1.1 200 OK\r\n\r\n")
        text = b"".join(b"%x\r\n%s\r\n" % (size, b"c" * size) for size in range(1, 200))
        for at in range(0, len(text), 777):
            on.send([client.id for client in chunked], text[at:at + 777])
            on.send([client.id for client in raw], text[at:at + 777])
        on.send([client.id for client in chunked], b"0\r\n\r\n")
        on.send([client.id for client in raw], b"")
        for client in chunked:
            assert client.answer().body == b"c" * sum(range(1, 200))
            assert client.is_quiet()  # and ready for another request
            client.close()
        for client in raw:
            assert client.answer().body == text
            client.close()
        for _ in chunked:  # the others' end was the handler's own wish
            assert on.recv().is_disconnect()


# Goal: N handlers of one pair serve M clients together, and know who is there: each event of each
# of them reaches all clients once; who leaves is told to exactly one of them, once. Method: each
# client gets the head from the handler that has its request, the events from all.
def test_many_handlers_many_clients(site):
    handlers = [Handler(site.site) for _ in range(3)]

    def next_request():
        for one in handlers:
            while one.has_message(0):
                request = one.recv()
                if not request.is_disconnect():  # of a client of an earlier test
                    return one, request
        return None
    try:
        clients = {}
        while len(clients) < 40 or len({client.by for client in clients.values()}) < len(handlers):
            client = site.client().send_request(path="/h")
            client.by, request = wait_until(next_request, "a request")
            client.by.send(request.id, b"HTTP/1.1 200 OK\r\n\r\n")
            client.take_until(b"\r\n\r\n")
            clients[request.id] = client
        ids = sorted(clients)
        for number, one in enumerate(handlers):
            for event in range(20):
                one.send(ids, b"<%d:%02d>" % (number, event))
        for client in clients.values():
            got = client.take(6 * 20 * len(handlers))
            events = [got[at:at + 6] for at in range(0, len(got), 6)]
            for number in range(len(handlers)):  # each handler's in its own order
                mine = [event for event in events if event.startswith(b"<%d:" % number)]
                assert mine == [b"<%d:%02d>" % (number, event) for event in range(20)]
        leaving, staying, notices = ids[::2], ids[1::2], []
        for one in leaving:
            clients[one].close()

        def all_told():
            for one in handlers:
                while one.has_message(0):
                    notices.extend({one.recv().id} & clients.keys())
            return len(notices) >= len(leaving)
        wait_until(all_told, "a notice for each that left")
        assert sorted(notices) == leaving
        handlers[-1].send(staying, b"still here")
        for one in staying:
            assert clients[one].take(10) == b"still here"
            clients[one].close()
    finally:
        for one in handlers:
            one.close()


class Radio(Handler):
    """The manual's mp3stream: a head without a body, then the music in blocks with a title behind
    each, until it is over."""

    def __init__(self, deployment, music, head):
        super().__init__(deployment)
        self.music, self.head = music, head
        self.thread = threading.Thread(target=self._play, daemon=True)
        self.thread.start()

    def _play(self):
        while True:
            request = self.recv()
            if not request.is_disconnect():
                break
        assert request.headers["icy-metadata"] == "1"
        self.send(request.id, self.head)
        title = b"StreamTitle='Song of the relay';"
        block = bytes([-(-len(title) // 16)]) + title.ljust(-(-len(title) // 16) * 16, b"\0")
        for at in range(0, len(self.music), METAINT):
            piece = self.music[at:at + METAINT]
            self.send(request.id, piece)
            if len(piece) == METAINT:
                self.send(request.id, block)
        self.send(request.id, b"")


# Goal: a real player plays internet radio: the sound it decodes is that of the file, and it knows
# the station and the title. Method: ffmpeg, with a head of today and one of old stations.
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"ICY 200 OK\r\n"], ids=["http", "icy"])
def test_radio(site, tmp_path, head):
    player = ["ffmpeg", "-nostdin", "-loglevel", "info"]
    music = str(tmp_path / "music.mp3")
    subprocess.run([*player, "-f", "lavfi", "-i", "sine=frequency=440:duration=4",
                    "-write_xing", "0", "-id3v2_version", "0", music],
                   check=True, capture_output=True, timeout=DEADLINE)
    with open(music, "rb") as file:
        data = file.read()
    head += b"Content-Type: audio/mpeg\r\nicy-metaint: 8192\r\nicy-name: Radio Mongrel\r\n\r\n"
    url = f"http://127.0.0.1:{site.site.port}/h"
    wanted = subprocess.run([*player, "-i", music, "-f", "md5", "-"], check=True,
                            capture_output=True, timeout=DEADLINE).stdout
    on = Radio(site.site, data, head)
    try:
        heard = subprocess.run([*player, "-i", url, "-f", "md5", "-"], check=True,
                               capture_output=True, timeout=DEADLINE)
    finally:
        on.thread.join(DEADLINE)
        on.close()
    assert heard.stdout == wanted
    said = heard.stderr.decode("utf-8", "replace")
    assert "Radio Mongrel" in said and "Song of the relay" in said


# Goal: the manual's own example declares an empty body and then streams one; it goes out whole.
def test_radio_with_the_manuals_head(site):
    music = bytes(range(256)) * 100
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nicy-metaint: 8192\r\n\r\n"
    on = Radio(site.site, music, head)
    try:
        with site.client() as client:
            client.send_request(path="/h", headers={"Icy-MetaData": "1"})
            data = client.take_all()
    finally:
        on.thread.join(DEADLINE)
        on.close()
    assert data.startswith(head)
    blocks = data[len(head):]
    assert blocks[:8192] == music[:8192] and b"Song of the relay" in blocks
    assert len(blocks) == len(music) + 3 * 33
