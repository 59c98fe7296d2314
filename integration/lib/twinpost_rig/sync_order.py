"""Reads a trace of system calls and says whether a 250 left before the sync that covers it.

The trace is strace's with `-f -yy` and a `-s` that keeps whole messages. Each message carries two
marks, one in its header and one in its last line; each mark must have been written to a file, and
that file synced after the write had returned, before the 250 of that message begins to leave.
"""

import re
from dataclasses import dataclass

LINE = re.compile(r"^(\d+) +(.*)$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>")
CALL = re.compile(r"^(\w+)\((\d+)<(.*?)>(?=[,)]| <unf)")
PEER = re.compile(r"->[\[\]\w.:]*?:(\d+)\]$")
SYNCS = {"fsync", "fdatasync"}
# The index is a projection: that it was synced proves nothing.
PROJECTION = re.compile(r"sqlite|\.db\b|index", re.I)
MARK = re.compile(r"mark-[\w-]+?-(?:head|tail)")


@dataclass
class Call:
    name: str
    target: str
    marks: list
    text: str


def target(text):
    """A socket as it is; a file by its name alone, as it may be renamed before it is synced."""
    return "/" + text.rpartition("/")[2] if text.startswith("/") else text


class Order:
    """Feed it lines; `offences` says which marks were answered too early."""

    def __init__(self, expected):
        """`expected`: client port -> list of message marks (without -head and -tail) in order."""
        self.expected = {port: list(marks) for port, marks in expected.items()}
        self.unsynced = {}  # path -> marks whose write has returned
        self.open_calls, self.awaiting, self.covered = {}, set(), set()
        self.offences, self.answered, self.syncs = [], 0, 0

    def feed(self, line):
        hit = LINE.match(line)
        if not hit:
            return
        pid, rest = hit.groups()
        if RESUMED.match(rest):
            call = self.open_calls.pop(pid, None)
            if call:
                self.ends(call, rest)
        elif hit := CALL.match(rest):
            call = Call(hit[1], target(hit[3]), MARK.findall(rest), rest)
            self.begins(call)
            if rest.endswith("<unfinished ...>"):
                self.open_calls[pid] = call
            else:
                self.ends(call, rest)

    def begins(self, call):
        if call.name in SYNCS:
            call.marks = list(self.unsynced.get(call.target, ()))
        elif peer := PEER.search(call.target):
            self.answer(int(peer[1]), call.text)

    def ends(self, call, rest):
        if " = -1 " in rest:
            return
        if call.name in SYNCS:
            self.syncs += 1
            self.covered.update(call.marks)
            self.unsynced.get(call.target, set()).difference_update(call.marks)
        elif call.marks and call.target.startswith("/") and not PROJECTION.search(call.target):
            self.unsynced.setdefault(call.target, set()).update(call.marks)

    def answer(self, port, text):
        """A reply leaves on the connection of the client at `port`."""
        if port not in self.expected:
            return
        for reply in re.findall(r"(?<!\d)(354|250|[45]\d\d)[ ](?!\d+\.\d+\.\d+\.)", text):
            if reply == "354":
                self.awaiting.add(port)
            elif port in self.awaiting:
                self.awaiting.discard(port)
                message = self.expected[port].pop(0)
                if reply == "250":
                    self.judge(message)

    def judge(self, message):
        self.answered += 1
        early = [end for end in ("head", "tail") if f"{message}-{end}" not in self.covered]
        if early:
            self.offences.append(f"{message}: 250 left before its {' and '.join(early)} "
                                 "was synced")


def check(lines, expected):
    order = Order(expected)
    for line in lines:
        order.feed(line)
    return order


def doctored(lines, expected):
    """The trace with one 250 sent at its 354 already: nothing but one reply is out of order."""
    port = max(expected, key=lambda one: len(expected[one]))
    replies = [index for index, line in enumerate(lines) if re.search(rf"->\S*?:{port}\]", line)]
    prompt = next(index for index in replies if '"354 ' in lines[index])
    final = next(index for index in replies if index > prompt and '"250 ' in lines[index])
    moved = re.sub(r"<unfinished \.\.\.>$", "= 1", lines[final])
    return [*lines[:prompt + 1], moved, *lines[prompt + 1:final], *lines[final + 1:]]
