"""The Python package as pip installs it: a wheel that is built without a network, m2sh with it, and
types for those who check theirs."""

import inspect
import os
import shutil
import subprocess
import zipfile

import pytest

from lib import m2sh_tools  # noqa: F401  (the package's place)
from lib.deployment import TOP
from mongrel2 import aio, control, ending, handler, keys, request, response, tnetstrings, websocket
from mongrel2.wsgi import bridge, environ, outgoing, pace, site
from mongrel2.wsgi import response as wsgi_response

PIP = ["/usr/bin/python3", "-m", "pip", "--disable-pip-version-check", "--no-input"]


def run(*words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, **more)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What a wheel is made of, so that nothing is written beside the sources."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "setup.cfg", "LICENSE", "docs/python.md"):
        os.makedirs(os.path.dirname(folder / name), exist_ok=True)
        shutil.copy(os.path.join(TOP, name), folder / name)
    shutil.copytree(os.path.join(TOP, "scripts"), folder / "scripts",
                    ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return folder


# Goal: the wheel has every module of the package, its data and py.typed, and nothing else.
def test_wheel(checkout, tmp_path):
    run(*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(tmp_path), ".",
        cwd=checkout)
    names = set(zipfile.ZipFile(next(tmp_path.glob("mongrel2-*-py3-none-any.whl"))).namelist())
    scripts = checkout / "scripts"
    expected = {str(path.relative_to(scripts)) for path in (scripts / "mongrel2").rglob("*")
                if path.is_file() and "__pycache__" not in path.parts}
    assert {name for name in names if not name.startswith("mongrel2-")} == expected
    assert "mongrel2/py.typed" in names
    assert [name for name in names if name.endswith("/scripts/m2sh")]


# Goal: `pip install .` gives the package and an m2sh that works from there.
def test_install(checkout, tmp_path):
    run(*PIP, "install", "--no-deps", "--no-index", "--no-build-isolation",
        "--prefix", str(tmp_path), ".", cwd=checkout)
    package = next(tmp_path.rglob("mongrel2/__init__.py")).parent
    program = next(tmp_path.rglob("bin/m2sh"))
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(package.parent)}
    assert run(str(program), "version", env=env, cwd="/").startswith("Mongrel2/")
    out = run("/usr/bin/python3", "-m", "mongrel2.wsgi", "--help", env=env, cwd="/")
    assert "--site" in out


# Goal: py.typed is no empty promise: everything public says its types.
@pytest.mark.parametrize("module", [
    aio, bridge, control, ending, environ, handler, keys, outgoing, pace, request, response, site,
    tnetstrings, websocket, wsgi_response], ids=lambda module: module.__name__)
def test_types(module):
    def functions(holder):
        for name, value in vars(holder).items():
            value = getattr(value, "__func__", value)
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                yield value
            elif inspect.isclass(value) and value.__module__ == module.__name__:
                yield from functions(value)
    bare = []
    for function in functions(module):
        signature = inspect.signature(function)
        wanted = [one for name, one in signature.parameters.items() if name not in ("self", "cls")]
        if signature.return_annotation is signature.empty or any(
                one.annotation is one.empty for one in wanted):
            bare.append(function.__qualname__)
    assert bare == []
