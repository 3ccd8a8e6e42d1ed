"""What the load meets: a server, a backend, handlers as processes; and everything that can happen
to them, one step at a time."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

from lib.deployment import TOP, Deployment, dir_, handler, listener, proxy
from lib.server import Server, kill_stopped
from lib.stress.ledger import Ledger
from lib.waiting import free_port, is_alive, wait_until

PAIRS = {"h": ("sub", 2), "q": ("pull", 2), "w": ("pull", 1)}  # replies, processes


def client_ports(pid, port):
    """The ports of the clients of a process that stands still."""
    inodes = set()
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in list(file)[1:]:
            words = line.split()
            if words[9] in inodes and int(words[1].split(":")[1], 16) == port:
                ports.add(int(words[2].split(":")[1], 16))
    return ports


class EchoBackend:
    """A backend of its own process, as quick as Python can."""

    SCRIPT = """
import asyncio, sys
async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n"))
            lines = dict(l.lower().split(b": ", 1) for l in head.split(b"\\r\\n")[1:-2])
            body = await reader.readexactly(int(lines.get(b"content-length", 0)))
            text = head.split(b" ")[1] + b" " + body
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(text))
            for at in range(0, len(text), 20000):
                writer.write(text[at:at + 20000])
                await writer.drain()
                await asyncio.sleep(0.01)
    except (asyncio.IncompleteReadError, OSError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1000)
    await server.serve_forever()
