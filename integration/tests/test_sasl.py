"""Logging in by SASL over IMAP: SCRAM-SHA-256 with and without TLS, and its refusals."""

import base64

import pytest

from twinpost_rig import Twinpost
from twinpost_rig.scram import Scram
from twinpost_rig.wire import IMAP

pytestmark = pytest.mark.ours


def authenticate(session, scram, mechanism="SCRAM-SHA-256", tamper=bytes):
    """Runs the exchange; returns the tagged answer, and whether the server proved itself."""
    tag = session.begin(f"AUTHENTICATE {mechanism}")
    proved, steps = False, iter([
        lambda _: scram.first(), lambda said: tamper(scram.final(said)), lambda said: b""])
    while True:
        line = session.response()
        if line.startswith(tag.encode()):
            return line.split(b" ")[1].decode(), proved
        if not line.startswith(b"+"):
            continue
        said = base64.b64decode(line[1:].strip())
        if said.startswith(b"v="):
            proved = scram.verify(said)
        session.send(base64.b64encode(next(steps)(said)) + b"\r\n")


@pytest.fixture(scope="module")
def system():
    """One of our own: wrong passwords slow down whoever comes from the same address."""
    with Twinpost() as running:
        yield running


@pytest.fixture(params=["plain", "implicit TLS"])
def connect(request, system):
    def open_session():
        if request.param == "plain":
            return IMAP(system.node)
        return IMAP(system.node, port=system.node.imaps, ca=system.ca)

    return open_session


def test_scram_logs_in_and_the_server_proves_itself(system, connect):
    with connect() as session:
        assert session.ok("CAPABILITY").find("AUTH=SCRAM-SHA-256")
        scram = Scram(system.alice.address, system.alice.password)
        assert authenticate(session, scram) == ("OK", True)
        session.ok("SELECT INBOX")


def test_scram_with_an_initial_response(system):
    with IMAP(system.node) as session:
        scram = Scram(system.alice.address, system.alice.password)
        first = base64.b64encode(scram.first()).decode()
        tag = session.begin(f"AUTHENTICATE SCRAM-SHA-256 {first}")
        session.send(base64.b64encode(scram.final(
            base64.b64decode(session.response()[1:].strip()))) + b"\r\n")
        assert scram.verify(base64.b64decode(session.response()[1:].strip()))
        session.send("\r\n")
        assert session.finish(tag).ok


@pytest.mark.parametrize("user", ["bob@example.test", "nobody@example.test"])
def test_scram_refuses_a_wrong_password_and_the_session_lives(system, user):
    with IMAP(system.node) as session:
        assert authenticate(session, Scram(user, "wrong")) == ("NO", False)
        session.ok("NOOP")


@pytest.mark.parametrize("first", [
    b"", b"n,,", b"n,,n=,r=abc", b"n,,n=a", b"y,,r=abc,n=a", b"n,,n=a=2X,r=abc", b"n,,n=a,r=\xff",
    b"p=tls-unique,,n=a,r=abc", b"n,,m=1,n=a,r=abc", b"\x00" * 5000])
def test_a_malformed_first_message_is_refused_and_the_session_lives(system, first):
    with IMAP(system.node) as session:
        tag = session.begin("AUTHENTICATE SCRAM-SHA-256")
        assert session.response().startswith(b"+")
        session.send(base64.b64encode(first) + b"\r\n")
        assert session.finish(tag).status in ("NO", "BAD")
        session.ok("NOOP")


def test_scram_refuses_a_changed_proof(system):
    def flip(final):
        head, _, proof = final.partition(b",p=")
        octets = bytearray(base64.b64decode(proof))
        octets[0] ^= 1
        return head + b",p=" + base64.b64encode(octets)

    with IMAP(system.node) as session:
        scram = Scram(system.bob.address, system.bob.password)
        assert authenticate(session, scram, tamper=flip) == ("NO", False)


def test_a_cancelled_exchange_is_bad_and_the_session_lives(system):
    with IMAP(system.node) as session:
        tag = session.begin("AUTHENTICATE SCRAM-SHA-256")
        assert session.response().startswith(b"+")
        session.send("*\r\n")
        assert session.finish(tag).status == "BAD"
        session.ok("NOOP")


def test_plus_is_offered_only_where_the_channel_can_be_bound(system):
    with IMAP(system.node) as session:
        assert not session.ok("CAPABILITY").find("SCRAM-SHA-256-PLUS")


@pytest.mark.parametrize("mechanism", ["EXPLODE", "CRAM-MD5", "SCRAM-SHA-1"])
def test_a_mechanism_not_offered_is_refused(system, mechanism):
    with IMAP(system.node) as session:
        assert session.do(f"AUTHENTICATE {mechanism}").status in ("NO", "BAD")
        session.ok("NOOP")
