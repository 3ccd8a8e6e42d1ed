"""Every setting of the manual's list (3.10) and what it does; 1.x settings without meaning."""

import resource

import pytest

from lib.deployment import dir_, handler, m2sh
from lib.handler import Answering, Handler, http, reply_message
from lib.server import Server
from lib.waiting import wait_until


def serving(deployment, settings):
    deployment.configure({"/": dir_(), "/h": handler()}, settings=settings)
    return Server(deployment, workers=1)


def status_of(server, data):
    with server.client() as client:
        return client.send(data).answer().status


def get(path="/", fields=""):
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"


# Goal: limits of a request hold exactly: what is at the limit passes, one more does not.
@pytest.mark.parametrize("key, limit, request_of, refused", [
    ("limits.buffer_size", 600, lambda n: get(fields="X: " + "x" * (n - 32) + "\r\n"), 431),
    ("limits.buffer_size", 200, lambda n: get(fields="X: " + "x" * (n - 32) + "\r\n"), 431),
    ("limits.url_path", 256, lambda n: get("/h" + "x" * (n - 2)), 414),
    ("limits.header_count", 20, lambda n: get(fields="X: y\r\n" * (n - 1)), 431),
    ("limits.content_length", 100, lambda n: f"POST /h HTTP/1.1\r\nHost: a\r\n"
                                             f"Content-Length: {n}\r\n\r\n" + "x" * n, 413),
    ("limits.content_length", 0, lambda n: f"POST /h HTTP/1.1\r\nHost: a\r\n"
                                           f"Content-Length: {n}\r\n\r\n" + "x" * n, 413),
])
def test_limits_of_a_request(deployment, key, limit, request_of, refused):
    with serving(deployment, {key: limit}) as server, Answering(
            deployment, lambda request: http(request.body)):
        assert status_of(server, request_of(limit)) == 200
        assert status_of(server, request_of(limit + 1)) == refused
        wait_until(lambda: key in server.log().split("serves:")[1], "the limit's name in the log")


# Goal: a handler's message may name limits.handler_targets ids, and not one more.
def test_handler_targets(deployment):
    with serving(deployment, {"limits.handler_targets": 3}) as server, Handler(deployment) as told:
        clients = [server.client() for _ in range(4)]
        ids = []
        for client in clients:
            client.send_request(path="/h")
            ids.append(told.recv().id)
        told.replies.send(reply_message(ids, http("four")))
        told.replies.send(reply_message(ids[:3], http("three")))
        for client in clients[:3]:
            assert client.answer().body == b"three"
        assert clients[3].is_quiet()
        for client in clients:
            client.close()


# Goal: limits of the configuration are findings that name the setting.
@pytest.mark.parametrize("setting, value, routes, hosts, mimetypes", [
    ("limits.dir_max_path", 5, {"/": dir_("www/x/")}, None, None),
    ("limits.dir_max_path", 5, {"/long/": dir_("www/")}, None, None),
    ("limits.host_name", 5, None, {"localhost": {"/": dir_()}}, None),
    ("limits.mime_ext_len", 5, None, None, {".shtml": "text/html"}),
])
def test_limits_of_the_configuration(deployment, setting, value, routes, hosts, mimetypes):
    deployment.configure(routes, hosts, settings={setting: value}, mimetypes=mimetypes)
    server = Server(deployment, start=False).launch()
    with server:
        assert server.wait_end() == 1
        server.says(f"must be shorter than {setting} ({value} bytes)")


# Goal: processes may open as many files as they are told, and not fewer than they could anyway: a
# number that no process could live with does not keep a database of 1.x from being served.
@pytest.mark.parametrize("wanted, given", [(1000, 1000), (64, 500), (0, 500)])
def test_processes(deployment, wanted, given):
    deployment.configure(settings={"superpoll.max_fd": wanted, "zeromq.threads": 3})
    server = Server(deployment, workers=1, start=False)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))):
        pid = server.workers()[0]
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            files = [line for line in file if line.startswith("Max open files")][0]
        assert int(files.split()[3]) == given
        assert status_of(server, get()) == 200


# Goal: what is set is in the log once, so that nobody has to guess what a server runs with.
def test_said_once(deployment):
    deployment.configure(settings={"limits.buffer_size": 8192, "workers": 2})
    with Server(deployment) as server:
        line = "settings: workers=2, limits.buffer_size=8192, access_log.flush_ms=0"
        wait_until(lambda: line in server.log(), line)
        assert server.log().count("settings: ") == 1
        server.reload()
        wait_until(lambda: server.log().count(line) == 2, "once more with each configuration")


WITHOUT_EFFECT = {
    "limits.client_read_retries": 5, "limits.proxy_read_retries": 100,
    "limits.proxy_read_retry_warn": 10, "limits.tick_timer": 10, "limits.min_ping": 120,
    "limits.kill_limit": 2, "limits.connection_stack_size": 32768, "limits.fdtask_stack": 102400,
    "limits.handler_stack": 102400, "limits.dir_send_buffer": 16384, "superpoll.hot_dividend": 4}


# Goal: settings that mean nothing here are taken, whatever their value, and one line for each says
# so at a start.
def test_without_effect(deployment):
    deployment.configure(settings=WITHOUT_EFFECT)
    with Server(deployment, workers=1) as server:
        assert server.get().status == 200
        for key in WITHOUT_EFFECT:
            assert server.log().count(f'key "{key}": has no effect') == 1


# Goal: a setting that does not exist, and a value that cannot be, are findings; the second is an
# error.
def test_findings(deployment):
    deployment.configure()
    deployment.sql("INSERT INTO setting (key, value) VALUES ('limits.no_such', '1')")
    assert "is no setting and is ignored" in m2sh("check", "-db", deployment.database).stdout
    deployment.sql("INSERT INTO setting (key, value) VALUES ('limits.buffer_size', '12 kB')")
    done = m2sh("check", "-db", deployment.database, check=False)
    assert done.returncode == 1
    assert 'limits.buffer_size "12 kB": must be a whole number from 64 to' in done.stdout
