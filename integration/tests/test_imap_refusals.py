"""IMAP commands that must be refused, and that the session lives on."""

import base64
import time

import pytest

from twinpost_rig.wire import IMAP, Closed


def alive(session):
    return session.do("NOOP").ok


@pytest.mark.parametrize("command", [
    "NONSENSE", "FETCH", 'LOGIN "a', "SELECT", "SEARCH KEYWORD", "FETCH 0 FLAGS", "FETCH x FLAGS",
    "UID", 'LIST ""', "STATUS INBOX (NONSENSE)", "CREATE"])
def test_bad_syntax_gets_bad_and_the_session_lives(imap, command):
    imap.ok("SELECT INBOX")
    assert imap.do(command).status == "BAD"
    assert alive(imap)


@pytest.mark.ours
@pytest.mark.parametrize("command", ["NOOP x", "CAPABILITY x", "IDLE x", "STORE 1 FLAGS"])
def test_arguments_too_many_or_too_few(imap, command):
    imap.ok("SELECT INBOX")
    assert imap.do(command).status == "BAD"
    assert alive(imap)


@pytest.mark.ours
def test_enable_before_login(system):
    with IMAP(system.node) as session:
        assert session.do("ENABLE CONDSTORE").status == "BAD"
        assert alive(session)


@pytest.mark.parametrize("command", ["SELECT INBOX", 'LIST "" "*"', "FETCH 1 FLAGS", "IDLE"])
def test_commands_before_login(system, command):
    with IMAP(system.node) as session:
        assert session.do(command).status in ("BAD", "NO")
        assert alive(session)


@pytest.mark.ours
def test_store_in_examine(imap, mailbox):
    imap.append(mailbox, b"Subject: x\r\n\r\nx\r\n")
    imap.ok(f'EXAMINE "{mailbox}"')
    assert imap.do("STORE 1 +FLAGS (\\Seen)").status in ("NO", "BAD")
    assert alive(imap)
    assert imap.ok("FETCH 1 FLAGS").find(r"FLAGS \(([^)]*)\)")[1].replace(b"\\Recent", b"") == b""


@pytest.mark.ours
@pytest.mark.parametrize("command", ["EXPUNGE", "MOVE 1 INBOX"])
def test_changes_in_examine(imap, mailbox, command):
    imap.append(mailbox, b"Subject: x\r\n\r\nx\r\n", flags="\\Deleted")
    imap.ok(f'EXAMINE "{mailbox}"')
    imap.do(command)
    assert imap.ok(f'STATUS "{mailbox}" (MESSAGES)').find(r"MESSAGES 1\b")


@pytest.mark.ours
@pytest.mark.parametrize("size", ["99000000000", "18446744073709551616", "9" * 40])
def test_a_literal_of_99_gigabytes_is_refused_before_it_is_read(imap, size):
    imap.send(f"x1 APPEND INBOX {{{size}}}\r\n")
    line = imap.response()
    assert line.startswith((b"x1 NO", b"x1 BAD", b"* BAD", b"* BYE")), line


@pytest.mark.ours
def test_a_non_synchronizing_literal_too_big_ends_the_session_or_is_refused(system):
    with IMAP(system.node) as session:
        session.send("x1 LOGIN {99000000000+}\r\n")
        assert session.response().startswith((b"x1 NO", b"x1 BAD", b"* BYE", b"* BAD"))


def test_a_literal_before_login_is_small(system):
    with IMAP(system.node) as session:
        session.send("x1 LOGIN {50000000}\r\n")
        assert not session.response().startswith(b"+")


def test_a_line_without_end_is_cut_off(system):
    with IMAP(system.node) as session:
        try:
            for _ in range(64):
                session.send(b"x" * 1_000_000)
            session.send("\r\n")
            line = session.response()
            assert b"BAD" in line or b"BYE" in line or b"NO" in line, line
        except (Closed, ConnectionError):
            pass


def test_a_wrong_password_costs_time_and_tells_nothing(system):
    answers, spent = set(), []
    for user, password in ((system.bob.address, "wrong"), ("nobody@example.test", "wrong")):
        with IMAP(system.node) as session:
            start = time.monotonic()
            answer = session.do(f'LOGIN "{user}" "{password}"')
            spent.append(time.monotonic() - start)
            assert answer.status == "NO"
            answers.add(answer.text.split("(")[0])
    assert len(answers) == 1, f"the answers tell them apart: {answers}"
    assert min(spent) > 0.2, spent


def test_guessing_gets_slower(fresh):
    with IMAP(fresh.node) as session:
        spent = []
        for _ in range(4):
            start = time.monotonic()
            try:
                assert session.do(f'LOGIN "{fresh.bob.address}" "wrong"').status == "NO"
            except (Closed, ConnectionError):
                break
            spent.append(time.monotonic() - start)
    assert len(spent) >= 1 and (len(spent) < 4 or spent[-1] > spent[0] * 1.5), spent


def test_sasl_plain_with_initial_response(system):
    with IMAP(system.node) as session:
        token = base64.b64encode(f"\0{system.alice.address}\0{system.alice.password}".encode())
        session.ok("AUTHENTICATE PLAIN " + token.decode())


def test_nested_lists_without_end(imap):
    imap.ok("SELECT INBOX")
    imap.do("SEARCH " + "(" * 5000 + "ALL" + ")" * 5000)
    imap.do("SEARCH " + "NOT " * 1000 + "ALL")
    assert alive(imap)
