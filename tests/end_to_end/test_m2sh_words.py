# Goal: the words of m2sh: how it may be called, and what it says when something is not as it should
# be, in one line and without a traceback.
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from lib import m2sh_tools
from lib.m2sh_folder import bad, folder, good, rows  # noqa: F401
from lib.m2sh_tools import m2sh


def test_usage(folder):
    lines = good(folder, "help").split("\n")
    assert lines[:2] == ["Available commands:", ""]
    rows = lines[2:lines.index("", 2)]
    names = [row.split()[0] for row in rows]
    assert names == sorted(names) and len(names) > 20
    assert all(re.fullmatch(r"\w+ +[A-Za-z].{10,90}", row) for row in rows), rows
    for command in names:
        text = good(folder, f"help -for {command}")
        assert text.startswith(f"m2sh {command}\n")
        for line in (f"help {command}", f"help -on {command}", f"{command} -h",
                     f"{command} --help", f"{command} -help"):
            assert good(folder, line) == text, line
    assert good(folder, "-h") == good(folder, "--help") == good(folder, "help")
    assert "No help for zork" in bad(folder, "help -for zork", 2)
    assert "Did you mean start?" in bad(folder, "help strat", 2)
    assert bad(folder, "zork", 2).startswith("You must specify a valid command.  Try these: check ")
    assert "Did you mean reload?" in bad(folder, "relaod", 2)
    assert bad(folder, "dump", 2) == "Option -db is required by this command.\n"
    assert "Option -db needs a value" in bad(folder, "dump -db", 2)
    assert "has no option -bd" in bad(folder, "dump -bd x", 2)
    assert "Did you mean -every?" in bad(folder, "stop -db x -evrey", 2)
    assert "'x' is no option" in bad(folder, "dump x", 2)
    assert "given twice" in bad(folder, "dump -db a --db=b", 2)
    assert "takes no value" in bad(folder, "uuid --hex=1", 2)
    assert re.fullmatch(r"Mongrel2/\d+\.\d+\.\d+\n", good(folder, "version"))
    assert good(folder, "-version") == good(folder, "--version") == good(folder, "version")
    plain, hexadecimal = good(folder, "uuid"), good(folder, "uuid -hex")
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n", plain)
    assert re.fullmatch("[0-9a-f]{32}\n", hexadecimal)
    good(folder, "config --db=x.sqlite --config=conf.py")
    assert good(folder, "servers --db=x.sqlite") == good(folder, "servers -db=x.sqlite") == (
        good(folder, "servers -db x.sqlite"))


def test_default_files_of_1x(folder):
    shutil.copy(folder / "conf.py", folder / "mongrel2.conf")
    assert "Option -db is required" in bad(folder, "load", 2)
    good(folder, "init -db config.sqlite")
    done = m2sh("load", cwd=folder)
    assert done.returncode == 0 and done.stderr == (
        'No option --db given, using "config.sqlite" as the default.\n'
        'No option --config given, using "mongrel2.conf" as the default.\n')
    assert "main localhost u-1" in m2sh("servers", cwd=folder).stdout


def test_the_shell(folder):
    lines = "servers -db x.sqlite\nzork\n\n'unclosed\nconfig -db x.sqlite -config conf.py\n" \
            "servers -db x.sqlite\n"
    done = m2sh(cwd=folder, stdin=lines)
    assert done.returncode == 0 and done.stdout.count("m2> ") == 7
    assert "main localhost u-1" in done.stdout
    assert "x.sqlite not readable" in done.stderr and "valid command" in done.stderr
    assert m2sh("shell", cwd=folder, stdin="zork\nexit\nversion\n").returncode == 2


# Goal: what cannot be printed costs the exit status and a line, never a traceback, and no command
# stops half done for it.
@pytest.mark.parametrize("where", [">/dev/full", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-",
                                   ">/dev/full 2>/dev/full", "| true"])
