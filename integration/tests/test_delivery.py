"""A message that was accepted is there, byte for byte, with its trace on top."""

import re

import pytest

from twinpost_rig import until
from twinpost_rig.messages import message, unique, without_trace
from twinpost_rig.wire import IMAP


def deliver(smtp, inbox, system, content, token):
    reply = smtp.deliver("carol@example.net", system.alice.address, content)
    assert reply.code == 250, reply
    return inbox(token)


def test_bytes_come_back_exactly(system, smtp, inbox):
    token = unique()
    content = message(token=token, body="dots:\r\n.\r\n..\r\n.a\r\n\ttab \r\n\r\n\r\nend\r\n")
    assert without_trace(deliver(smtp, inbox, system, content, token)) == content


def test_eight_bit_and_every_octet_come_back(system, smtp, inbox):
    token = unique()
    octets = bytes(one for one in range(1, 256) if one not in (10, 13))
    content = message(token=token) + octets + b"\r\n" + octets[::-1] + b"\r\n"
    assert without_trace(deliver(smtp, inbox, system, content, token)) == content


def test_a_body_of_many_megabytes_comes_back(system, smtp, inbox):
    token = unique()
    content = message(token=token, octets=8_000_000)
    assert without_trace(deliver(smtp, inbox, system, content, token)) == content


@pytest.mark.ours
def test_an_empty_message_is_kept(system, smtp, inbox):
    token = unique()
    content = f"Message-ID: <{token}@x>\r\n\r\n".encode()
    assert deliver(smtp, inbox, system, content, token).endswith(content)


def test_return_path_and_received_stand_on_top(system, smtp, inbox):
    token = unique()
    stored = deliver(smtp, inbox, system, message(token=token), token)
    head = stored[:-len(without_trace(stored))].decode()
    assert head.lower().startswith("return-path: <carol@example.net>\r\n")
    received = re.search(r"(?ms)^Received: from client\.example\.net.*?;[^;]*?\r\n(?![ \t])", head)
    assert received and "127.0.0.1" in received[0] and "with ESMTP" in received[0]


def test_a_message_to_two_accounts_reaches_both(system, smtp, inbox):
    token = unique()
    content = message(token=token)
    both = [system.alice.address, system.bob.address]
    assert smtp.deliver("carol@example.net", both, content).code == 250
    assert without_trace(inbox(token)) == without_trace(inbox(token, system.bob)) == content


def test_bdat_in_chunks_is_one_message(system, smtp, inbox):
    token = unique()
    content = message(token=token, body="no dot stuffing here:\r\n.\r\n.x\r\n")
    smtp.say("MAIL FROM:<carol@example.net>")
    smtp.say(f"RCPT TO:<{system.alice.address}>")
    middle = len(content) // 2 - 3
    smtp.send(b"BDAT %d\r\n" % middle + content[:middle])
    assert smtp.reply().code == 250
    smtp.send(b"BDAT %d LAST\r\n" % (len(content) - middle) + content[middle:])
    assert smtp.reply().code == 250
    assert without_trace(inbox(token)) == content


def test_a_null_reverse_path_is_accepted(system, smtp, inbox):
    token = unique()
    assert smtp.deliver("", system.alice.address, message(token=token)).code == 250
    assert inbox(token).lower().startswith(b"return-path: <>\r\n")


def test_commands_may_be_pipelined(system, smtp, inbox):
    token = unique()
    smtp.send(f"MAIL FROM:<c@example.net>\r\nRCPT TO:<{system.alice.address}>\r\nDATA\r\n")
    assert [smtp.reply().code for _ in range(3)] == [250, 250, 354]
    content = message(token=token)
    smtp.send(content + b".\r\nNOOP\r\nQUIT\r\n")
    assert [smtp.reply().code for _ in range(3)] == [250, 250, 221]
    assert without_trace(inbox(token)) == content


def test_visible_at_once_after_250(system, smtp):
    with IMAP(system.node, system.alice) as session:
        session.ok("SELECT INBOX")
        token = unique()
        assert smtp.deliver("c@example.net", system.alice.address, message(token=token)).code == 250
        until(lambda: session.ok("NOOP") and session.uids(f'HEADER Message-ID "{token}"'),
              "the message is visible")
