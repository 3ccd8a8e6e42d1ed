"""Nothing outside of the base of a Dir, by no spelling of the path and by no link; and odd
files."""

import os
import socket

import pytest

from lib.deployment import Deployment, dir_
from lib.server import Server


@pytest.fixture(scope="module")
def site():
    with Deployment() as deployment:
        deployment.write("www/d/a.txt", "inside")
        deployment.write("www/d/deep/er/b.txt", "deeper")
        deployment.write("www/..dots/f.txt", "dots")
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
        deployment.give_away()
        deployment.configure({"/": dir_(), "/f/": dir_(), "/up": dir_()})
        yield Server(deployment, workers=1)


INSIDE = ["/d/a.txt", "/d/./a.txt", "/d//a.txt", "//d/a.txt", "/d/deep/../a.txt", "/d/%61.txt",
          "/d/deep/%2e%2e/a.txt", "/./d/a.txt", "/f/d/a.txt", "/d/deep/er/../../a.txt", "/rel-in",
          "/dir-in/a.txt", "/d/rel-in-up", "/d/x/../a.txt"]


# Goal: dots, double slashes and links that stay inside are served.
@pytest.mark.parametrize("path", INSIDE)
def test_inside(site, path):
    answer = site.get(path)
    if path == "/d/x/../a.txt":  # by name it is inside; in a file system there is no x
        assert answer.status in (200, 404)
    else:
        assert (answer.status, answer.body) == (200, b"inside")


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
