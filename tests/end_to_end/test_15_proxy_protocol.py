"""Listeners whose clients come through a balancer that speaks the PROXY protocol: the client's own
address counts, only trusted balancers are believed, and headers may arrive in any pieces."""

import fcntl
import json
import socket
import struct

import pytest

from lib.client import Client
from lib.deployment import dir_, handler, listener, proxy
from lib.backend import Backend
from lib.handler import Answering, Handler, http
from lib.server import Server, standing_still
from lib.waiting import free_port, wait_until

TRUSTED = "127.0.0.2"  # the balancer; 127.0.0.1 is a stranger
REQUEST = b"GET /h HTTP/1.1\r\nHost: a\r\n\r\n"


def v1(source="192.0.2.1", port=4711):
    family, other = ("TCP6", "::1") if ":" in source else ("TCP4", "127.0.0.1")
    return f"PROXY {family} {source} {other} {port} 80\r\n".encode()


def v2(source="192.0.2.1", port=4711, command=1, tlv=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    local = socket.inet_pton(family, "::1" if ":" in source else "127.0.0.1")
    body = socket.inet_pton(family, source) + local + struct.pack("!HH", port, 80) + tlv
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x20 | command,
                                                0x21 if ":" in source else 0x11, len(body)) + body


def addresses(request):
    return http(json.dumps([request.headers["REMOTE_ADDR"], request.headers["x-forwarded-for"]]))


class Site:
    """A server whose first port is plain and that has a PROXY port and a PROXY unix socket."""

    def __init__(self, deployment, workers, settings=None, routes=None):
        self.deployment = deployment
        self.port = free_port()
        self.settings = {"proxy_protocol.trusted": f"{TRUSTED}, unix", **(settings or {})}
        self.routes = routes or {"/": dir_(), "/h": handler()}
        self.configure()
        self.server = Server(deployment, workers=workers)

    def configure(self, on=1, **settings):
        self.deployment.configure(
            self.routes, settings={**self.settings, **settings},
            listeners=[listener("127.0.0.1", self.port, proxy_protocol=on),
                       listener("unix:run/web", proxy_protocol=on)])

    def balancer(self, source=TRUSTED):
        return Client(self.port, source=source)


@pytest.fixture
def site(deployment, workers):
    made = Site(deployment, workers)
    with made.server, Answering(deployment, addresses):
        yield made


# Goal: REMOTE_ADDR, x-forwarded-for and the access log have the client's address and port, in both
# versions, also with TLVs, on the unix socket, and for later requests of the connection.
def test_addresses(site, deployment):
    tlv = b"\x02\0\x04host" + b"\x20\x01\0" + bytes(256)
    headers = [(v1(), "192.0.2.1"), (v1("2001:db8::7"), "2001:db8::7"), (v2(), "192.0.2.1"),
               (v2("2001:db8::7"), "2001:db8::7"), (v2(tlv=tlv), "192.0.2.1")]
    places = [lambda: site.balancer(), lambda: Client(deployment.path("run/web"))]
    for place in places:
        for header, address in headers:
            with place() as client:
                client.send(header)
                for _ in range(2):
                    assert json.loads(client.request(path="/h").body) == [address, address]
    lines = site.server.wait_access(20)
    assert {tuple(line[1:3]) for line in lines} == {(b"192.0.2.1", 4711), (b"2001:db8::7", 4711)}


