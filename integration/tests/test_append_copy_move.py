"""APPEND, MULTIAPPEND, COPY, MOVE, EXPUNGE and their UIDPLUS codes."""

from twinpost_rig.messages import message

SMALL = b"Subject: small\r\n\r\nx\r\n"


def code(answer, name):
    return (answer.code(name) or "").split()


def test_append_says_where(imap, mailbox):
    validity = imap.ok(f'STATUS "{mailbox}" (UIDVALIDITY)').find(r"UIDVALIDITY (\d+)")[1].decode()
    assert code(imap.append(mailbox, SMALL), "APPENDUID") == [validity, "1"]


def test_multiappend_is_one_command(imap, mailbox):
    answer = imap.append(mailbox, SMALL, message(), SMALL)
    assert answer.ok and code(answer, "APPENDUID")[1] == "1:3"


def test_append_keeps_flags_date_and_bytes(imap, mailbox):
    content = message(octets=70_000)
    imap.send(f'a1 APPEND "{mailbox}" (\\Seen own) "17-Jul-1996 02:44:25 -0700" '
              f"{{{len(content)}+}}\r\n".encode() + content + b"\r\n")
    while not imap.response().startswith(b"a1 OK"):
        pass
    imap.ok(f'SELECT "{mailbox}"')
    answer = imap.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)")
    assert answer.find(r'INTERNALDATE "17-Jul-1996 (02:44:25 -0700|09:44:25 \+0000)"')
    assert answer.find(rf"RFC822.SIZE {len(content)}\b") and answer.find(r"\\Seen")
    assert imap.body(1) == content


def test_copy_says_from_where_to_where(imap, mailbox):
    imap.append(mailbox, SMALL, SMALL, SMALL)
    imap.ok(f'SELECT "{mailbox}"')
    imap.ok("STORE 2 +FLAGS (\\Flagged)")
    assert code(imap.ok(f'COPY 2:3 "{mailbox}"'), "COPYUID")[1:] == ["2:3", "4:5"]
    imap.ok("NOOP")
    assert imap.uids("FLAGGED") == [2, 4]


def test_move_takes_away_and_says_so(imap, mailbox):
    imap.append(mailbox, SMALL, SMALL)
    imap.ok(f'SELECT "{mailbox}"')
    answer = imap.ok('UID MOVE 1 "Trash"')
    assert code(answer, "COPYUID")[1] == "1"
    assert answer.find(r"^\* 1 EXPUNGE") and imap.uids() == [2]


def test_copy_to_a_missing_mailbox_copies_nothing(imap, mailbox):
    imap.append(mailbox, SMALL)
    imap.ok(f'SELECT "{mailbox}"')
    answer = imap.do('COPY 1 "not-there"')
    assert answer.status == "NO" and "TRYCREATE" in answer.text


def test_uid_expunge_spares_the_others(imap, mailbox):
    imap.append(mailbox, SMALL, SMALL)
    imap.ok(f'SELECT "{mailbox}"')
    imap.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    imap.ok("UID EXPUNGE 2")
    assert imap.uids() == [1]


def test_uids_are_never_used_again(imap, mailbox):
    imap.append(mailbox, SMALL, SMALL)
    imap.ok(f'SELECT "{mailbox}"')
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    imap.ok("EXPUNGE")
    assert code(imap.append(mailbox, SMALL), "APPENDUID")[1] == "3"


def test_close_expunges_and_unselect_does_not(imap, mailbox):
    imap.append(mailbox, SMALL)
    for command, left in (("UNSELECT", 1), ("CLOSE", 0)):
        imap.ok(f'SELECT "{mailbox}"')
        imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        imap.ok(command)
        assert imap.ok(f'STATUS "{mailbox}" (MESSAGES)').find(rf"MESSAGES {left}\b")
