"""Dir: the forms of a file and what is said about it: encoded siblings, charset, lifetime, dates;
and the listing of a folder."""

import os
import re
import time
from email.utils import parsedate_to_datetime

import pytest

from lib.deployment import Deployment, dir_
from lib.server import Server, run

PLAIN = b"plain form"
BROTLI, ZSTD, GZIP = b"brotli form", b"zstd form!", b"gzip form"
LARGE = bytes(range(256)) * 2048


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment:
        for name, content in {"app.css": PLAIN, "app.css.br": BROTLI, "app.css.zst": ZSTD,
                              "app.css.gz": GZIP, "one.txt": b"one", "one.txt.gz": LARGE,
                              "alone.txt": b"alone", "sub/page.html": b"page",
                              "index.html.gz": b"index form"}.items():
            deployment.write("www/" + name, content)
        os.mkdir(deployment.path("www/empty"))
        deployment.give_away()
        deployment.configure({"/": dir_(precompressed=1), "/plain/": dir_(),
                              "/list/": dir_(listing=1, cache_ttl=60)},
                             settings={"dir.charset": "utf-8"})
        yield Server(deployment, workers=1)


# Goal: the form that a client likes best, with its coding, type and tag; every form says that it
# depends on Accept-Encoding. Method: fields of browsers and of those who are choosy.
@pytest.mark.parametrize("accept, coding, body", [
    (None, None, PLAIN), ("", None, PLAIN), ("gzip, deflate, br, zstd", "br", BROTLI),
    ("gzip, deflate", "gzip", GZIP), ("zstd", "zstd", ZSTD), ("deflate", None, PLAIN),
    ("br;q=0.5, gzip", "gzip", GZIP), ("br;q=0, zstd;q=0, *", "gzip", GZIP),
    ("identity, gzip;q=0.5", None, PLAIN), ("identity;q=0, gzip", "gzip", GZIP),
    ("*;q=0", "none", b"Not Acceptable"), ("identity;q=0", "none", b"Not Acceptable")])
def test_codings(site, accept, coding, body):
    headers = {} if accept is None else {"Accept-Encoding": accept}
    with site.client() as client:
        for _ in range(2):
            answer = client.request(path="/app.css", headers=headers)
            assert answer.status == (406 if coding == "none" else 200)
            assert answer.body == body and answer.headers["vary"] == "Accept-Encoding"
            if answer.status == 200:
                assert answer.headers.get("content-encoding") == coding
                assert answer.headers["content-type"] == "text/css; charset=utf-8"
        head = client.request("HEAD", "/app.css", headers=headers)
        for name in ("content-encoding", "content-length", "etag", "vary"):
            assert head.headers.get(name) == answer.headers.get(name)
        if answer.status == 200:  # each form has validators of its own
            again = client.request(path="/app.css", headers={
                **headers, "If-None-Match": answer.headers["etag"]})
            assert (again.status, again.headers["vary"]) == (304, "Accept-Encoding")
            assert again.headers["etag"] == answer.headers["etag"]
            other = {"Accept-Encoding": "zstd" if coding != "zstd" else "gzip"}
            assert client.request(path="/app.css", headers={
                **other, "If-None-Match": answer.headers["etag"]}).status == 200


# Goal: ranges are those of the form that is sent; several of an encoded form are not worth parts.
def test_ranges_of_a_form(site):
    with site.client() as client:
        fields = {"Accept-Encoding": "gzip", "Range": "bytes=1000-1002"}
        answer = client.request(path="/one.txt", headers=fields)
        assert (answer.status, answer.body) == (206, LARGE[1000:1003])
        assert answer.headers["content-range"] == f"bytes 1000-1002/{len(LARGE)}"
        assert answer.headers["content-encoding"] == "gzip"
        answer = client.request(path="/one.txt", headers={**fields, "Range": "bytes=0-1,5-6"})
        assert (answer.status, answer.body) == (200, LARGE)
        del fields["Accept-Encoding"]
        assert client.request(path="/one.txt", headers=fields).status == 416


# Goal: only where the Dir asks for it; the index file has forms too; a form by its own name is a
# file; what has no other form is sent as it is.
def test_where_forms_are_used(site):
    accept = {"Accept-Encoding": "gzip, br"}
    with site.client() as client:
        answer = client.request(path="/plain/app.css", headers=accept)
        assert answer.body == PLAIN and "vary" not in answer.headers
        assert client.request(path="/plain/app.css",
                              headers={"Accept-Encoding": "*;q=0"}).status == 200
        answer = client.request(path="/", headers=accept)
        assert answer.body == b"index form" and answer.headers["content-type"].startswith(
            "text/html")
        answer = client.request(path="/app.css.gz", headers=accept)
        assert answer.body == GZIP and "content-encoding" not in answer.headers
        assert client.request(path="/alone.txt", headers=accept).body == b"alone"
        assert client.request(path="/none.txt", headers=accept).status == 404


# Goal: a form that is older than the file, or gone, is not sent, from the next request on. Method:
# rewrite, replace and remove between requests on one connection.
def test_stale_forms(deployment):
    deployment.write("www/a.txt", "plain 1")
    deployment.write("www/a.txt.gz", "packed 1")
    deployment.configure({"/": dir_(precompressed=1)})
    with Server(deployment, workers=1) as server, server.client() as client:
        def get():
            return client.request(path="/a.txt", headers={"Accept-Encoding": "gzip"}).body
        assert get() == b"packed 1"
        deployment.write("www/a.txt", "plain 2")
        os.utime(deployment.path("www/a.txt.gz"), (1e9, 1e9))
        assert get() == b"plain 2"
        os.utime(deployment.path("www/a.txt"), (9e8, 9e8))
        # Forms are looked for once in a second.
        deadline = time.monotonic() + 30
        while get() != b"packed 1":
            assert time.monotonic() < deadline
        deployment.write("www/a.txt.gz", "packed 2")
        assert get() == b"packed 2"
        os.unlink(deployment.path("www/a.txt.gz"))
        assert get() == b"plain 2"
        os.unlink(deployment.path("www/a.txt"))
        assert get() == b"Not Found"


