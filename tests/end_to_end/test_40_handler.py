"""What a handler is told: byte for byte, by the manual's grammar and the messages of Mongrel2
1.x."""

import json
import re

import pytest

from lib.deployment import IDENT, Deployment, handler
from lib.handler import Handler
from lib.server import Server
from lib.tnetstring import parse_all
from lib.waiting import free_port, wait_until

pytestmark = pytest.mark.with_four


class Site:
    def __init__(self, deployment, server):
        self.deployment, self.server = deployment, server
        self.json = Handler(deployment)
        self.tnet = Handler(deployment, name="t", ident="ident-tnet", tnetstring=True)

    def ask(self, data, on=None):
        """Sends a request and returns what the handler was told; it is answered too."""
        on = on or self.json
        with self.server.client() as client:
            port = client.socket.getsockname()[1]
            request = self.next(client.send(data), on)
            request.port = port
            on.reply(request, "ok")
            assert client.answer().body == b"ok"
        return request

    @staticmethod
    def next(_, on):
        request = on.recv()
        while request.is_disconnect():
            request = on.recv()
        return request


@pytest.fixture(scope="module")
def site(workers):
    with Deployment() as deployment:
        deployment.configure({
            "/h": handler(), "/users/([0-9]+)": handler(),
            "/t": handler("t", ident="ident-tnet", protocol="tnetstring")})
        made = Site(deployment, Server(deployment, workers=workers))
        with made.json, made.tnet:
            yield made


# Goal: the message of the compatibility sheet, byte for byte, with the headers in order of arrival,
# lower case, duplicates as an array, a tab escaped.
def test_message_json(site):
    request = site.ask(b"GET /h/a%20b?x=1&y=%41#frag HTTP/1.1\r\nHost: localhost:20000\r\n"
                       b"User-Agent: T\r\nX-Dup: one\r\nX-Dup: two\r\nX-Q: a\"b\\c\ttab\r\n\r\n")
    block = ('{"PATH":"/h/a%20b","host":"localhost:20000","user-agent":"T","x-dup":["one","two"],'
             '"x-q":"a\\"b\\\\c\\u0009tab","x-forwarded-for":"127.0.0.1","METHOD":"GET",'
             '"VERSION":"HTTP/1.1","URI":"/h/a%20b?x=1&y=%41","QUERY":"x=1&y=%41",'
             '"FRAGMENT":"frag","PATTERN":"/h","URL_SCHEME":"http","REMOTE_ADDR":"127.0.0.1"}')
    wanted = f"{IDENT} {request.id} /h/a%20b {len(block)}:{block},0:,".encode()
    same = {key: value for key, value in json.loads(block).items()}
    assert request.headers == same
    order = [key for key in request.headers if key != "x-forwarded-for"]
    assert order == [key for key in same if key != "x-forwarded-for"]
    assert len(request.message) in (len(wanted), len(wanted) - 4)  # \t or 	


