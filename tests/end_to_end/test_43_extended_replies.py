"""Extended messages ("X") of Mongrel2 1.x: words of a handler to the server about its clients."""

import os
import time

import pytest

from lib.deployment import Deployment, handler
from lib.handler import Handler, http
from lib.server import Server
from lib.site import Site
from lib.waiting import wait_until

pytestmark = pytest.mark.with_four

KEEP_ALIVE = b"27:3:ctl,17:10:keep-alive,0:,}]"
CREDITS = b"27:3:ctl,17:7:credits,4:5000#}]"
CANCEL = b"22:3:ctl,12:6:cancel,0:,}]"


def wrap(data, tag):
    return b"%d:%s%s" % (len(data), data, tag)


def sendfile(path):
    return wrap(b"8:sendfile," + wrap(path.encode(), b","), b"]")


class ExtendedSite(Site):
    def wait_notice(self, client):
        """Returns the ids of the notices that came before the one of this client."""
        seen = []
        while True:
            message = self.on.recv()
            assert message.is_disconnect()
            if message.id == client.id:
                return seen
            seen.append(message.id)


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.write("www/big", os.urandom(1 << 20))
        deployment.write("www/empty", "")
        deployment.write("secret", "x" * 10)
        os.symlink("/etc/hostname", deployment.path("www/outside"))
        os.mkfifo(deployment.path("www/fifo"))
        deployment.give_away()
        deployment.configure({"/h": handler()}, settings={"handler.sendfile": "www"})
        server = Server(deployment, workers=workers)
        with Handler(deployment) as on:
            yield ExtendedSite(deployment, server, on)


# Goal: cancel drops a connection at once, with what it is still owed, and tells its handler
# nothing; nor does it for an id that nobody has.
def test_cancel(site):
    client = site.client()
    site.on.send(client.id, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
    assert client.take_until(b"01234").startswith(b"HTTP/1.1 200")
    other = site.client()
    site.on.send_extended([client.id, "123456789"], CANCEL)
    assert client.is_closed()
    site.on.send(other.id, http("not cancelled"))
    assert other.answer().body == b"not cancelled"
    other.close()
    assert client.id not in site.wait_notice(other)
    last = site.client()  # through the same worker or the other
    last.close()
    assert client.id not in site.wait_notice(last)


# Goal: keep-alive and credits do no harm wherever a connection stands; several commands in one
# message are all done; unknown ones among them are passed over and logged.
def test_several_commands(site):
    client = site.client()
    for body in (KEEP_ALIVE, CREDITS):
        site.on.send_extended(client.id, body)
    site.on.send(client.id, http("answered"))
    assert client.answer().body == b"answered"
    for body in (KEEP_ALIVE, CREDITS):
        site.on.send_extended(client.id, body)
    site.told(client.send_request(path="/h"))
    commands = b"10:keep-alive,0:,7:credits,2:10#5:dance,0:,6:cancel,0:,"
    site.on.send_extended(client.id, wrap(b"3:ctl," + wrap(commands, b"}"), b"]"))
    assert client.is_closed()


# Goal: keep-alive begins the idle time anew. Method: two idle clients; the handler says it, a while
# later, for the one that has been idle for longer: that one is closed last.
def test_keep_alive(deployment):
    deployment.configure({"/h": handler()}, settings={"limits.idle_ms": 3000})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        site = ExtendedSite(deployment, server, on)
        kept, left = site.client(), site.client()
        for client in (kept, left):
            on.send(client.id, http("ok"))
            assert client.answer().body == b"ok"
        time.sleep(0.4)
        site.on.send_extended(kept.id, KEEP_ALIVE)
        assert site.wait_notice(left) == []
        assert site.wait_notice(kept) == []
        assert left.is_closed() and kept.is_closed()


# Goal: a long poll that its handler keeps has handler.timeout anew. Method: two that wait; the one
# that has waited for longer is kept, and is too late after the other.
def test_keep_alive_of_a_long_poll(deployment):
    deployment.configure({"/h": handler()}, settings={"handler.timeout": 4000})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        site = ExtendedSite(deployment, server, on)
        kept = site.told(server.client().send_request(path="/h/kept"))
        other = site.told(server.client().send_request(path="/h/other"))
        site.on.send_extended(kept.id, KEEP_ALIVE)
        assert (other.answer().status, kept.answer().status) == (504, 504)
        lines = server.wait_access(2)
        assert [line[5] for line in lines] == [b"/h/other", b"/h/kept"]


BAD = [b"", b"garbage", b"0:]", b"5:hello,", b"26:3:ctl,17:10:keep-alive,0:,}]",
       b"27:3:ctl,17:10:keep-alive,0:,}]x", b"27:3:ctl,17:7:credits,4:5000,}]",
       wrap(b"1:a,1:b,1:c,", b"]"), wrap(b"1:1#1:b,", b"]"), b"9" * 1000,
       b"".join(b"9:" for _ in range(100))]


# Goal: what is not of the form is ignored, and the very next message is heard (1.x lost it).
@pytest.mark.parametrize("number", range(len(BAD)))
def test_malformed(site, number):
    with site.client() as client:
        site.on.send_extended(client.id, BAD[number])
        site.on.send(client.id, http("still heard"))
        assert client.answer().body == b"still heard"


# Goal: a key that nobody knows, or ctl that is no dictionary, closes the connections as in 1.x: a
# client would wait for ever for what a module would have sent. Its handler hears of the end.
@pytest.mark.parametrize("elements", [b"7:tickets,1:5#", b"3:ctl,3:now,", b"8:sendfile,1:1#"])
def test_unknown(site, elements):
    client = site.client()
    site.on.send_extended(client.id, wrap(elements, b"]"))
    assert client.is_closed()
    site.wait_notice(client)


# Goal: a file goes out behind the headers that the handler sent, whole, and the connection goes on;
# the access log has its size. Method: one large, one empty, and a file as the end of a longer body.
def test_sendfile(site):
    content = site.deployment.read("www/big")
    with site.client() as client:
        for path, data in (("/big", content), ("big", content)):
            site.on.send(client.id, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data))
            site.on.send_extended(client.id, sendfile(path))
            assert client.answer().body == data
            site.told(client.send_request(path="/h"))
        site.on.send(client.id, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nfirst "
                     % (len(content) + 11))
        site.on.send_extended(client.id, sendfile("/big"))
        site.on.send(client.id, b" last")
        assert client.answer().body == b"first " + content + b" last"
        site.told(client.send_request(path="/h"))
        site.on.send(client.id, b"HTTP/1.1 200 OK\r\nX-Y: z\r\n\r\n")
        site.on.send_extended(client.id, sendfile("/empty"))
        site.on.send_extended(client.id, sendfile("/big"))
        site.on.send(client.id, b"")
        assert client.answer().body == content
    wait_until(lambda: [line[8] for line in site.server.access_log()].count(len(content)) >= 3,
               "lines with the size of the file")


