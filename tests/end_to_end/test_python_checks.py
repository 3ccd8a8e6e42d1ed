# Goal: the scripts that judge the tree can be trusted: they find each fault that they promise to
# find, and the closing line of run-tests counts what ran.
# Method: copies of the scripts in a small tree with faults in it.
import os
import shlex
import shutil
import socket
import subprocess

import pytest

from lib import m2sh_tools
from lib.waiting import free_port


class Tree:
    def __init__(self, folder):
        self.folder = folder
        (folder / "scripts").mkdir()
        (folder / "tests" / "failure").mkdir(parents=True)

    def write(self, path, text, mode=0o644):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def run(self, script, *words, **environment):
        shutil.copy(os.path.join(m2sh_tools.SCRIPTS, script), self.folder / "scripts" / script)
        done = subprocess.run([str(self.folder / "scripts" / script), *words], cwd=self.folder,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=60,
                              env={**os.environ, "M2_NPM": "/nonexistent", **environment})
        return done.returncode, done.stdout


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_layers(tree):
    tree.write("common/loop.h", "#include <ev.h>\n#include <vector>\n#include \"common/a.h\"\n")
    tree.write("proto/http/a.cc", '#include "common/a.h"\n#include "proto/http/a.h"\n')
    tree.write("master/store/a.cc", "#include <sqlite3.h>\n")
    tree.write("worker/link/a.h", "#include <zmq.hpp>\n#include \"proto/a.h\"\n")
    assert tree.run("check_layers") == (0, "")
    faults = {
        "common/a.cc:1": '#include "proto/a.h"',
        "proto/a.cc:1": '# include "master/a.h"',
        "master/a.cc:1": '#include "worker/a.h"',
        "worker/a.cc:1": '#include "master/a.h"',
        "worker/b.cc:1": '#include "b.h"',
        "worker/c.cc:1": "#include <zmq.h>",
        "worker/d.cc:1": "#include <ev.h>",
        "master/b.cc:1": "#include <sqlite3.h>",
        "common/b.h:1": "#include <simdjson.h>",
        "common/c.h:1": "#include <spdlog/spdlog.h>",
    }
    for place, text in faults.items():
        tree.write(place.split(":")[0], text + "\n")
    status, output = tree.run("check_layers")
    assert status == 1
    assert sorted(line.split(": ")[0] for line in output.splitlines()) == sorted(faults)


# Goal: a header that a newer compiler's library would not bring along by chance is found here.
def test_headers(tree):
    tree.write("common/a.h", "#pragma once\n#include <string>\ninline std::string f();\n")
    tree.write("proto/b.h", '#pragma once\n#include "common/a.h"\n')
    for room in ("master", "worker"):
        (tree.folder / room).mkdir()
    assert tree.run("check_headers", "g++", "-std=c++20", "-I.") == (0, "")
    tree.write("worker/c.h", "#pragma once\ninline std::string g();\n")
    status, output = tree.run("check_headers", "g++", "-std=c++20", "-I.")
    assert status != 0 and "worker/c.h:2" in output


def test_sizes(tree):
    subprocess.run(["git", "init", "-q", str(tree.folder)], check=True)
    tree.write("common/good.cc", "int x;\n" * 400)
    tree.write("docs/long.md", "x" * 200 + "\n")
    assert tree.run("check_sizes") == (0, "")
    tree.write("common/long.cc", "int x;\n" * 401)
    tree.write("common/function.cc", "int f(int a,\n      int b) {\n" + "  a();\n" * 80 + "}\n")
    tree.write("scripts/function.py", "def g():\n" + "    pass\n" * 71)
    status, output = tree.run("check_sizes")
    assert status == 0
    assert output.splitlines() == [
        "common/function.cc:1: note: int f(int a, has 83 lines",
        "common/long.cc: note: 401 lines, more than 400",
        "scripts/function.py:1: note: g has 72 lines"]
    tree.write("common/longer.cc", "int x;\n" * 501)
    tree.write("scripts/wide", "#!/bin/sh\n" + "#" * 101 + "\n")
    status, output = tree.run("check_sizes")
    assert status == 1
    assert "common/longer.cc: 501 lines, more than 500" in output
    assert "scripts/wide:2: 101 columns, more than 100" in output


