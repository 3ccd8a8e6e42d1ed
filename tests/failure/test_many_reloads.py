"""Many reloads in a row under load; tests/load/thousand_reloads is the long one."""

from lib.load import Load
from lib.stress.reloads import Reloads


# Goal: memory and descriptors of each process stay flat, no request fails, no connection is lost.
# Method: 96 reloads of alternating configurations: a route and a pair come and go, 1, 2 and 4
# workers; figures of the second half against the middle.
def test_flat():
    with Reloads(idle=20) as site:
        with Load(site.deployment.port, ["/", "/h"], connections=8) as load:
            site.go(96)
        assert (load.failures, set(load.answered)) == ([], {200})
        assert site.faults() == [], site.summary()