# Goal: a body is the second netstring, whatever is in it.
def test_body(site):
    body = bytes(range(256)) + b",,5:hello,"
    request = site.ask(b"POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))
    assert request.body == body
    assert request.message.endswith(b"%d:%s," % (len(body), body))
    assert request.headers["content-length"] == str(len(body))
    assert request.headers["METHOD"] == "POST"


# Goal: with protocol='tnetstring' the header block is a tnetstring dict.
def test_message_tnetstring(site):
    request = site.ask(b"GET /t/a?x=1#frag HTTP/1.1\r\nHost: localhost:20000\r\nUser-Agent: T\r\n"
                       b"X-Dup: one\r\nX-Dup: two\r\nX-Q: a\"b\\c\ttab\r\n\r\n", on=site.tnet)
    assert request.sender == "ident-tnet"
    assert request.headers == {
        "REMOTE_ADDR": b"127.0.0.1", "METHOD": b"GET", "URL_SCHEME": b"http", "PATTERN": b"/t",
        "FRAGMENT": b"frag", "QUERY": b"x=1", "URI": b"/t/a?x=1", "VERSION": b"HTTP/1.1",
        "PATH": b"/t/a", "x-q": b'a"b\\c\ttab', "host": b"localhost:20000", "user-agent": b"T",
        "x-forwarded-for": b"127.0.0.1", "x-dup": [b"one", b"two"]}
    assert request.message.endswith(b"}0:,")


# Goal: keys that are not always there: QUERY and FRAGMENT only with their mark, then possibly
# empty.
@pytest.mark.parametrize("target, path, uri, query, fragment", [
    ("/h", "/h", "/h", None, None), ("/h?", "/h", "/h?", "", None),
    ("/h#", "/h", "/h", None, ""), ("/h?a#b", "/h", "/h?a", "a", "b"),
    ("/h/%C3%A4;p=1", "/h/%C3%A4;p=1", "/h/%C3%A4;p=1", None, None),
    ("/h//x/../y", "/h//x/../y", "/h//x/../y", None, None),
    ("/users/7/x?q=?", "/users/7/x", "/users/7/x?q=?", "q=?", None),
])
def test_special_keys(site, target, path, uri, query, fragment):
    request = site.ask(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    headers = request.headers
    assert (request.path, headers["PATH"], headers["URI"]) == (path, path, uri)
    assert (headers.get("QUERY"), headers.get("FRAGMENT")) == (query, fragment)
    assert headers["PATTERN"] == ("/users/([0-9]+)" if "users" in target else "/h")


# Goal: a client cannot forge a special key nor the address: names are lower case, X-Forwarded-For
# is the peer.
def test_forgery(site):
    request = site.ask(b"GET /h HTTP/1.1\r\nHost: a\r\nMETHOD: JSON\r\nREMOTE_ADDR: 9.9.9.9\r\n"
                       b"PATH: /evil\r\nX-Forwarded-For: 1.2.3.4\r\n"
                       b"x-forwarded-for: 5.6.7.8\r\n\r\n")
    headers = request.headers
    assert (headers["METHOD"], headers["PATH"]) == ("GET", "/h")
    assert headers["REMOTE_ADDR"] == "127.0.0.1"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert (headers["method"], headers["path"]) == ("JSON", "/evil")


# Goal: the header block is valid JSON in valid UTF-8 whatever bytes a client sends.
def test_any_bytes(site):
    odd = b"\t" + bytes(byte for byte in range(32, 256) if byte != 127)
    request = site.ask(b"GET /h HTTP/1.1\r\nHost: a\r\nX-Odd: x" + odd + b"x\r\n"
                       b"X-Utf: \xc3\xa4\xe2\x82\xac\r\nX-Bad: \xc3(\r\n\r\n")
    assert request.headers["x-utf"] == "\u00e4\u20ac"
    assert request.headers["x-bad"] == "\u00c3("
    assert request.headers["x-odd"].startswith("x\t !") and request.headers["x-odd"].endswith("x")
    names = [request.headers[name] for name in ("PATH", "METHOD")]
    assert names == ["/h", "GET"]


# Goal: HTTP/1.0 is told as such; a chunked body comes decoded.
def test_version_and_chunked(site):
    request = site.ask(b"GET /h HTTP/1.0\r\n\r\n")
    assert request.headers["VERSION"] == "HTTP/1.0" and "host" not in request.headers
    request = site.ask(b"POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert request.body == b"abcde"


# Goal: one id for all requests of a connection, another for each connection; decimal, without sign
# or zero in front, at most 53 bits.
def test_ids(site):
    seen = set()
    for _ in range(5):
        with site.server.client() as client:
            ids = set()
            for _ in range(3):
                request = site.next(client.send_request(path="/h"), site.json)
                ids.add(request.id)
                site.json.reply(request, "ok")
                client.answer()
            assert len(ids) == 1
            seen |= ids
    assert len(seen) == 5
    for text in seen:
        assert re.fullmatch(r"[1-9][0-9]*", text) and int(text) < 2 ** 53


# Goal: when a client leaves, its handler gets the notice, once, in the exact form. Method: a client
# that was answered and one that was not, for both formats, on a server that had no other.
@pytest.mark.parametrize("protocol, ident, notice", [
    ("json", IDENT, b'@* 17:{"METHOD":"JSON"},21:{"type":"disconnect"},'),
    ("tnetstring", "ident-tnet", b'@* 16:6:METHOD,4:JSON,}21:{"type":"disconnect"},')],
    ids=["json", "tnetstring"])
@pytest.mark.parametrize("answered", [True, False])
def test_disconnect_notice(deployment, workers, protocol, ident, notice, answered):
    deployment.configure({"/h": handler(ident=ident, protocol=protocol)})
    with Server(deployment, workers=workers) as server, \
            Handler(deployment, ident=ident, tnetstring=protocol == "tnetstring") as on:
        client = server.client()
        request = on.recv() if client.send_request(path="/h") else None
        if answered:
            on.reply(request, "ok")
            client.answer()
        client.close()
        assert on.recv_raw() == f"{ident} {request.id} ".encode() + notice
        with server.client() as other:  # nothing else comes before the next request
            other.send_request(path="/h")
            following = on.recv()
            assert not following.is_disconnect()
            on.reply(following, "ok")
            other.answer()
        assert on.recv().id == following.id


# Goal: no_clobber_xff=1 hands on what the client said.
def test_no_clobber(deployment):
    deployment.configure({"/h": handler()}, settings={"no_clobber_xff": 1})
    with Server(deployment, workers=1) as server, Handler(deployment) as on:
        made = Site.__new__(Site)
        made.server, made.json = server, on
        request = made.ask(b"GET /h HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
        assert request.headers["x-forwarded-for"] == "1.2.3.4"
        request = made.ask(b"GET /h HTTP/1.1\r\nHost: a\r\n\r\n")
        assert "x-forwarded-for" not in request.headers


# Goal: endpoints may be tcp; the contract is the same.
def test_tcp(deployment, workers):
    specs = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
    deployment.configure({"/h": handler(send_spec=specs[0], recv_spec=specs[1])})
    with Server(deployment, workers=workers) as server, Handler(deployment, specs=specs) as on:
        with server.client() as client:
            for _ in range(10):
                client.send_request(path="/h")
                request = on.recv()
                on.reply(request, "over tcp")
                assert client.answer().body == b"over tcp"


# Goal: the access log is a tnetstring that a parser from outside can read, for handler requests
# too.
def test_log_is_tnetstring(site):
    site.ask(b"GET /h/logged HTTP/1.1\r\nHost: a\r\n\r\n")

    def logged():
        data = site.deployment.read("logs/access.log")
        return any(b"/h/logged" in parse_all(line) for line in data.split(b"\n")[:-1])

    wait_until(logged, "a line of the access log")
