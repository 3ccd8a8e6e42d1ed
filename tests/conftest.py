"""Fixtures for end_to_end and failure, and the logs of the servers of a test that failed."""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pytest  # noqa: E402

from lib.deployment import ALIVE, IS_ROOT, Deployment  # noqa: E402


@pytest.fixture(scope="module")
def workers(request):
    """The number of workers. One: handlers connect to it directly. Two: through the relay. Tests
    marked with_four run with four, too: a message then goes to some workers and not to others."""
    return request.param


def pytest_generate_tests(metafunc):
    if "workers" not in metafunc.fixturenames:
        return
    for mark in metafunc.definition.iter_markers("parametrize"):
        if "workers" in mark.args[0].replace(",", " ").split():
            return
    counts = {1: "direct", 2: "relay"}
    if metafunc.definition.get_closest_marker("with_four"):
        counts[4] = "four"
    metafunc.parametrize("workers", list(counts), ids=list(counts.values()), indirect=True,
                         scope="module")


def pytest_configure(config):
    """A run that is told to end ends like an interrupted one: it leaves no server behind."""
    config.addinivalue_line("markers", "with_four: run it with four workers, too")
    def end(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, end)


@pytest.fixture
def deployment():
    with Deployment() as made:
        yield made


@pytest.fixture
def root():
    if not IS_ROOT:
        pytest.skip("needs root")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    again = os.environ.get("M2_AGAIN", "/usr/bin/python3 -m pytest")
    report.sections.append(("to repeat it", f"{again} 'tests/{item.nodeid}'"))
    for made in ALIVE:
        for server in made.servers:
            report.sections.append((f"what the server in {made.folder} said", server.log()[-8000:]))
