"""Nothing outside of the base of a Dir, by no spelling of the path and by no link; and odd
files."""

import os
import socket
import stat

import pytest

from lib.deployment import IS_ROOT, Deployment, dir_
from lib.server import Server


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment:
        deployment.write("www/d/a.txt", "inside")
        deployment.write("www/d/deep/er/b.txt", "deeper")
        deployment.write("www/..dots/f.txt", "dots")
        deployment.write("www/a[1]|^.txt", "raw")
        deployment.write("secret.txt", "SECRET")
        deployment.write("www_secret/s.txt", "SECRET")
        deployment.write("wwwx", "SECRET")
        link = lambda target, name: os.symlink(target, deployment.path(name))
        link("/etc/passwd", "www/abs-out")
        link("../secret.txt", "www/rel-out")
        link("../../../../../../etc", "www/dir-out")
        link("d/a.txt", "www/rel-in")
        link("deep/../a.txt", "www/d/rel-in-up")
        link("d", "www/dir-in")
        link("../www/d/a.txt", "www/out-and-in")
        link("loop", "www/loop")
        link("nowhere", "www/dangling")
        link("../www_secret", "www/sibling")
        os.mkfifo(deployment.path("www/fifo"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(deployment.path("www/socket"))
        deployment.write("www/secret-mode", "SECRET")
        deployment.write("www/closed/a.txt", "SECRET")
        if IS_ROOT:
            os.mknod(deployment.path("www/device"), 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        deployment.give_away()
        for name in ("www/secret-mode", "www/closed"):
            os.chmod(deployment.path(name), 0)
        deployment.configure({"/": dir_(), "/f/": dir_(), "/up": dir_()})
        yield Server(deployment, workers=1)


INSIDE = ["/d/a.txt", "/d/./a.txt", "/d//a.txt", "//d/a.txt", "/d/deep/../a.txt", "/d/%61.txt",
          "/d/deep/%2e%2e/a.txt", "/./d/a.txt", "/f/d/a.txt", "/d/deep/er/../../a.txt", "/rel-in",
          "/dir-in/a.txt", "/d/rel-in-up",
          "/d/x/../a.txt"]  # dots are taken out of the name, there need not be an x


# Goal: dots, double slashes and links that stay inside are served.
@pytest.mark.parametrize("path", INSIDE)
def test_inside(site, path):
    answer = site.get(path)
    assert (answer.status, answer.body) == (200, b"inside")


# Goal: what browsers leave raw in a path names the file as its escapes do.
@pytest.mark.parametrize("path", ["/a[1]|^.txt", "/a%5B1%5D%7C%5E.txt", "/a[1]|^.txt?x[]={`\\|^}"])
def test_raw_characters(site, path):
    answer = site.get(path)
    assert (answer.status, answer.body) == (200, b"raw")


OUTSIDE = ["/../secret.txt", "/..", "/../", "/d/../../secret.txt", "/%2e%2e/secret.txt",
           "/%2e%2e%2fsecret.txt", "/..%2fsecret.txt", "/.%2e/secret.txt", "/%2E%2E/secret.txt",
           "/f/../secret.txt", "/f/..%2f..%2fsecret.txt", "/../www_secret/s.txt",
           "/d/../../www_secret/s.txt", "/../wwwx", "/f/../../wwwx", "//../secret.txt",
           "/%2fetc/passwd", "//etc/passwd", "/%2f%2fetc/passwd", "/..%5csecret.txt",
           "/%5c..%5csecret.txt", "/d/..%00/../../secret.txt", "/secret.txt%00.html",
           "/d/a.txt%00", "/%00", "/%252e%252e/secret.txt", "/%c0%ae%c0%ae/secret.txt",
           "/abs-out", "/rel-out", "/dir-out/passwd", "/sibling/s.txt", "/loop", "/dangling",
           "/" + "../" * 40 + "etc/passwd", "/" + "d/../" * 300 + "../secret.txt", "/%", "/%2",
           "/%zz", "/up/../secret.txt"]


# Goal: everything else is refused with an error, and neither a secret nor a redirect out is sent.
@pytest.mark.parametrize("path", OUTSIDE)
def test_outside(site, path):
    answer = site.get(path)
    assert answer.status in (400, 403, 404, 414), answer
    assert b"SECRET" not in answer.body and b"root:" not in answer.body
    if "%00" in path:
        assert answer.status in (400, 404)


# Goal: each kind of name has one status. Method: what a file system can have, and every spelling.
@pytest.mark.parametrize("path, status", [
    ("/d%2Fa.txt", 404), ("/d%2fa.txt", 404), ("/d/%2e%2e%2fd/a.txt", 404), ("/d%2F", 404),
    ("/d/a.txt%00", 404), ("/%2500", 404), ("/d/a%252etxt", 404), ("/d%5Ca.txt", 404),
    ("/d/a.txt/", 404), ("/d/a.txt/b", 404), ("/d/", 404), ("/d", 301), ("/d/deep/..", 404),
    ("/" + "x" * 255, 404), ("/" + "x" * 256, 404), ("/d/" + "x/" * 1000 + "a", 404),
    ("/" + "x" * 8191, 404), ("/" + "x" * 8192, 414),
    ("/fifo", 404), ("/socket", 404), ("/device", 404), ("/fifo/", 404),
    ("/secret-mode", 403), ("/closed/a.txt", 403), ("/abs-out", 404), ("/rel-out", 404),
    ("/dir-out/passwd", 404), ("/sibling/s.txt", 404), ("/loop", 404), ("/loop/", 404),
    ("/dangling", 404), ("/../secret.txt", 404), ("/%2e%2e/secret.txt", 404), ("/%", 400)])
def test_statuses(site, path, status):
    for method in ("GET", "HEAD"):
        with site.client() as client:
            answer = client.request(method, path)
            assert answer.status == status
            if status < 404:
                assert b"SECRET" not in answer.body
            if status in (403, 404):  # the connection goes on
                assert client.request(path="/d/a.txt").body == b"inside"


# Goal: characters that the URI grammar does not allow are 400: backslash, controls, blanks.
@pytest.mark.parametrize("path", ["/..\\secret.txt", "/\\..\\secret.txt", "/d\x01/a.txt",
                                  "/d/a\tb"])
def test_bad_characters(site, path):
    with site.client() as client:
        assert client.request(path=path).status == 400


# Goal: a link that leaves the base and comes back in is not worth the risk: refused, or the file.
def test_out_and_in(site):
    answer = site.get("/out-and-in")
    assert answer.status in (403, 404) or answer.body == b"inside"


# Goal: FIFOs, sockets and devices in the tree hold nobody up. Method: ask for them, and for a file
# on the same worker right behind.
@pytest.mark.parametrize("path", ["/fifo", "/socket"])
def test_odd_files(site, path):
    with site.client() as client:
        assert client.request(path=path).status in (403, 404)
        assert client.request(path="/d/a.txt").body == b"inside"


# Goal: a name that begins with dots is a name.
def test_dots_in_names(site):
    assert site.get("/..dots/f.txt").body == b"dots"


# Goal: when a link that was inside is turned outside between two requests, the second is refused.
def test_link_turned(deployment):
    deployment.write("www/real.txt", "inside")
    deployment.write("secret.txt", "SECRET")
    os.symlink("real.txt", deployment.path("www/link"))
    deployment.configure()
    with Server(deployment, workers=1) as server, server.client() as client:
        for _ in range(3):
            assert client.request(path="/link").body == b"inside"
            os.unlink(deployment.path("www/link"))
            os.symlink("../secret.txt", deployment.path("www/link"))
            assert client.request(path="/link").status in (403, 404)
            os.unlink(deployment.path("www/link"))
            os.symlink("real.txt", deployment.path("www/link"))


# Goal: the same when a folder on the way becomes a link out.
def test_folder_turned(deployment):
    deployment.write("www/sub/f.txt", "inside")
    deployment.write("elsewhere/f.txt", "SECRET")
    deployment.configure()
    with Server(deployment, workers=1) as server, server.client() as client:
        assert client.request(path="/sub/f.txt").body == b"inside"
        os.rename(deployment.path("www/sub"), deployment.path("www/old"))
        os.symlink("../elsewhere", deployment.path("www/sub"))
        assert client.request(path="/sub/f.txt").status in (403, 404)
