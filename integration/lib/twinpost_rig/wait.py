"""Waiting for conditions instead of sleeping."""

import os
import select
import time


def until(condition, what, timeout=30.0, interval=0.02):
    """Returns the first true value of `condition()`; raises TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout:.0f} s still not so: {what}")
        time.sleep(interval)


def process_end(pid, timeout=30.0):
    """True once the process has ended, whoever its parent is; False after `timeout` seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
    finally:
        os.close(handle)
