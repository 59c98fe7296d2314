"""Our TOML parser against Python's: the same values, and the same refusals.

Documents are made from a list of statements that covers the language, joined and then damaged, from
a seed: TOML_SEED=n TOML_DOCUMENTS=m explores."""

import datetime
import json
import math
import os
import pathlib
import random
import subprocess
import tomllib

import pytest

from twinpost_rig.system import ROOT

pytestmark = pytest.mark.ours
SEED = int(os.environ.get("TOML_SEED", 1))
DOCUMENTS = int(os.environ.get("TOML_DOCUMENTS", 20_000))

STATEMENTS = (ROOT / "integration" / "toml" / "statements").read_bytes().splitlines()

# The documents whose statements have line breaks in them, whole.
WHOLE = [one.encode() for one in (
    'c = """many\nlines \\\n      joined "" and """\n', "c = '''it''s\nx'''\n", 'd = [\n  1, # one\n  2,\n]\n',
    'c = """\\\n  \n  x"""\n', "c = '''\n\nx'''\n", 'd = [ # c\n\n1\n,\n]\n', '[a]\r\nb = 1\r\n',
    'c = """a\r\nb"""\r\n', '[a.b]\n[a]\nc = 1\n', '[a.b.c]\n[a]\nb.x = 1\n', '[a]\nb.c = 1\n[a.b]\n',
    '[a]\nb.c = 1\n[a.b.d]\n', '[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\nx = 1\n[a.b.c]\n', '[a]\n[[a]]\n',
    '[[a]]\n[a]\n', 'a = {b = 1}\n[a.c]\n', 'a = {b.c = 1, b.d = 2}\n', 'a = {b = {}, b.c = 1}\n',
    'a = [{b = 1}]\n[[a]]\n', '[a.b]\n[[a.b]]\n', 'a.b = 1\n[a]\n', '[x]\na.b = 1\n[x.a.c]\nd = 1\n')]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    program = tmp_path_factory.mktemp("toml") / "dump"
    sources = sorted((ROOT / "Sources" / "TOML").glob("*.swift"))
    subprocess.run(["swiftc", "-O", "-parse-as-library", *sources,
                    ROOT / "integration" / "toml" / "dump.swift", "-o", program], check=True)

    def read(documents):
        fed = b"".join(b"%d\n%s" % (len(one), one) for one in documents)
        done = subprocess.run([program], input=fed, capture_output=True, check=True, timeout=120)
        lines = done.stdout.decode().split("\n")[:-1]
        assert len(lines) == len(documents)
        return [json.loads(line) for line in lines]

    return read


def documents(seed, count):
    pick = random.Random(seed)
    yield from WHOLE
    for _ in range(count):
        chosen = pick.choices(STATEMENTS, k=pick.randrange(1, 7))
        text = bytearray(pick.choice((b"\n", b"\n", b"\n", b"\r\n")).join(chosen))
        for _ in range(pick.choice((0, 0, 1, 1, 2, 4))):
            at = pick.randrange(len(text) + 1)
            match pick.randrange(4):
                case 0:
                    del text[at:at + pick.randrange(1, 4)]
                case 1:
                    text[at:at] = pick.choice((b'"', b"'", b"[", b"]", b"{", b"}", b",", b".", b"=",
                                               b"#", b"\n", b"\r", b"\\", b" ", b"_", b"0", b"e", b"-",
                                               b":", b"T", b"\0", b"\x7f", "é".encode(), b"\xff"))
                case 2:
                    text[at:at] = text[pick.randrange(len(text) + 1):][:pick.randrange(12)]
                case 3:
                    text[at:at + 1] = bytes([pick.randrange(256)])
        yield bytes(text)


def tagged(value):
    match value:
        case bool(): return ["b", value]
        case str(): return ["s", value]
        case int(): return ["i", str(value)]
        case float(): return ["f", value]
        case list(): return ["a", [tagged(one) for one in value]]
        case dict(): return ["t", {key: tagged(one) for key, one in value.items()}]
        case _: return ["d", value]


def same(one, two):
    """`one` is ours, `two` Python's."""
    if one[0] != two[0]:
        return False
    match one[0]:
        case "a":
            return len(one[1]) == len(two[1]) and all(map(same, one[1], two[1]))
        case "t":
            return one[1].keys() == two[1].keys() and all(same(one[1][k], two[1][k]) for k in one[1])
        case "f":
            return float(one[1]) == two[1] or math.isnan(float(one[1])) and math.isnan(two[1])
        case "d":
            return tomllib.loads("x = " + one[1])["x"] == two[1] \
                and isinstance(two[1], (datetime.date, datetime.time))
    return one[1] == two[1]


def reference(document):
    try:
        return tagged(tomllib.loads(document.decode()))
    except ValueError:
        return None


def too_large(value):
    match value:
        case ["i", number]: return not -2**63 <= int(number) < 2**63
        case ["a", inner]: return any(map(too_large, inner))
        case ["t", inner]: return any(map(too_large, inner.values()))
    return False


def test_the_same_values_and_the_same_refusals(ours):
    made = list(documents(SEED, DOCUMENTS))
    taken = 0
    for document, answer in zip(made, ours(made)):
        wanted = reference(document)
        if wanted is None and "ok" in answer and b"0000-" in document:
            continue  # The year 0, which Python's dates do not have.
        if wanted is not None and too_large(wanted):
            wanted = None
        assert ("ok" in answer) == (wanted is not None), (document, answer, wanted)
        if wanted is None:
            lines = document.count(b"\n") + 1
            assert 1 <= answer["line"] <= lines and answer["column"] >= 1, (document, answer)
        else:
            taken += 1
            assert same(answer["ok"], wanted), (document, answer, wanted)
    assert len(made) // 10 < taken < len(made) - len(made) // 10, f"{taken} of {len(made)} taken"


@pytest.mark.parametrize("document", [
    b"[" * 1_000_000, b"a = " + b"[" * 1_000_000, b"a = " + b"{a = " * 500_000, b"a." * 500_000,
    b"[" + b"a." * 500_000, b'"' * 1_000_000, b"a = " + b"'" * 1_000_000, b"\xff" * 1_000_000,
    b"[[a]]\n" * 200_000, b"".join(b"a%d = 1\n" % i for i in range(200_000)),
    b"a = [" + b"1," * 1_000_000 + b"]", b"a = 1" + b"0" * 1_000_000, b"#" * 1_000_000,
    b'a = "' + b"\\\\" * 500_000 + b'"', b'a = """' + b'"" ' * 300_000, b"\n" * 1_000_000],
    ids=lambda document: ascii(document[:12].decode("latin1")))
def test_any_size_is_read_or_refused_in_time(ours, document):
    assert ours([document])[0].keys() & {"ok", "line"}
