"""Who may open the files of ipc endpoints: handler.ipc_mode and handler.ipc_owner."""

import os
import pwd
import stat

import pytest

from lib.deployment import GID, IS_ROOT, UID, dir_, handler
from lib.handler import Answering, http
from lib.server import Server, run


def files(deployment):
    return [os.stat(deployment.path(f"run/h-{side}")) for side in "qr"]


# Goal: the mode is as the setting says, by default for owner and group, and a handler works.
@pytest.mark.parametrize("mode", ["0660", "600", "0666"])
def test_mode(deployment, workers, mode):
    settings = {} if mode == "0660" else {"handler.ipc_mode": mode}
    deployment.configure({"/h": handler()}, settings=settings)
    with Server(deployment, workers=workers) as server, Answering(deployment):
        for file in files(deployment):
            assert stat.S_IMODE(file.st_mode) == int(mode, 8)
            assert (file.st_uid, file.st_gid) == (UID, GID)
        assert server.get("/h").status == 200


# Goal: as root the files are given to whom the setting names, and only they: the control port stays
# the server's; after a stop they are gone, and the next start makes them again.
@pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")
def test_owner(deployment, workers):
    daemon = pwd.getpwnam("daemon")
    deployment.give_database_to_root()
    deployment.configure({"/h": handler()}, settings={
        "handler.ipc_owner": f"daemon:{daemon.pw_gid}", "server.daemonize": 0})
    for _ in range(2):
        with Server(deployment, workers=workers, as_root=True) as server, Answering(
                deployment, lambda request: http("h")):
            for file in files(deployment):
                assert (file.st_uid, file.st_gid) == (daemon.pw_uid, daemon.pw_gid)
            assert os.stat(deployment.path("run/control")).st_uid == UID
            assert server.get("/h").body == b"h"
            assert server.stop() == 0
        assert not os.path.exists(deployment.path("run/h-q"))


# Goal: without the right to do so the start is refused with the reason, and nothing is left.
def test_owner_without_right(deployment):
    deployment.configure({"/": dir_(), "/h": handler()}, settings={"handler.ipc_owner": "root"})
    done = run(deployment.database, "test")
    assert done.returncode == 1 and "only root can give files away" in done.stdout
    assert os.listdir(deployment.path("run")) == []


@pytest.mark.parametrize("key, value, finding", [
    ("handler.ipc_mode", "rw", "permissions of a file, in octal"),
    ("handler.ipc_mode", "1777", "permissions of a file, in octal"),
    ("handler.ipc_owner", "nosuchuser", 'there is no "nosuchuser"'),
    ("handler.ipc_owner", "daemon:nosuchgroup", 'there is no "nosuchgroup"'),
])
def test_findings(deployment, key, value, finding):
    deployment.configure({"/h": handler()}, settings={key: value})
    done = run("--check", deployment.database, "test")
    assert done.returncode == 1 and finding in done.stdout
