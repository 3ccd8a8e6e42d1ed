"""Dir: files as they are, conditions, and files that change between requests."""

import os
import re
from email.utils import formatdate

import pytest

from lib.client import Client
from lib.deployment import IS_ROOT, Deployment, dir_
from lib.server import Server
from lib.waiting import wait_until


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment:
        deployment.write("www/a.txt", "0123456789")
        deployment.write("www/empty.txt", "")
        deployment.write("www/single.txt", "single")
        deployment.write("www/page.html", "<p>page</p>")
        deployment.write("www/UPPER.JPG", "picture")
        deployment.write("www/archive.tar.gz", "archive")
        deployment.write("www/data.unknown", "data")
        deployment.write("www/no-extension", "data")
        deployment.write("www/custom.m2x", "custom")
        deployment.write("www/sp ace+plus%25.txt", "odd name")
        deployment.write("www/\xfcmlaut.txt", "umlaut")
        deployment.write("www/sub/index.html", "sub index")
        deployment.write("www/bare/file.txt", "no index here")
        deployment.write("www/large", bytes(range(256)) * 4 * 5120)
        deployment.configure({"/": dir_(), "/files/": dir_(default_ctype="text/x-own"),
                              "/single.txt": dir_(), "/pat/(.*.html)$": dir_()},
                             mimetypes={".m2x": "application/x-m2"})
        yield Server(deployment, workers=1)


# Goal: GET of a file: status, length, type, validators. Method: names of every kind.
@pytest.mark.parametrize("path, body, ctype", [
    ("/a.txt", b"0123456789", "text/plain"), ("/empty.txt", b"", "text/plain"),
    ("/page.html", b"<p>page</p>", "text/html"), ("/UPPER.JPG", b"picture", "image/jpeg"),
    ("/data.unknown", b"data", "text/plain"), ("/files/data.unknown", b"data", "text/x-own"),
    ("/no-extension", b"data", "text/plain"), ("/custom.m2x", b"custom", "application/x-m2"),
    ("/sp%20ace+plus%2525.txt", b"odd name", "text/plain"),
    ("/%C3%BCmlaut.txt", b"umlaut", "text/plain"), ("/", b"<h1>hello</h1>\n", "text/html"),
    ("/sub/", b"sub index", "text/html"), ("/files/sub/index.html", b"sub index", "text/html"),
    ("/pat/page.html", b"<p>page</p>", "text/html"),
    ("/archive.tar.gz", b"archive", "application/x-gzip"),
    ("/a.txt?query=1", b"0123456789", "text/plain"), ("/single.txt", b"single", "text/plain"),
])
def test_get(site, path, body, ctype):
    with site.client() as client:
        for _ in range(2):  # the second one comes out of the cache
            answer = client.request(path=path)
            assert answer.status == 200
            assert (answer.body, answer.headers["content-type"]) == (body, ctype)
            assert re.fullmatch(r'"[^"\s]+"', answer.headers["etag"])
            assert answer.headers["last-modified"].endswith(" GMT")
        head = client.request("HEAD", path)
        assert head.headers["content-length"] == str(len(body))
        for name in ("content-type", "etag", "last-modified"):
            assert head.headers[name] == answer.headers[name]


# Goal: a file of 5 MB arrives whole, fast and slowly read, on a connection that goes on.
def test_large(site):
    content = bytes(range(256)) * 4 * 5120
    with site.client() as client:
        for _ in range(2):
            assert client.request(path="/large").body == content
        assert client.request(path="/a.txt").status == 200
    with Client(site.deployment.port, receive_buffer=4096) as slow:
        slow.send_request(path="/large")
        while len(slow.received) < 100_000 and (data := slow.socket.recv(1000)):
            slow.received += data
        assert site.get("/a.txt").status == 200
        assert slow.answer().body == content


# Goal: what is not there is 404: files, folders without index, names below files, fragments of
# names.
@pytest.mark.parametrize("path", ["/none", "/a.txt/", "/a.txt/x", "/bare/", "/sub/none", "/a.tx",
                                  "/" + "x" * 255, "/pat/none.html", "/pat/a.txt", "/files/",
                                  "/sub/index.html/"])
def test_404(site, path):
    answer = site.get(path)
    if path == "/files/":
        assert answer.status == 200
    else:
        assert answer.status == 404