asyncio.run(main())
"""

    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, "-c", self.SCRIPT, str(self.port)])

    def is_up(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.kill()
        self.process.wait()


class Site:
    def __init__(self, workers=2):
        self.ledger = Ledger()
        self.deployment = Deployment()
        self.files = {"/": b"<h1>hello</h1>\n", "/large": os.urandom(1 << 20)}
        self.deployment.write("www/large", self.files["/large"])
        self.backend = EchoBackend()
        self.more, self.listeners, self.workers = {}, [], workers
        self.access_log = "/logs/access.log"
        self.number = 0
        self.configure()
        self.server = Server(self.deployment)
        self.processes = {}  # (pair, number): Popen
        self.records = []
        self.reloads = self.refused_reloads = 0
        for pair, (_, count) in PAIRS.items():
            for number in range(count):
                self.start_handler((pair, number))
        wait_until(self.backend.is_up, "the backend")
        self.wait_handlers()

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.backend.close()
        self.deployment.close()

    def configure(self):
        routes = {"/": dir_(), "/p/": proxy(self.backend.port), "/q/": handler("q", replies="pull"),
                  "/ws": handler("w", replies="pull", websocket="messages"), **self.more}
        routes["@chat"] = routes["/ws"]
        for path in ("/h/", "/poll/", "/stream/", "/up/"):
            routes[path] = handler("h")
        self.deployment.configure(routes, access_log=self.access_log, settings={
            "workers": self.workers, "handler.timeout": 6000, "handler.wait_ms": 10000,
            "upload.temp_store": "tmp/body.XXXXXX", "limits.content_length": 20480,
            "heartbeat_ms": 3000,
            "drain_ms": 10000}, **({"listeners": self.listeners} if self.listeners else {}))

    # Handlers

    def start_handler(self, key):
        pair, _ = key
        record = self.deployment.path(f"tmp/record{len(self.records)}")
        self.records.append(record)
        self.processes[key] = subprocess.Popen(
            [sys.executable, os.path.join(TOP, "tests", "lib", "stress", "handler_process.py"),
             self.deployment.folder, pair, PAIRS[pair][0].replace("sub", "pub"), record])

    def wait_handlers(self):
        """A request for each pair comes back."""
        for path in ("/h/probe", "/q/probe"):
            wait_until(lambda path=path: self.server.answers(path), f"handlers behind {path}")

    def kill_handler(self, key, number=signal.SIGKILL):
        self.ledger.killed("handler")
        self.processes[key].send_signal(number)
        self.processes[key].wait()
        self.start_handler(key)
        self.ledger.killed("handler")

    def stop_handler(self, key, seconds):
        self.ledger.killed("handler")
        self.processes[key].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.processes[key].send_signal(signal.SIGCONT)
        self.ledger.killed("handler")

    # The server

    def kill_worker(self, index, number=signal.SIGKILL, reload=False):
        """It stands still first, so that whose its clients are is certain."""
        workers = self.server.workers()
        pid = workers[index % len(workers)]
        if not self.stand_still(pid):
            return
        if reload:
            self.server.notify.forget()
            self.server.send_signal(signal.SIGHUP)
            self.server.wait_notified("RELOADING")
        self.note_kill(pid)
        kill_stopped(pid, number)
        wait_until(lambda: not is_alive(pid), f"worker {pid} to end")
        if reload:
            self.server.wait_notified("READY")
        self.wait_complete()

    def hang_worker(self, index):
        """Until the heartbeat finds it."""
        workers = self.server.workers()
        pid = workers[index % len(workers)]
        if self.stand_still(pid):
            self.note_kill(pid)
            wait_until(lambda: not is_alive(pid), "the heartbeat to find it")
            self.wait_complete()

    def note_kill(self, pid):
        """With one worker there is nobody who could tell its handlers."""
        self.ledger.killed("worker" if self.workers > 1 else "only worker",
                           client_ports(pid, self.deployment.port))

    def stand_still(self, pid):
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return False

        def stopped():
            try:
                with open(f"/proc/{pid}/stat", "rb") as file:
                    return file.read().rpartition(b")")[2].split()[0]
            except OSError:
                return b"gone"
        return wait_until(lambda: stopped() in (b"T", b"gone", b"Z") and stopped(),
                          "it to stop") == b"T"

    def kill_relay(self, number=signal.SIGKILL):
        for pid in self.server.relay():
            self.ledger.killed("relay")
            os.kill(pid, number)
            wait_until(lambda pid=pid: not is_alive(pid), "the relay to end")
            self.wait_complete()
            self.wait_handlers()
            self.ledger.killed("relay")

    def wait_complete(self):
        """As many workers as there should be, and the relay."""
        wait_until(lambda: len(self.server.workers()) >= self.workers and self.server.relay(),
                   "all children")

    def reload(self, holds=True):
        status = self.server.reload()
        self.reloads += 1
        if "refused" in status:
            self.refused_reloads += 1
        assert ("refused" not in status) == holds, status
        return status

    def reload_workers(self, workers):
        fewer = workers < self.workers
        moves = workers != self.workers and 1 in (workers, self.workers)
        if fewer:
            self.ledger.killed("retiring worker")
        if moves:
            self.ledger.killed("moving pair")
        self.workers = workers
        self.configure()
        self.reload()
        wait_until(lambda: len(self.server.workers()) == workers, f"{workers} workers")
        if fewer:
            self.ledger.killed("retiring worker")
        if moves:
            self.ledger.killed("moving pair")

    def reload_more(self):
        """A route, a pair and a listener come; the next time they go."""
        self.number += 1
        if self.more:
            self.more, self.listeners = {}, []
        else:
            self.more = {f"/more{self.number}/": dir_(), f"/e{self.number}": handler("extra")}
            self.listeners = [listener(port=free_port())]
        self.access_log = f"/logs/access{self.number % 2}.log"
        self.configure()
        self.reload()

    def reload_refused(self):
        self.deployment.sql("UPDATE route SET target_type = 'nonsense' WHERE path = '/'")
        self.reload(holds=False)
        self.configure()

    def reload_twice(self):
        """The second one during the first, or just behind it."""
        self.server.notify.forget()
        self.server.send_signal(signal.SIGHUP)
        self.server.wait_notified("RELOADING")
        self.server.send_signal(signal.SIGHUP)
        for key in ("READY", "RELOADING", "READY"):
            self.server.wait_notified(key)
        self.reloads += 2

    # What handlers have seen

    def seen(self):
        """({path: id}, {ids that they were told have gone})"""
        had, gone = {}, set()
        for record in self.records:
            try:
                with open(record, encoding="ascii") as file:
                    lines = file.read().split("\n")[:-1]
            except FileNotFoundError:
                continue
            for line in lines:
                kind, conn_id, path = line.split(" ", 2)
                if kind == "gone":
                    gone.add(conn_id)
                else:
                    had[path] = conn_id
        return had, gone


class InThread(threading.Thread):
    """Runs body; join() raises what it raised."""

    def __init__(self, body):
        super().__init__(daemon=True)
        self.body, self.fault = body, None
        self.start()

    def run(self):
        try:
            self.body()
        except BaseException as fault:
            self.fault = fault

    def end(self, seconds):
        self.join(seconds)
        assert not self.is_alive(), "the load does not end: something hangs"
        if self.fault is not None:
            raise self.fault
