"""Blocks of ports that parallel runs on one machine do not share."""

import fcntl
import os
import random
import socket

BLOCK = 120  # `twinpost try` goes up to 93 beyond its base; tests add some of their own.
FIRST, LAST = 12000, 32000  # Below the ephemeral range, so that no client takes one of ours.


class PortBlock:
    """`BLOCK` consecutive free ports, held by a file lock for as long as the object lives."""

    def __init__(self):
        folder = "/tmp/twinpost-rig-ports"
        os.makedirs(folder, mode=0o777, exist_ok=True)
        bases = list(range(FIRST, LAST, BLOCK))
        random.shuffle(bases)
        for base in bases:
            self.lock = os.open(f"{folder}/{base}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if all(is_free(port) for port in range(base, base + BLOCK)):
                    self.base = base
                    return
            except BlockingIOError:
                pass
            os.close(self.lock)
        raise RuntimeError("no free block of ports on loopback")

    def release(self):
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False
