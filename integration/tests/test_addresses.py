"""Who gets a message: aliases, catch-all, postmaster, and accounts that are full."""

import json

import pytest

from twinpost_rig import Twinpost, until
from twinpost_rig.messages import message, unique
from twinpost_rig.system import Account
from twinpost_rig.wire import IMAP, SMTP

pytestmark = pytest.mark.ours

DOMAINS = """
[[domain]]
name = "second.test"
catch-all = "bob@example.test"

[domain.aliases]
info = "alice@example.test"
team = ["alice@example.test", "board"]
board = ["nested", "alice+board@example.test"]
nested = "bob@example.test"

[routing]
postmaster = "bob@example.test"
"""


def reload(system, change):
    """Rewrites the configuration by `change` and has it read; returns the command's outcome."""
    path = system.configuration()
    good = path.read_text()
    path.write_text(change(good))
    done = system.cli("reload", "--control", system.node.control, check=False)
    if done.returncode:
        path.write_text(good)
    return done


@pytest.fixture(scope="module")
def routed():
    with Twinpost() as system:
        done = reload(system, lambda text: text + DOMAINS)
        assert done.returncode == 0, done.stderr
        yield system


def deliver(system, *recipients, octets=0):
    token = unique()
    with SMTP(system.node) as session:
        reply = session.deliver("c@example.net", list(recipients),
                                message(token=token, octets=octets))
        assert reply.code == 250, reply
    return token


def copies(system, token):
    """How many copies of a message alice and bob have."""
    found = []
    for account in (system.alice, system.bob):
        with IMAP(system.node, account) as session:
            session.ok("SELECT INBOX")
            found.append(len(session.uids(f'HEADER Message-ID "{token}"')))
    return tuple(found)


@pytest.mark.parametrize("recipient, expected", [
    ("info@second.test", (1, 0)), ("INFO@Second.Test", (1, 0)), ("info+x@second.test", (1, 0)),
    ("nested@second.test", (0, 1)), ("board@second.test", (1, 1)), ("team@second.test", (1, 1)),
    ("anybody@second.test", (0, 1)), ("postmaster@second.test", (0, 1)),
    ("postmaster@example.test", (0, 1)), ("Postmaster", (0, 1))])
def test_an_address_leads_to_its_accounts(routed, recipient, expected):
    assert copies(routed, deliver(routed, recipient)) == expected


def test_an_account_reached_by_several_recipients_gets_one_copy(routed):
    token = deliver(routed, "info@second.test", "team@second.test", "alice@example.test")
    assert copies(routed, token) == (1, 1)


def test_a_catch_all_is_for_its_own_domain(routed):
    with SMTP(routed.node) as session:
        session.say("MAIL FROM:<c@example.net>")
        reply = session.say("RCPT TO:<anybody@example.test>")
        assert (reply.code, reply.enhanced) == (550, "5.1.1")


@pytest.mark.parametrize("aliases, named", [
    ('a = "b"\nb = "c"\nc = "a"\n', "a@third.test"),
    ('a = "a"\n', "a@third.test"), ('a = "x@elsewhere.example"\n', "x@elsewhere.example")])
def test_an_alias_that_leads_nowhere_is_refused(routed, tmp_path, aliases, named):
    third = f'\n[[domain]]\nname = "third.test"\n[domain.aliases]\n{aliases}'
    done = reload(routed, lambda text: text + third)
    assert done.returncode != 0 and named in done.stderr, done
    assert copies(routed, deliver(routed, "info@second.test")) == (1, 0)
    path = tmp_path / "looping.toml"
    path.write_text(routed.configuration().read_text() + third)
    done = routed.cli("config", "check", path, check=False)
    assert done.returncode != 0 and named in done.stdout + done.stderr, done


@pytest.fixture
def small(routed):
    """A function that makes an account that may hold few octets."""

    def make(quota, *options):
        address = f"small-{unique().replace('.', '-')}@example.test"
        control = ("--control", routed.node.control)
        routed.cli("account", "add", *control, address, "--quota", quota, *options,
                   input="a-long-secret\n")
        return Account(address, "a-long-secret")

    return make


def rcpt(system, address, size=""):
    with SMTP(system.node) as session:
        assert session.say(f"MAIL FROM:<c@example.net>{size}").code == 250
        return session.say(f"RCPT TO:<{address}>")