def test_docs(tree):
    tree.write("server", "#!/bin/sh\n[ $1 = --settings ] && printf '# Settings\\n'\n", 0o755)
    tree.write("docs/settings.md", "# Settings\n")
    tree.write("Makefile", "VERSION := 2.3.4\n")
    tree.write("scripts/mongrel2/__init__.py", '__version__ = "2.3.4"\n')
    assert tree.run("check_docs", "./server") == (0, "")
    tree.write("docs/settings.md", "# Setting\n")
    tree.write("scripts/mongrel2/__init__.py", '__version__ = "2.3.40"\n')
    status, output = tree.run("check_docs", "./server")
    assert status == 1 and len(output.splitlines()) == 2


UNIT = '''#!/bin/sh
for word; do case $word in --gtest_output=json:*) report=${word#*json:};; esac; done
echo '{"testsuites": [{"name": "A", "testsuite": [%s]}]}' > $report
exit %d
'''
GOOD = '{"name": "Good", "status": "RUN", "result": "COMPLETED"}'
BAD = '{"name": "Bad", "status": "RUN", "result": "COMPLETED", "failures": [{}]}'
SKIP = '{"name": "Skipped", "status": "RUN", "result": "SKIPPED"}'
ROOT = '{"name": "ChrootNeedsRoot", "status": "RUN", "result": "SKIPPED"}'
OFF = '{"name": "DISABLED_x", "status": "NOTRUN", "result": "SUPPRESSED"}'


# One fuzz target that found nothing.
FUZZ = 'fuzz:\n\t@mkdir -p build-fuzz && echo \'{"a": null}\' > build-fuzz/fuzz.json\n'


@pytest.mark.parametrize("unit, unit_status, python, check, last", [
    ([GOOD, GOOD], 0, "def test_a(): pass", "true", "5 passed, 0 failed"),
    ([GOOD, BAD], 1, "def test_a(): pass", "true", "4 passed, 1 failed"),
    ([GOOD], 1, "def test_a(): pass", "true", "4 passed, 1 failed"),  # a crash at the end
    ([], 0, "def test_a(): pass", "true", "3 passed, 1 failed"),
    ([GOOD, SKIP], 0, "def test_a(): pass", "true", "4 passed, 1 failed"),
    ([GOOD, ROOT], 0, "def test_a(): pass", "true", "4 passed, 0 failed"),
    ([GOOD, OFF], 0, "def test_a(): pass", "true", "4 passed, 1 failed"),
    ([GOOD], 0, "def test_a(): assert 0", "true", "3 passed, 1 failed"),
    ([GOOD], 0, "def test_a(: pass", "true", "3 passed, 1 failed"),
    ([GOOD], 0, "", "true", "3 passed, 1 failed"),
    ([GOOD], 0, "import pytest\ndef test_a(): pytest.skip('why not')", "true",
     "3 passed, 1 failed"),
    ([GOOD], 0, "import pytest\ndef test_a(): pytest.skip('needs root')\ndef test_b(): pass",
     "true", "4 passed, 0 failed"),
    ([GOOD], 0, "def test_a(): pass", "false", "3 passed, 1 failed"),
])
def test_the_closing_line(tree, unit, unit_status, python, check, last):
    tree.write("build/unit_tests", UNIT % (", ".join(unit), unit_status), 0o755)
    tree.write("tests/end_to_end/test_x.py", python + "\n")
    tree.write("Makefile", f"check:\n\t@{check}\n{FUZZ}")
    status, output = tree.run("run-tests", "build")
    assert output.splitlines()[-1] == last, output
    assert status == (0 if last.endswith(" 0 failed") else 1)


# Goal: a failure says at once how to repeat that one test, and what it says works.
def test_a_failed_test_is_repeated_by_the_line_it_shows(tree):
    tree.write("build/unit_tests", UNIT % (f"{GOOD}, {BAD}", 1), 0o755)
    tree.write("tests/end_to_end/test_x.py", "def test_a(): pass\ndef test_b(): assert 0\n")
    for name in ("conftest.py", "pytest.ini", "lib"):
        os.symlink(os.path.join(m2sh_tools.TOP, "tests", name), tree.folder / "tests" / name)
    tree.write("Makefile", f"check:\n{FUZZ}")
    _, output = tree.run("run-tests", "build")
    assert "again: build/unit_tests --gtest_filter=A.Bad" in output
    again = next(line for line in output.splitlines() if line.startswith("scripts/run-tests"))
    status, output = tree.run(*shlex.split(again)[0].split("/")[1:], *shlex.split(again)[1:])
    assert status == 1 and output.splitlines()[-1] == "0 passed, 1 failed", output


