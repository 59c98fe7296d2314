"""Real clients from Debian and PyPI, over STARTTLS and TLS."""

import email
import imaplib
import os
import subprocess

import imapclient
import pytest

from twinpost_rig import until
from twinpost_rig.messages import message, unique, without_trace
from twinpost_rig.wire import IMAP, trust


def run(*argv, timeout=60, check=True, **options):
    done = subprocess.run([str(part) for part in argv], timeout=timeout, text=True,
                          capture_output=True, **options)
    assert not check or done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}" \
        f"\n{done.stderr}"
    return done


@pytest.mark.parametrize("security", ["plain", "starttls", "implicit"])
def test_swaks(system, inbox, tool, security):
    node, token = system.node, unique()
    if security == "implicit" and node.submissions is None:
        pytest.skip("no implicit TLS port for SMTP yet")
    port = node.submissions if security == "implicit" else node.smtp
    options = {"plain": [], "starttls": ["--tls"], "implicit": ["--tlsc"]}[security]
    if options:
        options += ["--tls-verify", "--tls-ca-path", system.ca]
    run(tool("swaks"), "--server", "localhost", "--port", port, "--from", "c@example.net",
        "--to", system.alice.address, "--ehlo", "client.example.net",
        "--header", f"Message-ID: <{token}@x>", "--body", "by swaks", *options)
    assert b"by swaks" in inbox(token)


