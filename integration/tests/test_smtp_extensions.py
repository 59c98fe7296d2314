"""CHUNKING, SMTPUTF8, SIZE and 8BITMIME: what they carry arrives as it was sent."""

import pytest

from twinpost_rig.messages import message, unique, without_trace

CHUNK = (b"z" * 998 + b"\r\n") * 1000


def begin(smtp, system, parameters=""):
    assert smtp.say(f"MAIL FROM:<c@example.net>{parameters}").code == 250
    assert smtp.say(f"RCPT TO:<{system.alice.address}>").code == 250


def bdat(smtp, chunk, last=False):
    smtp.send(b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if last else b"") + chunk)
    return smtp.reply()


def size_limit(smtp):
    return int(next(line for line in smtp.extensions if line.startswith("SIZE")).split()[1])


def test_bdat_chunks_of_one_octet(system, smtp, inbox):
    token = unique()
    content = message(token=token)
    begin(smtp, system)
    smtp.send(b"".join(b"BDAT 1\r\n%c" % one for one in content) + b"BDAT 0 LAST\r\n")
    assert {smtp.reply().code for _ in range(len(content) + 1)} == {250}
    assert without_trace(inbox(token)) == content


def test_bdat_with_every_cut(system, smtp, inbox):
    content = message(body="\r\n.\r\nBDAT 3\r\n")
    for cut in range(len(content) - 12, len(content) + 1):
        begin(smtp, system)
        smtp.send(b"BDAT %d\r\n" % cut + content[:cut])
        smtp.send_cut(b"BDAT %d LAST\r\n" % (len(content) - cut) + content[cut:], 3, 9)
        assert [smtp.reply().code for _ in range(2)] == [250, 250]


@pytest.mark.ours
def test_a_bare_line_feed_in_a_chunk_is_refused_and_the_session_lives(system, smtp):
    begin(smtp, system)
    reply = bdat(smtp, message() + b"bare\nfeed\r\n", last=True)
    assert 500 <= reply.code < 560 and reply.enhanced, reply
    begin(smtp, system)
    assert bdat(smtp, message(), last=True).code == 250


def test_data_after_bdat_is_refused(system, smtp):
    begin(smtp, system)
    assert bdat(smtp, message()).code == 250
    assert smtp.say("DATA").code == 503
    assert smtp.say("RSET").code == 250


def test_bdat_without_a_recipient_is_refused_and_its_octets_are_skipped(smtp):
    smtp.say("MAIL FROM:<c@example.net>")
    reply = bdat(smtp, b"QUIT\r\n" * 100, last=True)
    assert 500 <= reply.code < 560, reply
    assert smtp.say("NOOP").code == 250


def test_smtputf8_addresses_and_headers_arrive(system, smtp, inbox):
    token = unique()
    content = message(token=token, headers="X-Greeting: grüße, 世界\r\n", body="Straße\r\n") \
        .replace(b"hello", "Übung".encode())
    assert smtp.say("MAIL FROM:<jürgen@exämple.net> SMTPUTF8 BODY=8BITMIME").code == 250
    assert smtp.say(f"RCPT TO:<{system.alice.address}>").code == 250
    assert smtp.say("DATA").code == 354
    smtp.send(content + b".\r\n")
    assert smtp.reply().code == 250
    stored = inbox(token)
    assert without_trace(stored) == content
    assert stored.lower().startswith("return-path: <jürgen@".encode())


@pytest.mark.ours
def test_smtputf8_is_told_in_the_received_field(system, smtp, inbox):
    token = unique()
    begin(smtp, system, " SMTPUTF8")
    assert bdat(smtp, message(token=token), last=True).code == 250
    assert b"with UTF8SMTP" in inbox(token)


@pytest.mark.ours
def test_an_address_beyond_ascii_needs_smtputf8(smtp):
    reply = smtp.say("MAIL FROM:<jürgen@example.net>")
    assert (reply.code, reply.enhanced) == (553, "5.6.7"), reply


@pytest.mark.ours
def test_octets_that_are_not_utf8_are_refused(smtp):
    reply = smtp.say(b"MAIL FROM:<j\xfcrgen@example.net> SMTPUTF8")
    assert 500 <= reply.code < 560, reply
    assert smtp.say("NOOP").code == 250


@pytest.mark.ours
def test_a_message_of_fifty_megabytes_comes_back(system, smtp, inbox):
    token = unique()
    content = message(token=token) + CHUNK * 50
    assert len(content) <= size_limit(smtp)
    begin(smtp, system, f" SIZE={len(content)}")
    assert smtp.say("DATA").code == 354
    smtp.send(content + b".\r\n")
    assert smtp.reply().code == 250
    assert without_trace(inbox(token)) == content


@pytest.mark.ours
def test_a_message_of_exactly_the_limit_is_taken_and_one_octet_more_is_not(system, smtp, inbox):
    limit, token = size_limit(smtp), unique()
    content = message(token=token)
    content += CHUNK * ((limit - len(content)) // len(CHUNK))
    rest = limit - len(content)
    content += (b"w" * 80 + b"\r\n") * (rest // 82 - 1)
    content += b"v" * (limit - len(content) - 2) + b"\r\n"
    assert len(content) == limit
    begin(smtp, system)
    assert bdat(smtp, content, last=True).code == 250
    assert without_trace(inbox(token)) == content
    begin(smtp, system)
    reply = bdat(smtp, b"u" + content, last=True)
    assert (reply.code, reply.enhanced) == (552, "5.3.4"), reply
    assert smtp.say("NOOP").code == 250
