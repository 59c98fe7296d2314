"""Several certificates, chosen by the client's SNI; their exchange; TLS with the first octet for SMTP;
channel bindings, which follow the certificate that was served."""

import base64
import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from twinpost_rig import Twinpost, certificates, until
from twinpost_rig.messages import message, unique
from twinpost_rig.scram import Scram
from twinpost_rig.wire import IMAP, SMTP, Closed, trust

pytestmark = pytest.mark.ours

# The names that a client may ask for, and whose certificate it gets; "try" is the first one's.
CHOICES = [("a.test", "a"), ("A.Test", "a"), ("b.test", "b"), ("x.w.test", "wild"),
           ("x.y.w.test", "try"), ("w.test", "try"), ("other.test", "try"), (None, "try"),
           ("own.test", "own"), ("x.own.test", "own"), ("xn--bcher-kva.test", "wild")]


def extend(system, folder, sections):
    """Adds certificates and a listener with implicit TLS for SMTP, and starts the node again."""
    text = system.configuration().read_text()
    for name, server_names in sections:
        text += f"""
            [[tls.certificate]]
            certificate = "{folder}/{name}.pem"
            key = "{folder}/{name}.key"
            server-names = {server_names}
            """
    text += f"""
        [[listener]]
        service = "smtp"
        tls = "implicit"
        address = "127.0.0.1:{system.ports.base + 100}"
        """
    system.configuration().write_text(text)
    system.terminate()
    system.restart()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("certificates")
    ed25519 = certificates.make(made, "ca", key=("-newkey", "ed25519"), sign=())
    certificates.make(made, "a", "a.test", sign=("-sha384",))
    certificates.make(made, "b", "b.test", key=("-newkey", "rsa:2048"), sign=("-sha1",))
    certificates.make(made, "wild", "ignored.test", sign=("-sha512",))
    certificates.make(made, "own", "own.test", "*.own.test", key=("-newkey", "rsa:2048"),
                      sign=("-sha384", "-sigopt", "rsa_padding_mode:pss"))
    certificates.make(made, "hashless", "hashless.test", sign=(), authority=ed25519)
    return made


@pytest.fixture(scope="module")
def system(folder):
    with Twinpost() as running:
        extend(running, folder, [
            ("a", '["a.test"]'), ("b", '["b.test"]'), ("wild", '["*.w.test", "bücher.test"]'),
            ("own", "[]"), ("hashless", "[]")])
        running.folder = folder
        shutil.copy(running.directory / "try" / "a" / "certificate.pem", folder / "try.pem")
        yield running


def implicit(system, port, name, context=None):
    raw = socket.create_connection((system.node.address, port), timeout=30)
    return (context or certificates.blind()).wrap_socket(raw, server_hostname=name)


def by_imaps(system, name):
    with implicit(system, system.node.imaps, name) as client:
        assert client.recv(4) == b"* OK"
        return client.getpeercert(True)


def by_implicit_smtp(system, name):
    with implicit(system, system.ports.base + 100, name) as client:
        assert client.recv(4) == b"220 "
        return client.getpeercert(True)


def by_imap_starttls(system, name):
    with IMAP(system.node) as session:
        session.ok("STARTTLS")
        session.start_tls(None, name, certificates.blind())
        session.ok("NOOP")
        return session.socket.getpeercert(True)


def by_smtp_starttls(system, name):
    with SMTP(system.node) as session:
        assert session.say("STARTTLS").code == 220
        session.start_tls(None, name, certificates.blind())
        assert session.say("EHLO client.example.net").code == 250
        return session.socket.getpeercert(True)


@pytest.mark.parametrize("way", [by_imaps, by_implicit_smtp, by_imap_starttls, by_smtp_starttls])
@pytest.mark.parametrize("name, wanted", CHOICES)
def test_the_name_chooses_the_certificate(system, folder, way, name, wanted):
    assert way(system, name) == certificates.der(folder / f"{wanted}.pem")


