"""Start, stop, kill, reload; what a node promises about its data."""

import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from twinpost_rig import Twinpost, until, wait
from twinpost_rig.messages import message, unique
from twinpost_rig.system import greets
from twinpost_rig.wire import IMAP, SMTP

pytestmark = pytest.mark.ours
SQLITE = b"SQLite format 3\0"


def deliver(system, count=1, **options):
    tokens = [unique() for _ in range(count)]
    with SMTP(system.node) as session:
        for token in tokens:
            reply = session.deliver("c@example.net", system.alice.address,
                                    message(token=token, **options))
            assert reply.code == 250, reply
    return tokens


def snapshot(system):
    """UIDVALIDITY, and the flags, date and bytes of each UID of the inbox."""
    with IMAP(system.node, system.alice) as session:
        validity = session.ok("SELECT INBOX").code("UIDVALIDITY")
        answer = session.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])")
        return validity, [line.partition(b"(")[2].replace(b"\\Recent", b"")
                          for line in answer.untagged if b" FETCH (" in line]


def sqlite_files(node):
    for path in sorted(pathlib.Path(node.data).rglob("*")):
        if path.is_file() and path.open("rb").read(16) == SQLITE:
            beside = (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))
            yield from (one for one in beside if one.exists())


@pytest.fixture(scope="module")
def fresh_configuration(tmp_path_factory):
    """A path for a file, the octets of one that is taken, and the command line."""
    with Twinpost() as running:
        good = running.configuration().read_bytes()
        yield tmp_path_factory.mktemp("configuration") / "twinpost.toml", good, running.cli


def test_try_tells_what_it_started(fresh):
    node = fresh.node
    assert os.readlink(f"/proc/{node.pid}/exe").endswith("twinpostd")
    assert pathlib.Path(node.control).is_socket() and pathlib.Path(node.data).is_dir()
    assert {one.address for one in fresh.accounts} >= {"alice@example.test", "bob@example.test"}
    assert "BEGIN CERTIFICATE" in pathlib.Path(fresh.ca).read_text()


def test_every_listener_is_on_loopback(fresh):
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout
    ours = [line.split()[3] for line in listening.splitlines() if f"pid={fresh.node.pid}," in line]
    assert ours and all(one.startswith(("127.", "[::1]")) for one in ours), ours


def test_try_outlives_a_killed_node_and_argv_starts_it_again(fresh):
    deliver(fresh, 20)
    before = snapshot(fresh)
    fresh.kill()
    assert fresh.launcher.poll() is None
    assert not greets(fresh.node.address, fresh.node.smtp)
    fresh.restart()
    assert snapshot(fresh) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_try_stops_cleanly(fresh, number):
    pid = fresh.node.pid
    fresh.launcher.send_signal(number)
    assert fresh.launcher.wait(30) == 0
    assert wait.process_end(pid, 5)


def test_dir_keeps_data_across_runs(tmp_path):
    with Twinpost(tmp_path) as first:
        deliver(first, 3)
        before = snapshot(first)
    with Twinpost(tmp_path) as second:
        assert snapshot(second) == before


def test_a_graceful_stop_says_bye_and_loses_nothing(fresh):
    deliver(fresh, 5)
    before = snapshot(fresh)
    with IMAP(fresh.node, fresh.alice) as session:
        session.ok("SELECT INBOX")
        session.idle()
        os.kill(fresh.node.pid, signal.SIGTERM)
        assert session.response().startswith(b"* BYE")
    assert wait.process_end(fresh.node.pid, 30)
    fresh.verify()
    fresh.restart()
    assert snapshot(fresh) == before


# What a client may have said when the node stops, and be silent after.
UNFINISHED = ["", "MAIL FR", "EHLO c\r\n", "DATA", "DATA.", "BDAT", "BDAT whole", "STARTTLS"]


@pytest.mark.parametrize("said", UNFINISHED)
def test_a_stop_waits_for_no_client(fresh, said):
    token = unique()
    with SMTP(fresh.node) as session:
        match said:
            case "DATA" | "DATA.":
                session.envelope("c@example.net", fresh.alice.address)
                session.send(message(token=token, octets=200_000) + b"." * (said == "DATA."))
            case "BDAT" | "BDAT whole":
                for command in ("MAIL FROM:<c@example.net>", f"RCPT TO:<{fresh.alice.address}>"):
                    assert session.say(command).code == 250
                session.send(b"BDAT 1000\r\n" + b"x" * (999 + (said == "BDAT whole")))
                if said == "BDAT whole":
                    assert session.reply().code == 250
            case "STARTTLS":
                assert session.say("STARTTLS").code == 220
            case _:
                session.send(said)
        before = time.monotonic()
        os.kill(fresh.node.pid, signal.SIGTERM)
        if said != "STARTTLS":
            reply = session.reply()
            while reply.code == 250:
                reply = session.reply()
            assert (reply.code, reply.enhanced) == (421, "4.3.2")
        assert session.is_closed()
        assert wait.process_end(fresh.node.pid, 10)
        assert time.monotonic() - before < 2
    fresh.restart()
    assert snapshot(fresh)[1] == []


