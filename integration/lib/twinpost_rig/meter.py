"""What a process tree costs: CPU, syncs, memory; and what the machine's neighbours stole."""

import collections
import os
import pathlib
import re
import signal
import subprocess

TICK = os.sysconf("SC_CLK_TCK")


def tree(roots):
    """The pids of `roots` and all their descendants."""
    children = collections.defaultdict(list)
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children[int(fields[1])].append(int(entry.name))
            except (OSError, IndexError):
                continue
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children[pid]
    return found


def cpu_seconds(roots):
    """User and system time of the tree, with that of children already waited for."""
    total = 0
    for pid in tree(roots):
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
        except (OSError, IndexError):
            continue
    return total / TICK


def memory_octets(roots):
    """Proportional set size of the tree."""
    total = 0
    for pid in tree(roots):
        try:
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]) * 1024
        except (OSError, TypeError):
            continue
    return total


class Steal:
    """The share of CPU time that the hypervisor gave to others since `start`."""

    def __init__(self):
        self.before = self.read()

    @staticmethod
    def read():
        fields = list(map(int, open("/proc/stat").readline().split()[1:9]))
        return fields[7], sum(fields)

    def percent(self):
        stolen, whole = self.read()
        return 100 * (stolen - self.before[0]) / max(1, whole - self.before[1])


class SyncCount:
    """Counts fsync and its kin of a tree with strace; intrusive, so for a pass of its own."""

    CALLS = "fsync,fdatasync,sync_file_range,msync,syncfs"

    def __init__(self, roots, log):
        self.log = pathlib.Path(log)
        attach = [part for pid in tree(roots) for part in ("-p", str(pid))]
        self.strace = subprocess.Popen(
            ["strace", "-f", "-qq", "--seccomp-bpf", "-e", f"trace={self.CALLS}", "-e",
             "signal=none", "-o", str(self.log), *attach],
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def stop(self):
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait(30)
        # A call that another thread interrupts is printed twice; count its beginning.
        return sum(1 for line in self.log.read_text().splitlines() if "resumed>" not in line
                   and "(" in line)


class Warm:
    """A loop at idle priority on each core, so that the clock of the CPU does not change."""

    def __enter__(self):
        self.loops = [subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "chrt", "-i", "0", "taskset", "-c", str(core),
             "sh", "-c", "while :; do :; done"], stdin=subprocess.DEVNULL)
            for core in sorted(os.sched_getaffinity(0))]
        return self

    def __exit__(self, *_):
        for loop in self.loops:
            loop.kill()
            loop.wait()
