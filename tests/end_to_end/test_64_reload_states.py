"""Reload in every state, under load: whatever a client is in the middle of goes on, whatever
changes. The rows of the matrix are CHANGES, its columns STATES; each test has all states at
once."""

import json
import os
import threading

import pytest

from lib.backend import Backend
from lib.client import Client
from lib.deployment import dir_, handler, listener, proxy
from lib.handler import Handler
from lib.load import Load
from lib.server import Server
from lib.waiting import free_port, wait_until
from lib.websocket_site import WebSocketSite

LARGE = os.urandom(1 << 20) * 4
BODY = os.urandom(100_000)


class Site:
    """What all states share. upload: 'disk' or 'stream'."""

    def __init__(self, deployment, workers, upload, end):
        self.deployment, self.upload = deployment, upload
        self.half_sent, self.go_on = threading.Event(), threading.Event()
        self.backend = end(Backend(self.script))
        deployment.write("www/large", LARGE)
        deployment.write("other/index.html", "other")
        self.routes = {
            "/": dir_(), "/x/": dir_("other/"), "/p": proxy(self.backend.port),
            "/h": handler(replies="pull"), "@chat": handler(replies="pull"),
            "/messages": handler("m", replies="pull", websocket="messages"),
            "/frames": handler("f", replies="pull")}
        self.settings = {"workers": workers, "upload.temp_store": "tmp/body.XXXXXX",
                         "upload.stream": int(upload == "stream"),
                         "limits.content_length": 20480, "limits.head_ms": 120000}
        self.server_columns, self.hosts = {}, None
        self.configure()
        self.server = end(Server(deployment))
        self.on = end(Handler(deployment, replies="pull"))
        self.sites = {contract: WebSocketSite(
            deployment, self.server, end(Handler(deployment, contract[0], replies="pull")),
            contract)
            for contract in ("messages", "frames")}

    def script(self, exchange, head):
        body = exchange.read_body(head)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 8))
        if head.startswith(b"GET"):
            exchange.send(b"1234")
            self.half_sent.set()
            assert self.go_on.wait(30)
            exchange.send(b"5678")
        else:
            exchange.send(body + b"and more")
        return True

    def configure(self):
        if self.hosts is None:
            self.deployment.configure(self.routes, settings=self.settings, **self.server_columns)
        else:
            self.deployment.configure(hosts=self.hosts, settings=self.settings,
                                      **self.server_columns)

    def next(self):
        return self.on.recv_request()


# ---- states: each begins something and returns what completes it and looks at the outcome. ends:
# tells of an id with which code the change ends the socket that has it; None: it must stay.

def idle(site):
    client = site.server.client()
    assert client.request().status == 200

    def complete(_ends):
        assert client.request().status == 200
    return complete


def half_a_head(site):
    client = site.server.client().send("GET / HTTP/1.1\r\nHo")

    def complete(_ends):
        assert client.send("st: localhost\r\n\r\n").answer().body == b"<h1>hello</h1>\n"
    return complete


def download(site):
    client = Client(site.deployment.port, receive_buffer=8192).send_request(path="/large")
    assert client.more()

    def complete(_ends):
        assert client.answer().body == LARGE
    return complete


def proxied_answer(site):
    client = site.server.client().send_request(path="/p")
    assert site.half_sent.wait(30)
    client.take_until(b"1234")

    def complete(_ends):
        site.go_on.set()
        assert client.take(4) == b"5678"
    return complete


def proxied_upload(site):
    client = site.server.client()
    client.send(f"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n")
    client.send(BODY[:50_000])

    def complete(_ends):
        assert client.send(BODY[50_000:]).answer().body == BODY + b"and more"
    return complete


def long_poll(site):
    client = site.server.client().send_request(path="/h/poll")
    request = site.next()

    def complete(_ends):
        site.on.reply(request, "at last")
        assert client.answer().body == b"at last"
    return complete