def test_a_stop_waits_for_no_one_of_many(fresh):
    """Silent clients with and without TLS, one that does not finish its handshake, one in IDLE, one
    in the middle of an APPEND, and one that does not take what it asked for."""
    deliver(fresh, 1, octets=5_000_000)
    node, held = fresh.node, []
    held.append(IMAP(node, fresh.alice, port=node.imaps, ca=fresh.ca))
    held.append(IMAP(node, fresh.alice))
    held[-1].ok("SELECT INBOX")
    held[-1].idle()
    held.append(IMAP(node, fresh.alice))
    held[-1].send('a APPEND INBOX {1000000}\r\n')
    assert held[-1].response().startswith(b"+")
    held[-1].send(b"x" * 70_000)
    held.append(IMAP(node, fresh.alice))
    held[-1].ok("SELECT INBOX")
    held[-1].send(b"a UID FETCH 1:* BODY.PEEK[]\r\n" * 20)
    held.append(SMTP(node))
    assert held[-1].say("STARTTLS").code == 220
    held[-1].start_tls(fresh.ca)
    held += [socket.create_connection((node.address, port)) for port in (node.smtp, node.imaps)]
    held[-1].send(b"\x16\x03\x01\x02")
    time.sleep(0.3)
    before = time.monotonic()
    os.kill(node.pid, signal.SIGTERM)
    assert wait.process_end(node.pid, 10)
    assert time.monotonic() - before < 2
    for one in held:
        one.close()
    fresh.verify()


def test_a_stop_during_data_never_keeps_half_a_message(fresh):
    with SMTP(fresh.node) as session:
        session.envelope("c@example.net", fresh.alice.address)
        session.send(message(octets=200_000))
        fresh.terminate()
    fresh.restart()
    assert snapshot(fresh)[1] == []


def test_verify_is_content_after_a_kill(fresh):
    deliver(fresh, 30, octets=100_000)
    fresh.kill()
    fresh.restart()
    fresh.terminate()
    fresh.verify()


def test_verify_finds_a_changed_octet(fresh):
    token = deliver(fresh, 10)[4].encode()
    fresh.terminate()
    files = [path for path in pathlib.Path(fresh.node.data).rglob("*") if path.is_file()
             and path not in set(sqlite_files(fresh.node))]
    path = next(path for path in files if token in path.read_bytes())
    content = bytearray(path.read_bytes())
    content[content.index(token) + 3] ^= 1
    path.write_bytes(content)
    done = fresh.cli("verify", "--dir", fresh.node.data, check=False)
    assert done.returncode != 0 and done.stdout + done.stderr


def test_deleting_the_index_loses_nothing(fresh):
    deliver(fresh, 50)
    with IMAP(fresh.node, fresh.alice) as session:
        session.ok("SELECT INBOX")
        session.ok("STORE 5:10 +FLAGS (\\Flagged own)")
        session.ok("STORE 1:4 +FLAGS (\\Deleted)")
        session.ok("EXPUNGE")
    before = snapshot(fresh)
    fresh.terminate()
    gone = list(sqlite_files(fresh.node))
    assert gone, "there is no SQLite file below the data directory"
    for path in gone:
        path.unlink()
    fresh.restart()
    assert snapshot(fresh) == before
    fresh.terminate()
    fresh.verify()


def test_index_rebuild(fresh):
    deliver(fresh, 50)
    before = snapshot(fresh)
    fresh.terminate()
    for path in sqlite_files(fresh.node):
        path.write_bytes(os.urandom(4096))
    fresh.cli("index", "rebuild", "--dir", fresh.node.data)
    fresh.verify()
    fresh.restart()
    assert snapshot(fresh) == before


@pytest.mark.parametrize("bad, named", [("nonsense = 1\n", "nonsense"), ("= broken\n", "1")])
def test_config_check_names_the_place(fresh, tmp_path, bad, named):
    path = tmp_path / "twinpost.toml"
    good = fresh.configuration().read_text()
    path.write_text(bad + good)
    done = fresh.cli("config", "check", path, check=False)
    assert done.returncode != 0 and named in done.stdout + done.stderr
    assert path.name in done.stdout + done.stderr


