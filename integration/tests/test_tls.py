"""STARTTLS and implicit TLS, with the CA checked; 1.2 and 1.3, nothing older."""

import ssl

import pytest

from twinpost_rig.messages import message, unique
from twinpost_rig.wire import IMAP, SMTP, trust

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def only(ca, version):
    context = trust(ca)
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version", VERSIONS)
def test_smtp_starttls(system, inbox, version):
    with SMTP(system.node) as session:
        assert session.say("STARTTLS").code == 220
        session.start_tls(system.ca, context=only(system.ca, version))
        extensions = session.say("EHLO client.example.net").lines
        assert "STARTTLS" not in extensions
        token = unique()
        assert session.deliver("c@example.net", system.alice.address,
                               message(token=token)).code == 250
        assert session.socket.version() == version.name.replace("_", ".")
    head = inbox(token).split(b"\r\n\r\n")[0]
    assert b"with ESMTPS" in head


@pytest.mark.ours
def test_the_received_field_has_the_tls_clause(system, inbox):
    with SMTP(system.node) as session:
        session.say("STARTTLS")
        session.start_tls(system.ca)
        session.say("EHLO client.example.net")
        token = unique()
        session.deliver("c@example.net", system.alice.address, message(token=token))
    assert b"TLS" in inbox(token).split(b"with ESMTPS")[1].split(b";")[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_imap_starttls(system, version):
    with IMAP(system.node) as session:
        session.ok("STARTTLS")
        session.start_tls(system.ca, context=only(system.ca, version))
        assert not session.ok("CAPABILITY").find("STARTTLS")
        session.ok(f'LOGIN "{system.alice.address}" "{system.alice.password}"')


@pytest.mark.parametrize("version", VERSIONS)
def test_imap_implicit_tls(system, version):
    context = only(system.ca, version)
    with IMAP_TLS(system, context) as session:
        session.ok(f'LOGIN "{system.alice.address}" "{system.alice.password}"')


class IMAP_TLS(IMAP):
    def __init__(self, system, context):
        self.context = context
        super().__init__(system.node, port=system.node.imaps, ca=system.ca)

    def start_tls(self, ca, name="localhost", context=None):
        super().start_tls(ca, name, self.context)


def test_nothing_pipelined_before_imap_starttls_survives_it(system):
    with IMAP(system.node) as session:
        session.send("a1 STARTTLS\r\na2 CAPABILITY\r\n")
        assert session.response().startswith(b"a1 OK")
        session.buffer.clear()
        try:
            session.start_tls(system.ca)
        except OSError:
            return  # Refusing to go on is as good.
        session.send("a3 NOOP\r\n")
        line = session.response()
        assert line.startswith(b"a3 ") or b"a2" not in line, line


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(system):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError):
        IMAP_TLS(system, context)


def test_garbage_instead_of_a_handshake_harms_nobody(system):
    with SMTP(system.node) as session:
        session.say("STARTTLS")
        session.send(b"\x16\x03\x01\xff\xff" + b"junk" * 100)
        assert session.is_closed()
    with SMTP(system.node) as other:
        assert other.say("NOOP").code == 250
