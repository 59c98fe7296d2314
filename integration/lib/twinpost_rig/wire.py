"""Plain SMTP and IMAP dialogues on raw sockets: what is sent is exactly what the test says."""

import re
import socket
import ssl
from dataclasses import dataclass

TIMEOUT = 30.0
LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


def trust(ca):
    return ssl.create_default_context(cafile=ca)


class Closed(ConnectionError):
    """The server ended the connection while an answer was awaited."""


class Wire:
    """A TCP connection with a read buffer."""

    def __init__(self, address, port, ca=None, timeout=TIMEOUT, **tls):
        self.socket = socket.create_connection((address, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        if ca:
            self.start_tls(ca, **tls)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def start_tls(self, ca, name="localhost", context=None):
        self.socket = (context or trust(ca)).wrap_socket(self.socket, server_hostname=name)

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def send_cut(self, data, *cuts):
        """Sends in packets that end at the given offsets."""
        edges = [0, *cuts, len(data)]
        for start, end in zip(edges, edges[1:]):
            self.socket.sendall(data[start:end])

    def fill(self):
        more = self.socket.recv(262144)
        if not more:
            raise Closed(f"closed by the server; unread: {bytes(self.buffer)!r}")
        self.buffer += more

    def line(self):
        start = 0
        while (end := self.buffer.find(b"\n", start)) < 0:
            start = len(self.buffer)
            self.fill()
        return self.take(end + 1)

    def take(self, octets):
        while len(self.buffer) < octets:
            self.fill()
        taken = bytes(self.buffer[:octets])
        del self.buffer[:octets]
        return taken

    def is_closed(self, timeout=10.0):
        """True if the server closes within `timeout`; whatever it still says is read."""
        self.socket.settimeout(timeout)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(TIMEOUT)

    def is_quiet(self, seconds=0.5):
        """True if nothing arrives for `seconds`."""
        self.socket.settimeout(seconds)
        try:
            self.fill()
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)


@dataclass(frozen=True)
class Reply:
    code: int
    lines: tuple

    @property
    def enhanced(self):
        """The enhanced status code, as in `5.1.1`; None without one."""
        hit = re.match(r"\d\.\d{1,3}\.\d{1,3}\b", self.lines[-1])
        return hit and hit[0]

    def __str__(self):
        return f"{self.code} " + " / ".join(self.lines)


class SMTP(Wire):
    """`say` sends one command and returns the `Reply`; the greeting is read on connecting."""

    def __init__(self, node, port=None, ca=None, hello="client.example.net", timeout=TIMEOUT,
                 **tls):
        super().__init__(node.address, port or node.smtp, ca, timeout, **tls)
        self.greeting = self.reply()
        assert self.greeting.code == 220, self.greeting
        if hello:
            self.extensions = self.say(f"EHLO {hello}").lines[1:]

    def reply(self):
        lines = []
        while True:
            line = self.line().decode("utf-8", "replace").rstrip("\r\n")
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), tuple(lines))

    def say(self, command):
        self.send(command.encode() + b"\r\n" if isinstance(command, str) else command + b"\r\n")
        return self.reply()

    def envelope(self, sender, *recipients):
        """MAIL, RCPT and DATA, each accepted; what follows is the message."""
        for command in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in recipients)):
            reply = self.say(command)
            assert reply.code == 250, f"{command}: {reply}"
        reply = self.say("DATA")
        assert reply.code == 354, reply

    def deliver(self, sender, recipients, message):
        """One whole transaction; returns the reply to the end of the data."""
        recipients = [recipients] if isinstance(recipients, str) else recipients
        self.envelope(sender, *recipients)
        self.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        return self.reply()


@dataclass(frozen=True)
class Answer:
    """The tagged line of a command, and the untagged responses before it (literals in place)."""

    status: str
    text: str
    untagged: tuple

    @property
    def ok(self):
        return self.status == "OK"

    def code(self, name):
        """What follows `name` in a response code of the tagged or an untagged line, or None."""
        for line in (self.text, *(one.decode("utf-8", "replace") for one in self.untagged)):
            if hit := re.search(rf"\[{name}(?: ([^\]]*))?\]", line):
                return hit[1] or ""
        return None

    def find(self, pattern):
        """The first match of `pattern` (bytes or str) in the untagged responses, or None."""
        pattern = pattern.encode() if isinstance(pattern, str) else pattern
        for line in self.untagged:
            if hit := re.search(pattern, line, re.S):
                return hit
        return None

    def all(self, pattern):
        pattern = pattern.encode() if isinstance(pattern, str) else pattern
        return [hit for line in self.untagged if (hit := re.search(pattern, line, re.S))]

    def __str__(self):
        return f"{self.status} {self.text} {list(self.untagged)}"


class IMAP(Wire):
    """`do` sends a command and returns its `Answer`; `ok` insists that it is OK."""

    def __init__(self, node, account=None, port=None, ca=None, timeout=TIMEOUT, **tls):
        super().__init__(node.address, port or node.imap, ca, timeout, **tls)
        self.tags = 0
        self.greeting = self.response()
        assert self.greeting.startswith(b"* OK"), self.greeting
        if account:
            self.ok(f'LOGIN "{account.address}" "{account.password}"')

    def response(self):
        """One response line with its literals."""
        whole = self.line()
        while hit := LITERAL.search(whole):
            whole += self.take(int(hit[1])) + self.line()
        return whole

    def begin(self, command):
        self.tags += 1
        tag = f"t{self.tags}"
        command = command.encode() if isinstance(command, str) else command
        self.send(tag.encode() + b" " + command + b"\r\n")
        return tag

    def finish(self, tag):
        untagged = []
        while True:
            line = self.response()
            if line.startswith(tag.encode() + b" "):
                _, status, text = (line.decode("utf-8", "replace").rstrip() + "  ").split(" ", 2)
                return Answer(status, text.strip(), tuple(untagged))
            untagged.append(line)

    def do(self, command):
        return self.finish(self.begin(command))

    def ok(self, command):
        answer = self.do(command)
        assert answer.ok, f"{command}: {answer}"
        return answer

    def append(self, mailbox, *messages, flags=""):
        """APPEND, or MULTIAPPEND with several messages, with synchronizing literals."""
        self.tags += 1
        tag = f"t{self.tags}"
        self.send(f'{tag} APPEND "{mailbox}"')
        for message in messages:
            self.send(f"{flags and f' ({flags})'} {{{len(message)}}}\r\n")
            line = self.response()
            if not line.startswith(b"+"):
                _, status, text = line.decode().rstrip().split(" ", 2)
                return Answer(status, text, ())
            self.send(message)
        self.send("\r\n")
        return self.finish(tag)

    def idle(self):
        """Starts IDLE; `done` ends it, and what arrives in between is read with `response`."""
        tag = self.begin("IDLE")
        line = self.response()
        while not line.startswith(b"+"):
            line = self.response()
        return tag

    def done(self, tag):
        self.send("DONE\r\n")
        return self.finish(tag)

    def uids(self, search="ALL"):
        """UIDs by `UID SEARCH`, as numbers."""
        hit = self.ok(f"UID SEARCH {search}").find(rb"^\* SEARCH([ \d]*)")
        return [int(one) for one in hit[1].split()] if hit else []

    def body(self, uid):
        """The whole message as stored."""
        answer = self.ok(f"UID FETCH {uid} BODY.PEEK[]")
        hit = answer.find(rb"BODY\[\] (?:\{(\d+)\}\r\n|\"\")")
        assert hit, answer
        return hit.string[hit.end():hit.end() + int(hit[1] or 0)]
