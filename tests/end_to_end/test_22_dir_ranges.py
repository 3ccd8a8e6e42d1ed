"""Dir: ranges, alone and several, with conditions; compared with nginx where there is one."""

import os
import re
import shutil
import subprocess
from email.utils import formatdate

import pytest

from lib.client import Client
from lib.deployment import Deployment, dir_
from lib.server import Server
from lib.waiting import can_connect, free_port, wait_until

SMALL = bytes(range(97, 107))  # "abcdefghij": sent from memory
LARGE = bytes(range(256)) * 2048  # 512 KiB: sent from the file
FILES = {"/small.txt": SMALL, "/large.txt": LARGE}
SPARSE = 5 << 30


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment:
        for name, content in FILES.items():
            path = deployment.write("www" + name, content)
            os.utime(path, (1e9, 1e9))
        deployment.write("www/empty.txt", b"")
        path = deployment.write("www/sparse.bin", b"first")
        with open(path, "r+b") as file:
            file.truncate(SPARSE)
            file.seek(SPARSE - 4)
            file.write(b"last")
        deployment.configure({"/": dir_(cache_ttl=0)})
        yield Server(deployment, workers=1)


def parts_of(answer):
    """[(Content-Range, Content-Type, body)] of a multipart answer; every byte is accounted for."""
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)",
                            answer.headers["content-type"]).group(1).encode()
    assert answer.body.endswith(b"\r\n--" + boundary + b"--\r\n")
    pieces = answer.body[:-len(boundary) - 8].split(b"\r\n--" + boundary + b"\r\n")
    assert pieces[0] == b""
    found = []
    for piece in pieces[1:]:
        head, body = piece.split(b"\r\n\r\n", 1)
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        assert set(fields) == {"Content-Type", "Content-Range"}
        found.append((fields["Content-Range"], fields["Content-Type"], body))
    return found


# Goal: one range is 206 with exactly those bytes and the fields of the whole. Method: first, middle
# and last, open, suffix, too long; on a file in memory and on one that is sent from its descriptor.
@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("spec, first, last", [
    ("0-0", 0, 0), ("0-4", 0, 4), ("3-5", 3, 5), ("5-", 5, None), ("-3", -3, None),
    ("0-", 0, None), ("-99999999", 0, None), ("7-99999999999999999999", 7, None)])
def test_single(site, path, spec, first, last):
    content = FILES[path]
    first = first if first >= 0 else len(content) + first
    last = len(content) - 1 if last is None else last
    with site.client() as client:
        whole = client.request(path=path)
        assert whole.headers["accept-ranges"] == "bytes"
        for _ in range(2):
            answer = client.request(path=path, headers={"Range": f"bytes={spec}"})
            assert (answer.status, answer.reason) == (206, "Partial Content")
            assert answer.body == content[first:last + 1]
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(content)}"
            for name in ("etag", "last-modified", "content-type", "accept-ranges", "server"):
                assert answer.headers[name] == whole.headers[name]
            assert "date" in answer.headers
        assert client.request(path=path).body == content  # nothing sticks


# Goal: several ranges come as parts in the order asked for; one that remains comes as itself.
@pytest.mark.parametrize("path", FILES)
def test_several(site, path):
    content = FILES[path]
    size = len(content)
    with site.client() as client:
        answer = client.request(path=path, headers={"Range": "bytes=7-8, 0-1,-1"})
        assert answer.status == 206 and "content-range" not in answer.headers
        assert parts_of(answer) == [
            (f"bytes 7-8/{size}", "text/plain", content[7:9]),
            (f"bytes 0-1/{size}", "text/plain", content[:2]),
            (f"bytes {size - 1}-{size - 1}/{size}", "text/plain", content[-1:])]
        other = client.request(path=path, headers={"Range": "bytes=0-1,3-4"})
        assert other.headers["content-type"] != answer.headers["content-type"]  # a new boundary
        answer = client.request(path=path, headers={"Range": f"bytes=2-3,{size}-"})
        assert answer.headers["content-range"] == f"bytes 2-3/{size}"
        many = ",".join(f"{at}-{at}" for at in range(0, 10))
        parts = parts_of(client.request(path=path, headers={"Range": f"bytes={many}"}))
        assert b"".join(body for _, _, body in parts) == content[:10]


