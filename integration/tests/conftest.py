"""Fixtures. TWINPOST_RIG_SYSTEM=baseline runs the same tests against Postfix and Dovecot."""

import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from twinpost_rig import Twinpost, until  # noqa: E402
from twinpost_rig.baseline import PostfixDovecot  # noqa: E402
from twinpost_rig.messages import unique  # noqa: E402
from twinpost_rig.wire import IMAP, SMTP  # noqa: E402

BASELINE = os.environ.get("TWINPOST_RIG_SYSTEM") == "baseline"


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root, to mount a small file system")
    config.addinivalue_line("markers", "ours: only Twinpost promises this")


def pytest_collection_modifyitems(items):
    for item in items:
        if BASELINE and (item.get_closest_marker("ours") or "fresh" in item.fixturenames):
            item.add_marker(pytest.mark.skip(reason="only Twinpost promises this"))
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def system():
    """One system for all tests that leave it as they found it."""
    with PostfixDovecot() if BASELINE else Twinpost() as running:
        yield running


@pytest.fixture
def fresh():
    """A Twinpost of the test's own, to be killed, filled or reconfigured."""
    with Twinpost() as running:
        yield running


@pytest.fixture
def smtp(system):
    with SMTP(system.node) as session:
        yield session


@pytest.fixture
def imap(system):
    with IMAP(system.node, system.alice) as session:
        yield session


@pytest.fixture
def mailbox(system):
    """The name of a new mailbox of alice's, deleted afterwards."""
    name = f"box-{unique()}".replace(".", "-")
    with IMAP(system.node, system.alice) as session:
        session.ok(f'CREATE "{name}"')
    yield name
    with IMAP(system.node, system.alice) as session:
        session.do(f'DELETE "{name}"')


@pytest.fixture
def sessions(system):
    """A function that opens further sessions of alice's, with a mailbox selected."""
    opened = []

    def connect(mailbox=None, *enable, select="SELECT"):
        session = IMAP(system.node, system.alice)
        opened.append(session)
        if enable:
            session.ok("ENABLE " + " ".join(enable))
        if mailbox:
            session.selected = session.ok(f'{select} "{mailbox}"')
        return session

    yield connect
    for session in opened:
        session.close()


@pytest.fixture
def inbox(system):
    """A function that waits for the message with a token in its Message-ID; returns its bytes."""

    def arrived(token, account=None):
        with IMAP(system.node, account or system.alice) as session:
            session.ok("SELECT INBOX")
            uids = until(lambda: session.ok("NOOP")
                         and session.uids(f'HEADER Message-ID "{token}"'), f"{token} arrives")
            assert len(uids) == 1, f"{token} arrived {len(uids)} times"
            return session.body(uids[0])

    return arrived


@pytest.fixture
def tool():
    """Skips with a clear word when a Debian client is missing."""

    def path(name):
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if not found:
            pytest.fail(f"{name} is not installed; integration/lib/install-packages does that")
        return found

    return path
