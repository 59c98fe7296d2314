"""A mail system under test: its nodes, accounts and life cycle.

`Twinpost` runs `twinpost try`. `baseline.PostfixDovecot` presents Postfix and Dovecot in the same
shape, which is how the rig itself is tested.
"""

import atexit
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass

from . import wait
from .ports import PortBlock

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARIES = pathlib.Path(os.environ.get("TWINPOST_BIN", ROOT / ".build" / "release"))


@dataclass
class Node:
    name: str
    address: str
    pid: int
    argv: list
    smtp: int
    imap: int
    data: str
    submission: int | None = None
    submissions: int | None = None
    imaps: int | None = None
    http: int | None = None
    control: str | None = None


@dataclass(frozen=True)
class Account:
    address: str
    password: str


class System:
    """What tests and loads need to know; use as a context manager so that it always ends."""

    nodes: list
    accounts: list
    ca: str

    @property
    def node(self):
        return self.nodes[0]

    @property
    def alice(self):
        return self.accounts[0]

    @property
    def bob(self):
        return self.accounts[1]

    def allow_connections(self, count):
        """Lifts the limit on one address's IMAP connections, if there is one."""

    def __enter__(self):
        atexit.register(self.stop)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        atexit.unregister(self.stop)
        self.stop()


class Twinpost(System):
    """`twinpost try` in a directory and a block of ports of its own."""

    def __init__(self, directory=None, extra=()):
        self.own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="twinpost-"))
        self.extra = list(extra)
        self.ports = PortBlock()
        self.launcher = None
        self.by_hand = []
        self.log = None

    def pids(self):
        return [node.pid for node in self.nodes]

    def start(self, timeout=60.0):
        self.log = open(self.directory / "try.log", "ab")
        argv = [BINARIES / "twinpost", "try", "--json", "--dir", self.directory / "try",
                "--base-port", self.ports.base, *self.extra]
        self.launcher = spawn(argv, stdout=subprocess.PIPE, stderr=self.log)
        line = read_line(self.launcher, timeout)
        if not line:
            raise RuntimeError(f"twinpost try said nothing; its log:\n{self.log_text()}")
        report = json.loads(line)
        self.nodes = [Node(**fields) for fields in report["nodes"]]
        self.accounts = [Account(**fields) for fields in report["accounts"]]
        self.ca = report["ca"]

    def kill(self, node=None):
        """`kill -9`, and waits until the process is gone."""
        node = node or self.node
        os.kill(node.pid, signal.SIGKILL)
        if not wait.process_end(node.pid):
            raise TimeoutError(f"{node.name} survived SIGKILL")

    def restart(self, node=None, timeout=30.0, prefix=()):
        """Starts a killed node by its `argv` and waits until it serves."""
        node = node or self.node
        process = spawn([*prefix, *node.argv], stdout=self.log, stderr=self.log)
        self.by_hand.append(process)
        node.pid = process.pid
        self.wait_ready(node, timeout, process)
        return process

    def wait_ready(self, node=None, timeout=30.0, process=None):
        node = node or self.node

        def ready():
            if process is not None and process.poll() is not None:
                raise RuntimeError(f"{node.name} ended with {process.returncode}; its log:\n"
                                   + self.log_text())
            return greets(node.address, node.smtp) and greets(node.address, node.imap)

        wait.until(ready, f"{node.name} greets on SMTP and IMAP", timeout)

    def terminate(self, node=None, timeout=30.0):
        """A graceful stop of one node; the exit is awaited."""
        node = node or self.node
        os.kill(node.pid, signal.SIGTERM)
        if not wait.process_end(node.pid, timeout):
            raise TimeoutError(f"{node.name} did not stop within {timeout:.0f} s of SIGTERM")

    def stop(self):
        for process in [*self.by_hand, self.launcher]:
            end(process)
        for node in getattr(self, "nodes", []):  # A launcher that was killed leaves its nodes.
            if is_program(node.pid, "twinpostd"):
                os.kill(node.pid, signal.SIGKILL)
        self.by_hand, self.launcher, self.nodes = [], None, []
        self.ports.release()
        if self.log:
            self.log.close()
        if self.own_directory and "TWINPOST_KEEP" not in os.environ:
            shutil.rmtree(self.directory, ignore_errors=True)

    def log_text(self, octets=4000):
        return (self.directory / "try.log").read_text(errors="replace")[-octets:]

    def configuration(self, node=None):
        """The path of a node's configuration file, as its `argv` names it."""
        argv = (node or self.node).argv
        joined = next((one[9:] for one in argv if one.startswith("--config=")), None)
        return pathlib.Path(joined or argv[argv.index("--config") + 1])

    def cli(self, *arguments, check=True, timeout=120, **options):
        """Runs the command line `twinpost`; returns the completed process with text output."""
        return subprocess.run([str(part) for part in (BINARIES / "twinpost", *arguments)],
                              check=check, timeout=timeout, text=True, capture_output=True,
                              **options)

    def allow_connections(self, count):
        with self.configuration().open("a") as file:
            file.write(f"\n[limits.imap]\nconnections-per-address-max = {count}\n")
        self.cli("reload", "--control", self.node.control)

    def verify(self, node=None):
        done = self.cli("verify", "--dir", (node or self.node).data, check=False, timeout=600)
        assert done.returncode == 0, f"verify: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def spawn(argv, **options):
    """A child that dies with us, whatever ends us."""
    command = ["setpriv", "--pdeathsig", "TERM", "--", *(str(part) for part in argv)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)


def end(process, timeout=20.0):
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read_line(process, timeout):
    """One line of a child's standard output, or b"" when it ends or time is up."""
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN | select.POLLHUP)
    return process.stdout.readline() if poll.poll(timeout * 1000) else b""


def greets(address, port):
    try:
        with socket.create_connection((address, port), timeout=2) as probe:
            return bool(probe.recv(1))
    except OSError:
        return False


def is_program(pid, name):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name
    except OSError:
        return False
