"""The balance: every request that was sent has one outcome, and each outcome that is no answer has
a reason that somebody can point at."""

import time
from collections import Counter

# Why something came to nothing, and what it may hit. After a death the others notice it in moments.
NOTICED_S = 3.0


class Ledger:
    """sent = answered + refused (a status or a WebSocket's code) + lost, for each kind of load.
    lost: 'with its worker' (its connection was the killed worker's, looked up while that stood
    still), 'with the handler', 'with the relay' (something that no status can be given for, at a
    time when one was killed), 'with the moving pair' (the same when one worker became several, or
    several one: handlers connect again); all else has no reason."""

    def __init__(self):
        self.sent, self.answered = Counter(), Counter()
        self.refused, self.lost = Counter(), Counter()
        self.unexplained = []  # texts
        self.wrong = []  # answers that were not what they had to be
        self.kills = []  # (time, who, {local ports of its clients})
        self.lost_paths = []  # (time of the kill, path) of requests lost with a worker

    def killed(self, who, ports=()):
        self.kills.append((time.monotonic(), who, set(ports)))

    def begin(self, kind):
        self.sent[kind] += 1
        return time.monotonic()

    def answer(self, kind):
        self.answered[kind] += 1

    def refuse(self, kind, reason):
        self.refused[kind, str(reason)] += 1

    def lose(self, kind, since, client, why, path="", follows=False):
        """client: (local port, time at which it connected). follows: nobody owes it an answer that
        could be refused; or its answer has begun."""
        for when, who, ports in self.kills:
            if client is not None and client[0] in ports and client[1] <= when:
                self.lost[kind, "with its worker"] += 1
                self.lost_paths.append((when, path))
                return
        if follows:
            more = ("retiring worker",) if kind == "JSSocket" else ()
            who = self.excuse(since, more)
            if who:
                self.lost[kind, f"with the {who}"] += 1
                return
        self.lost[kind, "FOR NO REASON"] += 1
        self.unexplained.append(f"{kind} {path}: {why}; sent {time.monotonic() - since:.2f} s ago")

    def excuse(self, since, more=()):
        """Who was killed since then (or a moment before) that could have had it; None: nobody."""
        return next((who for when, who, _ in self.kills
                     if who in ("handler", "relay", "moving pair", *more) and
                     when >= since - NOTICED_S), None)

    def total(self):
        return sum(self.answered.values())

    def outcomes(self, kind):
        return self.answered[kind] + self._of(self.refused, kind) + self._of(self.lost, kind)

    def balances(self):
        return not self.unexplained and not self.wrong and all(
            self.sent[kind] == self.outcomes(kind) for kind in self.sent)

    @staticmethod
    def _of(counter, kind):
        return sum(count for (its, _), count in list(counter.items()) if its == kind)

    def table(self):
        lines = [f"{'':16}{'sent':>9}{'answered':>10}{'refused':>9}{'lost':>6}  reasons"]
        for kind in sorted(self.sent):
            reasons = [f"{reason} {count}" for (its, reason), count in
                       sorted({**self.refused, **self.lost}.items()) if its == kind]
            lines.append(f"{kind:16}{self.sent[kind]:9}{self.answered[kind]:10}"
                         f"{self._of(self.refused, kind):9}{self._of(self.lost, kind):6}  "
                         + ", ".join(reasons))
        kinds = Counter(who for _, who, _ in self.kills)
        lines.append("killed: " + (", ".join(f"{count} x {who}" for who, count in kinds.items())
                                   or "nobody"))
        lines += ["WRONG " + text for text in self.wrong[:20]]
        lines += ["LOST  " + text for text in self.unexplained[:20]]
        return "\n".join(lines)
