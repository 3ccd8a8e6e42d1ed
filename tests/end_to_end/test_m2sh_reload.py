"""m2sh and a server that works: reload waits for its verdict, and stop for its requests."""

import os

from lib.deployment import UUID, dir_, handler, m2sh
from lib.handler import Handler
from lib.server import Server
from lib.waiting import wait_until


# Goal: a reload that holds says what changed; a refused one says why, and its status is 1; the file
# of the verdicts goes with the server.
def test_verdict(deployment, workers):
    deployment.configure({"/": dir_()})
    with Server(deployment, workers=workers) as server:
        deployment.configure({"/": dir_(), "/new/": dir_()})
        done = m2sh("reload", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder)
        assert "generation 2 serves" in done.stdout and "1 route added" in done.stdout
        assert server.get("/new/").status == 200
        deployment.sql("UPDATE route SET target_type = 'hander'")
        done = m2sh("reload", "-db", "config.sqlite", "-uuid", UUID, cwd=deployment.folder,
                    check=False)
        assert done.returncode == 1
        assert "goes on as before" in done.stdout and "hander" in done.stdout
        assert server.get("/new/").status == 200
        assert server.stop() == 0
    assert not os.path.exists(deployment.path("run/mongrel2.verdict"))


# Goal: a stop that was not waited for long enough can be waited for again: what is in flight is
# answered all the same, and a reload is refused at once meanwhile.
def test_stop_again(deployment, workers):
    deployment.configure({"/": handler()})
    words = ["-db", "config.sqlite", "-uuid", UUID]

    def say(command, *more):
        return m2sh(command, *words, *more, cwd=deployment.folder, check=False)

    with Server(deployment, workers=workers) as server, Handler(deployment) as answering:
        client = server.client().send_request()
        request = answering.recv()
        done = say("stop", "-wait", "0")
        assert done.returncode == 1 and "still RUNNING" in done.stdout
        wait_until(lambda: "stops: what is in flight" in server.log(), "the stop")
        for _ in range(3):
            done = say("stop", "-wait", "0")
            assert done.returncode == 1 and "stops already" in done.stdout, done.stdout
        assert "is stopping" in say("reload").stdout
        answering.reply(request, "late")
        assert client.answer().body == b"late"
        assert server.wait_end() == 0
        assert say("stop").returncode == 1
