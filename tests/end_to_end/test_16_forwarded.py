"""Clients behind HTTP proxies: whom forwarded.trusted names may say who asks; nobody else can."""

import json

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import dir_, handler, listener, proxy
from lib.handler import Answering, http
from lib.server import Server

TRUSTED = "127.0.0.2"


def addresses(request):
    names = ("REMOTE_ADDR", "x-forwarded-for")
    return http(json.dumps([request.headers.get(name) for name in names]))


class Site:
    def __init__(self, deployment, workers, backend, **settings):
        self.deployment = deployment
        self.backend = backend
        self.configure(**settings)
        self.server = Server(deployment, workers=workers)

    def configure(self, trusted=f"{TRUSTED}, 10.0.0.0/8, unix", **settings):
        self.deployment.configure(
            {"/": dir_(), "/h": handler(), "/p": proxy(self.backend.port)},
            settings={"forwarded.trusted": trusted, **settings},
            listeners=[listener("unix:run/web")])

    def ask(self, source=TRUSTED, **headers):
        """REMOTE_ADDR and x-forwarded-for of a handler, and the same field of a backend."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        with Client(self.deployment.port, source=source) as client:
            seen = json.loads(client.request(path="/h", headers=fields).body)
            assert client.request(path="/p", headers=fields).status == 200
        lines = self.backend.heads[-1].decode().split("\r\n")
        return [*seen, *(line[17:] for line in lines if line.startswith("X-Forwarded-For: "))]


@pytest.fixture
def site(deployment, workers):
    with Backend() as backend:
        made = Site(deployment, workers, backend)
        with made.server, Answering(deployment, addresses):
            yield made


# Goal: the client of a trusted proxy is the rightmost stranger; handler, backend and access log see
# it, and nothing of what the client said itself.
def test_trusted(site):
    clients = []
    for value, client in (("192.0.2.1", "192.0.2.1"),
                          ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
                          ("6.6.6.6, 192.0.2.1, 10.0.0.9", "192.0.2.1"),
                          ("::ffff:192.0.2.1", "192.0.2.1"),
                          ("[2001:db8::7]:4711", "2001:db8::7"),
                          ("10.0.0.8, 10.0.0.9", "10.0.0.8")):
        assert site.ask(X_Forwarded_For=value) == [client, client, client]
        clients.append(client)
    standard = 'for=6.6.6.6, for="[2001:db8::7]:1";proto=https'
    assert site.ask(Forwarded=standard) == ["2001:db8::7"] * 3
    # Both: the older field counts.
    assert site.ask(X_Forwarded_For="192.0.2.1", Forwarded="for=6.6.6.6") == ["192.0.2.1"] * 3
    clients += ["2001:db8::7", "192.0.2.1"]
    lines = site.server.wait_access(16)  # workers write in no order
    assert sorted(line[1].decode() for line in lines) == sorted(clients * 2)
    assert {line[2] for line in lines} == {0}


def scheme_site(deployment, workers, backend):
    deployment.write("www/sub/index.html", "sub")
    site = Site(deployment, workers, backend)
    return site, Answering(deployment, lambda request: http(request.headers["URL_SCHEME"]))


def schemes(site, source, fields):
    """What a handler, a redirect and a backend take for the scheme."""
    with Client(site.deployment.port, source=source) as client:
        handler_says = client.request(path="/h", headers=fields).body.decode()
        location = client.request(path="/sub?q", host="a:81", headers=fields).headers["location"]
        assert client.request(path="/p", headers=fields).status == 200
    assert location.endswith("://a:81/sub/?q")
    lines = site.backend.heads[-1].decode().split("\r\n")
    return [handler_says, location.split(":")[0],
            *(line[19:] for line in lines if line.lower().startswith("x-forwarded-proto:"))]


# Goal: behind a trusted proxy that ends TLS, handlers, redirects and backends know https; whoever
# else says so is not believed.
def test_scheme(deployment, workers):
    with Backend() as backend:
        site, answering = scheme_site(deployment, workers, backend)
        with site.server, answering:
            for fields, scheme in (
                    ({"X-Forwarded-Proto": "https"}, "https"),
                    ({"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}, "https"),
                    ({"X-Forwarded-Proto": "http, HTTPS"}, "https"),
                    ({"X-Forwarded-Proto": "https, http"}, "http"),
                    ({"X-Forwarded-Proto": "wss"}, "https"),
                    ({"X-Forwarded-Proto": "http"}, "http"), ({}, "http"),
                    ({"Forwarded": "for=192.0.2.1;proto=https"}, "https"),
                    ({"Forwarded": "for=192.0.2.1;proto=http"}, "http"),
                    # A client's own, which a proxy that writes the other fields passed on unread.
                    ({"Forwarded": "proto=https", "X-Forwarded-For": "192.0.2.1"}, "http"),
                    ({"X-Forwarded-Ssl": "on"}, "http")):
                assert schemes(site, TRUSTED, fields) == [scheme] * 3, fields
                assert schemes(site, "127.0.0.1", fields) == ["http"] * 3, fields
            with Client(deployment.port, source=TRUSTED) as client:
                assert client.request(path="https://a:81/h").body == b"https"
                assert client.request(path="/h").body == b"http"  # each request for itself


# Goal: no field by which proxies speak reaches a backend from a client; those of a trusted one do.
def test_forged_fields(deployment, workers):
    forged = {"X-Real-IP": "6.6.6.6", "X-Forwarded-Host": "evil", "X-Forwarded-Port": "1",
              "X-Forwarded-Ssl": "on", "X_Forwarded_Proto": "https", "Front-End-Https": "on",
              "True-Client-IP": "6.6.6.6", "X-Client-IP": "6.6.6.6", "Forwarded": "for=6.6.6.6"}
    with Backend() as backend:
        site, answering = scheme_site(deployment, workers, backend)
        with site.server, answering:
            for source in ("127.0.0.1", TRUSTED):
                with Client(deployment.port, source=source) as client:
                    client.request(path="/p", headers={**forged, "Connection": "X-Forwarded-Proto"})
                head = backend.heads[-1].decode()
                assert "\r\nX-Forwarded-Proto: http\r\n" in head
                for name in forged:
                    assert (f"\r\n{name}: " in head) == (source == TRUSTED), (name, head)


# Goal: without a usable field the proxy itself is the client.
def test_no_field(site):
    assert site.ask() == [TRUSTED] * 3
    assert site.ask(X_Forwarded_For="unknown")[:2] == [TRUSTED] * 2
    assert site.ask(X_Forwarded_For="6.6.6.6, unknown, 10.0.0.9") == ["10.0.0.9"] * 3


# Goal: who is not trusted cannot forge an address; a backend sees its list with the true address at
# the end, as ever.
def test_stranger(site):
    for source in ("127.0.0.1", "127.0.0.3"):
        assert site.ask(source, X_Forwarded_For="192.0.2.1") == [source, source,
                                                                 f"192.0.2.1, {source}"]
        assert site.ask(source, Forwarded="for=192.0.2.1") == [source, source, source]
    assert {line[1] for line in site.server.wait_access(8)} == {b"127.0.0.1", b"127.0.0.3"}


# Goal: one connection of a proxy carries requests of many clients; each has its own address, also
# one that cannot be served.
def test_per_request(site):
    with Client(site.deployment.port, source=TRUSTED) as client:
        for number in range(20):
            address = f"192.0.2.{number}"
            answer = client.request(path="/h", headers={"X-Forwarded-For": address})
            assert json.loads(answer.body) == [address, address]
            assert json.loads(client.request(path="/h").body)[0] == TRUSTED
        assert client.request(path="/none", headers={"X-Forwarded-For": "192.0.2.77"}).status == 404
    assert site.server.wait_access(41)[-1][1] == b"192.0.2.77"


# Goal: a proxy on a unix socket is trusted by the word "unix".
def test_unix(site, deployment):
    with Client(deployment.path("run/web")) as client:
        seen = client.request(path="/h", headers={"X-Forwarded-For": "192.0.2.1"}).body
        assert json.loads(seen) == ["192.0.2.1", "192.0.2.1"]
        assert json.loads(client.request(path="/h").body)[0] == "-"


# Goal: trust comes and goes with a reload, for connections that are open as well.
def test_reload(site):
    with Client(site.deployment.port, source=TRUSTED) as client:
        def who():
            answer = client.request(path="/h", headers={"X-Forwarded-For": "192.0.2.1"})
            return json.loads(answer.body)[0]
        for trusted, expected in ((TRUSTED, "192.0.2.1"), ("", TRUSTED), ("10.0.0.1", TRUSTED),
                                  ("127.0.0.0/30", "192.0.2.1"), ("::/0", TRUSTED)):
            site.configure(trusted)
            site.server.reload()
            assert who() == expected
        site.configure("localhost")
        assert 'forwarded.trusted: "localhost" is no network' in site.server.reload()
        assert who() == TRUSTED


# Goal: no_clobber_xff leaves the field as it came; REMOTE_ADDR is the client's all the same.
def test_no_clobber(deployment):
    with Backend() as backend:
        site = Site(deployment, 1, backend, no_clobber_xff=1)
        with site.server, Answering(deployment, addresses):
            chain = "6.6.6.6, 192.0.2.1"
            assert site.ask(X_Forwarded_For=chain) == ["192.0.2.1", chain, chain]
            assert site.ask("127.0.0.1", X_Forwarded_For=chain) == ["127.0.0.1", chain, chain]