# Goal: 416 says how long the file is; nothing of it is sent; the connection goes on.
@pytest.mark.parametrize("path, spec", [
    ("/small.txt", "10-"), ("/small.txt", "10-20,30-40"), ("/small.txt", "-0"),
    ("/empty.txt", "0-"), ("/empty.txt", "0-0"), ("/small.txt", "99999999999999999999-")])
def test_unsatisfiable(site, path, spec):
    with site.client() as client:
        answer = client.request(path=path, headers={"Range": f"bytes={spec}"})
        size = len(FILES.get(path, b""))
        assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")
        assert answer.body == b"Range Not Satisfiable" and "cache-control" not in answer.headers
        assert client.request(path=path).status == 200


# Goal: what is no set of ranges, or an abusive one, gets the whole file, once.
@pytest.mark.parametrize("value", [
    "bytes=", "bytes=5-4", "bytes=a-b", "items=0-1", "bytes 0-1", "bytes=0-1,x", "0-1",
    "bytes=0-5,5-9", "bytes=" + "0-," * 10 + "0-", "bytes=" + "1-1," * 500 + "2-2",
    "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 200, 2)), "bytes=-1,-2,-3"])
def test_ignored(site, value):
    for path, content in FILES.items():
        answer = site.get(path, headers={"Range": value})
        assert (answer.status, answer.body) == (200, content)
        assert "content-range" not in answer.headers


# Goal: Range counts for GET alone, and once.
def test_only_get_and_only_once(site):
    with site.client() as client:
        head = client.request("HEAD", "/small.txt", headers={"Range": "bytes=0-1"})
        assert (head.status, head.headers["content-length"]) == (200, "10")
        head = client.request("HEAD", "/small.txt", headers={"Range": "bytes=20-"})
        assert head.status == 200
        assert client.request("POST", "/small.txt", headers={"Range": "bytes=0-1"}).status == 405
    with site.client() as client:
        client.send("GET /small.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n"
                    "Range: bytes=4-5\r\n\r\n")
        assert (client.answer().status, client.is_quiet()) == (200, True)
        client.send("GET /small.txt HTTP/1.0\r\nRange: bytes=0-1\r\n\r\n")
        answer = client.answer()
        assert (answer.status, answer.body) == (206, b"ab")
        assert answer.headers["connection"] == "close"


# Goal: conditions come before ranges, and If-Range decides between part and whole (RFC 9110
# 13.2.2). Method: a table of fields beside one range.
def test_with_conditions(site):
    with site.client() as client:
        plain = client.request(path="/small.txt")
        etag, modified = plain.headers["etag"], plain.headers["last-modified"]
        earlier, later = formatdate(9e8, usegmt=True), formatdate(1.1e9, usegmt=True)
        for fields, status in [
                ({}, 206), ({"If-Range": etag}, 206), ({"If-Range": modified}, 206),
                ({"If-Range": '"x"'}, 200), ({"If-Range": f"W/{etag}"}, 200),
                ({"If-Range": earlier}, 200), ({"If-Range": later}, 200),
                ({"If-Range": etag.strip('"')}, 200), ({"If-Range": ""}, 200),
                ({"If-Match": etag}, 206), ({"If-Match": '"x"'}, 412),
                ({"If-None-Match": etag}, 304), ({"If-None-Match": '"x"'}, 206),
                ({"If-Modified-Since": modified}, 304), ({"If-Modified-Since": earlier}, 206),
                ({"If-Unmodified-Since": modified}, 206), ({"If-Unmodified-Since": earlier}, 412),
                ({"If-Match": etag, "If-Unmodified-Since": earlier}, 206),
                ({"If-None-Match": '"x"', "If-Modified-Since": later}, 206),
                ({"If-Match": '"x"', "If-None-Match": etag}, 412),
                ({"If-None-Match": etag, "If-Range": etag}, 304),
                ({"If-Match": '"x"', "If-Range": '"x"'}, 412)]:
            answer = client.request(path="/small.txt", headers={"Range": "bytes=2-3", **fields})
            assert answer.status == status, fields
            assert answer.body == {206: b"cd", 200: SMALL, 304: b"",
                                   412: b"Precondition Failed"}[status]
        # Without a Range If-Range means nothing; and 416 needs a Range that counts.
        assert client.request(path="/small.txt", headers={"If-Range": '"x"'}).status == 200
        behind = {"Range": "bytes=20-"}
        assert client.request(path="/small.txt", headers=behind).status == 416
        assert client.request(path="/small.txt",
                              headers={**behind, "If-Range": '"x"'}).status == 200


# Goal: a list of tags may come in several lines.
def test_tags_in_several_lines(site):
    etag = site.get("/small.txt").headers["etag"]
    with site.client() as client:
        client.send(f'GET /small.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: {etag}\r\n'
                    'If-None-Match: "x"\r\n\r\n')
        assert client.answer().status == 304


# Goal: positions beyond 32 bits. Method: both ends of a sparse file of 5 GiB.
def test_beyond_four_gigabytes(site):
    with site.client() as client:
        answer = client.request(path="/sparse.bin", headers={"Range": f"bytes={SPARSE - 6}-"})
        assert answer.headers["content-range"] == f"bytes {SPARSE - 6}-{SPARSE - 1}/{SPARSE}"
        assert answer.body == b"\0\0last"
        answer = client.request(path="/sparse.bin", headers={"Range": "bytes=-4,0-4"})
        assert [body for _, _, body in parts_of(answer)] == [b"last", b"first"]
        head = client.request("HEAD", "/sparse.bin")
        assert head.headers["content-length"] == str(SPARSE)


@pytest.fixture(scope="module")
def nginx(site):
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not os.access(program, os.X_OK):
        pytest.skip("no nginx to compare with")
    port, folder = free_port(), site.deployment.path("tmp")
    temp = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                   ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as file:
        file.write(f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;"
                   f"events {{}} http {{ access_log off; {temp} default_type text/plain;"
                   f"server {{ listen 127.0.0.1:{port}; root {site.deployment.path('www')}; }} }}")
    with subprocess.Popen([program, "-c", os.path.join(folder, "nginx.conf")],
                          stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: can_connect(port) or process.poll() is not None, "nginx")
            if process.poll() is not None:
                pytest.skip("nginx does not start here")
            yield port
        finally:
            process.kill()


# Goal: clients cannot tell the two servers apart where both follow the RFC. Method: one request to
# each; status, content and the fields about it are compared.
@pytest.mark.parametrize("fields", [
    {}, {"Range": "bytes=0-0"}, {"Range": "bytes=5-"}, {"Range": "bytes=-5"},
    {"Range": "bytes=2-3,20-"}, {"Range": "bytes=10-"}, {"Range": "bytes=0-1,4-5"},
    {"Range": "bytes=0-1", "If-Range": formatdate(1e9, usegmt=True)},
    {"Range": "bytes=0-1", "If-Range": formatdate(9e8, usegmt=True)},
    {"Range": "bytes=0-1", "If-Range": '"other"'},
    {"If-Modified-Since": formatdate(1e9, usegmt=True)}, {"If-None-Match": "*"},
    {"If-Unmodified-Since": formatdate(9e8, usegmt=True)}, {"If-Match": '"other"'}])
def test_like_nginx(site, nginx, fields):
    # nginx gives parts to HEAD too; RFC 9110 14.2 defines ranges for GET alone.
    for method in ("GET",) if "Range" in fields else ("GET", "HEAD"):
        with Client(nginx) as peer, site.client() as client:
            theirs = peer.request(method, "/small.txt", headers=fields)
            ours = client.request(method, "/small.txt", headers=fields)
            assert ours.status == theirs.status
            for name in ("content-range", "last-modified"):
                if ours.status in (200, 206):
                    assert ours.headers.get(name) == theirs.headers.get(name)
            if ours.status in (200, 206) and "multipart" not in ours.headers["content-type"]:
                assert ours.body == theirs.body
            elif ours.status == 206:
                bodies = [re.sub(rb"--\w+", b"--B", answer.body) for answer in (ours, theirs)]
                assert bodies[0] == bodies[1]
