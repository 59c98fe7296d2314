"""Nothing but CRLF . CRLF ends a message, however the bytes are cut into packets."""

import pytest

from twinpost_rig.messages import message, unique
from twinpost_rig.wire import SMTP, Closed

# End-of-data look-alikes that some server once took for the real one.
VARIANTS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n",
    b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\r\r\n.\n\r\n",
    b"\n\n.\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n.\x0b\r\n", b"\x85.\x85",
    b"\xe2\x80\xa8.\xe2\x80\xa8"]


def smuggled(system):
    return (f"MAIL FROM:<evil@example.net>\r\nRCPT TO:<{system.alice.address}>\r\n"
            "DATA\r\n").encode() + message(token="smuggled-" + unique(), subject="smuggled") \
        + b".\r\nQUIT\r\n"


def replies_after(session, data, cuts):
    codes = []
    try:
        session.send_cut(data, *cuts)
        while True:
            codes.append(session.reply().code)
    except (Closed, ConnectionError):
        return codes


@pytest.mark.parametrize("cut", ["whole", "inside", "each"])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda one: one.decode("latin-1").encode(
    "unicode_escape").decode())
def test_a_false_end_of_data_ends_nothing(system, variant, cut):
    with SMTP(system.node) as session:
        session.envelope("c@example.net", system.alice.address)
        before = message(token=unique()).removesuffix(b"\r\n")
        data = before + variant + smuggled(system)
        start, end = len(before), len(before) + len(variant)
        cuts = {"whole": [], "inside": [start + len(variant) // 2],
                "each": range(start, end + 1)}[cut]
        codes = replies_after(session, data, cuts)
    # One reply to the one end of data, then at most the answer to QUIT.
    assert codes in ([250, 221], [250]) or codes[0] >= 500 and len(codes) <= 2, codes


@pytest.mark.ours
@pytest.mark.parametrize("bare", [b"\n", b"\r"], ids=["LF", "CR"])
def test_a_bare_line_end_in_a_message_is_refused(system, smtp, bare):
    smtp.envelope("c@example.net", system.alice.address)
    smtp.send(message() + b"one" + bare + b"two\r\n.\r\n")
    reply = smtp.reply()
    assert 500 <= reply.code < 560 and reply.enhanced, reply
    assert smtp.say("NOOP").code == 250


@pytest.mark.ours
def test_a_bare_lf_in_a_command_is_refused(system):
    with SMTP(system.node, hello=None) as session:
        session.send("EHLO a.example\nMAIL FROM:<c@example.net>\r\n")
        assert session.reply().code >= 500


def test_the_true_end_is_found_at_every_cut(system):
    content = b"Subject: cut\r\n\r\nx\r\n"
    data = content + b".\r\n"
    with SMTP(system.node) as session:
        for cut in range(len(content) - 2, len(data)):
            session.envelope("c@example.net", system.alice.address)
            session.send_cut(data, cut)
            assert session.reply().code == 250


def test_nothing_pipelined_before_tls_survives_it(system):
    with SMTP(system.node) as session:
        session.send("STARTTLS\r\nMAIL FROM:<injected@example.net>\r\n")
        reply = session.reply()
        if reply.code >= 500:
            return  # There is no TLS that anything could have survived.
        assert reply.code == 220, reply
        try:
            session.start_tls(system.ca)
            assert session.say("EHLO after.example.net").code == 250
            reply = session.say(f"RCPT TO:<{system.alice.address}>")
            assert reply.code == 503, f"the injected MAIL was heard: {reply}"
        except (OSError, Closed):
            pass  # Refusing to go on is as good.