def stream(site):
    client = site.server.client().send_request(path="/h/stream")
    request = site.next()
    site.on.send(request.id, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    client.take_until(b"one")

    def complete(_ends):
        site.on.send(request.id, b"3\r\ntwo\r\n0\r\n\r\n")
        assert client.take_until(b"0\r\n\r\n") == b"\r\n3\r\ntwo\r\n"
    return complete


def upload(site):
    client = site.server.client()
    client.send(f"POST /h/up HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n")
    client.send(BODY[:50_000])
    first = site.next()

    def from_disk(_ends):
        client.send(BODY[50_000:])
        name = site.next().headers["x-mongrel2-upload-done"]
        assert name == first.headers["x-mongrel2-upload-start"]
        assert site.deployment.read(name) == BODY
        site.on.reply(first, "stored")
        assert client.answer().body == b"stored"

    def in_pieces(_ends):
        client.send(BODY[50_000:])
        value = b"7:credits,6:100000#"
        value = b"3:ctl,%d:%s}" % (len(value), value)
        site.on.send_extended(first.id, b"%d:%s]" % (len(value), value))
        got, last = first.body, False
        while not last:
            piece = site.next()
            got, last = got + piece.body, "UPLOAD_STREAM_DONE" in piece.headers
        assert got == BODY
        site.on.reply(first, "taken")
        assert client.answer().body == b"taken"
    return from_disk if site.upload == "disk" else in_pieces


def message_socket(site):
    client = site.server.client().send(b'@chat {"n":1}\0')
    first = site.next()
    assert json.loads(first.body) == {"n": 1}

    def complete(ends):
        if ends(first.id) == 1001:
            assert client.is_closed()
            return
        client.send(b'@chat {"n":2}\0')
        request = site.next()
        assert json.loads(request.body) == {"n": 2}
        site.on.send(request.id, b"two")
        assert client.take_until(b"\0") == b"dHdv"
    return complete


def websocket(contract):
    def begin(site):
        sockets = site.sites[contract]
        client = sockets.client("/" + contract)

        def complete(ends):
            code = ends(client.id)
            if code is not None:
                assert client.closed_with() == code
                return
            client.send_frame("still there?")
            assert sockets.message() == (1, b"still there?")
            sockets.send(client, "yes")
            assert client.text() == "yes"
        return complete
    return begin


STATES = [idle, half_a_head, download, proxied_answer, proxied_upload, long_poll, stream, upload,
          message_socket, websocket("messages"), websocket("frames")]


# ---- changes: what is done to the configuration before the reload

def nothing(_site):
    pass


def routes_added(site):
    site.routes["/new/"] = dir_("other/")


def route_changed(site):
    site.routes["/x/"] = dir_("www/")


def routes_removed(site):
    """Of files, proxies; the row of the handlers stays, under another path."""
    site.routes = {"/": dir_(), "/moved": site.routes["/h"], "/m": site.routes["/messages"],
                   "/f": site.routes["/frames"], "@chat": site.routes["@chat"]}


def host_added(site):
    site.hosts = {"localhost": site.routes, "new.org": {"/": dir_("other/")}}


def host_changed(site):
    site.hosts = {("localhost", "(.*\\.)?localhost"): site.routes}


def host_replaced(site):
    site.hosts = {"other.org": site.routes}
    site.server_columns["default_host"] = "other.org"


def port_changed(site):
    site.deployment.port = free_port()


def listener_added(site):
    site.server_columns["listeners"] = [listener(port=free_port())]


def idents_changed(site):
    for path in ("/h", "@chat"):
        site.routes[path] = handler(replies="pull", ident="changed")


def endpoints_changed(site):
    for path in ("/messages", "/frames"):
        more = {"websocket": "messages"} if path == "/messages" else {}
        site.routes[path] = handler("elsewhere" + path[1], replies="pull", **more)


def limits_changed(site):
    site.settings.update({"limits.buffer_size": 8192, "limits.url_path": 300,
                          "limits.idle_ms": 90000, "limits.write_ms": 20000,
                          "handler.wait_ms": 9000, "websocket.message_bytes": 5000})


def logs_changed(site):
    site.server_columns.update(access_log="/logs/other.log", error_log="/logs/others.log")


def temp_store_changed(site):
    site.settings["upload.temp_store"] = "tmp/other.XXXXXX"


def temp_store_removed(site):
    del site.settings["upload.temp_store"]


def everything(site):
    for change in (routes_added, listener_added, idents_changed, limits_changed, logs_changed,
                   temp_store_changed):
        change(site)


CHANGES = [nothing, routes_added, route_changed, routes_removed, host_added, host_changed,
           host_replaced, port_changed, listener_added, idents_changed, endpoints_changed,
           limits_changed, logs_changed, temp_store_changed, temp_store_removed, everything]
# What a change does to the WebSockets of the rows that it is about.
ENDS = {endpoints_changed: 1012}


def connected_again(site):
    """Every pair has moved: what a handler writes while its old connection closes would be lost."""
    def look():
        log = site.server.log()
        return all(log.count(f"ipc://run/{name}-q: handlers are connected") >= 2
                   for name in ("h", "m", "f"))
    wait_until(look, "the handlers of all pairs to connect again")


def run(deployment, workers, upload_kind, change, ends, moves=False):
    opened = []

    def end(what):
        opened.append(what)
        return what
    try:
        site = Site(deployment, workers, upload_kind, end)
        port = deployment.port
        with Load(port, connections=6) as load:
            wait_until(lambda: load.total() > 50, "some load")
            complete = [begin(site) for begin in STATES]
            change(site)
            site.configure()
            assert "refused" not in site.server.reload(), site.server.log()
            more = load.total() + 50
            wait_until(lambda: load.total() > more, "more load")
            if moves:
                connected_again(site)
            for finish in complete:
                finish(ends)
        assert (load.failures, load.closed, set(load.answered)) == ([], 0, {200})
        assert site.server.get().status == 200
    finally:
        for what in reversed(opened):
            what.close() if not isinstance(what, Server) else what.end_now()


# Goal: nobody is disturbed by any change, with one worker and with two. Method: everything at once
# in each state; uploads to files with one worker and in pieces with two.
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_change(deployment, workers, change):
    run(deployment, workers, "disk" if workers == 1 else "stream", change,
        lambda _id: ENDS.get(change))


# Goal: the same for the number of workers; sockets of a worker that retires have to connect again
# (1001). Handlers connect again when one worker becomes several.
@pytest.mark.parametrize("kind", ["disk", "stream"])
@pytest.mark.parametrize("before, after", [(1, 2), (2, 1), (2, 4), (4, 2), (4, 1)])
def test_workers(deployment, before, after, kind):
    def change(site):
        site.settings["workers"] = after

    def ends(client_id):
        return 1001 if int(client_id) >> 47 >= after else None
    run(deployment, before, kind, change, ends, moves=before == 1)