def overfill(system, address, octets):
    """Fills the mailbox beyond its quota, which is below twice `octets`, by one message."""
    roomy = f"roomy-{unique().replace('.', '-')}@example.test"
    system.cli("account", "add", "--control", system.node.control, roomy, "--quota", "1GiB",
               input="a-long-secret\n")
    for _ in range(8):
        if rcpt(system, address).code != 250:
            return
        deliver(system, address, roomy, octets=octets)
    raise AssertionError(f"{address} is never full")


def test_a_message_that_no_recipient_has_room_for_is_refused_at_its_end(routed, small):
    accounts = [small("20000"), small("20000")]
    with SMTP(routed.node) as session:
        reply = session.deliver("c@example.net", [a.address for a in accounts],
                                message(octets=30_000))
        assert (reply.code, reply.enhanced) == (452, "4.2.2"), reply
        assert session.deliver("c@example.net", [a.address for a in accounts],
                               message(octets=3000)).code == 250
    for account in accounts:
        with IMAP(routed.node, account) as session:
            session.ok("SELECT INBOX")
            assert len(session.uids()) == 1


def test_a_full_mailbox_is_refused_at_rcpt_until_there_is_room(routed, small):
    account = small("100000")
    overfill(routed, account.address, 60_000)
    reply = rcpt(routed, account.address)
    assert (reply.code, reply.enhanced) == (452, "4.2.2"), reply
    with IMAP(routed.node, account) as session:
        answer = session.append("INBOX", message())
        assert answer.status == "NO" and answer.code("OVERQUOTA") is not None, answer
        session.ok("SELECT INBOX")
        session.ok("STORE 1 +FLAGS (\\Deleted)")
        session.ok("EXPUNGE")
    assert rcpt(routed, account.address).code == 250


def test_a_message_declared_too_large_for_the_mailbox_is_refused_at_rcpt(routed, small):
    account = small("100000")
    assert rcpt(routed, account.address, " SIZE=90000").code == 250
    reply = rcpt(routed, account.address, " SIZE=200000")
    assert (reply.code, reply.enhanced) == (452, "4.2.2"), reply


def test_a_changed_quota_holds_at_once(routed, small):
    account = small("1000")
    overfill(routed, account.address, 5000)
    assert rcpt(routed, account.address).code == 452
    routed.cli("account", "quota", "--control", routed.node.control, account.address, "1GiB")
    assert rcpt(routed, account.address).code == 250


def test_the_default_quota_holds_for_accounts_without_one(fresh):
    done = reload(fresh, lambda text: text + "\n[accounts]\nquota-default = 10000\n")
    assert done.returncode == 0, done.stderr
    overfill(fresh, fresh.alice.address, 12_000)
    reply = rcpt(fresh, fresh.alice.address)
    assert (reply.code, reply.enhanced) == (452, "4.2.2"), reply
    fresh.cli("account", "quota", "--control", fresh.node.control, fresh.bob.address, "1GiB")
    assert rcpt(fresh, fresh.bob.address).code == 250
    # APPEND goes by the same, reloaded value.
    with IMAP(fresh.node, fresh.alice) as session:
        assert session.append("INBOX", message()).status == "NO"
    fresh.kill()
    fresh.restart()
    assert rcpt(fresh, fresh.alice.address).code == 452
    with IMAP(fresh.node, fresh.alice) as session:
        assert session.append("INBOX", message()).status == "NO"


def test_an_account_answers_to_its_further_addresses(routed, small):
    other = f"other-{unique().replace('.', '-')}@second.test"
    account = small("1GiB", "--alias", other)
    token = deliver(routed, other)
    with IMAP(routed.node, account) as session:
        session.ok("SELECT INBOX")
        assert len(session.uids(f'HEADER Message-ID "{token}"')) == 1
    listed = json.loads(routed.cli("account", "list", "--json", "--control",
                                   routed.node.control).stdout)
    ours = next(one for one in listed["accounts"] if account.address in one["addresses"])
    assert other in ours["addresses"]


def test_mail_for_a_removed_account_is_refused_at_once(routed, small):
    account = small("1GiB")
    assert rcpt(routed, account.address).code == 250
    routed.cli("account", "remove", "--control", routed.node.control, account.address)
    until(lambda: rcpt(routed, account.address).code == 550, "the address is gone", 5)
