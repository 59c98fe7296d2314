"""Messages to send, and the comparison of what came back."""

import itertools
import os

COUNTER = itertools.count(1)


def message(subject="hello", body="A line.\r\n", octets=0, token=None, headers=""):
    """A small message in CRLF; `octets` pads it to at least that size."""
    token = token or unique()
    text = (f"From: Carol <carol@example.net>\r\nTo: alice@example.test\r\nSubject: {subject}\r\n"
            f"Message-ID: <{token}@example.net>\r\n"
            f"Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n{headers}\r\n{body}")
    line = "x" * 70 + "\r\n"
    return (text + line * ((octets - len(text) + 71) // 72)).encode()


def unique():
    return f"{os.getpid()}.{next(COUNTER)}.{os.urandom(4).hex()}"


def without_trace(stored):
    """The message without the Return-Path and Received fields that the server put on top."""
    rest = stored
    for name in (b"return-path:", b"delivered-to:", b"received:"):
        while rest[:len(name)].lower() == name:
            end = rest.find(b"\r\n")
            while rest[end + 2:end + 3] in (b" ", b"\t"):
                end = rest.find(b"\r\n", end + 2)
            rest = rest[end + 2:]
    return rest
