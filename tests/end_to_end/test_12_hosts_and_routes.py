"""Which host and which route a request goes to. Each target says its own name."""

import pytest

from lib.deployment import Deployment, dir_, handler
from lib.handler import Answering, http
from lib.server import Server

# The table of the compatibility sheet, with real longest-prefix semantics.
ROUTES = {"/": "root", "/users/([0-9]+)": "digits", "/users": "users",
          "/users/people/([0-9]+)$": "people", "/img/(.*.jpg)$": "jpg", "/img/(.*.png)$": "png",
          "/exact()$": "exact", "/images/(\\a-\\-\\d+\\.jpg)": "dashes", "/up/(\\U+)$": "not-upper",
          "/bal/(\\b<>)$": "balanced", "/set/([^a-c]+)$": "set"}


HOSTS = {"test-com": "test.com", "www": "www.test.com", "pattern": "(\\a+).example.org",
         "any": "(.*).any.org", "mixed": "Mixed.Case.Net"}


@pytest.fixture(scope="module")
def site():
    """The routes of the default host go to one handler, which says the PATTERN it was told; each
    other host has a folder of its own."""
    with Deployment() as deployment:
        hosts = {"localhost": {path: handler() for path in ROUTES}}
        for name, matching in HOSTS.items():
            deployment.write(f"{name}/index.html", name)
            hosts[(name, matching)] = {"/": dir_(f"{name}/")}
        deployment.configure(hosts=hosts)
        server = Server(deployment, workers=1)
        with Answering(deployment, lambda request: http(ROUTES[request.headers["PATTERN"]])):
            yield server


@pytest.mark.parametrize("path, name", [
    ("/", "root"), ("/x", "root"), ("/Users/1", "root"), ("/us", "root"), ("/usersBLAH", "users"),
    ("/users", "users"), ("/users/1234", "digits"), ("/users/1234/testing", "digits"),
    ("/users/abc", None), ("/users/", None), ("/users/people/1234", "people"),
    ("/users/people/12/x", None), ("/users/people", None), ("/img/foo.jpg", "jpg"),
    ("/img/foo.png", "png"), ("/img/foo.bmp", None), ("/img/", None), ("/img", "root"),
    ("/exact", "exact"), ("/exactx", None), ("/exac", "root"), ("/users/1?x=2", "digits"),
    ("/users/%31", None), ("/%75sers/5", "root"), ("/images/ab-12.jpg", "dashes"),
    ("/images/-12.jpg", "dashes"), ("/images/ab-.jpg", None), ("/up/abc1", "not-upper"),
    ("/up/aBc", None), ("/bal/%3C", None), ("/set/xyz", "set"), ("/set/xyza", None),
])
# Goal: longest prefix, then its pattern, no second try. Method: the target that answers, or 404.
def test_routes(site, path, name):
    answer = site.get(path)
    if name is None:
        assert answer.status == 404
    else:
        assert answer.body == name.encode()


@pytest.mark.parametrize("host, name", [
    ("localhost", "root"), ("nobody.knows", "root"), ("test.com", "test-com"),
    ("TEST.com", "test-com"), ("test.com:8080", "test-com"), ("a.test.com", "test-com"),
    ("www.test.com", "www"), ("a.www.test.com", "www"), ("abc.example.org", "pattern"),
    ("a1.example.org", "root"), ("example.org", "root"), ("a.b.any.org", "any"),
    ("mixed.case.net", "mixed"), ("om", "root"), ("[::1]:80", "root"),
])
# Goal: exact, suffix and pattern hosts, case-insensitive, without the port; others go to the
# default.
def test_hosts(site, host, name):
    assert site.get(host=host).body == name.encode()


# Goal: the host may change with each request of a connection; 1.0 without Host means the default.
def test_host_changes(site):
    with site.client() as client:
        for host, name in (("test.com", b"test-com"), ("localhost", b"root"),
                           ("www.test.com", b"www")):
            assert client.request(host=host).body == name
        assert client.request(path="http://test.com/", host="localhost").body == b"test-com"
    with site.client() as client:
        assert client.send("GET / HTTP/1.0\r\n\r\n").answer().body == b"root"


# Goal: ten thousand routes and a thousand hosts load, and the right one answers.
def test_many(deployment):
    hosts = {"localhost": {f"/r{i}/": dir_() for i in range(10000)}}
    hosts.update({f"h{i}.test": {"/": dir_()} for i in range(1000)})
    deployment.configure(hosts=hosts)
    with Server(deployment, workers=1) as server, server.client() as client:
        for number in (0, 1, 777, 9999):
            assert client.request(path=f"/r{number}/").status == 200
            assert client.request(path=f"/r{number}").status == 404
        assert client.request(path="/r10000/").status == 404
        assert client.request(host="h999.test").status == 200
        assert client.request(host="h1000.test").status == 404
