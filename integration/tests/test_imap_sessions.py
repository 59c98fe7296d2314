"""Sessions on one mailbox see each other's changes (RFC 9051 §5.5, RFC 7162)."""

import re

from twinpost_rig import until
from twinpost_rig.messages import message
from twinpost_rig.wire import SMTP, Closed

SMALL = b"Subject: small\r\n\r\nx\r\n"


def fill(session, mailbox, count):
    assert session.append(mailbox, *[SMALL] * count).ok


def next_line(session, pattern):
    while True:
        line = session.response()
        if re.search(pattern, line):
            return line


def test_a_new_message_is_announced(sessions, mailbox):
    one, two = sessions(mailbox), sessions(mailbox)
    fill(one, mailbox, 1)
    until(lambda: two.ok("NOOP").find(r"^\* 1 EXISTS"), "the other session hears EXISTS")


def test_flags_are_announced(sessions, mailbox):
    one, two = sessions(mailbox), sessions(mailbox)
    fill(one, mailbox, 2)
    two.ok("NOOP")
    one.ok("STORE 2 +FLAGS (\\Flagged custom)")
    hit = until(lambda: two.ok("NOOP").find(r"^\* 2 FETCH .*FLAGS \(([^)]*)\)"), "FETCH arrives")
    assert b"\\Flagged" in hit[1] and b"custom" in hit[1]


def test_an_expunge_is_announced_but_not_during_fetch(sessions, mailbox):
    one, two = sessions(mailbox), sessions(mailbox)
    fill(one, mailbox, 3)
    two.ok("NOOP")
    one.ok("STORE 2 +FLAGS (\\Deleted)")
    one.ok("EXPUNGE")
    for command in ("FETCH 1 FLAGS", "STORE 1 +FLAGS (\\Seen)", "SEARCH ALL"):
        assert not two.ok(command).find("EXPUNGE"), command
    until(lambda: two.ok("NOOP").find(r"^\* 2 EXPUNGE"), "EXPUNGE arrives")
    assert two.uids() == [1, 3]


def test_an_expunged_message_can_still_be_numbered(sessions, mailbox):
    one, two = sessions(mailbox), sessions(mailbox)
    fill(one, mailbox, 3)
    two.ok("NOOP")
    one.ok("STORE 1 +FLAGS (\\Deleted)")
    one.ok("EXPUNGE")
    hit = two.do("FETCH 3 (UID)").find(r"^\* 3 FETCH \(.*UID (\d+)")
    assert hit and hit[1] == b"3"


def test_uid_commands_may_announce_expunges(sessions, mailbox):
    one, two = sessions(mailbox), sessions(mailbox)
    fill(one, mailbox, 3)
    two.ok("NOOP")
    one.ok("STORE 3 +FLAGS (\\Deleted)")
    one.ok("EXPUNGE")
    until(lambda: two.ok("UID FETCH 1 FLAGS").find("EXPUNGE") or two.ok("NOOP").find("EXPUNGE"),
          "EXPUNGE arrives")


def test_silent_store_is_silent_only_to_its_own_session(sessions, mailbox):
    one, two = sessions(mailbox), sessions(mailbox)
    fill(one, mailbox, 1)
    two.ok("NOOP")
    assert not one.ok("STORE 1 +FLAGS.SILENT (\\Seen)").find("FETCH")
    until(lambda: two.ok("NOOP").find(r"^\* 1 FETCH .*\\Seen"), "the other session hears it")


def test_idle_pushes_new_mail(system, sessions):
    with SMTP(system.node) as smtp:
        session = sessions("INBOX")
        tag = session.idle()
        assert smtp.deliver("c@example.net", system.alice.address, message()).code == 250
        next_line(session, rb"^\* \d+ EXISTS")
        assert session.done(tag).ok


def test_idle_pushes_flags_and_expunges(sessions, mailbox):
    one, two = sessions(mailbox), sessions(mailbox)
    fill(one, mailbox, 2)
    two.ok("NOOP")
    tag = two.idle()
    one.ok("STORE 1 +FLAGS (\\Deleted)")
    next_line(two, rb"^\* 1 FETCH .*\\Deleted")
    one.ok("EXPUNGE")
    next_line(two, rb"^\* 1 EXPUNGE")
    assert two.done(tag).ok
    assert two.uids() == [2]


def test_a_deleted_mailbox_does_not_confuse_who_has_it_open(sessions, mailbox):
    one, two = sessions(), sessions(mailbox)
    one.ok(f'DELETE "{mailbox}"')
    try:
        two.do("NOOP")
    except Closed:
        pass  # Saying BYE is one of the ways RFC 2180 §3.3 allows.
    assert sessions().ok("NOOP")


def test_commands_pipelined_are_answered_in_order(imap, mailbox):
    tags = [imap.begin(command) for command in
            (f'SELECT "{mailbox}"', "NOOP", "UID SEARCH ALL", "UNSELECT", "NOOP")]
    assert all(imap.finish(tag).ok for tag in tags)
