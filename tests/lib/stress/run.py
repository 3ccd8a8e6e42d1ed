"""Load and events together, and the verdict."""

import asyncio
import random
import signal
import time

from lib.stress.clients import ANSWER_S, Clients
from lib.stress.site import InThread, Site
from lib.waiting import wait_until

# Kinds of load: name, how many clients, what they do.
def load_of(clients, scale):
    http, sockets = clients.http, clients.sockets
    return [
        *(http("file", clients.file("/"), 0.002) for _ in range(6 * scale)),
        *(http("download", clients.file("/large", pace=0.02), 0.01) for _ in range(2 * scale)),
        *(http("proxy", clients.proxied(40_000), 0.005) for _ in range(3 * scale)),
        *(http("handler GET", clients.page("/h/"), 0.002) for _ in range(6 * scale)),
        *(http("handler POST", clients.page("/h/", 9000), 0.002) for _ in range(3 * scale)),
        *(http("PUSH handler", clients.page("/q/"), 0.002) for _ in range(4 * scale)),
        *(http("long poll", clients.page("/poll/")) for _ in range(10 * scale)),
        *(http("stream", clients.stream(), 0.01) for _ in range(3 * scale)),
        *(http("upload", clients.page("/up/", 300_000, slowly=True), 0.02)
          for _ in range(3 * scale)),
        *(http("idle", clients.file("/"), 1.0) for _ in range(10 * scale)),
        *(sockets("WebSocket", clients.websocket, 0.02) for _ in range(8 * scale)),
        *(sockets("JSSocket", clients.message_socket, 0.02) for _ in range(4 * scale)),
    ]


def events_of(site, pick):
    """What may happen; pick: for choosing among children."""
    handlers = list(site.processes)
    reloads = {
        "reload, something more or less": site.reload_more,
        "reload, refused": site.reload_refused,
        "reload, two at once": site.reload_twice,
        "reload, 1 worker": lambda: site.reload_workers(1),
        "reload, 2 workers": lambda: site.reload_workers(2),
        "reload, 4 workers": lambda: site.reload_workers(4),
        "logs are reopened": lambda: site.server.send_signal(signal.SIGUSR1),
    }
    kills = {
        "worker killed": lambda: site.kill_worker(pick(9)),
        "worker crashes": lambda: site.kill_worker(pick(9), signal.SIGSEGV),
        "worker killed within a reload": lambda: site.kill_worker(pick(9), reload=True),
        "worker hangs": lambda: site.hang_worker(pick(9)),
        "relay killed": site.kill_relay,
        "relay crashes": lambda: site.kill_relay(signal.SIGABRT),
        "handler killed": lambda: site.kill_handler(handlers[pick(len(handlers))]),
        "handler stands still": lambda: site.stop_handler(handlers[pick(len(handlers))], 1.0),
    }
    return reloads, kills


def stress(seconds=None, events=None, kills=True, scale=1, seed=None, say=None, only=None):
    """For so many seconds or events. Returns (site.ledger, text of the table); the site is gone
    then. only: texts, of events by name."""
    say = say or (lambda text: None)
    seed = random.randrange(1 << 30) if seed is None else seed
    dice = random.Random(seed)
    say(f"seed {seed}")
    site = Site()
    clients = Clients(site.ledger, site.deployment.port, site.files)

    async def run_load():
        await asyncio.gather(*load_of(clients, scale))
    try:
        load = InThread(lambda: asyncio.run(run_load()))
        served(site, load, 100)
        reloads, deaths = events_of(site, dice.randrange)
        choice = {**reloads, **(deaths if kills else {})}
        names = [name for name in choice if only is None or any(text in name for text in only)]
        begin, done = time.monotonic(), 0
        order = []
        while (events is None or done < events) and \
                (seconds is None or time.monotonic() < begin + seconds) and \
                not site.ledger.unexplained and not site.ledger.wrong:
            order = order or dice.sample(names, len(names))
            name = order.pop()
            at = time.monotonic()
            choice[name]()
            served(site, load, 50 * scale)
            done += 1
            say(f"{at - begin:7.1f} s  {name:32} {time.monotonic() - at:5.2f} s  "
                f"{site.ledger.total():9} answered")
        clients.ending = True
        load.end(ANSWER_S + 30)
        reported = check_reports(site)
        text = site.ledger.table() + f"\n{done} events, {site.reloads} reloads, seed {seed}; " \
            + reported
        if not site.ledger.balances():
            text = site.server.log()[-6000:] + "\n" + text
        assert site.server.stop() == 0
        return site.ledger, text
    except AssertionError:
        say(site.server.log()[-8000:])
        raise
    finally:
        clients.ending = True
        site.close()


def served(site, load, count):
    """Waits until there are so many more answers, some of them handlers'."""
    ledger = site.ledger
    kinds = ("handler GET", "PUSH handler")
    goal, goals = ledger.total() + count, {kind: ledger.outcomes(kind) + 10 for kind in kinds}

    def look():
        if load.fault is not None:
            raise load.fault
        return ledger.unexplained or ledger.wrong or ledger.total() >= goal and all(
            ledger.outcomes(kind) >= goals[kind] for kind in kinds)
    wait_until(look, f"{count} more answers")


def check_reports(site):
    """Handlers that had a request which was lost with its worker were told so."""
    def missing():
        had, gone = site.seen()
        return [(when, path) for when, path in site.ledger.lost_paths
                if path in had and had[path] not in gone and not unheard(site.ledger, when)]
    try:
        wait_until(lambda: not missing(), "a notice for each lost request", 10)
    except AssertionError:
        pass
    had, gone = site.seen()
    for when, path in missing():
        near = [f"{who} {at - when:+.2f}" for at, who, _ in site.ledger.kills if abs(at - when) < 9]
        site.ledger.unexplained.append(f"no notice for {path}, {had[path]}, lost with its worker: "
                                       f"{near}")
    known = [path for _, path in site.ledger.lost_paths if path in had]
    told = sum(had[path] in gone for path in known)
    return f"{len(known)} requests were with handlers when their worker died, {told} reported"


def unheard(ledger, when):
    """Whether the notices of the worker that was killed then may be lost: it was the only one, and
    nobody is left who knows; or a handler was killed, which may have had them; or the relay, before
    it had passed them on, or before the workers had told it of those that its predecessor knew."""
    return any(at == when and who == "only worker" or
               who == "handler" and -1 < at - when < 10 or
               who == "relay" and abs(at - when) < 1 for at, who, _ in ledger.kills)
