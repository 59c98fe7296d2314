"""What the command line says when something is wrong: each says what, where, and what to do, and its
exit code is the documented one."""

import json
import os
import re
import shutil
import subprocess

import pytest

from twinpost_rig import Twinpost
from twinpost_rig.system import BINARIES, ROOT

pytestmark = pytest.mark.ours
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--")


def run(*arguments, program="twinpost", prefix=(), **options):
    return subprocess.run([*prefix, BINARIES / program, *map(str, arguments)], text=True,
                          capture_output=True, timeout=60, stdin=subprocess.DEVNULL, **options)


@pytest.mark.parametrize("arguments, code, words", [
    (["nonsense"], 64, "Unexpected argument 'nonsense'"),
    (["status", "extra"], 64, "Unexpected argument 'extra'"),
    (["account", "add"], 64, "Missing expected argument '<address>'"),
    (["account", "add", "a@b.test", "--quota", "5x"], 64, "500MiB"),
    (["account", "add", "a@b.test"], 65, "--generate"),
    (["account", "passwd", "a", "--generate", "--password-stdin"], 64, "exclude each other"),
    (["try", "--base-port", "0"], 76, "choose a number from 1 to 65000"),
    (["try", "--dir", "/proc/x"], 73, "/proc/x cannot be written"),
    (["status", "--control", "/nonexistent/socket"], 69, "No node runs here: /nonexistent/socket"),
    (["reload", "--control", "/nonexistent/socket"], 69, "twinpostd"),
    (["account", "list", "--control", "/nonexistent/socket"], 69, "--control"),
    (["account", "list", "--control", ""], 69, "without a name"),
    (["status", "--control", "/" + "x" * 200], 69, "File name too long"),
    (["verify", "--dir", "/nonexistent"], 74, "/nonexistent holds no Twinpost data"),
    (["index", "rebuild", "--dir", "/tmp"], 74, "--dir"),
    (["config", "check", "/nonexistent"], 78, "/nonexistent: There is no such file"),
    (["config", "check", "/tmp"], 78, "/tmp: This is a directory"),
])
def test_what_is_wrong_is_said(arguments, code, words):
    done = run(*arguments)
    assert (done.returncode, words in done.stderr) == (code, True), done
    assert not done.stdout
    assert "errno" not in done.stderr and "Optional(" not in done.stderr


@pytest.mark.parametrize("arguments, words", [
    (["--config", "/nonexistent"], "There is no such file"), (["--config", "/tmp"], "directory")])
def test_the_daemon_says_it_too(arguments, words):
    done = run(*arguments, program="twinpostd")
    assert done.returncode == 78 and words in done.stderr and arguments[1] in done.stderr


@pytest.mark.parametrize("arguments", [
    ["status", "--control", "/nonexistent"], ["verify", "--dir", "/nonexistent"],
    ["account", "list", "--control", "/nonexistent"], ["try", "--base-port", "0"]])
def test_a_refusal_as_json(arguments):
    done = run(*arguments, "--json")
    error = json.loads(done.stdout)["error"]
    assert done.stdout.count("\n") == 1
    assert error["message"] in done.stderr and re.fullmatch("[a-z-]+", error["code"])


@pytest.mark.root
def test_another_user_is_told_who_may(tmp_path_factory):
    with Twinpost() as system:
        os.chmod(system.directory, 0o755)
        for path in (system.directory / "try", system.directory / "try" / "a"):
            os.chmod(path, 0o755)
        readable = system.directory / "bin"
        readable.mkdir(mode=0o755)
        program = shutil.copy(BINARIES / "twinpost", readable)
        for arguments, code in (
                (["status", "--control", system.node.control], 77),
                (["account", "list", "--control", system.node.control], 77),
                (["verify", "--dir", system.node.data], 74),
                (["config", "check", system.configuration()], 78)):
            done = subprocess.run([*NOBODY, program, *arguments], text=True, capture_output=True)
            assert done.returncode == code, done
            assert "root" in done.stderr and "ermi" in done.stderr or "may not" in done.stderr, done


def test_verify_while_the_node_runs():
    with Twinpost() as system:
        done = run("verify", "--dir", system.node.data)
        assert done.returncode == 75 and "stop that node first" in done.stderr


def test_every_exit_code_is_documented():
    text = (ROOT / "docs" / "commands.md").read_text()
    codes = re.findall(r"case \w+ = (\d+)",
                       (ROOT / "Sources" / "twinpost" / "Failure.swift").read_text())
    assert len(codes) > 5
    for code in codes:
        assert f"| {code} |" in text


def test_every_command_is_documented():
    """With all its options."""
    text = (ROOT / "docs" / "commands.md").read_text()
    for command in ([], ["try"], ["status"], ["reload"], ["account"], ["account", "add"],
                    ["account", "passwd"], ["config", "check"], ["verify"], ["index", "rebuild"]):
        done = run(*command, "--help")
        assert done.returncode == 0
        for option in re.findall(r"--[a-z-]+", done.stdout):
            assert option in text or option == "--version", (command, option)
