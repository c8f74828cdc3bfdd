"""Fixtures of the functional tests. One PKI a session, one proxy a module wherever that is possible.

Environment: TLSCRIBE (the binary, default build/tlscribe), TLSCRIBE_STORM (connections of the conservation test),
TLSCRIBE_CHURN (requests of the churn test), TLSCRIBE_PATIENCE (seconds until a wait is given up), TLSCRIBE_PORTS (0-2: which
ports, for runs side by side), TLSCRIBE_GO_CACHE (a folder for Go's build cache).
"""

import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import backends, clients  # noqa: E402
from lib.pki import Pki  # noqa: E402
from lib.proxy import PROGRAM, Proxy, sanitized  # noqa: E402
from lib.recorder import Recorder  # noqa: E402

LIVE = []
NUMBERS = itertools.count()  # of folders: a second proxy in one would have the journal of the first


def pytest_report_header():
    note = " (sanitizer build)" if os.path.exists(PROGRAM) and sanitized() else ""
    return f"tlscribe: {PROGRAM}{note}"


@pytest.fixture(scope="session")
def folder():
    """Short, for a unix socket's path has to fit into 107 bytes; what failed can be looked at with TLSCRIBE_KEEP=1."""
    path = tempfile.mkdtemp(prefix="tls-")
    os.chmod(path, 0o755)
    yield Path(path)
    if os.environ.get("TLSCRIBE_KEEP"):
        print(f"\nkept: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def pki(folder):
    return Pki(folder / "pki")


@pytest.fixture(scope="session")
def echo():
    """The address of a back end that gives every byte back."""
    server = backends.Server(backends.echo)
    yield server.address
    server.close()


@pytest.fixture(scope="module")
def recorder():
    """A back end that writes down each request it gets, and says which one it answers unless a test gives it a script."""
    one = Recorder()
    yield one
    one.close()


@pytest.fixture(scope="session", autouse=True)
def go_programs():
    yield
    clients.remove_programs()


@pytest.fixture(scope="session")
def nginx(folder):
    server = backends.Nginx(folder / "nginx")
    yield server
    server.close()


def make_proxies(folder, name):
    """Yields a maker of proxies; every one is stopped, and its journal looked over, at the end."""
    made = []

    def make(listeners, services, start=True, **settings):
        proxy = Proxy(folder / f"{name}-{len(made)}", listeners, services, **settings)
        made.append(proxy)
        LIVE.append(proxy)
        if start:
            proxy.start()
        return proxy

    try:
        yield make
    finally:
        faults = []
        for proxy in made:
            LIVE.remove(proxy)
            try:
                code = proxy.stop()
                assert code in (None, 0), f"ended with {code}\n{proxy.report()}"
                proxy.verify_journal()
            except AssertionError as e:
                faults.append(str(e))
        if faults:
            pytest.fail("\n".join(faults), pytrace=False)


@pytest.fixture(scope="module")
def proxies(folder, request):
    """A maker of proxies that live as long as the module."""
    yield from make_proxies(folder, request.module.__name__.removeprefix("test_"))


@pytest.fixture
def own_proxies(folder, request):
    """A maker of proxies that live as long as one test."""
    yield from make_proxies(folder, f"{request.module.__name__.removeprefix('test_')[:12]}-{next(NUMBERS)}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for proxy in LIVE:
            report.sections.append((f"proxy in {proxy.folder.name}", proxy.report()))