def test_config_check_accepts_what_runs(fresh):
    fresh.cli("config", "check", fresh.configuration())


# Shapes at which a parser was once found to end the process, and others like them.
BROKEN = [b"tls = [}\n", b"[[[x]\n", b"a = 3.[\n", b"[" * 100_000, b"a = {" * 100_000, b"\0" * 5000,
          b"\xff\xfe", bytes(range(256)), b'a = "' * 50_000, b"a." * 100_000, os.urandom(100_000)]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_config_check_survives_every_file(fresh_configuration, number):
    path, good, cli = fresh_configuration
    path.write_bytes(good + BROKEN[number])
    done = cli("config", "check", path, check=False)
    assert done.returncode == 78 and f"{path.name}:" in done.stderr, done
    assert len(done.stderr) < 10_000


def test_no_file_ends_a_running_node(fresh):
    path = fresh.configuration()
    good = path.read_bytes()
    log = fresh.directory / "try.log"
    for content in (*(good + broken for broken in BROKEN), good):
        size = log.stat().st_size
        path.write_bytes(content)
        os.kill(fresh.node.pid, signal.SIGHUP)
        until(lambda: b"configuration re" in log.read_bytes()[size:], "the reload is logged")
    deliver(fresh)
    assert "configuration reloaded" in fresh.log_text()


def test_a_bad_file_on_sighup_keeps_the_last_good_one(fresh):
    path = fresh.configuration()
    good = path.read_text()
    log = fresh.directory / "try.log"
    with IMAP(fresh.node, fresh.alice) as session:
        for content in ("nonsense = 1\n" + good, "", good):
            size = log.stat().st_size
            path.write_text(content)
            os.kill(fresh.node.pid, signal.SIGHUP)
            until(lambda: log.stat().st_size > size, "the reload is logged")
            session.ok("NOOP")
            deliver(fresh)


def test_accounts_by_the_command_line(fresh):
    control = ("--control", fresh.node.control)

    def login(password):
        with IMAP(fresh.node) as session:
            return session.do(f'LOGIN "dora@example.test" "{password}"').ok

    fresh.cli("account", "add", *control, "dora@example.test", input="first-secret\n")
    assert "dora@example.test" in fresh.cli("account", "list", *control).stdout
    assert login("first-secret")
    fresh.cli("account", "passwd", *control, "dora@example.test", input="second-secret\n")
    assert login("second-secret") and not login("first-secret")
    fresh.cli("account", "remove", *control, "dora@example.test")
    assert not login("second-secret")
    with SMTP(fresh.node) as session:
        session.say("MAIL FROM:<c@example.net>")
        assert session.say("RCPT TO:<dora@example.test>").code == 550


def test_an_account_that_is_there_is_refused_in_words(fresh):
    done = fresh.cli("account", "add", "--control", fresh.node.control, fresh.alice.address,
                     check=False, input="secret-secret\n")
    assert done.returncode != 0 and fresh.alice.address in done.stderr


def test_logs_hold_no_secret_and_no_content(fresh):
    deliver(fresh, body="very private words\r\n", subject="confidential")
    snapshot(fresh)
    text = fresh.log_text(10_000_000)
    for secret in (fresh.alice.password, "very private words", "confidential"):
        assert secret not in text


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with little room."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m,mode=0755", "none", tmp_path],
                   check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.root
def test_on_a_full_disk_new_mail_waits_and_expunge_works(small_disk):
    with Twinpost(small_disk) as system:
        deliver(system, 20, octets=50_000)
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 20)):
                    pass
            except OSError:
                pass
        reply = until(lambda: refused(system), "new mail is refused", 120)
        assert (reply.code, reply.enhanced) == (452, "4.3.1")
        with IMAP(system.node, system.alice) as session:
            session.ok("SELECT INBOX")
            session.ok("STORE 1:10 +FLAGS (\\Deleted)")
            session.ok("EXPUNGE")
            assert len(session.uids()) >= 10
        filler.unlink()
        until(lambda: not refused(system), "mail is taken again", 60)
        system.terminate()
        system.verify()


def refused(system):
    """The refusal of one large message, at whatever command it comes; None if it was taken."""
    with SMTP(system.node) as session:
        commands = ["MAIL FROM:<c@example.net>", f"RCPT TO:<{system.alice.address}>", "DATA"]
        for command in commands:
            reply = session.say(command)
            if reply.code >= 400:
                return reply
        session.send(message(octets=1_000_000) + b".\r\n")
        reply = session.reply()
        return reply if reply.code >= 400 else None