# Goal: no other program of the machine can take a port that a test has chosen. Method: as root,
# what runs inside has no network but loopback; everywhere, a chosen port is taken for all but a
# server.
def test_tests_run_in_a_network_namespace(tree, root):
    tree.write("tests/end_to_end/test_x.py", f"""
import os
def test_a(): assert os.readlink("/proc/self/ns/net") != {os.readlink("/proc/self/ns/net")!r}
""")
    tree.write("Makefile", "")
    assert tree.run("run-tests", "build", "tests/end_to_end")[1].splitlines()[-1] == (
        "1 passed, 0 failed")


def test_a_chosen_port_is_kept_for_the_server():
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError):
        other.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)) as server:  # it shares, as all servers do
        assert server.getsockname()[1] == port


def test_no_unit_tests_at_all(tree):
    tree.write("tests/end_to_end/test_x.py", "def test_a(): pass\n")
    tree.write("Makefile", f"check:\n{FUZZ}")
    status, output = tree.run("run-tests", "build")
    assert status == 1 and output.splitlines()[-1] == "3 passed, 1 failed"


def fakes(tree, **programs):
    """A PATH with these programs and the usual ones, but without sudo."""
    for name, text in programs.items():
        tree.write(f"bin/{name.replace('_', '-')}", f"#!/bin/sh\n{text}\n", 0o755)
    return {"PATH": f"{tree.folder}/bin:/usr/bin:/bin", "LOG": str(tree.folder / "log")}


SETS = ("build", "demo", "test")


def test_install_deps_does_nothing_where_all_is_there(tree):
    path = fakes(tree, dpkg_query="printf installed", apt_get='echo apt-get "$@" >> $LOG')
    assert tree.run("install-deps", *SETS, **path) == (0, "")
    assert not (tree.folder / "log").exists()


def test_install_deps_installs_what_is_missing(tree):
    missing = '[ "$4" = curl ] || [ "$4" = libev-dev ] || printf installed'
    path = fakes(tree, dpkg_query=missing, apt_get='echo "$DEBIAN_FRONTEND" "$@" >> $LOG',
                 id="echo 0")
    status, output = tree.run("install-deps", *SETS, **path)
    assert (status, output) == (0, "install-deps: installing libev-dev curl\n")
    assert (tree.folder / "log").read_text() == (
        "noninteractive install -y --no-install-recommends libev-dev curl\n")


# Goal: a demonstration installs what it needs and no more: no browser, no peer, no other language.
def test_install_deps_keeps_the_sets_apart(tree):
    path = fakes(tree, dpkg_query="true", apt_get='echo "$@" >> $LOG', id="echo 0",
                 command="true")
    assert tree.run("install-deps", "build", "demo", **path)[0] == 0
    words = (tree.folder / "log").read_text().split()
    assert {"g++", "libzmq3-dev", "python3-zmq"} <= set(words)
    assert not {"chromium", "mongrel2-core", "ruby", "clang", "ffmpeg", "npm"} & set(words)
    assert tree.run("install-deps", "demos", **path) == (
        2, "install-deps: no set demos; there are build, demo and test\n")


def test_install_deps_fetches_the_lists_if_it_must(tree):
    path = fakes(tree, dpkg_query='[ "$4" = curl ] || printf installed', id="echo 0",
                 apt_get='echo "$1" >> $LOG; [ "$1" = update ] || [ $(wc -l < $LOG) -gt 1 ]')
    status, _ = tree.run("install-deps", *SETS, **path)
    assert status == 0
    assert (tree.folder / "log").read_text().split() == ["install", "update", "install"]


def test_install_deps_says_what_it_may_not_do(tree):
    path = fakes(tree, dpkg_query='[ "$4" = curl ] || printf installed', id="echo 1000",
                 sudo="exit 1", apt_get='echo "$@" >> $LOG')
    status, output = tree.run("install-deps", *SETS, **path)
    assert status == 1
    assert "sudo sh -c 'apt-get update && apt-get install -y --no-inst" in output
    assert "--no-install-recommends curl'" in output
    assert not (tree.folder / "log").exists()


def test_install_deps_elsewhere_than_debian(tree):
    for name in ("awk", "sed", "sh"):
        os.makedirs(tree.folder / "bin", exist_ok=True)
        os.symlink(shutil.which(name), tree.folder / "bin" / name)
    status, output = tree.run("install-deps", *SETS, PATH=str(tree.folder / "bin"))
    assert status == 1 and "libzmq3-dev" in output and "not Debian" in output
