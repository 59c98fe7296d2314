"""IMAP over a mailbox of 100,000 messages: the same commands to both systems, in alternation.

The first round of each command is not counted: it fills Dovecot's cache file and both systems' page
cache. What the systems answered is compared by its size, so that neither wins by saying less.
"""

import itertools

from .fast_imap import FastIMAP
from .meter import Steal
from .table import markdown, median, progress, ratio

MAILBOX = "bench"
BATCH = 500

COMMANDS = [
    ("SELECT", None),
    ("FETCH 1:* FLAGS", "FETCH 1:* (FLAGS)"),
    ("FETCH 1:* ENVELOPE", "FETCH 1:* (ENVELOPE)"),
    ("FETCH 1:* BODYSTRUCTURE", "FETCH 1:* (BODYSTRUCTURE)"),
    ("FETCH 1:* of four header fields",
     "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE MESSAGE-ID)])"),
    ("FETCH 1:* of a field that few ask for", "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (X-MAILER)])"),
    ("UID SEARCH SUBJECT", 'UID SEARCH SUBJECT "number 4711 "'),
    ("UID SEARCH TEXT", 'UID SEARCH TEXT "needle in the hay"'),
    ("STORE of a flag on all", "STORE 1:* {sign}FLAGS.SILENT (\\Flagged)"),
    ("APPEND", None),
    ("APPEND, one at a time,", None),
]


def mail(index):
    needle = "needle in the hay" if index % 1000 == 7 else "nothing to see here"
    plain = f"This is line {index} of {needle}.\r\n" * 20
    return (
        f"Return-Path: <sender{index % 100}@example.net>\r\n"
        f"Received: from mx{index % 7}.example.net by mx.example.test with ESMTP id {index:x};\r\n"
        f"\tSun, 22 Nov 2026 12:{index % 60:02d}:00 +0000\r\n"
        f"From: Sender {index % 100} <sender{index % 100}@example.net>\r\n"
        f"To: Alice <alice@example.test>, Bob <bob@example.test>\r\n"
        f"Subject: Message number {index} about =?utf-8?q?caf=C3=A9?= and more\r\n"
        f"Date: Sun, 22 Nov 2026 12:{index % 60:02d}:{index % 59:02d} +0000\r\n"
        f"Message-ID: <{index}.bench@example.net>\r\n"
        f"In-Reply-To: <{max(0, index - 1)}.bench@example.net>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{plain}"
        f"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{plain}</p>\r\n--b--\r\n"
    ).encode()


def append(client, mailbox, first, count, batch_count=BATCH):
    """MULTIAPPEND in batches with non-synchronizing literals; seconds in all."""
    seconds = 0
    numbers = iter(range(first, first + count))
    while batch := list(itertools.islice(numbers, batch_count)):
        messages = [mail(index) for index in batch]
        payload = b"".join(b" {%d+}\r\n%b" % (len(one), one) for one in messages)
        seconds += client.run(f'APPEND "{mailbox}"', [payload])
    return seconds


def once(client, name, command, appended, index):
    if name == "SELECT":
        client.run("UNSELECT")
        return client.run(f'SELECT "{MAILBOX}"')
    if name.startswith("APPEND"):
        client.run(f'CREATE "{MAILBOX}-{index}"')
        seconds = append(client, f"{MAILBOX}-{index}", 0, *appended[name])
        client.run(f'DELETE "{MAILBOX}-{index}"')
        return seconds
    return client.run(command.format(sign="+" if index % 2 == 0 else "-"))


def run(systems, options):
    count, batch, singles = (2000, 500, 100) if options.quick else (100_000, 10_000, 1000)
    appended = {"APPEND": (batch, BATCH), "APPEND, one at a time,": (singles, 1)}
    rounds = options.rounds or (3 if options.quick else 5)
    clients = {}
    for name, system in systems.items():
        progress(f"loading {count} messages into {name}")
        clients[name] = FastIMAP(system.node, system.alice)
        clients[name].run(f'CREATE "{MAILBOX}"')
        append(clients[name], MAILBOX, 0, count)
        assert clients[name].count(MAILBOX) == count
        clients[name].run(f'SELECT "{MAILBOX}"')
    rows = []
    for name, command in COMMANDS:
        progress(f"{name}, {rounds} rounds")
        octets = {}
        for one, client in clients.items():
            once(client, name, command, appended, 1)
            if "FETCH" in name or "SEARCH" in name:
                octets[one] = client.octets
        spent, steal = {one: [] for one in systems}, Steal()
        for index in range(rounds):
            for one, client in clients.items():
                here = Steal()
                seconds = once(client, name, command, appended, index)
                if here.percent() <= 5:
                    spent[one].append(seconds)
        label = f"{name} of {appended[name][0]}" if name in appended else name
        ours, theirs = (median(spent.get(one, [])) for one in ("Twinpost", "Postfix+Dovecot"))
        kept = "/".join(str(len(values)) for values in spent.values())
        said = ratio(octets.get("Twinpost"), octets.get("Postfix+Dovecot"))
        rows.append((label, ratio(theirs, ours), said, f"{steal.percent():.1f}", kept))
    for client in clients.values():
        client.close()
    markdown(f"IMAP over {count} messages: how many times as fast as Dovecot",
             ["command", "Dovecot's time / ours", "our octets / Dovecot's", "steal %",
              f"rounds kept of {rounds}"], rows)
