# Goal: after `make install` the two programs and the package are where they are looked for.
# Method: the Makefile's own goal, into folders of the test; the server has been built already.
import os
import pathlib
import shutil
import subprocess

import pytest

from lib import m2sh_tools
from lib.m2sh_tools import SECONDS, TOP


def install(folder, **variables):
    """Runs `make install` on a copy, with a stand-in for the server so that nothing is built."""
    copy = folder / "checkout"
    shutil.copytree(os.path.join(TOP, "scripts"), copy / "scripts",
                    ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(os.path.join(TOP, "tests", "www"), copy / "tests" / "www")
    shutil.copytree(os.path.join(TOP, "deploy", "include"), copy / "deploy" / "include")
    shutil.copy(os.path.join(TOP, "tests", "sample_conf.py"), copy / "tests")
    shutil.copy(os.path.join(TOP, "Makefile"), copy)
    for room in ("build", "common", "proto", "master", "worker"):
        (copy / room).mkdir()
    server = copy / "build" / "mongrel2"
    server.write_text('#!/bin/sh\necho "installed $@"\n')
    server.chmod(0o755)
    words = [f"{key}={value}" for key, value in variables.items()]
    subprocess.run(["make", "-s", "-o", "build/mongrel2", "install", *words], cwd=copy, check=True,
                   timeout=60)
    return copy


def run(*words, **environment):
    bare = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(words, cwd="/", env=bare, text=True, timeout=SECONDS, check=True,
                          stdout=subprocess.PIPE).stdout


def test_below_any_prefix(tmp_path):
    prefix = tmp_path / "opt"
    copy = install(tmp_path, PREFIX=prefix)
    assert (copy / "tests" / "config.sqlite").exists()
    shutil.rmtree(copy / "scripts")
    assert run(str(prefix / "bin" / "m2sh"), "version").startswith("Mongrel2/")
    out = run(str(prefix / "bin" / "m2sh"), "check", "-db", str(copy / "tests" / "config.sqlite"))
    assert out.startswith("installed --check ")  # the server that came with it
    package = prefix / "lib" / "python3" / "dist-packages" / "mongrel2"
    assert (package / "m2sh" / "main.py").exists() and (package / "mimetypes.txt").exists()
    out = run("/usr/bin/python3", "-c", "from mongrel2 import handler; print(handler.__file__)",
              PYTHONPATH=str(package.parent))
    assert out.strip() == str(package / "handler.py")
    out = run("pkg-config", "--cflags", "mongrel2",
              PKG_CONFIG_PATH=str(prefix / "share" / "pkgconfig"))
    assert f"-I{prefix}/include" in out.split()
    assert (prefix / "include" / "mongrel2" / "handler.hpp").exists()


def test_usr_local_is_where_python_looks(tmp_path):
    install(tmp_path, DESTDIR=tmp_path / "root")
    looked = run("/usr/bin/python3", "-c", "import sys; print('\\n'.join(sys.path))").split()
    assert any((tmp_path / "root" / pathlib.Path(folder).relative_to("/") / "mongrel2").is_dir()
               for folder in looked if folder.startswith("/usr/local"))
    assert (tmp_path / "root" / "usr" / "local" / "bin" / "m2sh").exists()


def test_an_older_package_is_replaced_whole(tmp_path):
    old = tmp_path / "opt" / "lib" / "python3" / "dist-packages" / "mongrel2" / "old.py"
    old.parent.mkdir(parents=True)
    old.write_text("")
    install(tmp_path, PREFIX=tmp_path / "opt")
    assert not old.exists() and (old.parent / "config.py").exists()


@pytest.mark.parametrize("module", ["config", "handler", "request", "response", "tnetstrings"])
def test_from_the_checkout_nothing_need_be_installed(module):
    out = run("/usr/bin/python3", "-c", f"from mongrel2 import {module} as m; print(m.__file__)",
              PYTHONPATH=m2sh_tools.SCRIPTS, PYTHONDONTWRITEBYTECODE="1")
    assert out.strip() == os.path.join(m2sh_tools.SCRIPTS, "mongrel2", f"{module}.py")