def test_output_that_cannot_be_written(folder, where):
    good(folder, "config -db x.sqlite -config conf.py")
    for line in ("dump -db x.sqlite", "servers -db x.sqlite", "help", "zork",
                 "commit -db x.sqlite -what a -why b"):
        done = subprocess.run(f"exec {m2sh_tools.M2SH} {line} {where}", shell=True, cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, timeout=m2sh_tools.SECONDS)
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr, done
        assert line.startswith("zork") or len(done.stderr.splitlines()) <= 1, done
        lost = where.startswith((">", "<")) and not line.startswith(("zork", "commit"))
        assert done.returncode == (2 if line == "zork" and where != "| true" else int(lost)), done
        if lost and "2>" not in where:
            assert done.stderr.startswith("m2sh: standard output: ")
    assert rows(folder, "SELECT count(*) FROM log WHERE what = 'a'") == [(1,)]


def test_a_reader_that_goes_away(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    done = subprocess.run(f"{m2sh_tools.M2SH} dump -db x.sqlite | true", shell=True, cwd=folder,
                          stderr=subprocess.PIPE, timeout=m2sh_tools.SECONDS)
    assert done.stderr == b""


# Goal: text of a database, which anybody may have written, neither begins a line nor steers a
# terminal.
def test_text_that_means_to_be_something_else(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    done = m2sh("commit", "-db", "x.sqlite", "-what", "a", "-why",
                "b\n[2026-01-01T00:00:00, root@host, stop_command] \x1b[2Jm2sh stop", cwd=folder)
    assert done.returncode == 0
    with sqlite3.connect(folder / "x.sqlite") as connection:
        name = "'x' || char(10) || 'y' || char(27)"
        connection.execute(f"UPDATE server SET name = {name} WHERE id = 1")
    connection.close()
    lines = good(folder, "log -db x.sqlite").splitlines()
    assert len(lines) == 3 and "b\\n[2026" in lines[-1] and "\\x1b[2J" in lines[-1]
    assert good(folder, "servers -db x.sqlite").splitlines()[1] == "x\\ny\\x1b localhost u-1"
    done = m2sh("load", "-db", "x.sqlite", "-config", b"\xff.py", cwd=folder)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    shutil.copy(folder / "conf.py", os.path.join(os.fsencode(folder), b"\xff.py"))
    assert m2sh("load", "-db", "x.sqlite", "-config", b"\xff.py", cwd=folder).returncode == 0
    assert "\\udcff.py" in good(folder, "log -db x.sqlite -count 1")


# Goal: the history has who it really was: not a name from the environment, and under sudo both.
def test_who_it_was(folder):
    good(folder, "init -db x.sqlite", LOGNAME="zed", USER="zed")
    assert "zed" not in good(folder, "log -db x.sqlite")
    if os.geteuid() != 0:
        pytest.skip("needs root, to be what sudo makes")
    good(folder, "init -db x.sqlite", SUDO_UID=str(m2sh_tools.NOBODY), SUDO_USER="zed")
    assert ", root (sudo: nobody)@" in good(folder, "log -db x.sqlite -count 1")


# Goal: a database that cannot be used has the reason, and no advice that would destroy it.
def test_databases_that_cannot_be_read(folder):
    good(folder, "config -db x.sqlite -config conf.py")
    said = bad(folder, "servers -db /tmp")
    assert said == "/tmp is a folder; name the database in it\n"
    for line in ("init", "load -config conf.py", "commit -what a -why b", "stop -every"):
        command, *rest = line.split()
        assert "is a folder" in bad(folder, f"{command} -db www {' '.join(rest)}"), line
    assert "no such file; m2sh config -db none" in bad(folder, "servers -db none")
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    os.chown(folder / "x.sqlite", 0, 0)
    (folder / "x.sqlite").chmod(0o600)
    for line in ("servers -db x.sqlite", "commit -db x.sqlite -what a -why b"):
        said = bad(folder, line)
        assert "not readable: uid 65534 may not" in said and "config" not in said, said


# Goal: a word that is misspelt in a configuration has its place and the word that was meant.
def test_misspelt_words(folder):
    (folder / "bad.py").write_text("from mongrel2.config import *\nmain = Server(\n"
                                   "    uuid='a', defaulthost='x', port=1)\n")
    said = bad(folder, "load -db x.sqlite -config bad.py")
    assert said.startswith("bad.py:3:15: Server has no defaulthost; it has uuid, ")
    assert said.endswith(" Did you mean default_host?\n")
    (folder / "bad.py").write_text("from mongrel2.config import *\nProxy(addr='x')\n")
    assert bad(folder, "load -db x.sqlite -config bad.py") == "bad.py:2: Proxy needs port\n"
