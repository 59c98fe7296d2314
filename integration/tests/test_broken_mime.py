"""Broken MIME is fetched like any other mail: an answer each time, and never a crash."""

import pytest

NESTED = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (one, one)
                  for one in range(1000)) + b"\r\nbottom\r\n"
MESSAGES_IN_MESSAGES = b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"\r\nx\r\n"
MANY_PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000
BROKEN = {
    "no header": b"\r\njust a body\r\n", "only a header": b"Subject: x\r\n", "one octet": b"x",
    "no end of line": b"Subject: x\r\n\r\nno end", "8-bit junk": bytes(range(1, 256)) * 20,
    "line ends": b"Subject: a\nFrom: b\rTo: c\r\r\n\n\r\n\r\r\nx\n\r", "1000 nested": NESTED,
    "1000 messages": MESSAGES_IN_MESSAGES, "10000 parts": MANY_PARTS,
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\n--\r\nx\r\n",
    "boundary never comes": b"Content-Type: multipart/mixed; boundary=never\r\n\r\nx\r\n",
    "bad base64": b"Content-Transfer-Encoding: base64\r\n\r\n=a=b!!!\xff===\r\n",
    "bad quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"=\r\n=X=4\xff=\r\n",
    "unclosed": b'From: "a <b@c\r\nTo: (((((((\r\nContent-Type: text/plain; charset="u\r\n\r\nx',
    "encoded words": b"Subject: =?x?q?a?= =?utf-8?b?\xff?= =?=?=?\r\n\r\nx\r\n",
    "long header": b"Subject: " + b"x" * 900_000 + b"\r\n\r\nx\r\n",
    "many headers": b"X-A: b\r\n" * 50_000 + b"\r\nx\r\n",
    "many addresses": b"To: " + b"a@b, " * 50_000 + b"\r\n\r\nx\r\n",
    "groups": b"To: g: h: i:;;; a@b;\r\nFrom: <>, @, a@, <a@b\r\n\r\nx\r\n",
}
FETCHES = ["ENVELOPE", "BODYSTRUCTURE", "BODY", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]",
           "BODY.PEEK[1]", "BODY.PEEK[1.1.1.1]", "BODY.PEEK[1.MIME]", "BODY.PEEK[999]",
           "BODY.PEEK[HEADER.FIELDS (SUBJECT X-A)]", "BODY.PEEK[]<1.1>", "RFC822.SIZE"]


@pytest.mark.parametrize("name", BROKEN)
def test_every_fetch_is_answered(imap, mailbox, name):
    assert imap.append(mailbox, BROKEN[name]).ok
    imap.ok(f'SELECT "{mailbox}"')
    for fetch in FETCHES:
        assert imap.do(f"FETCH 1 ({fetch})").status in ("OK", "NO"), fetch
    for search in ('SUBJECT "x"', 'BODY "bottom"', 'TEXT "x"', 'HEADER To "a"'):
        assert imap.do(f"SEARCH {search}").ok, search


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.ours
def test_the_bytes_are_kept(imap, mailbox, name):
    imap.append(mailbox, BROKEN[name])
    imap.ok(f'SELECT "{mailbox}"')
    assert imap.body(1) == BROKEN[name]
