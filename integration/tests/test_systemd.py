"""What the service manager sees: sd_notify(3) on a socket of our own, and sockets handed over as
sd_listen_fds(3) says. Exit codes, and which of them end the restarts."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from twinpost_rig import Twinpost, until
from twinpost_rig.system import BINARIES, ROOT
from twinpost_rig.wire import IMAP, SMTP

pytestmark = pytest.mark.ours
DAEMON = BINARIES / "twinpostd"


class Manager:
    """Receives datagrams as systemd does, with the time at which they came."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)

    def next(self, timeout=20):
        """The next datagram's fields, as a dictionary."""
        self.socket.settimeout(timeout)
        return dict(line.split("=", 1) for line in self.socket.recv(65536).decode().split("\n"))

    def until(self, key, timeout=20):
        """The next datagram that has `key`; and how many watchdog signs came before."""
        signs = 0
        while key not in (fields := self.next(timeout)):
            signs += "WATCHDOG" in fields
        return fields, signs


@pytest.fixture
def node(tmp_path):
    """A function that starts the daemon by hand, on a configuration that `try` made, with an
    environment and inherited sockets; `node.system` has the accounts."""
    started = []

    class Hand:
        def __init__(self, system):
            self.system = system
            self.path = system.configuration()

        def start(self, inherited=(), names="", **environment):
            """`inherited`: sockets that become 3, 4, …"""
            listing = ""
            if inherited:
                listing = f"LISTEN_PID=$$ LISTEN_FDS={len(inherited)} LISTEN_FDNAMES='{names}' "
            moves = " ".join(f"{3 + at}<&{one.fileno()}" for at, one in enumerate(inherited))
            script = f"exec {moves}; " if moves else ""
            script += f"{listing}exec {DAEMON} --config {self.path}"
            process = subprocess.Popen(
                ["bash", "-c", script], env={**os.environ, **environment},
                pass_fds=[one.fileno() for one in inherited], stderr=subprocess.PIPE, text=True)
            started.append(process)
            return process

    with Twinpost() as system:
        system.terminate()
        yield Hand(system)
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stderr.close()


def high():
    """Sockets with numbers well above those that they are to get."""
    made = []
    for _ in range(3):
        one = socket.create_server(("127.0.0.1", 0))
        moved = socket.socket(fileno=os.dup2(one.fileno(), 60 + len(made), inheritable=True))
        one.close()
        made.append(moved)
    return made


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_hears_of_a_whole_life(node, tmp_path, abstract):
    name = f"@twinpost-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    manager = Manager(name)
    process = node.start(NOTIFY_SOCKET=name, WATCHDOG_USEC="400000")
    assert "STATUS" in manager.next()
    ready, _ = manager.until("READY")
    assert ready["READY"] == "1" and "2 accounts" in ready["STATUS"]
    assert "3 listeners" in ready["STATUS"]
    with SMTP(node.system.node) as session:
        assert session.say("NOOP").code == 250

    before = time.monotonic()
    for _ in range(5):
        assert manager.next(2)["WATCHDOG"] == "1"
    assert 0.5 < time.monotonic() - before < 2

    earliest = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    process.send_signal(signal.SIGHUP)
    reloading, _ = manager.until("RELOADING")
    latest = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert earliest <= int(reloading["MONOTONIC_USEC"]) <= latest
    assert manager.until("READY")[0]["STATUS"].startswith("Serving")

    good = node.path.read_text()
    node.path.write_text("nonsense = 1\n" + good)
    process.send_signal(signal.SIGHUP)
    manager.until("RELOADING")
    assert "nonsense" in manager.until("READY")[0]["STATUS"]

    process.terminate()
    assert manager.until("STOPPING")[0]["STOPPING"] == "1"
    assert process.wait(10) == 0