# Goal: several clients in one message get the file, a slow one among them does not stop the others.
def test_sendfile_to_many(site):
    content = site.deployment.read("www/big")
    clients = [site.client() for _ in range(20)]
    ids = [client.id for client in clients]
    site.on.send(ids, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
    site.on.send_extended(ids, sendfile("big"))
    for client in reversed(clients):
        assert client.answer().body == content
        client.close()


# Goal: nothing but regular files beneath the folder, behind headers, of a size that fits: anything
# else ends the answer, and the log says why.
@pytest.mark.parametrize("path, length, why", [
    ("/nothing", 5, "No such file"), ("../secret", 10, "not taken"),
    ("/../secret", 10, "not taken"),
    ("/./big", 5, "not taken"), ("/outside", 5, "link"), ("/fifo", 5, "device or address"),
    ("/", 5, "not a regular file"), ("/big", 5, "do not fit the answer")])
def test_sendfile_refused(site, path, length, why):
    client = site.client()
    site.on.send(client.id, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
    site.on.send_extended(client.id, sendfile(path))
    assert client.take_all().endswith(b"\r\n\r\n")
    site.server.says(f"names the file {path}")
    site.server.says(why)


# Goal: in a chunked answer a file is what is left of a chunk, whose size line and end the handler
# writes; the answer ends, and the connection goes on, as if the handler had sent the bytes.
def test_sendfile_in_a_chunk(site):
    content = site.deployment.read("www/big")
    with site.client() as client:
        site.on.send(client.id, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"5\r\nfirst\r\n%x\r\nand " % (len(content) + 4))
        site.on.send_extended(client.id, sendfile("/big"))
        site.on.send(client.id, b"\r\n%x\r\n" % len(content))
        site.on.send_extended(client.id, sendfile("/big"))
        site.on.send(client.id, b"\r\n0\r\n\r\n")
        assert client.answer().body == b"firstand " + 2 * content
        site.told(client.send_request(path="/h"))
        site.on.send(client.id, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")
        site.on.send_extended(client.id, sendfile("/big"))
        client.take_until(b"\r\n\r\n5\r\n")
        assert client.is_closed()
    site.server.says("of the chunk whose size line came last")


# Goal: the same before any header, between two chunks, and to a client that waits for nothing.
def test_sendfile_out_of_place(site):
    client = site.client()
    site.on.send_extended(client.id, sendfile("/big"))
    assert client.take_all() == b""
    client = site.client()
    site.on.send(client.id, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    site.on.send_extended(client.id, sendfile("/big"))
    assert client.take_all().endswith(b"\r\n\r\n")
    with site.client() as client:
        site.on.send(client.id, http("complete"))
        site.on.send_extended(client.id, sendfile("/big"))
        assert client.answer().body == b"complete"
        site.on.heard(client.id)  # else it may come when the next request is with us
        site.told(client.send_request(path="/h"))
        site.on.send(client.id, http("next"))
        assert client.answer().body == b"next"