def test_smtp_source(system, tool):
    with IMAP(system.node, system.bob) as session:
        def count():
            return int(session.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES (\d+)")[1])

        before = count()
        run(tool("smtp-source"), "-c", "-l", "5120", "-m", "200", "-s", "10", "-f",
            "c@example.net", "-t", system.bob.address, f"inet:127.0.0.1:{system.node.smtp}")
        until(lambda: count() == before + 200, "200 messages are visible")


@pytest.mark.parametrize("security", ["starttls", "implicit"])
def test_curl_sends(system, inbox, tool, tmp_path, security):
    node, token = system.node, unique()
    if security == "implicit" and node.submissions is None:
        pytest.skip("no implicit TLS port for SMTP yet")
    url = f"smtps://localhost:{node.submissions}" if security == "implicit" \
        else f"smtp://localhost:{node.smtp}"
    content = message(token=token)
    (tmp_path / "mail").write_bytes(content)
    run(tool("curl"), "-sS", "--ssl-reqd", "--cacert", system.ca, "-4",
        f"{url}/client.example.net", "--mail-from", "c@example.net",
        "--mail-rcpt", system.alice.address, "--upload-file", tmp_path / "mail")
    assert without_trace(inbox(token)) == content


@pytest.mark.parametrize("security", ["starttls", "implicit"])
def test_curl_reads(system, mailbox, imap, tool, security):
    content = message()
    imap.append(mailbox, content)
    node = system.node
    url = f"imaps://localhost:{node.imaps}" if security == "implicit" \
        else f"imap://localhost:{node.imap}"
    login = f"{system.alice.address}:{system.alice.password}"
    done = subprocess.run([tool("curl"), "-sS", "-4", "--ssl-reqd", "--cacert", system.ca,
                           "--user", login, f"{url}/{mailbox};UID=1"], capture_output=True)
    assert done.stdout == content, done.stderr


def mbsyncrc(system, mailbox, folder, security):
    node = system.node
    port = node.imaps if security == "IMAPS" else node.imap
    return f"""
IMAPAccount a
Host localhost
Port {port}
User {system.alice.address}
Pass {system.alice.password}
SSLType {security}
SSLVersions TLSv1.2 TLSv1.3
SystemCertificates no
CertificateFile {system.ca}

IMAPStore far
Account a

MaildirStore near
Inbox {folder}/inbox/
Path {folder}/mail/
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns {mailbox}
Create Both
Expunge Both
SyncState *
"""


@pytest.mark.parametrize("security", ["STARTTLS", "IMAPS"])
def test_mbsync_both_ways_then_twice_without_a_change(system, mailbox, imap, tool, tmp_path,
                                                      security):
    (tmp_path / "mail").mkdir()
    rc = tmp_path / "mbsyncrc"
    rc.write_text(mbsyncrc(system, mailbox, tmp_path, security))
    imap.append(mailbox, *[message() for _ in range(20)])
    env = dict(os.environ, HOME=str(tmp_path))

    def state():
        return sorted((path.relative_to(tmp_path), path.read_bytes())
                      for path in (tmp_path / "mail").rglob("*") if path.is_file()
                      and not path.name.endswith(".lock"))

    def sync():
        return run(tool("mbsync"), "-c", rc, "c", env=env)

    sync()
    local = [path for path in (tmp_path / "mail").rglob("*:2,*") if path.is_file()]
    assert len(local) == 20
    first = next(path for path in local if ",U=1:" in path.name)
    first.rename(first.parents[1] / "cur" / first.name.replace(":2,", ":2,S"))
    ours = message(subject="from the maildir").replace(b"\r\n", b"\n")
    (tmp_path / "mail" / mailbox / "new" / "1.mine.host").write_bytes(ours)
    imap.ok(f'SELECT "{mailbox}"')
    imap.ok("UID STORE 20 +FLAGS (\\Deleted)")
    imap.ok("EXPUNGE")
    sync()
    imap.ok("NOOP")
    assert len(imap.uids()) == 20 and len(imap.uids("SEEN")) == 1
    assert len(imap.uids('SUBJECT "from the maildir"')) == 1
    settled = state()
    counters = f'STATUS "{mailbox}" (UIDNEXT MESSAGES HIGHESTMODSEQ)'
    for _ in range(2):
        before = imap.ok(counters).untagged[-1]
        sync()
        assert state() == settled
        assert imap.ok(counters).untagged[-1] == before


@pytest.mark.parametrize("security", ["starttls", "implicit"])
def test_imaplib(system, mailbox, security):
    node, context = system.node, trust(system.ca)
    if security == "implicit":
        client = imaplib.IMAP4_SSL("localhost", node.imaps, ssl_context=context)
    else:
        client = imaplib.IMAP4("localhost", node.imap)
        client.starttls(context)
    with client:
        client.login(system.alice.address, system.alice.password)
        content = message(subject="by imaplib")
        assert client.append(mailbox, "(\\Flagged)", None, content)[0] == "OK"
        assert client.select(mailbox) == ("OK", [b"1"])
        assert client.search(None, 'SUBJECT "imaplib"') == ("OK", [b"1"])
        assert client.fetch("1", "(RFC822)")[1][0][1] == content
        assert client.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
        assert client.expunge() == ("OK", [b"1"])


@pytest.mark.parametrize("security", ["starttls", "implicit"])
def test_imapclient(system, mailbox, security):
    node, context = system.node, trust(system.ca)
    tls = security == "implicit"
    with imapclient.IMAPClient("localhost", node.imaps if tls else node.imap, ssl=tls,
                               ssl_context=context if tls else None) as client:
        if not tls:
            client.starttls(context)
        client.login(system.alice.address, system.alice.password)
        client.append(mailbox, message(subject="by IMAPClient"), flags=[b"\\Seen", b"own"])
        assert client.select_folder(mailbox)[b"EXISTS"] == 1
        fetched = client.fetch([1], ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "INTERNALDATE"])[1]
        assert fetched[b"ENVELOPE"].subject == b"by IMAPClient"
        assert fetched[b"ENVELOPE"].from_[0].mailbox == b"carol"
        assert set(fetched[b"FLAGS"]) >= {b"\\Seen", b"own"}
        client.add_flags([1], [b"\\Flagged"])
        client.copy([1], mailbox)
        client.move([1], "Trash")
        client.idle()
        client.idle_done()
        assert client.search(["ALL"]) == [2]
        assert email.message_from_bytes(client.fetch([2], ["BODY[]"])[2][b"BODY[]"])["From"]


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_neomutt_headless(system, mailbox, imap, tool, tmp_path, scheme):
    imap.append(mailbox, message(subject="for neomutt"))
    node = system.node
    url = f"{scheme}://localhost:{node.imaps if scheme == 'imaps' else node.imap}/"
    (tmp_path / "rc").write_text(f"""
set imap_user="{system.alice.address}" imap_pass="{system.alice.password}"
set folder="{url}" spoolfile="{url}{mailbox}"
set certificate_file="{system.ca}" ssl_starttls=yes ssl_force_tls=yes ssl_usesystemcerts=no
set header_cache="" sort=mailbox-order quit=yes delete=yes wait_key=no confirmappend=no
set record="" imap_check_subscribed=no move=no mail_check=0 copy=no
""")
    script = "<tag-pattern>~s neomutt<enter><tag-prefix><set-flag>!<sync-mailbox><quit>"
    run("script", "-qec", f"neomutt -n -F {tmp_path}/rc -e 'push \"{script}\"'", "/dev/null",
        env=dict(os.environ, TERM="xterm", HOME=str(tmp_path), LINES="40", COLUMNS="120"),
        stdin=subprocess.DEVNULL, timeout=60)
    imap.ok(f'SELECT "{mailbox}"')
    assert imap.uids("FLAGGED") == [1]