# Goal: a folder without the slash is a redirect to it that keeps the query and names the host.
def test_redirect(site):
    with site.client() as client:
        answer = client.request(path="/sub?x=1&y=/2", host="localhost:1234")
        assert answer.status == 301
        assert answer.headers["location"] == "http://localhost:1234/sub/?x=1&y=/2"
        assert client.request(path="/sub").headers["location"] == "http://localhost/sub/"
        # Nothing but RFC 3986 in a field of ours, whatever the client left raw.
        assert client.request(path="/sub?a[]=|").headers["location"] == (
            "http://localhost/sub/?a%5B%5D=%7C")
        assert client.request(path="/files/bare").headers["location"] == (
            "http://localhost/files/bare/")
        client.send("GET /sub HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.answer().headers["location"] == "/sub/"
        assert not client.request(path="//sub").headers["location"].startswith("//")


# Goal: conditional requests by RFC 9110, 13. Method: own ETag and date and others.
def test_conditions(site):
    with site.client() as client:
        plain = client.request(path="/a.txt")
        etag, modified = plain.headers["etag"], plain.headers["last-modified"]
        earlier = formatdate(1e9, usegmt=True)
        for headers, status in [
                ({"If-None-Match": etag}, 304), ({"If-None-Match": "*"}, 304),
                ({"If-None-Match": f'"x", {etag}'}, 304), ({"If-None-Match": f"W/{etag}"}, 304),
                ({"If-None-Match": etag.strip('"')}, 304), ({"If-None-Match": '"x"'}, 200),
                ({"If-Modified-Since": modified}, 304), ({"If-Modified-Since": earlier}, 200),
                ({"If-Modified-Since": "yesterday"}, 200),
                ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
                ({"If-Match": etag}, 200), ({"If-Match": "*"}, 200), ({"If-Match": '"x"'}, 412),
                ({"If-Unmodified-Since": modified}, 200), ({"If-Unmodified-Since": earlier}, 412)]:
            answer = client.request(path="/a.txt", headers=headers)
            assert answer.status == status, headers
            if status == 304:
                assert answer.body == b"" and answer.headers["etag"] == etag
            if status == 200:
                assert answer.body == b"0123456789"
        assert client.request("HEAD", "/a.txt", headers={"If-None-Match": etag}).status == 304


# Goal: only GET and HEAD; a body that comes along is not taken for a request: the connection goes
# on behind it, or the answer says that it ends.
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_methods(site, method):
    with site.client() as client:
        body = b"GET /none HTTP/1.1\r\nHost: evil\r\n\r\n"
        answer = client.request(method, "/a.txt", body=body)
        assert answer.status == 405
        goes_on_or_ends(client, answer)


def goes_on_or_ends(client, answer):
    if answer.headers.get("connection") == "close":
        assert client.is_closed()
    else:
        assert client.request(path="/a.txt").status == 200


# Goal: a GET with a body is answered once; what follows is not mistaken for a request.
def test_get_with_body(site):
    with site.client() as client:
        answer = client.request(path="/a.txt", body=b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.body == b"0123456789"
        goes_on_or_ends(client, answer)


# Goal: files may change in every way between two requests, and the answer is the file as it is.
# Method: rewrite in place, replace by rename, same size and second, truncate, grow, delete, bring
# back.
@pytest.mark.parametrize("ttl", [0])
def test_changes(deployment, ttl):
    deployment.configure({"/": dir_(cache_ttl=ttl)})
    with Server(deployment, workers=1) as server, server.client() as client:
        def expect(body):
            answer = client.request(path="/f.txt")
            assert (answer.status, answer.body) == ((200, body) if body is not None else
                                                    (404, b"Not Found"))
            return answer.headers.get("etag")
        expect(None)
        for _ in range(3):
            etags = []
            for content in (b"first", b"other", b"longer content", b"", b"x" * 100_000, b"y"):
                deployment.write("www/f.txt", content)
                etags.append(expect(content))
                etags.append(expect(content))
            assert len(set(etags)) == 6
            for content in (b"aaaaa", b"bbbbb", b"ccccc"):
                deployment.write("www/f.new", content)
                os.rename(deployment.path("www/f.new"), deployment.path("www/f.txt"))
                expect(content)
            os.unlink(deployment.path("www/f.txt"))
            expect(None)
        deployment.write("www/f.txt", b"x")
        expect(b"x")
        os.unlink(deployment.path("www/f.txt"))
        deployment.write("www/f.txt/index.html", "now a folder")
        assert client.request(path="/f.txt").status == 301
        assert client.request(path="/f.txt/").body == b"now a folder"


# Goal: with a cache_ttl a file may be served for that long from memory, and no longer.
def test_cache_ttl(deployment):
    deployment.configure({"/": dir_(cache_ttl=1)})
    deployment.write("www/f.txt", b"first")
    with Server(deployment, workers=1) as server, server.client() as client:
        assert client.request(path="/f.txt").body == b"first"
        deployment.write("www/f.txt", b"second")
        wait_until(lambda: client.request(path="/f.txt").body == b"second", "the second content")


# Goal: a file that shrinks while it is sent ends the connection; no byte of anything else is sent.
def test_truncated_while_sent(deployment):
    content = b"a" * (16 << 20)
    deployment.write("www/f.txt", content)
    deployment.configure()
    with Server(deployment, workers=1) as server:
        with Client(deployment.port, receive_buffer=4096) as client:
            client.send_request(path="/f.txt")
            client.take_until(b"\r\n\r\n")
            os.truncate(deployment.path("www/f.txt"), 100)
            body = client.received
            client.received = b""
            try:
                while data := client.socket.recv(1 << 20):
                    body += data
            except ConnectionResetError:
                pass
            # NULs: what the kernel makes of pages that it had yet to send.
            assert len(body) < len(content) and set(body) <= {ord("a"), 0}
        assert server.get("/f.txt").body == b"a" * 100


# Goal: a file that may not be read is 403, and so is one in a folder that may not be entered.
def test_unreadable(deployment):
    deployment.write("www/secret.txt", "secret")
    deployment.write("www/closed/f.txt", "secret")
    deployment.configure()
    for name in ("www/secret.txt", "www/closed"):
        os.chmod(deployment.path(name), 0)
    with Server(deployment, workers=1) as server, server.client() as client:
        for path in ("/secret.txt", "/closed/f.txt", "/secret.txt"):
            answer = client.request(path=path)
            assert (answer.status, b"secret" in answer.body) == (403, False)
        os.chmod(deployment.path("www/secret.txt"), 0o644)
        assert client.request(path="/secret.txt").body == b"secret"
        os.chmod(deployment.path("www/secret.txt"), 0)
        assert client.request(path="/secret.txt").status == 403
    assert IS_ROOT or os.getuid() != 0


# Goal: two routes to one folder, and a folder that comes into being later.
def test_late_base(deployment):
    deployment.configure({"/": dir_(), "/late/": dir_("late/")})
    with Server(deployment, workers=1) as server, server.client() as client:
        assert client.request(path="/late/x").status == 404
        deployment.write("late/x", "here")
        assert client.request(path="/late/x").body == b"here"