def test_without_a_watchdog_no_sign_is_given(node, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    node.start(NOTIFY_SOCKET=manager.name)
    manager.until("READY")
    with pytest.raises(TimeoutError):
        manager.next(1)


def test_another_processes_watchdog_is_not_ours(node, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    node.start(NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
    manager.until("READY")
    with pytest.raises(TimeoutError):
        manager.next(1)


def test_a_stopped_process_gives_no_sign(node, tmp_path):
    """So that the manager's watchdog bites."""
    manager = Manager(str(tmp_path / "notify"))
    process = node.start(NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="200000")
    manager.until("READY")
    assert "WATCHDOG" in manager.next(2)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    with pytest.raises(TimeoutError):
        for _ in range(9):
            manager.next(1)
    process.send_signal(signal.SIGCONT)
    assert "WATCHDOG" in manager.next(2)


def by_sockets(path, *listeners):
    """Replaces the listeners of a configuration by sockets of the manager."""
    text = path.read_text()
    text = text[:text.index("[[listener]]")]
    for service, name, more in listeners:
        text += f'[[listener]]\nservice = "{service}"\nsystemd-socket = "{name}"\n{more}\n'
    path.write_text(text)


def at(system, inherited):
    """The node, as it is reached over inherited sockets."""
    node = system.node
    node.smtp, node.imap, node.imaps = (one.getsockname()[1] for one in inherited)
    return node


def test_sockets_are_taken_over_by_their_names(node):
    inherited = high()
    by_sockets(node.path, ("imaps", "c", ""), ("smtp", "a", ""), ("imap", "b", ""))
    process = node.start(inherited, "a:b:c")
    reached = at(node.system, inherited)
    with SMTP(reached) as session:
        assert session.say("NOOP").code == 250
    with IMAP(reached, node.system.alice) as session:
        session.ok("SELECT INBOX")
    with IMAP(reached, node.system.alice, port=reached.imaps, ca=node.system.ca) as session:
        session.ok("SELECT INBOX")
    process.terminate()
    assert process.wait(10) == 0


def test_who_connects_while_the_node_restarts_is_served(node):
    """The manager keeps the sockets: nobody is refused meanwhile."""
    inherited = high()
    by_sockets(node.path, ("smtp", "a", ""), ("imap", "b", ""), ("imaps", "c", ""))
    waiting = socket.create_connection(inherited[0].getsockname())
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = node.start(inherited, "a:b:c")
        waiting.settimeout(20)
        assert waiting.recv(4) == b"220 "
        waiting.close()
        process.send_signal(number)
        process.wait(10)
        waiting = socket.create_connection(inherited[0].getsockname())
    node.start(inherited, "a:b:c")
    waiting.settimeout(20)
    assert waiting.recv(4) == b"220 "
    waiting.close()


def test_several_sockets_of_one_name(node):
    inherited = high()
    by_sockets(node.path, ("smtp", "mail", ""), ("imap", "b", ""))
    node.start(inherited, "mail:b:mail")
    for one in (inherited[0], inherited[2]):
        with socket.create_connection(one.getsockname(), timeout=20) as client:
            assert client.recv(4) == b"220 "


def test_a_socket_that_is_not_there_is_named(node):
    by_sockets(node.path, ("smtp", "mail", ""))
    process = node.start()
    assert process.wait(20) == 78
    said = process.stderr.read()
    assert 'no socket named "mail"' in said and "FileDescriptorName=mail" in said


def test_a_socket_that_nobody_names_is_logged(node):
    inherited = high()
    by_sockets(node.path, ("smtp", "a", ""), ("imap", "b", ""))
    process = node.start(inherited, "a:b:extra")
    with SMTP(at(node.system, inherited)):
        pass
    process.terminate()
    process.wait(10)
    assert "extra" in process.stderr.read()


# ---- Exit codes


def prevented():
    text = (ROOT / "systemd" / "twinpost.service").read_text()
    return {int(one) for one in re.search(r"^RestartPreventExitStatus=(.*)$", text, re.M)[1].split()}


def ends(process, code):
    assert process.wait(30) == code
    said = process.stderr.read()
    assert "Fatal error" not in said and said.strip()
    return said


def test_a_wrong_configuration_is_not_tried_again(node):
    node.path.write_text("nonsense = 1\n" + node.path.read_text())
    assert "nonsense" in ends(node.start(), 78) and 78 in prevented()


def test_a_missing_configuration_is_not_tried_again(node):
    node.path.unlink()
    assert str(node.path) in ends(node.start(), 78)


def test_damaged_data_is_not_tried_again(node):
    data = pathlib.Path(node.system.node.data)
    for path in (data / "journal").iterdir():
        content = bytearray(path.read_bytes())
        for at_ in range(0, min(len(content), 1 << 20), 512):
            content[at_] ^= 0x55
        path.write_bytes(content)
    said = ends(node.start(), 65)
    assert str(data) in said and 65 in prevented()


def test_a_lost_identity_is_not_tried_again(node):
    path = pathlib.Path(node.system.node.data) / "identity"
    path.write_text("nothing\n")
    assert "identity" in ends(node.start(), 65)


def test_data_in_use_is_tried_again(node):
    first = node.start()
    until(lambda: node.system.cli("status", "--control", node.system.node.control,
                                  check=False).returncode == 0, "the first one serves")
    assert "in use" in ends(node.start(), 75) and 75 not in prevented()
    assert first.poll() is None


def test_a_port_in_use_is_tried_again(node):
    with socket.create_server(("127.0.0.1", node.system.node.smtp)):
        said = ends(node.start(), 75)
    assert f"127.0.0.1:{node.system.node.smtp}" in said and "another program has it" in said


def test_a_command_line_that_makes_no_sense(node):
    done = subprocess.run([DAEMON, "--nonsense"], capture_output=True, text=True)
    assert done.returncode == 64 and "Usage" in done.stderr
