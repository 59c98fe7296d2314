"""Delivery: smtp-source as load, until every message is counted by IMAP STATUS."""

import contextlib
import subprocess
import time
from dataclasses import dataclass

from . import wait
from .meter import Steal, SyncCount, cpu_seconds
from .ports import PortBlock
from .system import end, greets, spawn
from .table import markdown, median, number, progress, ratio
from .wire import IMAP

MOST_STEAL = 5.0  # Per cent; a round with more says nothing.


@dataclass(frozen=True)
class Load:
    name: str
    octets: int
    sessions: int
    messages: int
    keep: bool = True

    def share(self, system):
        """What a system is given: rates are compared, so a slow one need not take the night."""
        if system != "Postfix+Dovecot":
            return self
        return Load(self.name, self.octets, self.sessions, max(200, self.messages // 20), self.keep)

    def command(self, address, port, recipient):
        keep = ["-d"] if self.keep else []
        return ["smtp-source", *keep, "-l", str(self.octets), "-m", str(self.messages),
                "-s", str(self.sessions), "-f", "carol@example.net", "-t", recipient,
                f"inet:{address}:{port}"]


LOADS = [
    Load("5 kB, 20 sessions kept", 5120, 20, 20000),
    Load("5 kB, 100 sessions kept", 5120, 100, 20000),
    Load("5 kB, 20 sessions, each message a new connection", 5120, 20, 10000, keep=False),
    Load("100 kB, 20 sessions kept", 102400, 20, 2000),
]


@dataclass(frozen=True)
class Round:
    rate: float
    accepted: float
    cpu: float
    steal: float


class Sink:
    """smtp-sink, which throws all mail away: the floor."""

    def __enter__(self):
        self.ports = PortBlock()
        self.process = spawn(["smtp-sink", "-u", "nobody", f"127.0.0.1:{self.ports.base}", "1000"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait.until(lambda: greets("127.0.0.1", self.ports.base), "smtp-sink greets")
        return self

    def __exit__(self, *_):
        end(self.process)
        self.ports.release()


class Inbox:
    """How many messages the recipient can see."""

    def __init__(self, system):
        self.session = IMAP(system.node, system.alice)

    def count(self):
        return int(self.session.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES (\d+)")[1])


def generate(load, address, port, recipient):
    subprocess.run(load.command(address, port, recipient), check=True, timeout=900,
                   stdout=subprocess.DEVNULL)


def measure_system(load, system):
    inbox = Inbox(system)
    target = inbox.count() + load.messages
    steal, cpu, start = Steal(), cpu_seconds(system.pids()), time.perf_counter()
    generate(load, system.node.address, system.node.smtp, system.alice.address)
    accepted = time.perf_counter() - start
    wait.until(lambda: inbox.count() >= target, f"{load.messages} messages are visible", 900, 0.01)
    seconds = time.perf_counter() - start
    inbox.session.close()
    return Round(load.messages / seconds, load.messages / accepted,
                 (cpu_seconds(system.pids()) - cpu) / load.messages, steal.percent())


def measure_sink(load, sink):
    steal, cpu, start = Steal(), cpu_seconds([sink.process.pid]), time.perf_counter()
    generate(load, "127.0.0.1", sink.ports.base, "alice@example.test")
    rate = load.messages / (time.perf_counter() - start)
    cpu = (cpu_seconds([sink.process.pid]) - cpu) / load.messages
    return Round(rate, rate, cpu, steal.percent())


def syncs_per_message(load, system):
    inbox = Inbox(system)
    target = inbox.count() + load.messages
    counter = SyncCount(system.pids(), system.directory / "syncs")
    try:
        generate(load, system.node.address, system.node.smtp, system.alice.address)
        wait.until(lambda: inbox.count() >= target, "all are visible", 900, 0.05)
    finally:
        count = counter.stop()
        inbox.session.close()
    return count / load.messages


def empty(system):
    """Deletes what a load left in the inbox, so that every load starts alike."""
    with IMAP(system.node, system.alice, timeout=600) as session:
        session.ok("SELECT INBOX")
        session.do("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        session.ok("EXPUNGE")


def run(systems, options):
    rounds = options.rounds or (2 if options.quick else 5)
    scale = 20 if options.quick else 1
    rows = []
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(Sink())
        for load in LOADS:
            load = Load(load.name, load.octets, load.sessions,
                        max(200, load.messages // scale), load.keep)
            rows += measure_load(load, systems, sink, rounds)
    markdown("Delivery until visible in IMAP", [
        "load", "system", "rate / smtp-sink", "rate / Postfix+Dovecot", "CPU µs a message",
        "syncs a message", "messages a sync", "steal %", "rounds kept"], rows)


def measure_load(load, systems, sink, rounds):
    results = {name: [] for name in (*systems, "smtp-sink")}
    for index in range(rounds):
        progress(f"{load.name}: round {index + 1} of {rounds}")
        for name, system in systems.items():
            results[name].append(measure_system(load.share(name), system))
        results["smtp-sink"].append(measure_sink(load, sink))
    few = Load(load.name, load.octets, load.sessions, max(200, load.messages // 10), load.keep)
    syncs = {name: syncs_per_message(few, system) for name, system in systems.items()}
    for system in systems.values():
        empty(system)
    kept = {name: [one for one in values if one.steal <= MOST_STEAL]
            for name, values in results.items()}
    rate = {name: median([one.rate for one in values]) for name, values in kept.items()}
    for name, values in kept.items():
        per_message = syncs.get(name)
        yield (load.name, name, ratio(rate[name], rate["smtp-sink"]),
               ratio(rate[name], rate.get("Postfix+Dovecot")),
               number(median([one.cpu * 1e6 for one in values])),
               number(per_message, "{:.3f}"),
               number(1 / per_message if per_message else None, "{:.1f}"),
               number(median([one.steal for one in results[name]]), "{:.1f}"),
               f"{len(values)}/{rounds}")