# Goal: a balancer that ended TLS says so in version 2 (PP2_TYPE_SSL): handlers get https as their
# scheme, redirects lead to https, an https target is no fault; without it all is http. The scheme
# stays with the connection for all its requests, in every kind of message.
def test_tls(deployment, workers):
    tls = b"\x20\0\x05\x01\0\0\0\0"
    plain = b"\x20\0\x05\0\0\0\0\0"
    site = Site(deployment, workers, routes={"/": dir_(), "/h": handler(), "@j": handler("j")})
    deployment.write("www/sub/index.html", "sub")
    with site.server, Answering(deployment, lambda request: http(request.headers["URL_SCHEME"])), \
            Handler(deployment, "j") as messages:
        for header, scheme in ((v2(tlv=tls), "https"), (v2("2001:db8::7", tlv=tls), "https"),
                               (v2(tlv=plain), "http"), (v2(), "http"), (v1(), "http"),
                               (v2(command=0, tlv=tls), "http")):
            with site.balancer() as client:
                client.send(header)
                for _ in range(2):
                    assert client.request(path="/h").body.decode() == scheme
                location = client.request(path="/sub", host="a:81").headers["location"]
                assert location == f"{scheme}://a:81/sub/"
                status = client.request(path="https://a/h").status
                assert status == (200 if scheme == "https" else 421)
            with site.balancer() as client:
                client.send(header + b'@j {"a":1}\0')
                while (message := messages.recv()).is_disconnect():
                    pass
                assert message.headers["URL_SCHEME"] == scheme


# Goal: a header that comes byte by byte, or in one piece with the request, or with part of it.
@pytest.mark.parametrize("header", [v1(), v2()], ids=["v1", "v2"])
def test_pieces(site, header):
    everything = header + REQUEST
    for cut in (len(everything), len(header) + 5, len(header), len(header) - 1, 14, 1):
        with site.balancer() as client:
            client.send(everything[:cut])
            if cut < len(header):  # by the time that others are answered, the piece has been read
                wait_until(lambda client=client: on_its_way(client) == 0, "the piece to arrive")
                assert site.server.get().status == 200
            client.send(everything[cut:])
            assert json.loads(client.answer().body)[0] == "192.0.2.1"
    with site.balancer() as client:
        for at in range(len(everything)):
            client.send(everything[at:at + 1])
        assert json.loads(client.answer().body)[0] == "192.0.2.1"
        assert json.loads(client.send(REQUEST).answer().body)[0] == "192.0.2.1"


