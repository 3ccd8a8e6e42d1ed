"""Every case in which RFC 9110 or 9112 leaves a choice, or a client makes a mess: one decided
answer (docs/http.md), whole and byte by byte. nginx, where it is installed, is asked the same; what
it says is part of the table, so that a difference is one that we know of."""

import os
import shutil
import subprocess

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import Deployment, dir_, handler
from lib.handler import Answering, http
from lib.server import Server, standing_still
from lib.waiting import can_connect, free_port, wait_until

HOST = "Host: localhost\r\n"


def get(line, fields=HOST):
    return f"{line}\r\n{fields}\r\n"


def post(fields, body=""):
    return f"POST /h HTTP/1.1\r\n{HOST}{fields}\r\n{body}"


def chunked(body):
    return post("Transfer-Encoding: chunked\r\n", body)


# name: (request, our status, nginx 1.22's status; 0: closed without one). A path of /h leads to a
# handler here, and to a backend there.
TABLE = {
    # Where a body ends (RFC 9112 6)
    "length and chunked": (post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                                "0\r\n\r\n"), 400, 400),
    "chunked and length": (post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                                "0\r\n\r\n"), 400, 400),
    "two lengths that differ": (post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
                                400, 400),
    "two lengths alike": (post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, 400),
    "list of lengths": (post("Content-Length: 5, 5\r\n", "hello"), 400, 400),
    "length with plus": (post("Content-Length: +5\r\n", "hello"), 400, 400),
    "length with minus": (post("Content-Length: -5\r\n", "hello"), 400, 400),
    "length with space inside": (post("Content-Length: 5 5\r\n", "hello"), 400, 400),
    "length between blanks": (post("Content-Length:  5\t\r\n", "hello"), 200, 400),
    "empty length": (post("Content-Length:\r\n"), 400, 400),
    "length in hexadecimal": (post("Content-Length: 0x5\r\n", "hello"), 400, 400),
    "length above 63 bits": (post("Content-Length: 9223372036854775808\r\n"), 400, 400),
    "length above 64 bits": (post("Content-Length: 18446744073709551621\r\n", "hello"), 400, 400),
    "unknown coding": (post("Transfer-Encoding: gzip\r\n"), 400, 501),
    "coding before chunked": (post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, 501),
    "chunked twice": (post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400, 501),
    "chunked in two fields": (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                                   "0\r\n\r\n"), 400, 400),
    "chunked not last": (post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), 400, 501),
    "identity": (post("Transfer-Encoding: identity\r\n"), 400, 501),
    "coding like chunked": (post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400, 501),
    "coding with vertical tab": (post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"), 400, 501),
    "empty coding": (post("Transfer-Encoding:\r\n"), 400, 501),
    "chunked in HTTP/1.0": (
        "POST /h HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 400),
    "chunked": (chunked("5\r\nhello\r\n0\r\n\r\n"), 200, 200),
    "chunk size with plus": (chunked("+5\r\nhello\r\n0\r\n\r\n"), 400, 400),
    "chunk size with minus": (chunked("-5\r\nhello\r\n0\r\n\r\n"), 400, 400),
    "chunk size with 0x": (chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400, 400),
    "chunk size behind space": (chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400, 400),
    "chunk size before space": (chunked("5 \r\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk size too large": (chunked("ffffffffffffffff\r\nhello"), 400, 400),
    "chunk size with 17 digits": (chunked("00000000000000005\r\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk size line with LF": (chunked("5\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk without its end": (chunked("5\r\nhello0\r\n\r\n"), 400, 400),
    "chunk with LF behind it": (chunked("5\r\nhello\n0\r\n\r\n"), 400, 200),
    "chunk extension": (chunked("5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n"), 200, 200),
    "chunk extension too long": (chunked("5;" + "e" * 300 + "\r\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk extension without a name": (chunked("5;\r\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk extension of two semicolons": (chunked("5;;a\r\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk extension of an equals sign": (chunked("5;=\r\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk extension with half a quote": (chunked("5;a=\"x\r\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk extension of two words": (chunked("5;a b\r\nhello\r\n0\r\n\r\n"), 400, 200),
    "chunk extension with blanks": (chunked("5 ; a = \"x\" ;b\r\nhello\r\n0\r\n\r\n"), 200, 200),
    "chunk extension with LF": (chunked("5;a\nhello\r\n0\r\n\r\n"), 400, 200),
    "trailers": (chunked("0\r\nX-T: 1\r\n\r\n"), 200, 200),
    "trailer that would frame": (
        chunked("5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: b\r\n\r\n"), 200, 200),
    "trailers too long": (chunked("0\r\n" + "X: " + "t" * 5000 + "\r\n\r\n"), 400, 200),
    "trailer that is no field": (chunked("0\r\nX T\r\n\r\n"), 400, 200),
    # Lines and fields (RFC 9112 2 and 5)
    "blank line first": ("\r\n" + get("GET / HTTP/1.1"), 200, 200),
    "three blank lines first": ("\r\n" * 3 + get("GET / HTTP/1.1"), 400, 200),
    "LF behind the request line": ("GET / HTTP/1.1\n" + HOST + "\r\n", 400, 200),
    "LF behind a field": ("GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400, 200),
    "LF at the end": ("GET / HTTP/1.1\r\n" + HOST + "\n", 400, 200),
    "CR within a value": (get("GET / HTTP/1.1", HOST + "X: a\rb\r\n"), 400, 400),
    "CR within a name": (get("GET / HTTP/1.1", HOST + "X\r: a\r\n"), 400, 400),
    "CR within the request line": (get("GET /\r HTTP/1.1"), 400, 400),
    "NUL in a value": (get("GET / HTTP/1.1", HOST + "X: a\0b\r\n"), 400, 400),
    "NUL in a name": (get("GET / HTTP/1.1", HOST + "X\0: a\r\n"), 400, 400),
    "NUL in the target": (get("GET /\0 HTTP/1.1"), 400, 400),
    "folded field": (get("GET / HTTP/1.1", HOST + "X: a\r\n b\r\n"), 400, 400),
    "folded first field": (get("GET / HTTP/1.1", " X: a\r\n" + HOST), 400, 400),
    "space before the colon": (get("GET / HTTP/1.1", HOST + "X : a\r\n"), 400, 400),
    "tab before the colon": (get("GET / HTTP/1.1", HOST + "X\t: a\r\n"), 400, 400),
    "empty field name": (get("GET / HTTP/1.1", HOST + ": a\r\n"), 400, 400),
    "field without a colon": (get("GET / HTTP/1.1", HOST + "X\r\n"), 400, 200),
    "bytes above ASCII in a value": (get("GET / HTTP/1.1", HOST + "X: \xe9\r\n"), 200, 200),
    # The request line (RFC 9112 3)
    "two spaces": (get("GET  / HTTP/1.1"), 400, 200),
    "tab for a space": (get("GET\t/ HTTP/1.1"), 400, 400),
    "space at the end": (get("GET / HTTP/1.1 "), 400, 200),
    "space in the target": (get("GET /a b HTTP/1.1"), 400, 400),
    "bad escape": (get("GET /%zz HTTP/1.1"), 400, 400),
    "byte above ASCII in the target": (get("GET /\xe9 HTTP/1.1"), 400, 404),
    "raw characters in a query": (get("GET /?ids[]=1&f=A|B^{`\\} HTTP/1.1"), 200, 200),
    "raw characters in a path": (get("GET /h[1]|^ HTTP/1.1"), 200, 200),
    "brace in a path": (get("GET /h{ HTTP/1.1"), 400, 200),
    "quote in a query": (get("GET /?a=\"b\" HTTP/1.1"), 400, 200),
    "less-than sign in a query": (get("GET /?<b> HTTP/1.1"), 400, 200),
    "fragment for a file": (get("GET /#f HTTP/1.1"), 400, 200),
    "fragment for a handler": (get("GET /h#f HTTP/1.1"), 200, 200),
    "absolute target": (get("GET http://localhost/ HTTP/1.1"), 200, 200),
    "absolute target over Host": (get("GET http://localhost/ HTTP/1.1", "Host: other\r\n"),
                                 200, 200),
    "absolute target of https": (get("GET https://localhost/ HTTP/1.1"), 421, 200),
    "absolute target without a path": (get("GET http://localhost HTTP/1.1"), 200, 200),
    "absolute target of another scheme": (get("GET ftp://localhost/ HTTP/1.1"), 400, 200),
    "user information": (get("GET http://me:secret@localhost/ HTTP/1.1"), 400, 400),
    "absolute target with a bad port": (get("GET http://localhost:x/ HTTP/1.1"), 400, 400),
    "absolute target with a port too high": (get("GET http://localhost:65536/ HTTP/1.1"), 400, 200),
    "absolute target without a host": (get("GET http:///x HTTP/1.1"), 400, 400),
    "authority as target": (get("GET localhost:80 HTTP/1.1"), 400, 400),
    "asterisk as target": (get("GET * HTTP/1.1"), 400, 400),
    # Host (RFC 9112 3.2)
    "no Host": ("GET / HTTP/1.1\r\n\r\n", 400, 400),
    "no Host in HTTP/1.0": ("GET / HTTP/1.0\r\n\r\n", 200, 200),
    "no Host beside an absolute target": ("GET http://localhost/ HTTP/1.1\r\n\r\n", 400, 400),
    "two Hosts": (get("GET / HTTP/1.1", "Host: a\r\nHost: b\r\n"), 400, 400),
    "two Hosts alike": (get("GET / HTTP/1.1", HOST + HOST), 400, 400),
    "two Hosts in HTTP/1.0": (get("GET / HTTP/1.0", HOST + HOST), 400, 400),
    "Host that is empty": (get("GET / HTTP/1.1", "Host:\r\n"), 200, 400),
    "Host that is none": (get("GET / HTTP/1.1", "Host: a b\r\n"), 400, 400),
    "Host with a bad port": (get("GET / HTTP/1.1", "Host: localhost:x\r\n"), 400, 200),
    "Host with a path": (get("GET / HTTP/1.1", "Host: localhost/x\r\n"), 400, 400),
    "Host with user information": (get("GET / HTTP/1.1", "Host: me@localhost\r\n"), 400, 200),
    "Host that is a list": (get("GET / HTTP/1.1", "Host: a, b\r\n"), 400, 400),
    "Host we do not know": (get("GET / HTTP/1.1", "Host: example.com\r\n"), 200, 200),
    # Versions (RFC 9110 2.5, RFC 9112 2.3)
    "HTTP/0.9": ("GET /\r\n", 400, 0),
    "HTTP/0.9 written out": (get("GET / HTTP/0.9"), 400, 400),
    "HTTP/1.0": (get("GET / HTTP/1.0"), 200, 200),
    "HTTP/1.2": (get("GET / HTTP/1.2"), 200, 200),
    "HTTP/1.9": (get("GET / HTTP/1.9"), 200, 200),
    "HTTP/1.10": (get("GET / HTTP/1.10"), 400, 200),
    "HTTP/01.1": (get("GET / HTTP/01.1"), 400, 400),
    "HTTP/2.0": (get("GET / HTTP/2.0"), 505, 505),
    "HTTP/2": (get("GET / HTTP/2"), 400, 505),
    "the preface of HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 400),
    "HTTP in lower case": (get("GET / http/1.1"), 400, 400),
    "TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, 400),
    # Methods (RFC 9110 9)
    "OPTIONS of the server": (get("OPTIONS * HTTP/1.1"), 204, 400),
    "OPTIONS of the server with a body": (
        get("OPTIONS * HTTP/1.1", HOST + "Content-Length: 1\r\n") + "x", 204, 400),
    "OPTIONS of a file": (get("OPTIONS / HTTP/1.1"), 405, 405),
    "OPTIONS of a handler": (get("OPTIONS /h HTTP/1.1"), 200, 200),
    "unknown method for a file": (get("BREW / HTTP/1.1"), 405, 405),
    "unknown method for a handler": (get("BREW /h HTTP/1.1"), 200, 200),
    "method in lower case": (get("get / HTTP/1.1"), 405, 400),
    "method of 21 letters": (get("ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1"), 501, 405),
    "method that is no token": (get("G(T / HTTP/1.1"), 400, 400),
    "CONNECT": (get("CONNECT localhost:80 HTTP/1.1"), 501, 400),
    "TRACE": (get("TRACE / HTTP/1.1"), 501, 405),
    # Expectations (RFC 9110 10.1.1)
    "another expectation": (get("GET / HTTP/1.1", HOST + "Expect: a-miracle\r\n"), 417, 200),
    "expectation with another": (get("GET / HTTP/1.1", HOST + "Expect: 100-continue, x\r\n"),
                                 417, 200),
}


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment:
        deployment.configure({"/": dir_(), "/h": handler()})
        with Server(deployment, workers=1) as server, Answering(
                deployment, lambda request: http(request.body)):
            yield server


def ask(port, data):
    """What came of it: the answer without its date, and whether the connection is closed."""
    with Client(port) as client:
        try:
            for piece in data:
                client.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before its end
        answer = client.answer()
        closing = answer.headers.get("connection") == "close"
        if closing:
            assert client.is_closed()
        fields = {name: value for name, value in answer.headers.items() if name != "date"}
        return answer.status, fields, answer.body, closing


# Goal: each case has its one answer, however the bytes arrive; what is refused ends the connection,
# since nobody knows where the next request would begin. Method: whole, then byte by byte.
@pytest.mark.parametrize("name", TABLE)
def test_decided(site, name):
    request, status, _ = TABLE[name]
    whole = ask(site.deployment.port, [request])
    assert whole[0] == status, whole
    assert ask(site.deployment.port, list(request)) == whole
    if status in (400, 417, 421, 501, 505):
        assert whole[3], "a refused request must end its connection"


# Goal: the authority of the target is the one that counts, for routing and for what a handler
# hears.
def test_authority_wins(deployment):
    deployment.configure(hosts={"localhost": {"/": handler()}, "other.test": {"/": dir_()}})
    with Server(deployment, workers=1) as server, Answering(
            deployment, lambda request: http(request.headers["host"])):
        with server.client() as client:
            client.send("GET http://localhost/h HTTP/1.1\r\nHost: other.test\r\n\r\n")
            assert client.answer().body == b"localhost"
            client.send("GET http://other.test/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.answer().body == b"<h1>hello</h1>\n"


# Goal: who is trusted to end TLS may ask for an https URI (RFC 9110 7.4); nobody else, which the
# table shows.
def test_https_from_a_trusted_gateway(deployment):
    deployment.configure(settings={"forwarded.trusted": "127.0.0.1"})
    with Server(deployment, workers=1) as server:
        assert server.get("https://localhost/").body == b"<h1>hello</h1>\n"


# Goal: the log names client, byte and rule. Method: one bad request of each part of a message.
def test_log(deployment):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=1) as server:
        for request, line in [
                (get("G(T / HTTP/1.1"), "1: the method is not a token and one space"),
                (get("GET /a%zz HTTP/1.1"), "6: '%' without two hexadecimal digits"),
                (get("GET / HTTP/1.1", HOST + "X : a\r\n"),
                 "34: blank between field name and colon (RFC 9112 5.1)"),
                (post("Content-Length: -5\r\n"), "51: Content-Length is not a plain number"),
                (chunked("5;x\r\nhelloX"), "10 of its body: chunk longer than its size")]:
            with server.client() as client:
                assert client.send(request).answer().status == 400
            line = f"bad request from 127.0.0.1 at byte {line}"
            wait_until(lambda: line in server.log(), line)


# Goal: an attacker does not fill the disk: so many lines a second, the rest is counted, and nothing
# of the count is lost. Method: many bad requests at once, since the worker stands still until all
# are there; lines and counts add up to them.
def test_log_is_bounded(deployment):
    deployment.configure()
    with Server(deployment, workers=1) as server:
        asked = 300
        with standing_still(server.workers()):
            clients = [server.client().send(get("BAD")) for _ in range(asked)]
        for client in clients:
            assert client.answer().status == 400
            client.close()

        def accounted():
            lines = server.log().splitlines()
            written = sum("bad request from" in line for line in lines)
            left_out = sum(int(line.split("(worker 0) ")[1].split()[0]) for line in lines
                           if "more lines about clients left out" in line)
            assert written < asked
            return written + left_out == asked
        wait_until(accounted, "lines and counts that add up")


# Goal: the column of nginx is true, so that our differences from it are known ones. Method: the
# real nginx, the same bytes. Elsewhere than beside Debian 12's there is nothing to compare.
def test_peer(tmp_path):
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None or "nginx/1.22." not in subprocess.run(
            [program, "-v"], stderr=subprocess.PIPE, text=True, check=False).stderr:
        return
    with Backend() as backend:
        port = free_port()
        folder = tmp_path / "www"
        folder.mkdir()
        (folder / "index.html").write_text("hello\n")
        temporary = "".join(f"{name}_temp_path {tmp_path}/{name}; " for name in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/log;\n"
            f"events {{}} http {{ access_log off; {temporary}\n"
            f"server {{ listen 127.0.0.1:{port}; root {folder};\n"
            f"location /h {{ proxy_pass http://127.0.0.1:{backend.port}; }} }} }}\n")
        process = subprocess.Popen([program, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "log"],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: can_connect(port), "nginx")
            for name, (request, _, status) in TABLE.items():
                with Client(port) as client:
                    client.send(request).more()
                    data = client.received
                said = int(data.split(b" ")[1]) if data.startswith(b"HTTP/1.1 ") else 0
                assert said == status, f"{name}: nginx says {said}"
        finally:
            process.kill()
            process.wait()
