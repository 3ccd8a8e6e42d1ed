"""m2sh reload waits for the verdict of the server, and says it."""

import os

from lib.deployment import UUID, dir_, m2sh
from lib.server import Server


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
