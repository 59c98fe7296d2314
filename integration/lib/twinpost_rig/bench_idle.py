"""Memory of idle IMAP connections: logged in, selected, in IDLE."""

import resource

from .fast_imap import idle_connection
from .meter import memory_octets
from .table import markdown, progress, ratio


def per_connection(system, count, ca):
    """Octets of proportional set size that each of `count` connections adds."""
    idle_connection(system.node, system.alice, ca=ca).close()
    before = memory_octets(system.pids())
    sockets = [idle_connection(system.node, system.alice, ca=ca) for _ in range(count)]
    octets = (memory_octets(system.pids()) - before) / count
    for one in sockets:
        one.close()
    return octets


def run(systems, options):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plain, tls = (100, 50) if options.quick else (5000, 1000)
    for system in systems.values():
        system.allow_connections(plain + tls + 100)
    rows = []
    for label, count, secure in (("plain", plain, False), ("TLS", tls, True)):
        found = {}
        for name, system in systems.items():
            # Each of Dovecot's is a process; fewer say the same without filling the machine.
            here = count if name == "Twinpost" else min(count, 500)
            progress(f"{here} idle connections, {label}, to {name}")
            found[name] = per_connection(system, here, system.ca if secure else None)
            rows.append((label, name, here, f"{found[name] / 1024:.1f}",
                         ratio(found.get("Postfix+Dovecot"), found.get("Twinpost"), 0)))
    markdown("Idle IMAP connections", ["connection", "system", "count", "KiB each (PSS)",
                                       "Dovecot / ours"], rows)
