"""How long an answer may take: the setting, the handler's own time, the route's own time."""

import os
import sys

import pytest

from lib.deployment import TOP, dir_, handler, m2sh
from lib.handler import Answering, Handler, http
from lib.server import Server

sys.path.insert(0, os.path.join(TOP, "scripts"))
from mongrel2 import config  # noqa: E402

PAIRS = {"/": dir_(), "/quick": handler("quick", timeout_ms=300),
         "/poll": handler("poll", timeout_ms=0), "/usual": handler("usual")}


# Goal: a pair with a time of its own has that, a pair without has the setting's, and 0 is for ever
# beside both; also for what is asked first. Method: one request each, in the order in which their
# times do not end.
def test_pairs(deployment, workers):
    deployment.configure(PAIRS, settings={"handler.timeout": 1000})
    with Server(deployment, workers=workers) as server, Handler(deployment, "quick"), \
            Handler(deployment, "usual"), Handler(deployment, "poll") as poll:
        clients = {path: server.client().send_request(path=path)
                   for path in ("/poll", "/usual", "/quick")}
        assert clients["/quick"].answer().status == 504
        assert clients["/usual"].is_quiet()
        assert clients["/usual"].answer().status == 504
        assert clients["/poll"].is_quiet()
        poll.reply(poll.recv_request(), "at last")
        assert clients["/poll"].answer().body == b"at last"


# Goal: a route's time comes before that of its pair, whichever is longer, and a reload changes it
# for requests that come later; the reload says that a route has changed.
def test_routes(deployment, workers):
    def configure(long):
        source = deployment.source({path: handler(timeout_ms=600)
                                    for path in ("/", "/long", "/short")})
        for path, timeout_ms in (("/long", long), ("/short", 100)):
            route = f"Route({path!r}, target0, timeout_ms={timeout_ms})"
            source = source.replace(f"{path!r}: target0", f"{path!r}: {route}")
        deployment.write("config.py", source)
        m2sh("config", "-db", deployment.database, "-config", deployment.path("config.py"))
        deployment.give_away()
    configure(long=0)
    with Server(deployment, workers=workers) as server, Handler(deployment) as on:
        clients = {path: server.client().send_request(path=path)
                   for path in ("/long", "/other", "/short")}
        assert clients["/short"].answer().status == 504
        assert clients["/other"].answer().status == 504
        configure(long=50)
        assert "1 route changed" in server.reload()
        assert server.get("/long").status == 504
        assert clients["/long"].is_quiet()
        requests = [on.recv_request() for _ in range(4)]
        on.reply(next(each for each in requests if each.path == "/long"), "at last")
        assert clients["/long"].answer().body == b"at last"


# Goal: a pair's own grace time is that pair's alone.
def test_grace(deployment, workers):
    deployment.configure({"/own": handler("own", grace_ms=200), "/usual": handler("usual")},
                         settings={"handler.grace_ms": 0})
    with Server(deployment, workers=workers) as server, server.client() as usual, \
            server.client() as own:
        with Handler(deployment, "own") as first, Handler(deployment, "usual") as second:
            usual.send_request(path="/usual")
            own.send_request(path="/own")
            first.recv(), second.recv()
        assert own.answer().status == 502
        assert usual.is_quiet()


# Goal: bad times are found before anything starts, and named; NULL, and a database without the
# columns, mean the setting.
def test_check(deployment):
    deployment.configure({"/h": handler()})
    for value in ("'soon'", "-2", "86400001", "1.5"):
        deployment.sql(f"UPDATE handler SET timeout_ms = {value}",
                       f"UPDATE route SET timeout_ms = {value}")
        text = m2sh("check", "-db", deployment.database, check=False).stdout
        for table in ("handler", "route"):
            assert f"{table} row 1, timeout_ms" in text and "must be a whole number" in text
    deployment.sql("ALTER TABLE handler DROP COLUMN timeout_ms", "ALTER TABLE handler DROP COLUMN "
                   "grace_ms", "ALTER TABLE route DROP COLUMN timeout_ms")
    with Server(deployment, workers=1) as server, \
            Answering(deployment, lambda request: http("k")):
        assert server.get("/h").body == b"k"


# Goal: a Route stands in the dict of a host under its own path only, and times are whole numbers.
def test_language():
    with pytest.raises(config.ConfigError, match="has the path '/b'"):
        config.Host("a", routes={"/a": config.Route("/b", config.Handler("tcp://a:1", "i"))})
    for value in ("5", -1, 1.5):
        with pytest.raises(config.ConfigError, match="timeout_ms"):
            config.Handler("tcp://a:1", "i", timeout_ms=value)
    assert config.Handler("tcp://a:1", "i").timeout_ms is None
