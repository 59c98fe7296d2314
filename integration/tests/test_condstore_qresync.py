"""CONDSTORE and QRESYNC (RFC 7162), with an offline cache as a client keeps it."""

import re

from twinpost_rig import until

SMALL = b"Subject: small\r\n\r\nx\r\n"


def expand(text):
    """Numbers of a sequence set such as 1:3,7."""
    numbers = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


class Cache:
    """What an offline client remembers: UID -> flags, and how far it knows."""

    def __init__(self, session, mailbox):
        self.mailbox = mailbox
        answer = session.ok(f'SELECT "{mailbox}"')
        self.validity = int(answer.code("UIDVALIDITY"))
        self.flags = {}
        self.learn(session.ok("UID FETCH 1:* (UID FLAGS)"))
        self.modseq = int(answer.code("HIGHESTMODSEQ"))

    def learn(self, answer):
        for line in answer.untagged:
            if gone := re.match(rb"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)", line):
                for uid in expand(gone[1].decode()):
                    self.flags.pop(uid, None)
            elif b" FETCH (" in line:
                uid = int(re.search(rb"UID (\d+)", line)[1])
                flags = re.search(rb"FLAGS \(([^)]*)\)", line)[1].split()
                self.flags[uid] = frozenset(flags) - {b"\\Recent"}

    def resync(self, session):
        known = f" {min(self.flags)}:{max(self.flags)}" if self.flags else ""
        answer = session.ok(f'SELECT "{self.mailbox}" (QRESYNC ({self.validity} {self.modseq}'
                            f'{known}))')
        assert int(answer.code("UIDVALIDITY")) == self.validity
        self.learn(answer)
        self.modseq = int(answer.code("HIGHESTMODSEQ"))


def test_unchangedsince_refuses_what_changed(sessions, mailbox):
    one, two = sessions(mailbox, "CONDSTORE"), sessions(mailbox, "CONDSTORE")
    one.append(mailbox, SMALL, SMALL)
    two.ok("NOOP")
    known = int(one.ok("FETCH 1 MODSEQ").find(r"MODSEQ \((\d+)\)")[1])
    two.ok("STORE 1 +FLAGS (\\Flagged)")
    answer = one.do(f"STORE 1:2 (UNCHANGEDSINCE {known}) +FLAGS (\\Seen)")
    assert expand(answer.code("MODIFIED")) >= {1}
    flags = one.ok("FETCH 1 FLAGS").find(r"FLAGS \(([^)]*)\)")[1]
    assert b"\\Seen" not in flags and b"\\Flagged" in flags


def test_unchangedsince_passes_what_did_not(sessions, mailbox):
    one = sessions(mailbox, "CONDSTORE")
    one.append(mailbox, SMALL)
    known = int(one.ok("FETCH 1 MODSEQ").find(r"MODSEQ \((\d+)\)")[1])
    answer = one.ok(f"UID STORE 1 (UNCHANGEDSINCE {known}) +FLAGS (\\Seen)")
    assert answer.code("MODIFIED") is None
    later = int(answer.find(r"MODSEQ \((\d+)\)")[1])
    assert later > known


def test_changedsince_fetches_only_changes(sessions, mailbox):
    one = sessions(mailbox, "CONDSTORE")
    one.append(mailbox, *[SMALL] * 5)
    known = int(one.ok(f'STATUS "{mailbox}" (HIGHESTMODSEQ)').find(r"HIGHESTMODSEQ (\d+)")[1])
    one.ok("STORE 4 +FLAGS (\\Answered)")
    answer = one.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {known})")
    assert [int(hit[1]) for hit in answer.all(r"UID (\d+)")] == [4]


def test_modseq_grows_with_every_change(sessions, mailbox):
    one = sessions(mailbox, "CONDSTORE")
    one.append(mailbox, SMALL)
    seen = []
    for change in ("+FLAGS (\\Seen)", "-FLAGS (\\Seen)", "FLAGS (a b)"):
        seen.append(int(one.ok(f"STORE 1 {change}").find(r"MODSEQ \((\d+)\)")[1]))
    assert seen == sorted(set(seen))


def test_search_by_modseq(sessions, mailbox):
    one = sessions(mailbox, "CONDSTORE")
    one.append(mailbox, SMALL, SMALL)
    changed = int(one.ok("STORE 2 +FLAGS (\\Seen)").find(r"MODSEQ \((\d+)\)")[1])
    assert one.ok(f"UID SEARCH MODSEQ {changed}").find(r"SEARCH 2 ?\(MODSEQ|SEARCH .*ALL 2")


def test_an_offline_cache_resyncs_in_one_command(sessions, mailbox):
    offline = sessions(None, "QRESYNC")
    offline.append(mailbox, *[SMALL] * 10)
    cache = Cache(offline, mailbox)
    offline.ok("UNSELECT")
    other = sessions(mailbox)
    other.ok("STORE 2,5 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    other.ok("UID STORE 3,7 +FLAGS (\\Seen later)")
    other.append(mailbox, SMALL)
    cache.resync(offline)
    if 11 not in cache.flags:  # New messages may be told by EXISTS alone.
        cache.learn(offline.ok(f"UID FETCH {max(cache.flags) + 1}:* (UID FLAGS)"))
    truth = Cache(sessions(None, "QRESYNC"), mailbox)
    assert cache.flags == truth.flags
    assert set(truth.flags) == {1, 3, 4, 6, 7, 8, 9, 10, 11}


def test_expunges_are_vanished_after_enable(sessions, mailbox):
    one, two = sessions(mailbox, "QRESYNC"), sessions(mailbox)
    two.append(mailbox, *[SMALL] * 4)
    one.ok("NOOP")
    two.ok("STORE 2:3 +FLAGS (\\Deleted)")
    two.ok("EXPUNGE")
    gone = set()

    def heard():
        answer = one.ok("NOOP")
        assert not answer.find(r"\d+ EXPUNGE")
        for hit in answer.all(r"^\* VANISHED ([\d:,]+)"):
            gone.update(expand(hit[1].decode()))
        return gone == {2, 3}

    until(heard, "VANISHED names both")


def test_vanished_by_uid_fetch(sessions, mailbox):
    one = sessions(mailbox, "QRESYNC")
    one.append(mailbox, *[SMALL] * 3)
    known = int(one.ok(f'STATUS "{mailbox}" (HIGHESTMODSEQ)').find(r"HIGHESTMODSEQ (\d+)")[1])
    one.ok("UID STORE 2 +FLAGS (\\Deleted)")
    one.ok("UID EXPUNGE 2")
    answer = one.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {known} VANISHED)")
    assert expand(answer.find(r"VANISHED \(EARLIER\) ([\d:,]+)")[1].decode()) == {2}


def test_another_uidvalidity_tells_the_client_to_start_over(sessions, mailbox):
    one = sessions(None, "QRESYNC")
    answer = one.ok(f'SELECT "{mailbox}" (QRESYNC (1 1))')
    assert int(answer.code("UIDVALIDITY")) != 1
    assert not answer.find("VANISHED")
