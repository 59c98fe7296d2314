"""What SMTP refuses, with which code, and that the session lives on."""

import re

import pytest

from twinpost_rig.messages import message, unique
from twinpost_rig.wire import SMTP, Closed


def test_offers_its_extensions(smtp):
    offered = {line.split()[0] for line in smtp.extensions}
    assert {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES",
            "STARTTLS"} <= offered
    assert "DSN" not in offered


@pytest.mark.ours
def test_offers_limits(smtp):
    offered = next(line for line in smtp.extensions if line.startswith("LIMITS ")).split()[1:]
    limits = dict(one.split("=") for one in offered)
    assert int(limits["RCPTMAX"]) >= 1000 and int(limits["MAILMAX"]) >= 100, limits


@pytest.mark.ours
def test_one_recipient_over_the_limit_is_put_off_and_the_others_get_it(system, smtp, inbox):
    limit = int(re.search(r"RCPTMAX=(\d+)", "\n".join(smtp.extensions))[1])
    smtp.say("MAIL FROM:<c@example.net>")
    smtp.send(f"RCPT TO:<{system.alice.address}>\r\n" * limit)
    assert {smtp.reply().code for _ in range(limit)} == {250}
    reply = smtp.say(f"RCPT TO:<{system.bob.address}>")
    assert (reply.code, reply.enhanced) == (452, "4.5.3"), reply
    assert smtp.say("DATA").code == 354
    token = unique()
    smtp.send(message(token=token) + b".\r\n")
    assert smtp.reply().code == 250
    inbox(token)


def test_unknown_user(smtp):
    smtp.say("MAIL FROM:<c@example.net>")
    reply = smtp.say("RCPT TO:<nobody-here@example.test>")
    assert (reply.code, reply.enhanced) == (550, "5.1.1")


@pytest.mark.parametrize("recipient", [
    "x@example.org", "x%example.org@example.com", "@example.test:x@example.org",
    '"x@example.org"@example.com'])
def test_never_an_open_relay(smtp, recipient):
    smtp.say("MAIL FROM:<c@example.net>")
    reply = smtp.say(f"RCPT TO:<{recipient}>")
    assert 500 <= reply.code < 560, reply


@pytest.mark.ours
def test_a_foreign_domain_is_refused_by_its_code(smtp):
    smtp.say("MAIL FROM:<c@example.net>")
    reply = smtp.say("RCPT TO:<x@example.org>")
    assert (reply.code, reply.enhanced) == (550, "5.7.1")


def test_postmaster_always_has_a_mailbox(smtp):
    smtp.say("MAIL FROM:<c@example.net>")
    assert smtp.say("RCPT TO:<PostMaster@example.test>").code == 250


@pytest.mark.ours
def test_postmaster_without_a_domain(smtp):
    smtp.say("MAIL FROM:<c@example.net>")
    assert smtp.say("RCPT TO:<Postmaster>").code == 250


@pytest.mark.ours
def test_plus_addressing(system, smtp, inbox):
    token = unique()
    recipient = system.alice.address.replace("@", "+lists@")
    assert smtp.deliver("c@example.net", recipient, message(token=token)).code == 250
    inbox(token)


def test_a_thousand_recipients_are_allowed(system, smtp):
    smtp.say("MAIL FROM:<c@example.net>")
    smtp.send(f"RCPT TO:<{system.alice.address}>\r\n" * 1000)
    assert {smtp.reply().code for _ in range(1000)} == {250}


def test_a_declared_size_over_the_limit_is_refused_at_mail(smtp):
    reply = smtp.say("MAIL FROM:<c@example.net> SIZE=99999999999")
    assert (reply.code, reply.enhanced) == (552, "5.3.4")
    assert smtp.say("NOOP").code == 250


