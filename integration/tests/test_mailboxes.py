"""CREATE, RENAME, DELETE, SUBSCRIBE, LIST in all its forms, STATUS."""

import re

import pytest


def names(answer):
    return {hit[1].decode().strip('"') for hit in
            answer.all(r'^\* LIST \([^)]*\) (?:"."|NIL) (.*?)(?: \(.*)?\r\n$')}


def delimiter(session):
    return session.ok('LIST "" ""').find(r'LIST \([^)]*\) "(.)"')[1].decode()


def test_create_list_delete(imap, mailbox):
    assert mailbox in names(imap.ok('LIST "" "*"'))
    imap.ok(f'DELETE "{mailbox}"')
    assert mailbox not in names(imap.ok('LIST "" "*"'))


def test_create_twice_is_refused(imap, mailbox):
    answer = imap.do(f'CREATE "{mailbox}"')
    assert answer.status == "NO" and answer.code("ALREADYEXISTS") is not None


@pytest.mark.ours
def test_a_missing_mailbox_is_named_so(imap):
    for command in ("SELECT", "DELETE", "EXAMINE"):
        answer = imap.do(f'{command} "not-there"')
        assert answer.status == "NO" and answer.code("NONEXISTENT") is not None, command


def test_append_to_a_missing_mailbox_says_trycreate(imap):
    answer = imap.append("not-there", b"Subject: x\r\n\r\n")
    assert answer.status == "NO" and "TRYCREATE" in answer.text


def test_inbox_cannot_be_deleted_and_has_any_case(imap):
    assert imap.do("DELETE INBOX").status == "NO"
    assert imap.ok("SELECT iNbOx").code("UIDVALIDITY")


def test_rename_moves_children_and_keeps_uids(imap, mailbox):
    dot = delimiter(imap)
    imap.ok(f'CREATE "{mailbox}{dot}child"')
    imap.append(f"{mailbox}{dot}child", b"Subject: x\r\n\r\nx\r\n")
    imap.ok(f'RENAME "{mailbox}" "{mailbox}-new"')
    listed = names(imap.ok(f'LIST "" "{mailbox}*"'))
    assert listed == {f"{mailbox}-new", f"{mailbox}-new{dot}child"}
    imap.ok(f'SELECT "{mailbox}-new{dot}child"')
    assert imap.uids() == [1]
    imap.ok("UNSELECT")
    imap.ok(f'DELETE "{mailbox}-new{dot}child"')
    imap.ok(f'DELETE "{mailbox}-new"')


def test_a_recreated_mailbox_has_another_uidvalidity(imap, mailbox):
    first = imap.ok(f'STATUS "{mailbox}" (UIDVALIDITY)').find(r"UIDVALIDITY (\d+)")[1]
    imap.ok(f'DELETE "{mailbox}"')
    imap.ok(f'CREATE "{mailbox}"')
    assert imap.ok(f'STATUS "{mailbox}" (UIDVALIDITY)').find(r"UIDVALIDITY (\d+)")[1] != first


def test_subscriptions(imap, mailbox):
    imap.ok(f'SUBSCRIBE "{mailbox}"')
    assert mailbox in names(imap.ok('LIST (SUBSCRIBED) "" "*"'))
    imap.ok(f'UNSUBSCRIBE "{mailbox}"')
    assert mailbox not in names(imap.ok('LIST (SUBSCRIBED) "" "*"'))


def test_lsub_for_old_clients(imap, mailbox):
    imap.ok(f'SUBSCRIBE "{mailbox}"')
    assert imap.ok('LSUB "" "*"').find(rf'^\* LSUB .*{mailbox}')


def test_list_with_several_patterns_and_returned_options(imap, mailbox):
    imap.ok(f'SUBSCRIBE "{mailbox}"')
    answer = imap.ok(f'LIST "" (INBOX "{mailbox}") RETURN (SUBSCRIBED CHILDREN)')
    assert names(answer) == {"INBOX", mailbox}
    assert answer.find(rf'LIST \([^)]*\\Subscribed[^)]*\) .*{mailbox}')
    assert answer.find(rf'LIST \([^)]*\\HasNoChildren[^)]*\) .*{mailbox}')


