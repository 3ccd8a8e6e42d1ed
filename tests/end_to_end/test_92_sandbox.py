"""The sandbox of the systemd unit leaves the server what it needs, and no more is left to it."""

import os

import pytest

from lib.deployment import dir_, handler
from lib.handler import Answering, http
from lib.server import Server, process_facts

UNIT = os.path.join(os.path.dirname(__file__), "../../deploy/systemd/mongrel2@.service")


def of_unit(key):
    with open(UNIT, encoding="utf-8") as file:
        return [line.strip().split("=", 1)[1] for line in file if line.startswith(key + "=")]


@pytest.fixture
def prefix(root):
    """What systemd does to a process with these lines of the unit, by setpriv(1)."""
    names = of_unit("CapabilityBoundingSet")[0].lower().split()
    assert of_unit("NoNewPrivileges") == ["yes"] and all(name.startswith("cap_") for name in names)
    kept = ",".join("+" + name[len("cap_"):] for name in names)
    return ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{kept}"]


# Goal: with the capabilities of the unit, and without a way to new ones, the server starts, drops,
# reloads, is upgraded, and stops without leaving a file behind.
def test_capabilities(deployment, workers, prefix):
    deployment.configure({"/": dir_(), "/h": handler()})
    with Server(deployment, workers=workers, as_root=True, prefix=prefix) as server, \
            Answering(deployment, lambda request: http("h")):
        assert process_facts(server.pid)["capabilities"] != 0
        assert server.get("/").status == 200 and server.get("/h").body == b"h"
        deployment.configure({"/": dir_(), "/h": handler(), "/more": dir_()})
        server.reload()
        assert server.get("/h").body == b"h"
        server.upgrade()
        assert server.get("/").status == 200 and server.get("/h").body == b"h"
        for pid in server.children():
            facts = process_facts(pid)
            assert facts["capabilities"] == 0 and facts["no_new_privs"] == "1"
        server.stop()
        assert os.listdir(deployment.path("run")) == []