@pytest.mark.ours
def test_a_message_over_the_limit_is_read_to_its_end_and_refused(system, smtp):
    limit = int(next(line for line in smtp.extensions if line.startswith("SIZE")).split()[1])
    smtp.envelope("c@example.net", system.alice.address)
    chunk = (b"y" * 998 + b"\r\n") * 1000
    for _ in range(limit // len(chunk) + 1):
        smtp.send(chunk)
    smtp.send(b".\r\n")
    reply = smtp.reply()
    assert (reply.code, reply.enhanced) == (552, "5.3.4")
    assert smtp.say("NOOP").code == 250


@pytest.mark.ours
def test_a_bdat_of_99_gigabytes_is_refused(system, smtp):
    smtp.say("MAIL FROM:<c@example.net>")
    smtp.say(f"RCPT TO:<{system.alice.address}>")
    smtp.send("BDAT 99000000000 LAST\r\n")
    assert smtp.reply().code == 552


@pytest.mark.ours
def test_a_command_line_too_long_is_refused_and_the_session_lives(smtp):
    reply = smtp.say("NOOP " + "x" * 100_000)
    assert reply.code == 500, reply
    assert smtp.say("NOOP").code == 250


def test_endless_input_without_a_line_end_is_cut_off_or_refused(smtp):
    try:
        for _ in range(64):
            smtp.send(b"x" * 1_000_000)
        smtp.send("\r\n")
        assert smtp.reply().code >= 421
    except (Closed, ConnectionError):
        pass


@pytest.mark.parametrize("commands, code", [
    (["RCPT TO:<a@example.test>"], 503), (["DATA"], 503),
    (["MAIL FROM:<c@example.net>", "DATA"], 503),
    (["MAIL FROM:<c@example.net>", "MAIL FROM:<c@example.net>"], 503)])
def test_commands_out_of_order(smtp, commands, code):
    codes = [smtp.say(command).code for command in commands]
    assert codes[-1] in (code, 554), codes


@pytest.mark.parametrize("command", [
    "MAIL FROM:<a@b", "MAIL FROM:<c@example.net> NONSENSE=1", "MAIL c@example.net", "EXPLODE"])
def test_bad_syntax_is_refused_and_the_session_lives(smtp, command):
    assert 500 <= smtp.say(command).code <= 555
    assert smtp.say("NOOP").code == 250


@pytest.mark.ours
def test_a_nul_in_a_command_is_refused(smtp):
    assert 500 <= smtp.say(b"MAIL FROM:<a\0b@example.net>").code <= 555


def test_too_many_errors_end_the_session(smtp):
    codes = []
    with pytest.raises((Closed, ConnectionError)):
        for _ in range(200):
            codes.append(smtp.say("EXPLODE").code)
    assert codes and codes[-1] in (421, 500, 502)


@pytest.mark.ours
def test_a_mail_loop_is_refused(system, smtp):
    content = b"Received: from a by b; Sun, 22 Nov 2026 12:00:00 +0000\r\n" * 200 + message()
    reply = smtp.deliver("c@example.net", system.alice.address, content)
    assert (reply.code, reply.enhanced) == (554, "5.4.6")


def test_rset_forgets_the_transaction(system, smtp):
    smtp.say("MAIL FROM:<c@example.net>")
    smtp.say(f"RCPT TO:<{system.alice.address}>")
    assert smtp.say("RSET").code == 250
    assert smtp.say("DATA").code in (503, 554)


def test_helo_gets_no_extensions(system):
    with SMTP(system.node, hello=None) as session:
        reply = session.say("HELO client.example.net")
        assert reply.code == 250 and len(reply.lines) == 1


def test_quit_answers_and_closes(smtp):
    assert smtp.say("QUIT").code == 221
    assert smtp.is_closed()


def test_every_refusal_has_an_enhanced_code(smtp):
    for command in ("DATA", "RCPT TO:<x>", "MAIL FROM:<a@b", "RCPT TO:<x@example.org>"):
        reply = smtp.say(command)
        assert reply.enhanced and re.match(rf"{reply.code // 100}\.", reply.enhanced), reply
