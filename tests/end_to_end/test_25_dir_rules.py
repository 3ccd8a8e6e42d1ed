"""Dir: rules of RFC 9110 that the other tests of Dir do not happen to show (docs/rfc-files.md)."""

import re
import time
from email.utils import formatdate, parsedate_to_datetime

import pytest

from lib.deployment import Deployment, dir_
from lib.server import Server


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment:
        deployment.write("www/a.txt", "0123456789")
        deployment.write("www/sub/b.txt", "b")
        deployment.configure({"/": dir_()})
        yield Server(deployment, workers=1)


# Goal: conditions and ranges count only where the answer without them were 200 (13.2.1). Method:
# fields that would say 304, 412 and 416, on everything else.
@pytest.mark.parametrize("fields", [
    {"If-None-Match": "*"}, {"If-Match": '"x"'}, {"If-Modified-Since": formatdate(usegmt=True)},
    {"If-Unmodified-Since": formatdate(1e9, usegmt=True)}, {"Range": "bytes=100-"}])
def test_only_beside_success(site, fields):
    with site.client() as client:
        for method, path, status in [("GET", "/none", 404), ("GET", "/sub", 301),
                                     ("GET", "/sub/", 404), ("POST", "/a.txt", 405)]:
            with site.client() as client:
                assert client.request(method, path, headers=fields).status == status


# Goal: 405 names what is allowed (15.5.6), whatever the method.
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "get"])
def test_allow(site, method):
    with site.client() as client:
        answer = client.request(method, "/a.txt")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


# Goal: answers without content have none: HEAD of everything, and 304 (9.3.2, 15.4.5, 8.6).
# Method: a second request right behind would be misread if a byte too many had come.
def test_no_content(site):
    with site.client() as client:
        for path in ("/a.txt", "/none", "/sub", "/sub/", "/"):
            plain = client.request(path=path)
            head = client.request("HEAD", path)
            assert head.status == plain.status
            assert head.headers.get("content-length") == plain.headers.get("content-length")
            assert head.headers.get("content-type") == plain.headers.get("content-type")
            assert client.is_quiet()
        for method in ("GET", "HEAD"):
            answer = client.request(method, "/a.txt", headers={"If-None-Match": "*"})
            assert answer.status == 304 and client.is_quiet()
            assert "content-length" not in answer.headers
            assert "content-type" not in answer.headers


# Goal: dates are read in all three forms and written in one (5.6.7). Method: the time of the file,
# and a second less.
def test_date_forms(site):
    with site.client() as client:
        answer = client.request(path="/a.txt")
        modified = parsedate_to_datetime(answer.headers["last-modified"]).timestamp()
        for name in ("date", "last-modified"):
            assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
                                answer.headers[name])
        for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                     "%a %b %e %H:%M:%S %Y"):
            for seconds, status in ((0, 304), (-1, 200)):
                date = time.strftime(form, time.gmtime(modified + seconds))
                assert client.request(path="/a.txt",
                                      headers={"If-Modified-Since": date}).status == status, date
        for date in (f"{formatdate(usegmt=True)}, {formatdate(usegmt=True)}", "now", ""):
            assert client.request(path="/a.txt",
                                  headers={"If-Modified-Since": date}).status == 200


# Goal: a tag stands for one content, also within the same tick of the clock and with the same times
# and size (8.8.1); and it stays while the file does. Method: rewrite without a pause.
def test_tags(site):
    seen = {}
    with site.client() as client:
        for number in range(200):
            content = f"{number % 7:05}".encode()
            site.deployment.write("www/busy.txt", content)
            for _ in range(2):
                answer = client.request(path="/busy.txt")
                assert answer.body == content
                assert seen.setdefault(answer.headers["etag"], content) == content
                assert client.request(path="/busy.txt", headers={
                    "If-None-Match": answer.headers["etag"]}).status == 304
    assert len(seen) >= 7
