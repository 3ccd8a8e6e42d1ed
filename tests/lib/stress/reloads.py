"""Many reloads in a row, of alternating configurations, and what each process costs meanwhile. Used
by tests/load/thousand_reloads and tests/failure/test_many_reloads.py."""

import os
import time

from lib.deployment import Deployment, dir_, handler
from lib.handler import Answering, http
from lib.server import Server
from lib.waiting import wait_until

# One after the other, so that a round has each of them and ends where it began.
STEPS = [("route", "added"), ("pair", "added"), ("workers", 2), ("workers", 4),
         ("route", "removed"), ("workers", 2), ("pair", "removed"), ("workers", 1)]
# Processes of one kind may differ by so much from the middle of a run to its end.
KB_MORE, DESCRIPTORS_MORE = 1024, 2


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


class Reloads:
    def __init__(self, idle=0, workers=1):
        self.deployment = Deployment()
        self.deployment.configure({"/": dir_(), "/h": handler(replies="pull")},
                                  settings={"workers": workers})
        self.server = Server(self.deployment)
        self.handler = Answering(self.deployment, lambda request: http("h"), replies="pull")
        wait_until(lambda: self.server.answers("/h"), "the handler")
        self.idle = [self.server.client() for _ in range(idle)]
        for client in self.idle:
            assert client.request().status == 200
        self.figures = []  # one a round: {name: (PSS in KB, descriptors)}
        self.seconds = []
        self.least = {}  # {name: descriptors}
        self.lost = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.handler.close()
        self.deployment.close()

    def step(self, what, value):
        if what == "workers":
            statements = [f"UPDATE setting SET value = '{value}' WHERE key = 'workers'"]
        elif what == "route":
            statements = ["INSERT INTO route (path, host_id, target_id, target_type)"
                          " SELECT '/new/', host_id, target_id, 'dir' FROM route WHERE path = '/'"]
        else:
            statements = [
                "INSERT INTO handler (id, send_spec, send_ident, recv_spec, recv_ident)"
                " VALUES (77, 'ipc://run/more-q', 'more', 'ipc://run/more-r', '')",
                "INSERT INTO route (path, host_id, target_id, target_type)"
                " SELECT '/more', host_id, 77, 'handler' FROM route WHERE path = '/'"]
        if value == "removed":
            path = "/new/" if what == "route" else "/more"
            statements = [f"DELETE FROM route WHERE path = '{path}'"]
            statements += ["DELETE FROM handler WHERE id = 77"] if what == "pair" else []
        self.deployment.sql(*statements)
        begin = time.monotonic()
        status = self.server.reload()
        self.seconds.append(time.monotonic() - begin)
        assert "refused" not in status, status
        if what == "workers":
            wait_until(lambda: len(self.server.workers()) == value, f"{value} workers")

    def go(self, reloads, say=lambda line: None):
        done = 0
        while done < reloads:
            for what, value in STEPS:
                self.step(what, value)
                done += 1
            wait_until(lambda: self.server.answers("/h"), "the handler's answer")
            self.measure()
            rounds = len(self.figures)
            if rounds in (1, 2, 3) or rounds % 10 == 0:
                say(f"{done:5} reloads  " + "  ".join(
                    f"{name} {kb} KB {fds} fds" for name, (kb, fds) in self.figures[-1].items()))
        for client in self.idle:
            try:
                self.lost += client.request().status != 200
            except (OSError, AssertionError):
                self.lost += 1

    def measure(self):
        """Figures at rest: a pair that was removed is kept until nothing is owed, so a process gets
        its time to come down to the least that one of its name has ever had. Memory: the least of
        some looks."""
        try:
            wait_until(self.is_at_rest, "the descriptors of the earlier rounds")
        except AssertionError:
            pass  # they stay above: what is measured now says it
        found = {}
        for _ in range(3):
            for name, (pid, count) in self.descriptors().items():
                try:
                    kb = pss_kb(pid)
                except OSError:
                    continue  # a reader that has just ended
                had_kb, had = found.get(name, (kb, count))
                found[name] = min(kb, had_kb), min(count, had)
                self.least[name] = min(count, self.least.get(name, count))
            time.sleep(0.1)
        self.figures.append(found)

    def is_at_rest(self):
        now = {name: count for name, (_, count) in self.descriptors().items()}
        for name, count in now.items():
            self.least[name] = min(count, self.least.get(name, count))
        return all(count <= self.least[name] + DESCRIPTORS_MORE for name, count in now.items())

    def descriptors(self):
        """{name: (pid, count)} of the processes that live now."""
        found = {}
        for pid, name in [(self.server.pid, "master"), *self.server.children().items()]:
            try:
                found[name] = pid, len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue
        return found

    def faults(self):
        """Texts. What one process costs at the end against the middle of the run: caches and pools
        are filled then, and a leak of half the reloads is left to be seen."""
        found = [f"{self.lost} idle connections were lost"] if self.lost else []
        rounds = len(self.figures)
        middle, last = self.figures[rounds // 2:rounds // 2 + 3], self.figures[-3:]
        for name in self.figures[-1]:
            before = [figures[name] for figures in middle if name in figures]
            after = [figures[name] for figures in last if name in figures]
            for index, unit, most in ((0, "KB", KB_MORE), (1, "descriptors", DESCRIPTORS_MORE)):
                had = min(pair[index] for pair in before)
                has = min(pair[index] for pair in after)
                if has > had + most:
                    found.append(f"{name} has grown from {had} to {has} {unit}")
        return found

    def summary(self):
        times = sorted(self.seconds)
        return (f"{len(times)} reloads: median {times[len(times) // 2] * 1000:.0f} ms, "
                f"most {times[-1] * 1000:.0f} ms; {len(self.idle)} idle connections, "
                f"{self.lost} lost; " + ("; ".join(self.faults()) or "nothing grows"))
