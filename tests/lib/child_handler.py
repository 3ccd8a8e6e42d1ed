"""A handler in a process of its own, which can be killed or stopped. It answers so many requests,
keeps all others, and writes down what it receives."""

import os
import signal
import subprocess
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import zmq  # noqa: E402

from lib.deployment import IDENT  # noqa: E402
from lib.handler import Request, http, reply_message  # noqa: E402
from lib.waiting import DEADLINE, wait_until  # noqa: E402


class ChildHandler:
    def __init__(self, deployment, answers=0, name="h"):
        self.received_path = deployment.path(f"received-{len(os.listdir(deployment.folder))}")
        self.process = subprocess.Popen(
            ["/usr/bin/python3", os.path.abspath(__file__),
             deployment.endpoint(f"ipc://run/{name}-q"), deployment.endpoint(f"ipc://run/{name}-r"),
             self.received_path, str(answers)])

    def received(self):
        """Paths of the requests that it has read, in order."""
        try:
            with open(self.received_path, encoding="ascii") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def wait_received(self, count):
        wait_until(lambda: len(self.received()) >= count, f"{count} requests at the handler")

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def main(requests, replies, received, answers):
    """Answers while it may; from then on it answers nobody, but reads on."""
    context = zmq.Context()
    pub, pull = context.socket(zmq.PUB), context.socket(zmq.PULL)
    pub.sndhwm = 0
    pub.connect(replies)
    pull.connect(requests)
    left = int(answers)
    with open(received, "w", encoding="ascii", buffering=1) as file:
        while True:
            request = Request(pull.recv())
            if request.is_disconnect():
                continue
            file.write(request.path + "\n")
            if left > 0:
                left -= 1
                pub.send(reply_message([request.id], http(request.path, headers={"X-By": "child"}),
                                       IDENT))


if __name__ == "__main__":
    main(*sys.argv[1:])
