"""Postfix and Dovecot on loopback, in private directories, in the shape of a `System`.

Mail goes smtpd -> LMTP -> Dovecot mdbox with fsync on, and with the settings that make both fast.
They prove the rig, and the benchmark compares with them. Needs root, as Postfix does.
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from . import wait
from .meter import tree
from .ports import PortBlock
from .system import Account, Node, System, end, greets, spawn

MAIN = """
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
maillog_file = {d}/postfix.log
maillog_file_prefixes = {d}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = example.test
virtual_mailbox_maps = texthash:{d}/users
virtual_transport = lmtp:unix:{d}/lmtp
lmtp_destination_concurrency_limit = 40
lmtp_destination_recipient_limit = 50
initial_destination_concurrency = 40
in_flow_delay = 0
qmgr_message_active_limit = 40000
qmgr_message_recipient_limit = 40000
default_process_limit = 200
smtpd_client_connection_count_limit = 0
smtpd_client_event_limit_exceptions = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_recipient_limit = 2000
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_tls_security_level = may
smtpd_tls_cert_file = {d}/cert.pem
smtpd_tls_key_file = {d}/key.pem
smtpd_forbid_bare_newline = yes
smtpd_discard_ehlo_keywords = dsn, etrn, vrfy
"""

MASTER = """
127.0.0.1:{smtp}  inet n - n - 200 smtpd
127.0.0.1:{submission} inet n - n - 200 smtpd
127.0.0.1:{submissions} inet n - n - 200 smtpd -o smtpd_tls_wrappermode=yes
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

DOVECOT = """
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{d}/cert.pem
ssl_key = <{d}/key.pem
disable_plaintext_auth = no
mail_location = mdbox:{d}/mail/%u
mail_fsync = optimized
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 0
default_client_limit = 20000
default_process_limit = 8000
default_vsz_limit = 2G
auth_verbose = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {d}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={d}/home/%u
}}
service imap-login {{
  service_count = 0
  client_limit = 20000
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 8000
}}
service lmtp {{
  process_min_avail = 4
  unix_listener {d}/lmtp {{
    mode = 0666
  }}
}}
service stats {{
  client_limit = 40000
}}
service anvil {{
  client_limit = 40000
}}
service auth {{
  client_limit = 40000
}}
protocol imap {{
  mail_max_userip_connections = 0
}}
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = subscribe
  }}
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
}}
"""


class PostfixDovecot(System):
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="twinpost-baseline-"))
        os.chmod(self.directory, 0o755)
        self.ports = PortBlock()
        self.children = []

    def start(self):
        self.write_configuration()
        postfix = ["/usr/sbin/postfix", "-c", self.directory / "postfix"]
        subprocess.run([*postfix, "check"], check=True, capture_output=True)
        self.restart()

    def restart(self):
        log = open(self.directory / "servers.log", "ab")
        self.children = [
            spawn(["/usr/sbin/dovecot", "-F", "-c", self.directory / "dovecot.conf"],
                  stdout=log, stderr=log),
            spawn(["/usr/lib/postfix/sbin/master", "-d", "-c", self.directory / "postfix"],
                  stdout=log, stderr=log)]
        node = self.node
        wait.until(lambda: greets(node.address, node.smtp) and greets(node.address, node.imap)
                   and (self.directory / "lmtp").exists(), "Postfix and Dovecot greet")

    def write_configuration(self):
        base, d = self.ports.base, self.directory
        names = ("smtp", "submission", "submissions", "imap", "imaps")
        ports = {name: base + offset for offset, name in enumerate(names)}
        owner = pwd.getpwnam("mail")
        values = dict(ports, d=d, uid=owner.pw_uid, gid=owner.pw_gid)
        for folder in ("postfix", "queue", "data", "mail", "home", "run", "state"):
            (d / folder).mkdir()
        for folder in ("mail", "home"):
            shutil.chown(d / folder, owner.pw_uid, owner.pw_gid)
        shutil.chown(d / "data", "postfix", "root")
        self.ca = make_certificates(d)
        self.accounts = [Account("alice@example.test", "alice-secret"),
                         Account("bob@example.test", "bob-secret")]
        users = [one.address for one in self.accounts] + ["postmaster@example.test"]
        (d / "users").write_text("".join(f"{one} x\n" for one in users))
        (d / "passwd").write_text("".join(f"{one.address}:{{PLAIN}}{one.password}::::::\n"
                                          for one in self.accounts))
        (d / "postfix" / "main.cf").write_text(MAIN.format(**values))
        (d / "postfix" / "master.cf").write_text(MASTER.format(**values))
        (d / "dovecot.conf").write_text(DOVECOT.format(**values))
        self.nodes = [Node(name="baseline", address="127.0.0.1", pid=0, argv=[], data=str(d),
                           **ports)]

    def pids(self):
        return [child.pid for child in self.children]

    def kill(self):
        for child in self.children:
            child.send_signal(signal.SIGSTOP)  # So that none is forked while they are counted.
        for pid in tree(self.pids()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for child in self.children:
            child.wait()
        for name in ("queue/pid/master.pid", "data/master.lock", "run/master.pid"):
            (self.directory / name).unlink(missing_ok=True)

    def terminate(self):
        for child in reversed(self.children):
            end(child)

    def verify(self):
        """Neither has a command for it; that every message reads back is all there is."""

    def stop(self):
        for child in reversed(self.children):
            end(child)
        self.children = []
        self.ports.release()
        if "TWINPOST_KEEP" not in os.environ:
            shutil.rmtree(self.directory, ignore_errors=True)


def make_certificates(directory):
    """A CA and a certificate for localhost and 127.0.0.1; returns the path of the CA's PEM."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=directory, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30")
    openssl("req", "-x509", *key, "-subj", "/CN=rig CA", "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl("req", "-x509", *key, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out",
            "cert.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext", "basicConstraints=critical,CA:FALSE")
    return str(directory / "ca.pem")
