"""Load of every kind with reloads and kills, short; tests/load/stress is the long one."""

from lib.stress.run import stress


# Goal: without kills nothing is lost, whatever is reloaded; nothing of what is no handler's is
# refused. Method: each kind of reload once.
def test_reloads():
    ledger, text = stress(events=7, kills=False)
    assert ledger.balances(), text
    assert not any(reason == "FOR NO REASON" or reason.startswith("with its")
                   for _, reason in ledger.lost), text
    assert not any(kind in ("file", "download", "proxy", "idle", "connections")
                   for kind, _ in ledger.refused), text


# Goal: each request is answered, refused with a status, or lost with a process that was killed, and
# handlers hear of it. Method: each kind of kill once, among reloads.
def test_kills():
    ledger, text = stress(events=15, kills=True)
    assert ledger.balances(), text
    assert not any(kind in ("file", "download", "proxy", "idle", "connections")
                   for kind, _ in ledger.refused), text
