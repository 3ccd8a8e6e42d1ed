"""A server as a real process: started like an operator does it, watched through the notify socket
of systemd, ended by pid."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from lib.client import Client
from lib.deployment import GID, IS_ROOT, TOP, UID, UUID
from lib.tnetstring import parse_all
from lib.waiting import DEADLINE, is_alive, stands_still, wait_until

_copy = None


def program():
    """The program under test, at a place that an ordinary user can reach wherever the checkout
    is."""
    global _copy
    if _copy is None:
        built = os.environ.get("MONGREL2_BIN") or os.path.join(TOP, "build", "mongrel2")
        assert os.path.isfile(built), f"{built}: build it first (make)"
        folder = tempfile.mkdtemp(prefix="m2-program-", dir="/tmp")
        os.chmod(folder, 0o755)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _copy = shutil.copy(built, os.path.join(folder, "mongrel2"))
        os.chmod(_copy, 0o755)
    return _copy


def command(*arguments, as_root=False):
    words = [program(), *arguments]
    if IS_ROOT and not as_root:
        words = ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", *words]
    return words


def run(*arguments, as_root=False, **more):
    """Runs the program to its end; stdout and stderr together as text."""
    return subprocess.run(command(*arguments, as_root=as_root), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=DEADLINE, **more)


def faults(text):
    """The lines that say what is wrong: without the log of what was done so far, and without the
    last line of a start that findings have prevented."""
    return [line for line in text.splitlines()
            if "[INFO]" not in line and "is not started, because of these errors" not in line]


class Notifications:
    """The other end of NOTIFY_SOCKET (sd_notify(3))."""

    def __init__(self, path):
        self.path = path
        self.seen = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.socket.settimeout(0.05)

    def forget(self):
        """Takes what has come so far."""
        self.socket.settimeout(0)
        try:
            while self.next() is not None:
                pass
        finally:
            self.socket.settimeout(0.05)

    def next(self):
        """The next message as a dictionary; None if there is none for a moment."""
        try:
            data = self.socket.recv(65536)
        except (socket.timeout, BlockingIOError):
            return None
        message = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
        self.seen.append(message)
        return message


class Server:
    """One running server. `with Server(deployment, workers=2) as server:` starts it and waits until
    it serves; leaving the block ends it at once."""

    def __init__(self, deployment, *options, workers=None, as_root=False, name=UUID, start=True,
                 prefix=(), program=None):
        self.deployment = deployment
        self.program = program  # a copy of the test's own, that it may replace
        self.as_root = as_root
        self.prefix = list(prefix)  # of the command, as in ["unshare", "--mount"]
        self.arguments = (["-w", str(workers)] if workers else []) + list(options)
        self.arguments += [deployment.database, name]
        number = len(deployment.servers)
        deployment.servers.append(self)
        self.notify = Notifications(deployment.path(f"notify{number}"))
        self.stderr = deployment.path(f"stderr{number}")
        self.process = None
        self.pid = 0
        self.known = set()  # every pid seen, so that none can stay behind
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end_now()

    def words(self):
        words = command(*self.arguments, as_root=self.as_root)
        return self.prefix + [self.program if self.program and word == program() else word
                              for word in words]

    def launch(self, notify=True, environment=None, output=None, **more):
        """Starts it and does not wait. With a notify socket it stays in the foreground, as systemd
        wants it, and the process is the master."""
        environment = {**os.environ, **(environment or {}), "NOTIFY_SOCKET": self.notify.path}
        if not notify:
            del environment["NOTIFY_SOCKET"]
        with open(self.stderr, "ab") as file:
            self.process = subprocess.Popen(
                self.words(),
                stdin=subprocess.DEVNULL, stdout=output or file, stderr=output or file,
                env=environment,
                cwd=self.deployment.folder, start_new_session=True, **more)
        self.pid = self.process.pid
        self.known.add(self.pid)
        return self

    def start(self, **more):
        self.launch(**more)
        self.wait_notified("READY")
        return self

    def start_daemon(self):
        """As root, in the background: returns the exit status of the parent."""
        self.launch(notify=False)
        status = self.process.wait(DEADLINE)
        text = self.deployment.read("run/mongrel2.pid")
        self.pid = int(text) if text.isdigit() else 0
        self.known.add(self.pid)
        return status

    def wait_notified(self, key):
        """The next notification with this key."""
        def look():
            lives = is_alive(self.pid)  # asked before: its last word may come with its end
            message = self.notify.next()
            if message is not None and key in message:
                return message
            assert message is not None or lives, (
                f"the server ended before {key}:\n{self.log()}")
            return None
        message = wait_until(look, f"{key} from the server")
        self.children()
        return message

    def reload(self):
        """HUP, then waits for the verdict; returns its status text."""
        self.notify.forget()  # a full socket takes no more, and then the verdict would be missed
        self.send_signal(signal.SIGHUP)
        self.wait_notified("RELOADING")
        return self.wait_notified("READY").get("STATUS", "")

    def upgrade(self, wait=True):
        """USR2, then waits until another process has taken over; from there on that is the server.
        Returns the pid of the old one, which is waited for."""
        old = self.pid
        self.children()
        self.notify.forget()
        self.send_signal(signal.SIGUSR2)
        self.taken_over()
        if wait:
            self.wait_gone(old)
        return old

    def taken_over(self):
        """The server is the process that systemd was told of."""
        self.pid = int(self.wait_notified("MAINPID")["MAINPID"])
        self.known.add(self.pid)
        return self.wait_notified("READY").get("STATUS", "")

    def wait_gone(self, pid):
        wait_until(lambda: not is_alive(pid), f"the end of process {pid}")
        if pid == self.process.pid:
            assert self.process.wait(DEADLINE) == 0, self.log()

    def reload_daemon(self):
        """The same for a server without a notify socket, which says it in its log only."""
        before = self.log().count("reload: generation") + self.log().count("reload refused")
        self.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log().count("reload: generation") +
                   self.log().count("reload refused") > before, "the verdict in the log")

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait_end(self, deadline=DEADLINE):
        """The exit status of a server in the foreground."""
        try:
            status = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server does not end:\n{self.log()}") from None
        return status

    def stop(self, number=signal.SIGTERM):
        self.children()
        self.send_signal(number)
        if self.pid != self.process.pid:  # after an upgrade: not our child, no status
            return self.wait_gone(self.pid)
        return self.wait_end()

    def end_now(self):
        """Leaves nothing behind: all that was ever seen of it ends, and with it its sockets."""
        if self.process is None:
            return
        if self.pid:
            self.children()
        # The master first: it would replace a worker that dies before it.
        ours = [pid for pid in sorted(self.known - {0}, key=lambda pid: pid != self.pid)
                if is_alive(pid) and self.is_ours(pid)]
        for pid in ours:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        for pid in ours:
            wait_until(lambda pid=pid: not is_alive(pid), f"the end of process {pid}")
        self.notify.socket.close()
        self.process = None

    @staticmethod
    def is_ours(pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return b"mongrel2" in file.read()
        except OSError:
            return False

    def children(self):
        """{pid: name} of the children that live now."""
        found = {}
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
                pids = [int(word) for word in file.read().split()]
        except OSError:
            pids = []
        for pid in pids:
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                    name = file.read().strip()
            except OSError:
                continue
            if is_alive(pid):
                found[pid] = name
        self.known.update(found)
        return found

    def workers(self):
        return sorted(pid for pid, name in self.children().items() if "worker" in name)

    def relay(self):
        return [pid for pid, name in self.children().items() if "relay" in name]

    def log(self):
        """Everything it said, on stderr and in its error log."""
        text = b""
        for name in (os.path.basename(self.stderr), "logs/error.log"):
            text += self.deployment.read(name)
        return text.decode("utf-8", "replace")

    def says(self, text, count=1):
        """Waits for a text in the log: children write theirs in the background."""
        wait_until(lambda: self.log().count(text) >= count, f"{text!r} in the log")

    def client(self, port=None, **more):
        return Client(port or self.deployment.port, **more)

    def clients_of(self, worker, count):
        """Connections that this worker has, and no other: the others stand still meanwhile."""
        with standing_still(pid for pid in self.workers() if pid != worker):
            clients = [self.client() for _ in range(count)]
            for client in clients:
                assert client.request("GET", "/").status == 200
            return clients

    def get(self, path="/", **more):
        """One request on a connection of its own."""
        with self.client() as client:
            return client.request("GET", path, **more)

    def answers(self, path="/"):
        """Whether a request is answered with 200 within a second: for moments in which one may get
        lost, because a process was killed or garbage is a peer to libzmq."""
        with self.client() as client:
            client.socket.settimeout(1)
            try:
                return client.send_request(path=path).answer().status == 200
            except TimeoutError:
                return False

    def has_handlers(self):
        """What the log last said of the only handler pair."""
        lines = [line for line in self.log().splitlines() if "for replies)" in line]
        return bool(lines) and "handlers are connected" in lines[-1]

    def handlers_gone(self, times):
        """Waits until the last handler of the only pair has gone so many times. (Their log comes in
        the background: what it said last may be what was before they came.)"""
        self.says(": no handler is connected (", times)

    def handler_peers(self, name="h"):
        """How many handlers the server has at the request endpoint of this pair. It may still give
        a request to one that has closed its own end."""
        with open("/proc/net/unix", encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file]
        accepted = {f"socket:[{line[6]}]" for line in lines if line[5] == "03"
                    and line[-1].endswith(f"run/{name}-q")}
        held = set()
        for pid in self.children():
            with contextlib.suppress(OSError):  # one that has just ended
                for number in os.listdir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):  # a descriptor
                        held.add(os.readlink(f"/proc/{pid}/fd/{number}"))
        return len(accepted & held)

    def access_log(self, name="logs/access.log"):
        """The lines of the access log as lists, in the form of Mongrel2 1.x."""
        data = self.deployment.read(name)
        return [parse_all(line) for line in data.split(b"\n")[:-1]]

    def wait_access(self, count, name="logs/access.log"):
        wait_until(lambda: len(self.access_log(name)) >= count, f"{count} lines in the access log")
        return self.access_log(name)


@contextlib.contextmanager
def standing_still(pids):
    """These processes do nothing within the block."""
    pids = list(pids)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(map(stands_still, pids)), "all to stand still")
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def kill_stopped(pid, number):
    """Ends a process that stands still. SIGKILL needs nobody to go on."""
    os.kill(pid, number)
    if number != signal.SIGKILL:
        os.kill(pid, signal.SIGCONT)


def process_facts(pid):
    """What /proc says of the privileges of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        status = dict(line.rstrip("\n").split(":", 1) for line in file)
    return {
        "uids": status["Uid"].split(),
        "gids": status["Gid"].split(),
        "groups": status["Groups"].split(),
        "no_new_privs": status["NoNewPrivs"].strip(),
        "capabilities": (int(status["CapEff"].strip(), 16) | int(status["CapPrm"].strip(), 16) |
                         int(status["CapInh"].strip(), 16) | int(status["CapAmb"].strip(), 16)),
        "bounding": int(status["CapBnd"].strip(), 16),
        "seccomp": status["Seccomp"].strip(),
        "root": os.readlink(f"/proc/{pid}/root"),
        "cwd": os.readlink(f"/proc/{pid}/cwd"),
    }