def on_its_way(client):
    """Bytes that have not arrived at the server's socket yet (SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(client.socket, 0x5411, b"\0\0\0\0"))[0]


# Goal: LOCAL and UNKNOWN mean the balancer itself: it asks whether we are well.
def test_health_checks(site, deployment):
    for header in (v2(command=0), b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ::1 ::1 1 2\r\n"):
        with site.balancer() as client:
            client.send(header)
            assert json.loads(client.request(path="/h").body)[0] == TRUSTED
        with Client(deployment.path("run/web")) as client:
            client.send(header)
            assert json.loads(client.request(path="/h").body)[0] == "-"


# Goal: a trusted peer without a header, or with a bad one, is closed without an answer, and the log
# says why; one that says nothing at all is closed after limits.head_ms.
@pytest.mark.parametrize("header, why", [
    (REQUEST, "no PROXY header at all"),
    (b"\x16\x03\x01\x02", "no PROXY header at all"),
    (b"PROXY TCP4 192.0.2.1 127.0.0.1 99999 80\r\n", "a port that is none"),
    (b"PROXY " + b"x" * 102, "longer than 107 bytes"),
    (b"PROXY UNKNOWN\n", "CRLF"),
    (v2()[:12] + b"\x31" + v2()[13:], "a version"),
    (v2()[:14] + b"\0\x0b" + v2()[16:], "a length too short"),
    (v2()[:14] + b"\xff\xff" + v2()[16:], "a length above 4096 bytes")])
def test_bad_headers(site, header, why):
    with site.balancer() as client:
        client.send(header)
        assert client.is_closed()
    wait_until(lambda: why in site.server.log(), "the reason in the log")
    site.server.says(f"closing {TRUSTED}: ")


def test_silence(deployment):
    site = Site(deployment, 1, {"limits.head_ms": 300}, {"/": dir_()})
    with site.server:
        for begin in (b"", b"PROXY TCP4 192."):
            with site.balancer() as client:
                client.send(begin)
                assert client.is_closed()
        wait_until(lambda: "within limits.head_ms" in site.server.log(), "the reason")
        with site.balancer() as client:  # a header alone does not buy more time
            client.send(v1())
            assert client.is_closed()
        assert not site.server.access_log()


# Goal: a peer that is not trusted is closed whatever it says, once for each, and the log names it.
def test_strangers(site):
    for _ in range(3):
        with site.balancer(source="127.0.0.1") as client:
            try:
                client.send(v1() + REQUEST)
            except OSError:
                pass
            assert client.is_closed()
    wait_until(lambda: "refused 127.0.0.1: it is not in proxy_protocol.trusted" in
               site.server.log(), "the reason")
    # The plain port knows no PROXY header.
    with site.server.client() as client:
        assert client.send(v1()).answer().status == 400
    with site.server.client() as client:
        assert json.loads(client.request(path="/h").body)[0] == "127.0.0.1"


# Goal: a reload changes whether a listener expects a header, and whom it trusts; who is connected
# goes on as it began.
def test_reload(site):
    with site.balancer() as old:
        old.send(v1())
        assert json.loads(old.request(path="/h").body)[0] == "192.0.2.1"
        site.configure(on=0)
        site.server.reload()
        with site.balancer() as client:
            assert json.loads(client.request(path="/h").body)[0] == TRUSTED
            site.configure(on=1, **{"proxy_protocol.trusted": "127.0.0.1"})
            site.server.reload()
            assert json.loads(client.request(path="/h").body)[0] == TRUSTED
        with site.balancer() as client:
            assert client.is_closed()
        with site.balancer(source="127.0.0.1") as client:
            client.send(v1())
            assert json.loads(client.request(path="/h").body)[0] == "192.0.2.1"
        assert json.loads(old.request(path="/h").body)[0] == "192.0.2.1"


# Goal: the first port can expect a header too, and an IPv4 balancer is trusted on "::" as well.
def test_first_port(deployment, workers):
    deployment.configure({"/h": handler()}, proxy_protocol=1,
                         settings={"proxy_protocol.trusted": "127.0.0.0/8"})
    with Server(deployment, workers=workers) as server, Answering(deployment, addresses):
        with server.client() as client:
            client.send(v2())
            assert json.loads(client.request(path="/h").body)[0] == "192.0.2.1"


# Goal: a backend gets the client's address.
def test_backend(deployment):
    with Backend() as backend:
        site = Site(deployment, 1, None, {"/": proxy(backend.port)})
        with site.server, site.balancer() as client:
            client.send(v1())
            assert client.request(path="/x").status == 200
        assert b"X-Forwarded-For: 192.0.2.1\r\n" in backend.heads[-1]


# Goal: a worker that leaves passes on clients with their addresses, also those whose header has not
# come, in part or at all. Method: from two workers to one; all clients are those of the one
# that leaves.
def test_retiring_worker(deployment):
    site = Site(deployment, None, {"workers": 2})
    with site.server as server, Handler(deployment) as on:
        others = [pid for pid, name in server.children().items() if name == "m2-worker-0"]
        assert len(others) == 1
        with standing_still(others):
            known, silent, partly = (site.balancer() for _ in range(3))
            known.send(v1("192.0.2.9", 99) + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert known.answer().status == 200
            partly.send(v1()[:20])
            wait_until(lambda: on_its_way(partly) == 0, "the piece to arrive")
            # It has taken all three when it answers a fourth.
            with site.balancer() as fourth:
                fourth.send(v1() + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert fourth.answer().status == 200
        site.configure(workers=1)
        server.reload()
        partly.send(v1()[20:])
        silent.send(v1("192.0.2.3"))
        for client, address in ((known, "192.0.2.9"), (silent, "192.0.2.3"), (partly, "192.0.2.1")):
            client.send(REQUEST)
            request = on.recv()
            assert request.headers["REMOTE_ADDR"] == address
            on.reply(request, "ok")
            assert client.answer().body == b"ok"
        wait_until(lambda: len(server.workers()) == 1, "the other worker to end")
