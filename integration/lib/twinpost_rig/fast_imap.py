"""An IMAP client that does almost nothing, so that it is not what is measured."""

import re
import socket
import ssl
import time

CHUNK = 1 << 20


class FastIMAP:
    """Sends a command and reads until its tagged line; keeps only the last octets."""

    def __init__(self, node, account, context=None, timeout=1800):
        self.socket = socket.create_connection(
            (node.address, node.imaps if context else node.imap), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.chunk = bytearray(CHUNK)
        self.view = memoryview(self.chunk)
        self.tags = 0
        self.octets = 0  # Of the last command's responses.
        self.read_line()
        self.run(f'LOGIN "{account.address}" "{account.password}"')

    def read_line(self):
        tail = b""
        while not tail.endswith(b"\r\n"):
            more = self.socket.recv(4096)
            if not more:
                raise ConnectionError("closed")
            tail += more
        return tail

    def run(self, command, payload=()):
        """Seconds until the tagged OK; `payload` is sent after the command line."""
        self.tags += 1
        tag = f"Z{self.tags:06d}".encode()
        start = time.perf_counter()
        self.socket.sendall(tag + b" " + command.encode())
        for part in payload:
            self.socket.sendall(part)
        self.socket.sendall(b"\r\n")
        self.tail = self.wait_for(tag)
        seconds = time.perf_counter() - start
        if b"\n" + tag + b" OK" not in self.tail:
            raise RuntimeError(f"{command[:60]}: {self.tail[-300:]!r}")
        return seconds

    def wait_for(self, tag):
        tagged = b"\n" + tag + b" "
        tail = b"\n"
        self.octets = 0
        while True:
            octets = self.socket.recv_into(self.chunk)
            if not octets:
                raise ConnectionError("closed")
            self.octets += octets
            # The tagged line is the last and short: only the end of what came can hold it.
            tail = (tail + bytes(self.view[max(0, octets - 4096):octets]))[-4096:]
            if tail.endswith(b"\r\n") and tail.rfind(tagged) >= 0:
                return tail

    def count(self, mailbox):
        self.run(f'STATUS "{mailbox}" (MESSAGES)')
        return int(re.search(rb"MESSAGES (\d+)", self.tail)[1])

    def close(self):
        self.socket.close()


def idle_connection(node, account, mailbox="INBOX", ca=None):
    """A connection that is logged in, selected and in IDLE; returns its socket."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    client = FastIMAP(node, account, context)
    client.run(f'SELECT "{mailbox}"')
    client.socket.sendall(b"I1 IDLE\r\n")
    while not client.read_line().rpartition(b"\n")[0].rpartition(b"\n")[2].startswith(b"+"):
        pass
    return client.socket