def test_children_are_told(imap, mailbox):
    imap.ok(f'CREATE "{mailbox}{delimiter(imap)}child"')
    assert imap.ok(f'LIST "" "{mailbox}"').find(r"\\HasChildren")
    imap.ok(f'DELETE "{mailbox}{delimiter(imap)}child"')


def test_percent_does_not_descend(imap, mailbox):
    child = f"{mailbox}{delimiter(imap)}child"
    imap.ok(f'CREATE "{child}"')
    listed = names(imap.ok('LIST "" "%"'))
    assert mailbox in listed and child not in listed
    imap.ok(f'DELETE "{child}"')


def test_list_status(imap, mailbox):
    imap.append(mailbox, b"Subject: x\r\n\r\nx\r\n")
    answer = imap.ok(f'LIST "" "{mailbox}" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))')
    hit = answer.find(rf'^\* STATUS "?{mailbox}"? \((.*)\)')
    assert {b"MESSAGES 1", b"UIDNEXT 2", b"UNSEEN 1"} <= set(re.findall(rb"\w+ \d+", hit[1]))


def test_status_size(imap, mailbox):
    imap.append(mailbox, b"Subject: x\r\n\r\n1234\r\n")
    assert imap.ok(f'STATUS "{mailbox}" (SIZE)').find(r"SIZE (\d+)")[1] == b"20"


def test_special_use_is_listed(imap):
    answer = imap.ok('LIST (SPECIAL-USE) "" "*"')
    for use in ("Drafts", "Sent", "Trash", "Junk"):
        assert answer.find(rf"\\{use}"), use


@pytest.mark.ours
def test_create_special_use(imap, mailbox):
    name = f"{mailbox}-archive"
    imap.ok(f'CREATE "{name}" (USE (\\Archive))')
    assert imap.ok('LIST (SPECIAL-USE) "" "*"').find(rf"\\Archive.*{name}")
    imap.ok(f'DELETE "{name}"')


def test_a_name_in_another_script(imap, mailbox):
    name = f"{mailbox}-&U,BTFw-"  # Modified UTF-7 of two Chinese characters.
    imap.ok(f'CREATE "{name}"')
    assert name in names(imap.ok('LIST "" "*"'))
    imap.ok(f'DELETE "{name}"')


@pytest.mark.ours
def test_utf8_names_after_enable(sessions, mailbox):
    session = sessions(None, "UTF8=ACCEPT")
    session.ok(f'CREATE "{mailbox}-日本"'.encode())
    assert f"{mailbox}-日本" in names(session.ok('LIST "" "*"'))
    session.ok(f'DELETE "{mailbox}-日本"'.encode())


def test_namespace(imap):
    assert imap.ok("NAMESPACE").find(r'^\* NAMESPACE \(\("" "."')


def test_id(imap):
    assert imap.ok('ID ("name" "rig")').find(r"^\* ID ")


@pytest.mark.ours
def test_capabilities(imap):
    offered = set(imap.ok("CAPABILITY").find(r"^\* CAPABILITY (.*)\r\n")[1].decode().split())
    assert {"IMAP4rev1", "IMAP4rev2", "ENABLE", "UTF8=ACCEPT", "NAMESPACE", "CHILDREN",
            "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "CREATE-SPECIAL-USE", "STATUS=SIZE",
            "UIDPLUS", "MOVE", "MULTIAPPEND", "LITERAL+", "UNSELECT", "IDLE", "CONDSTORE",
            "QRESYNC", "ESEARCH", "OBJECTID", "SAVEDATE", "SASL-IR", "ID"} <= offered
    assert any(one.startswith("APPENDLIMIT") for one in offered)
