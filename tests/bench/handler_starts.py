#!/usr/bin/python3
"""How many handler starts lose their first answer (the slow joiner of PUB): starts that many
handler processes, one after the other, each answers one request and ends.

    tests/bench/handler_starts.py [STARTS [WORKERS]]     500 starts, 1 worker
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(sys.path[0], "end_to_end"))

from lib.deployment import Deployment, handler  # noqa: E402
from lib.server import Server  # noqa: E402
from lib.waiting import wait_until  # noqa: E402
from test_42_handlers_come_and_go import program  # noqa: E402


def main(starts, workers):
    answered, began = 0, time.monotonic()
    with Deployment() as deployment:
        deployment.configure({"/h": handler()}, settings={"handler.wait_ms": 30000})
        with Server(deployment, workers=workers) as server, server.client() as client:
            for number in range(starts):
                process = program(deployment, 1, str(number))
                try:
                    answer = client.request(path="/h")
                    answered += (answer.status, answer.body) == (200, f"by {number}".encode())
                except AssertionError:
                    print(server.log()[-2000:])
                    raise
                finally:
                    process.kill()
                    process.wait(30)
                wait_until(lambda: not server.has_handlers(), "the server to see that it has ended")
    seconds = time.monotonic() - began
    print(f"{workers} workers: {answered} of {starts} first answers arrived, {seconds:.0f} s")
    return 0 if answered == starts else 1


if __name__ == "__main__":
    sys.exit(main(*[int(word) for word in sys.argv[1:]] + [500, 1][len(sys.argv) - 1:]))
