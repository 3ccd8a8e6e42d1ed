"""Helpers of the tests of m2sh, of the Python package and of the scripts. Importing it makes
the package importable."""

import os
import platform
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(TOP, "scripts")
M2SH = os.path.join(SCRIPTS, "m2sh")
SECONDS = 20  # nothing that a test waits for takes longer on a machine that works
NOBODY = 65534

if SCRIPTS not in sys.path:
    sys.path.insert(0, SCRIPTS)


def server_binary():
    """The server under test."""
    path = os.environ.get("MONGREL2_BIN") or os.path.join(TOP, "build", "mongrel2")
    assert os.access(path, os.X_OK), f"{path} is not there: run make first"
    return os.path.abspath(path)


def debian_m2sh():
    """The m2sh of Mongrel2 1.12. A test that needs it is skipped where Debian has it no more."""
    tool = "/usr/bin/m2sh"
    release = platform.freedesktop_os_release().get("VERSION_ID")
    if release != "12" and not os.path.exists(tool):
        pytest.skip("needs Debian 12")
    assert os.access(tool, os.X_OK), f"{tool} is missing (package mongrel2-core)"
    return tool


def m2sh(*words, cwd=None, stdin="", **environment):
    """Runs m2sh to its end; the result has returncode, stdout and stderr."""
    return subprocess.run([M2SH, *words], cwd=cwd, input=stdin, text=True, timeout=SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **environment})


def fetch(url, data=None, headers=None):
    """Status, headers and body of an answer; None if nobody answers."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()
    except OSError:
        return None


SERVER = """
Server(uuid="{uuid}", name="{name}", default_host="{host}", port={port}, chroot="{chroot}",
       access_log="/logs/access.log", error_log="/logs/error.log", pid_file="/run/mongrel2.pid",
       hosts=[Host(name="{host}", routes={{"/": Dir("www/", "index.html")}})])
"""


def server_text(uuid="u-1", name="main", host="localhost", port=6767, chroot="./"):
    """A Server(...) expression of the Python language, for configurations made by tests."""
    return SERVER.format(uuid=uuid, name=name, host=host, port=port, chroot=chroot).strip()
