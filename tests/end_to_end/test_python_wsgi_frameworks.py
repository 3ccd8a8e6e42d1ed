"""mongrel2.wsgi with Flask and Django as Debian has them: bodies, files, streams, cookies."""

import hashlib
import os
import signal
import subprocess
import sys

import pytest

from lib.client import Client
from lib.deployment import TOP, Deployment, handler
from lib.server import Server
from lib.waiting import DEADLINE

FLASK = """
import flask
application = flask.Flask("shop")

@application.post("/echo")
def echo():
    return flask.request.get_data()

@application.post("/form")
def form():
    return flask.request.form["name"] + flask.request.files["file"].read().decode()

@application.get("/file")
def file():
    return flask.send_file({large!r}, mimetype="text/plain")

@application.get("/stream")
def stream():
    return flask.Response(str(n).encode() for n in range(10))

@application.get("/cookies")
def cookies():
    answer = flask.Response(flask.request.url)
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer

@application.get("/none")
def none():
    return "", 204
"""

DJANGO = """
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

def form(request):
    return HttpResponse(request.POST["name"] + request.FILES["file"].read().decode())

def cookies(request):
    answer = HttpResponse(request.build_absolute_uri())
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer

urlpatterns = [
    path("echo", lambda request: HttpResponse(request.body)),
    path("form", form),
    path("file", lambda request: FileResponse(open({large!r}, "rb"), content_type="text/plain")),
    path("stream", lambda request: StreamingHttpResponse(str(n) for n in range(10))),
    path("cookies", cookies),
    path("none", lambda request: HttpResponse(status=204)),
]
application = get_wsgi_application()
"""

FORM = (b"--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nn\r\n"
        b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
        b"BYTES\r\n--x--\r\n")


@pytest.fixture(scope="module", params=["flask", "django"])
def site(request):
    """The framework behind the command line, in a folder of its own."""
    with Deployment() as deployment:
        deployment.configure({"/": handler()}, settings={
            "handler.wait_ms": 30000, "download.flow_control": 1, "limits.content_length": 100_000,
            "upload.temp_store": "tmp/body.XXXXXX", "upload.temp_store_mode": "0644"})
        deployment.write("www/large", b"0123456789" * 500_000)
        text = {"flask": FLASK, "django": DJANGO}[request.param]
        text = text.replace("{large!r}", repr(deployment.path("www/large")))
        deployment.write("app/shop.py", text)
        with Server(deployment, workers=1):
            process = subprocess.Popen(
                [sys.executable, "-m", "mongrel2.wsgi", "shop", "--site", deployment.folder,
                 "--sub", deployment.endpoint("ipc://run/h-q"),
                 "--pub", deployment.endpoint("ipc://run/h-r")],
                cwd=deployment.path("app"), env={**os.environ,
                                                 "PYTHONPATH": os.path.join(TOP, "scripts")})
            try:
                yield deployment
            finally:
                process.send_signal(signal.SIGTERM)
                assert process.wait(DEADLINE) == 0


def chunked(client, path, body, head=b""):
    client.send(b"POST %s HTTP/1.1\r\nHost: a\r\n%sTransfer-Encoding: chunked\r\n\r\n"
                % (path, head))
    return client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


# Goal: a body arrives, with a length or in chunks, inline or as an upload.
@pytest.mark.parametrize("size", [5, 400_000])
def test_bodies(site, size):
    body = os.urandom(size)
    assert Client(site.port).request("POST", "/echo", body=body).body == body
    client = Client(site.port)
    for _ in range(2):
        assert chunked(client, b"/echo", body).answer().body == body
    assert chunked(client, b"/echo", b"").answer().body == b""


def test_form(site):
    head = b"Content-Type: multipart/form-data; boundary=x\r\n"
    assert chunked(Client(site.port), b"/form", FORM, head).answer().body == b"nBYTES"


# Goal: a file comes whole and with its length, a stream in chunks, 204 without either.
def test_answers(site):
    client = Client(site.port)
    answer = client.request(path="/file")
    assert answer.headers["content-length"] == "5000000"
    assert hashlib.md5(answer.body).digest() == hashlib.md5(b"0123456789" * 500_000).digest()
    answer = client.request(path="/stream")
    assert answer.body == b"0123456789" and answer.headers["transfer-encoding"] == "chunked"
    answer = client.request(path="/none")
    assert answer.status == 204 and "content-length" not in answer.headers


# Goal: two cookies are two, and a URL is made of any Host.
@pytest.mark.parametrize("host", ["localhost:6767", "[::1]:6767", "[::1]"])
def test_cookies_and_url(site, host):
    answer = Client(site.port).request(path="/cookies", host=host)
    assert answer.body.decode() == f"http://{host}/cookies"
    assert answer.headers["set-cookie"] == "a=1; Path=/, b=2; Path=/"
