"""SEARCH with its answers, FETCH of parts, object ids and save dates."""

import re

import pytest

from twinpost_rig.messages import message

MIME = (b"From: A <a@example.net>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
        b"Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n--b\r\n'
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
        b"quoted-printable\r\n\r\nK=E4se\r\n--b\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n")


@pytest.fixture
def mime(imap, mailbox):
    imap.append(mailbox, message(subject="plain one"), MIME, message(subject="third", octets=9000))
    imap.ok(f'SELECT "{mailbox}"')
    return imap


@pytest.mark.parametrize("keys, found", [
    ("ALL", [1, 2, 3]), ('SUBJECT "plain"', [1]), ("LARGER 8000", [3]), ("SMALLER 8000", [1, 2]),
    ('FROM "carol"', [1, 3]), ("NOT 2", [1, 3]), ("OR 1 UID 3", [1, 3]), ("1:2 UNSEEN", [1, 2]),
    ('HEADER Content-Type ""', [2]), ('TEXT "carol"', [1, 3]), ('BODY "a line"', [1, 3]),
    ("SENTON 22-Nov-2026", [1, 2, 3]), ("SENTBEFORE 1-Jan-2020", []), ("KEYWORD own", []),
    ("(SEEN) NOT (DELETED)", [])])
def test_search_keys(mime, keys, found):
    assert mime.uids(keys) == found


@pytest.mark.parametrize("text, key", [("Grüße", "SUBJECT"), ("GRÜSSE", "SUBJECT"),
                                       ("Käse", "BODY"), ("KÄSE", "TEXT")])
def test_search_decodes_words_and_charsets(mime, text, key):
    wanted = text.encode()
    mime.send(b"s1 UID SEARCH CHARSET UTF-8 %b {%d+}\r\n%b\r\n" % (key.encode(), len(wanted),
                                                                  wanted))
    line = mime.response()
    if text == "GRÜSSE":  # Full folding of ß is allowed, not demanded.
        assert line in (b"* SEARCH\r\n", b"* SEARCH 2\r\n")
    else:
        assert line == b"* SEARCH 2\r\n"


def test_an_unknown_charset_is_refused(mime):
    assert mime.do("SEARCH CHARSET X-NONE SUBJECT x").code("BADCHARSET") is not None


def test_esearch(mime):
    answer = mime.ok("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL")
    line = answer.find(r"^\* ESEARCH \(TAG \"?t\d+\"?\) UID (.*)\r\n")[1].decode()
    assert {"MIN 1", "MAX 3", "COUNT 3", "ALL 1:3"} == set(re.findall(r"\w+ [\d:]+", line))


def test_saved_search(mime):
    mime.ok('SEARCH RETURN (SAVE) SUBJECT "plain"')
    assert [int(hit[1]) for hit in mime.ok("FETCH $ (UID)").all(r"UID (\d+)")] == [1]


def test_envelope_and_bodystructure(mime):
    answer = mime.ok("FETCH 2 (ENVELOPE BODYSTRUCTURE)")
    assert answer.find(r'ENVELOPE \("Sun, 22 Nov 2026 12:00:00 \+0000" "=\?utf-8\?q\?')
    assert answer.find(r'(?i)\("text" "plain" \("charset" "iso-8859-1"\) NIL NIL '
                       r'"quoted-printable" \d+ \d')
    assert answer.find(r'(?i)"mixed" \("boundary" "b"\)')


@pytest.mark.parametrize("part, expected", [
    ("BODY.PEEK[1]", b"K=E4se"), ("BODY.PEEK[2]", b"aGVsbG8="), ("BODY.PEEK[1]<2.3>", b"E4s"),
    ("BODY.PEEK[1.MIME]", b"Content-Type: text/plain; charset=iso-8859-1\r\n"
     b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"),
    ("BODY.PEEK[HEADER.FIELDS (FROM)]", b"From: A <a@example.net>\r\n\r\n"),
    ("BODY.PEEK[]<0.6>", b"From: "), ("BODY.PEEK[]<999999.6>", b"")])
def test_parts(mime, part, expected):
    answer = mime.ok(f"FETCH 2 ({part})")
    hit = answer.find(rb'\] ?(?:<\d+>)? (?:\{(\d+)\}\r\n|"([^"]*)")')
    got = hit[2] if hit[1] is None else hit.string[hit.end():hit.end() + int(hit[1])]
    assert got == expected


@pytest.mark.ours
def test_binary_part_is_decoded(mime):
    assert b"hello" in b"".join(mime.ok("FETCH 2 (BINARY.PEEK[2])").untagged)


def test_body_sets_seen_and_peek_does_not(mime):
    mime.ok("FETCH 1 BODY.PEEK[]")
    assert mime.uids("SEEN") == []
    assert mime.ok("FETCH 1 BODY[TEXT]").find(r"\\Seen") or mime.uids("SEEN") == [1]


@pytest.mark.ours
def test_object_ids_stay_with_the_message(mime, mailbox):
    before = mime.ok("FETCH 1 (EMAILID THREADID)").find(r"EMAILID \(([\w-]+)\)")[1]
    uid = mime.ok(f'COPY 1 "{mailbox}"').code("COPYUID").split()[2]
    mime.ok("NOOP")
    assert mime.ok(f"UID FETCH {uid} (EMAILID)").find(r"EMAILID \(([\w-]+)\)")[1] == before


@pytest.mark.ours
def test_mailbox_id_survives_a_rename(imap, mailbox):
    before = imap.ok(f'STATUS "{mailbox}" (MAILBOXID)').find(r"MAILBOXID \(([\w-]+)\)")[1]
    imap.ok(f'RENAME "{mailbox}" "{mailbox}-r"')
    after = imap.ok(f'STATUS "{mailbox}-r" (MAILBOXID)').find(r"MAILBOXID \(([\w-]+)\)")[1]
    imap.ok(f'DELETE "{mailbox}-r"')
    assert after == before


@pytest.mark.ours
def test_save_date(mime):
    assert mime.ok("FETCH 1 (SAVEDATE)").find(r'SAVEDATE "[ \d]\d-\w{3}-\d{4} ')
    assert mime.uids("SAVEDATESUPPORTED") == [1, 2, 3]
