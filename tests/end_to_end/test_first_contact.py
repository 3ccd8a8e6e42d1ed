# Goal: what a newcomer reads first works as typed, on a machine that has just been set up: the
# README and docs/getting-started.md. Method: each block of the page becomes a file or is run in a
# shell, with an empty /usr/local and a loopback of its own, and a python3 in the PATH that has none
# of our modules.
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import pytest

from lib.deployment import TOP, UID
from lib.m2sh_tools import server_binary
from lib.waiting import DEADLINE, wait_until

FOREGROUND = ("m2sh start", "/usr/bin/python3 hello.py")  # each has a terminal of its own


class Machine:
    """Mounts and network that nobody else sees. The first process holds them."""

    def __init__(self, folder, user):
        self.home, self.user = folder, user
        os.chown(folder, user, user)
        self.ready = folder / "ready"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "python3").write_text("#!/bin/sh\nexec /usr/bin/python3 -I -S \"$@\"\n")
        (self.bin / "python3").chmod(0o755)
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "--", "sh", "-c",
             "ip link set lo up && mount -t tmpfs none /usr/local && mkdir /usr/local/bin && "
             f": > {self.ready} && exec sleep infinity"], stdin=subprocess.DEVNULL)
        self.terminals = []
        wait_until(self.ready.exists, "the machine")

    def command(self, words, cwd, as_root):
        user = 0 if as_root else self.user
        inside = ["nsenter", f"--target={self.holder.pid}", "--mount", "--net",
                  f"--wd={cwd}", "setpriv", f"--reuid={user}", f"--regid={user}",
                  "--clear-groups"]
        environment = {"HOME": str(self.home), "LANG": "C.UTF-8", "USER": "newcomer",
                       "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        return [*inside, "env", "-i", *(f"{key}={value}" for key, value in environment.items()),
                "sh", "-c", words]

    def run(self, words, cwd, as_root=False):
        done = subprocess.run(self.command(words, cwd, as_root), stdin=subprocess.DEVNULL,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=DEADLINE * 4)
        assert done.returncode == 0, f"{words}: {done.stdout}"
        return done.stdout

    def open_terminal(self, words, cwd):
        self.terminals.append(subprocess.Popen(
            self.command(f"exec {words}", cwd, False), stdin=subprocess.DEVNULL,
            start_new_session=True))

    def interrupt(self, terminal):
        """Ctrl-C."""
        os.killpg(terminal.pid, signal.SIGINT)
        terminal.wait(DEADLINE)
        self.terminals.remove(terminal)

    def close(self):
        for terminal in reversed(self.terminals):
            os.killpg(terminal.pid, signal.SIGTERM)
        for terminal in self.terminals:
            terminal.wait(DEADLINE)
        self.holder.kill()
        self.holder.wait(DEADLINE)


class Reader:
    """Does what a page says, block by block."""

    def __init__(self, machine):
        self.machine = machine
        self.cwd = TOP

    def install(self):
        build = os.path.dirname(server_binary())
        assert os.path.basename(server_binary()) == "mongrel2"
        # -o: the server under test is installed as it is, older than a source or not.
        self.machine.run(f"make -s -o {build}/mongrel2 install BUILD={build}", TOP, as_root=True)

    def write(self, name, text):
        path = os.path.join(self.cwd, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(path, self.machine.user, self.machine.user)

    def type(self, line):
        line = line.split("  #")[0].strip()
        if re.fullmatch("(sudo )?make install", line):
            return self.install()
        if line.startswith("cd "):
            self.cwd = line[3:].replace("~", str(self.machine.home))
            return ""
        if line.startswith(FOREGROUND):
            return self.machine.open_terminal(line, self.cwd)
        as_root = line.startswith("sudo ")
        return self.machine.run(line.removeprefix("sudo "), self.cwd, as_root)

    def says(self, url, text):
        """Servers and handlers in other terminals need a moment."""
        wait_until(lambda: text in self.machine.run(f"curl -s '{url}' || true", self.cwd),
                   f"{text!r} from {url}")


@pytest.fixture
def reader(request, root):
    with tempfile.TemporaryDirectory(prefix="m2-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        machine = Machine(pathlib.Path(folder), UID if request.param == "ordinary" else 0)
        try:
            yield Reader(machine)
        finally:
            machine.close()


def section(page, title):
    with open(os.path.join(TOP, page), encoding="utf-8") as file:
        return file.read().split(f"## {title}\n", 1)[1].split("\n## ")[0]


@pytest.mark.parametrize("reader", ["ordinary", "root"], indirect=True)
def test_readme(reader):
    text = section("README.md", "A first handler")
    blocks = re.findall(r"^([^\n ][^\n]*)\n\n((?:    [^\n]*\n|\n(?=    ))+)", text, re.M)
    assert len(blocks) == 4, blocks
    for before, block in blocks:
        lines = [line[4:] for line in block.rstrip("\n").split("\n")]
        named = re.match("`([a-z.]+)`, the", before)
        if named:
            reader.write(named[1], "\n".join(lines) + "\n")
            continue
        for line in lines:
            reader.type(line)
            if line.startswith("cd ") and reader.machine.user == 0:
                reader.type(re.search("`(chown [^`]+)`", text)[1])
    url, answer = re.search("`curl ([^`]+)` says `([^`]+)`", text).groups()
    reader.says(url, answer)
    if reader.machine.user == 0:
        reader.type("m2sh stop -db site.sqlite -host localhost")


@pytest.mark.parametrize("reader", ["ordinary"], indirect=True)
def test_getting_started(reader):
    page = "docs/getting-started.md"
    reader.install()
    for title in ("2. A site of your own", "3. A handler", "4. Change it while it runs",
                  "5. As a service"):
        text = section(page, title)
        if title.startswith("5."):
            reader.machine.interrupt(reader.machine.terminals[0])
        for before, kind, block in re.findall(r"([^\n]*)\n\n```(\w*)\n(.*?)```", text, re.S):
            named = re.search("`(?:Write )?([a-z]+.py)`", before)
            if kind == "python" and block.startswith(" "):
                mark = '        "/hello": hello,\n'
                with open(os.path.join(reader.cwd, "config.py"), encoding="utf-8") as file:
                    source = file.read()
                assert mark in source
                reader.write("config.py", source.replace(mark, mark + block))
            elif kind == "python":
                reader.write(named[1], block)
            else:
                for line in block.strip().split("\n"):
                    if line.startswith("curl"):
                        reader.says(line.split("'")[1], "Hello you, you are ")
                    else:
                        reader.type(line)
        if title.startswith("2."):
            url = re.search("`curl ([^`]+)`", text)[1]
            reader.says(url, "It works")
