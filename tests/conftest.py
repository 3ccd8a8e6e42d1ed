"""Fixtures for end_to_end and failure, and the logs of the servers of a test that failed."""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pytest  # noqa: E402

from lib.deployment import ALIVE, IS_ROOT, Deployment  # noqa: E402


# One worker: handlers connect to it directly. Two: through the relay.
@pytest.fixture(scope="module", params=[1, 2], ids=["direct", "relay"])
def workers(request):
    return request.param


def pytest_configure():
    """A run that is told to end ends like an interrupted one: it leaves no server behind."""
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
    for made in ALIVE:
        for server in made.servers:
            report.sections.append((f"what the server in {made.folder} said", server.log()[-8000:]))