def test_openssl_s_client(system, folder):
    def subject(*options):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{system.node.imaps}", *options],
            input="", capture_output=True, text=True, timeout=30)
        return next(line for line in done.stdout.splitlines() if line.startswith("subject="))

    assert subject("-servername", "a.test").replace(" ", "").endswith("CN=a")
    assert subject("-servername", "b.test").replace(" ", "").endswith("CN=b")
    assert subject("-noservername").replace(" ", "").endswith("CN=localhost")


def test_swaks_with_a_name(system, inbox, tool, folder):
    token = unique()
    subprocess.run(
        [tool("swaks"), "--server", f"127.0.0.1:{system.node.smtp}", "--tls", "--tls-sni", "a.test",
         "--tls-verify", "--tls-ca-path", folder / "a.pem", "--to", system.alice.address, "--from",
         "c@example.net", "--helo", "client.example.net", "--header", f"Message-ID: <{token}>"],
        check=True, capture_output=True, text=True)
    assert b"with ESMTPS" in inbox(token)


def hello(name):
    """The octets of a ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.blind().wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return client, incoming, outgoing


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_a_hello_in_pieces(system, folder, piece):
    client, incoming, outgoing = hello("a.test")
    with socket.create_connection((system.node.address, system.node.imaps), timeout=30) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first = outgoing.read()
        for start in range(0, len(first), piece):
            raw.send(first[start:start + piece])
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        raw.sendall(outgoing.read())
        assert client.getpeercert(True) == certificates.der(folder / "a.pem")


@pytest.mark.parametrize("junk", [b"EHLO x\r\nQUIT\r\n", b"\x16\x03\x01\xff\xff" + bytes(70_000),
                                  b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", bytes(range(256)) * 10,
                                  b"", "cut"], ids=lambda junk: ascii(junk)[:14])
@pytest.mark.parametrize("service", ["imaps", "implicit smtp", "starttls"])
def test_what_is_no_handshake_gets_nothing_in_the_clear(system, service, junk):
    if junk == "cut":
        junk = hello("a.test")[2].read()[:-9]
    if service == "starttls":
        session = SMTP(system.node)
        assert session.say("STARTTLS").code == 220
        raw = session.socket
    else:
        port = system.node.imaps if service == "imaps" else system.ports.base + 100
        raw = socket.create_connection((system.node.address, port), timeout=30)
    with raw:
        try:
            raw.sendall(junk + b"")
            raw.shutdown(socket.SHUT_WR)
            said = b""
            while more := raw.recv(65536):
                said += more
        except ConnectionError:
            pass
    assert b"220" not in said and b"250" not in said and b"OK" not in said and b"221" not in said
    with SMTP(system.node) as session:
        assert session.say("NOOP").code == 250


# ---- TLS with the first octet, for SMTP


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_smtp_begins_with_tls(system, inbox, version):
    context = trust(system.ca)
    context.minimum_version = context.maximum_version = version
    with SMTP(system.node, hello=None, port=system.ports.base + 100,
              ca=system.ca, context=context) as session:
        assert "STARTTLS" not in session.say("EHLO client.example.net").lines
        token = unique()
        assert session.deliver("c@example.net", system.alice.address,
                               message(token=token)).code == 250
        assert session.say("STARTTLS").code >= 500
    assert b"with ESMTPS" in inbox(token)


def test_swaks_on_connect(system, inbox, tool):
    token = unique()
    subprocess.run(
        [tool("swaks"), "--server", f"127.0.0.1:{system.ports.base + 100}", "--tls-on-connect",
         "--tls-verify", "--tls-ca-path", system.ca, "--to", system.alice.address, "--from",
         "c@example.net", "--helo", "client.example.net", "--header", f"Message-ID: <{token}>"],
        check=True, capture_output=True, text=True)
    assert b"with ESMTPS" in inbox(token)


def test_curl_smtps(system, inbox, tool):
    token = unique()
    subprocess.run(
        [tool("curl"), "-sS", "--cacert", system.ca, "-T", "-", "--url",
         f"smtps://localhost:{system.ports.base + 100}", "--mail-from", "c@example.net",
         "--mail-rcpt", system.alice.address], input=message(token=token), check=True)
    assert b"with ESMTPS" in inbox(token)


def test_status_tells_which_begin_with_tls(system):
    text = system.cli("status", "--control", system.node.control).stdout
    assert f"listens for smtp on 127.0.0.1:{system.node.smtp}\n" in text
    assert f"listens for smtp on 127.0.0.1:{system.ports.base + 100}, with TLS\n" in text
    assert f"listens for imaps on 127.0.0.1:{system.node.imaps}, with TLS\n" in text


# ---- Exchange


@pytest.fixture
def own(tmp_path):
    """A system with one more certificate, `z`, for z.test."""
    certificates.make(tmp_path, "z", "z.test")
    with Twinpost() as running:
        extend(running, tmp_path, [("z", "[]")])
        yield running


def reload(system, word):
    size = len(system.log_text(10_000_000))
    os.kill(system.node.pid, signal.SIGHUP)
    return until(lambda: word in system.log_text(10_000_000)[size:]
                 and system.log_text(10_000_000)[size:], word)


def test_a_reload_exchanges_certificates_and_leaves_connections(own, tmp_path):
    before = certificates.der(tmp_path / "z.pem")
    with implicit(own, own.node.imaps, "z.test") as client:
        client.recv(1000)
        certificates.make(tmp_path, "z", "z.test", sign=("-sha384",))
        assert by_imaps(own, "z.test") == before
        reload(own, "configuration reloaded")
        assert by_imaps(own, "z.test") == certificates.der(tmp_path / "z.pem") != before
        client.sendall(b"a NOOP\r\n")
        assert client.recv(1000).startswith(b"a OK")


def spoil_key(folder):
    certificates.make(folder, "other", "z.test")
    shutil.copy(folder / "other.key", folder / "z.key")


@pytest.mark.parametrize("spoil, named, reason", [
    (lambda folder: (folder / "z.key").unlink(), "z.key", "No such file"),
    (lambda folder: (folder / "z.pem").unlink(), "z.pem", "No such file"),
    (lambda folder: (folder / "z.pem").write_text("x"), "z.pem", "holds no certificate"),
    (lambda folder: (folder / "z.key").write_text("x"), "z.key", "holds no private key"),
    (lambda folder: (folder / "z.pem").write_bytes(os.urandom(5000)), "z.pem", "no certificate"),
    (spoil_key, "z.key", "does not belong to the certificate"),
], ids=["no key", "no certificate", "bad certificate", "bad key", "noise", "another's key"])
def test_a_bad_certificate_is_refused_by_name_and_the_old_one_stays(own, tmp_path, spoil, named,
                                                                     reason):
    before = certificates.der(tmp_path / "z.pem")
    spoil(tmp_path)
    log = reload(own, "configuration refused")
    assert str(tmp_path / named) in log and reason in log
    assert by_imaps(own, "z.test") == before
    done = own.cli("config", "check", own.configuration(), check=False)
    assert done.returncode == 78 and "tls.certificate[1]." in done.stderr, done
    assert str(tmp_path / named) in done.stderr and reason in done.stderr


# ---- Channel bindings


def end_point(certificate, algorithm):
    return "tls-server-end-point", hashlib.new(algorithm, certificate).digest()


def authenticate(session, mechanism, scram):
    """The status of the tagged answer, and whether the server proved itself."""
    tag = session.begin(f"AUTHENTICATE {mechanism}")
    steps, proved = iter((lambda _: scram.first(), scram.final, lambda _: b"")), False
    while (line := session.response()).startswith(b"+"):
        said = base64.b64decode(line[1:].strip())
        proved = proved or said.startswith(b"v=") and scram.verify(said)
        session.send(base64.b64encode(next(steps)(said)) + b"\r\n")
    assert line.startswith(tag.encode())
    return line.split(b" ")[1].decode(), proved


def connect(system, way, name):
    context = certificates.blind()
    if way == "starttls":
        session = IMAP(system.node)
        session.ok("STARTTLS")
        session.start_tls(None, name, context)
        return session
    return IMAP(system.node, port=system.node.imaps, ca="any", context=context, name=name)


@pytest.mark.parametrize("way", ["implicit", "starttls"])
@pytest.mark.parametrize("name, algorithm", [
    ("a.test", "sha384"), ("b.test", "sha256"), ("x.w.test", "sha512"), ("own.test", "sha384"),
    ("other.test", "sha256")])
def test_scram_plus_binds_to_the_certificate_that_was_served(system, way, name, algorithm):
    with connect(system, way, name) as session:
        assert session.ok("CAPABILITY").find("AUTH=SCRAM-SHA-256-PLUS")
        bound = end_point(session.socket.getpeercert(True), algorithm)
        scram = Scram(system.alice.address, system.alice.password, bound)
        assert authenticate(session, "SCRAM-SHA-256-PLUS", scram) == ("OK", True)
        session.ok("SELECT INBOX")


@pytest.fixture(scope="module")
def attacked():
    """One of our own: refusals slow down whoever comes from the same address."""
    with Twinpost() as running:
        yield running


@pytest.mark.parametrize("binding", [
    ("tls-server-end-point", b"\0" * 32), ("tls-server-end-point", b""), ("tls-unique", b"x" * 12),
    ("tls-exporter", b"x" * 32), "truncated", "sha384"], ids=str)
def test_a_wrong_binding_is_refused(attacked, binding):
    with connect(attacked, "implicit", "localhost") as session:
        served = session.socket.getpeercert(True)
        if binding == "truncated":
            binding = "tls-server-end-point", hashlib.sha256(served).digest()[:31]
        if binding == "sha384":
            binding = end_point(served, "sha384")
        scram = Scram(attacked.bob.address, attacked.bob.password, binding)
        status, proved = authenticate(session, "SCRAM-SHA-256-PLUS", scram)
        assert status in ("NO", "BAD") and not proved
        session.ok("NOOP")


@pytest.mark.parametrize("mechanism, flag", [
    ("SCRAM-SHA-256", "y,,"), ("SCRAM-SHA-256-PLUS", "n,,"), ("SCRAM-SHA-256-PLUS", "y,,")])
def test_a_downgrade_is_refused(attacked, mechanism, flag):
    """`y`: the client thinks that we have no -PLUS, so that somebody in between took it away."""
    with connect(attacked, "implicit", "localhost") as session:
        scram = Scram(attacked.bob.address, attacked.bob.password)
        scram.gs2 = flag
        status, proved = authenticate(session, mechanism, scram)
        assert status in ("NO", "BAD") and not proved
        session.ok("NOOP")


def test_scram_without_a_binding_is_taken_over_tls(attacked):
    with connect(attacked, "implicit", "localhost") as session:
        scram = Scram(attacked.alice.address, attacked.alice.password)
        assert authenticate(session, "SCRAM-SHA-256", scram) == ("OK", True)


def test_plus_is_not_offered_where_the_binding_is_undefined(system):
    """RFC 5929 §4.1: a signature without a hash of its own, as Ed25519 is."""
    with connect(system, "implicit", "hashless.test") as session:
        assert session.socket.getpeercert(True) == certificates.der(system.folder / "hashless.pem")
        capabilities = session.ok("CAPABILITY")
        assert not capabilities.find("SCRAM-SHA-256-PLUS")
        assert capabilities.find("AUTH=SCRAM-SHA-256")
        scram = Scram(system.alice.address, system.alice.password)
        scram.gs2 = "y,,"
        assert authenticate(session, "SCRAM-SHA-256", scram) == ("OK", True)


def test_handshakes_that_never_end_are_counted(own):
    text = own.configuration().read_text()
    own.configuration().write_text(text + "\n[limits.smtp]\nconnections-per-address-max = 5\n")
    reload(own, "configuration reloaded")
    held = [socket.create_connection((own.node.address, own.ports.base + 100), timeout=10)
            for _ in range(8)]
    closed = 0
    for one in held:
        one.settimeout(1)
        try:
            closed += one.recv(1) == b""
        except ConnectionError:
            closed += 1
        except TimeoutError:
            pass
    assert closed == 3
    with pytest.raises((AssertionError, Closed)):
        SMTP(own.node)
    for one in held:
        one.close()
    until(lambda: greeted(own), "mail is taken again")


def greeted(system):
    try:
        with SMTP(system.node) as session:
            return session.say("NOOP").code == 250
    except (AssertionError, ConnectionError):
        return False