# Goal: charset for text, unless the type has one; nothing unless it is set.
def test_charset(site, deployment):
    assert site.get("/alone.txt").headers["content-type"] == "text/plain; charset=utf-8"
    assert site.get("/sub/page.html").headers["content-type"] == "text/html; charset=utf-8"
    deployment.write("www/a.txt", "a")
    deployment.write("www/a.m2x", "a")
    deployment.write("www/a.png", "a")
    deployment.configure({"/": dir_()}, mimetypes={".m2x": "text/x-own; charset=koi8-r"})
    with Server(deployment, workers=1) as server, server.client() as client:
        assert client.request(path="/a.txt").headers["content-type"] == "text/plain"
        deployment.sql("INSERT INTO setting (key, value) VALUES ('dir.charset', 'iso-8859-1')")
        assert "generation 2" in server.reload()
        for path, kind in [("/a.txt", "text/plain; charset=iso-8859-1"), ("/a.png", "image/png"),
                           ("/a.m2x", "text/x-own; charset=koi8-r")]:
            assert client.request(path=path).headers["content-type"] == kind


# Goal: what is no charset, and what is neither 0 nor 1, is found before it is served.
def test_findings(deployment):
    deployment.configure(settings={"dir.charset": "utf-8; x"})
    deployment.sql("UPDATE directory SET listing = 2, precompressed = 'yes'")
    checked = run("--check", deployment.database, "test")
    assert checked.returncode != 0
    for pattern in (r'setting row \d+, value "utf-8; x": must be the name of a charset',
                    r'directory row \d+, listing "?2"?: must be a whole number from 0 to 1',
                    r'directory row \d+, precompressed "yes": must be a whole number from 0 to 1'):
        assert re.search(pattern, checked.stdout), checked.stdout


# Goal: Cache-Control says what cache_ttl says, in 200, 206 and 304, and nothing where it is 0.
def test_cache_control(site):
    with site.client() as client:
        assert "cache-control" not in client.request(path="/alone.txt").headers
        answer = client.request(path="/list/alone.txt")
        assert answer.headers["cache-control"] == "max-age=60"
        for fields, status in [({"If-None-Match": answer.headers["etag"]}, 304),
                               ({"Range": "bytes=0-1"}, 206)]:
            again = client.request(path="/list/alone.txt", headers=fields)
            assert (again.status, again.headers["cache-control"]) == (status, "max-age=60")
        for fields, status in [({"If-Match": '"x"'}, 412), ({"Range": "bytes=9-"}, 416)]:
            again = client.request(path="/list/alone.txt", headers=fields)
            assert again.status == status and "cache-control" not in again.headers


# Goal: every answer has a Date of now; a modification in the future is not announced (RFC 9110
# 8.8.2.1) and matches no condition. Method: a file from tomorrow, whole, in part, not at all.
def test_dates(site):
    path = site.deployment.write("www/tomorrow.txt", "tomorrow")
    os.utime(path, (time.time() + 86400,) * 2)
    with site.client() as client:
        for fields in ({}, {"Range": "bytes=0-2"}):
            answer = client.request(path="/tomorrow.txt", headers=fields)
            date = parsedate_to_datetime(answer.headers["date"])
            assert abs(date.timestamp() - time.time()) < 60
            assert answer.headers["last-modified"] == answer.headers["date"]
        answer = client.request(path="/tomorrow.txt", headers={
            "If-Modified-Since": answer.headers["last-modified"]})
        assert answer.status == 200
        fields = {"If-Range": answer.headers["last-modified"], "Range": "bytes=0-2"}
        assert client.request(path="/tomorrow.txt", headers=fields).status == 200
        for path, fields in [("/none", {}), ("/sub", {}), ("/list/sub/", {}),
                             ("/alone.txt", {"If-None-Match": "*"}),
                             ("/app.css", {"Range": "bytes=99999-"})]:
            assert "date" in client.request(path=path, headers=fields).headers


# Goal: a folder without index is listed where the Dir asks for it, and only there.
def test_listing(site):
    with site.client() as client:
        answer = client.request(path="/list/sub/")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b'<a href="./page.html">page.html</a>' in answer.body
        assert b'<a href="../">' in answer.body and b"Index of /list/sub/" in answer.body
        assert "etag" not in answer.headers and "last-modified" not in answer.headers
        head = client.request("HEAD", "/list/sub/")
        assert head.headers["content-length"] == str(len(answer.body))
        assert client.request(path="/list/empty/").status == 200
        assert client.request(path="/list/").body == b"<h1>hello</h1>\n"  # it has an index
        assert client.request(path="/list/sub").status == 301
        assert client.request(path="/list/sub/page.html").body == b"page"
        assert client.request(path="/list/none/").status == 404
        assert client.request("POST", "/list/sub/").status == 405
        for path in ("/plain/sub/", "/sub/"):
            assert client.request(path=path).status == 404
        os.chmod(site.deployment.path("www/empty"), 0)
        assert client.request(path="/list/empty/").status == 403
        os.chmod(site.deployment.path("www/empty"), 0o755)
