"""The cost of one lost machine of PostgreSQL or NATS: single points, and standbys that may be behind."""

from msgspec.structs import replace

from messenger.admin.doctor.findings import Findings
from messenger.core.administrator import Administrator
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings

_STANDBYS = """
select coalesce(nullif(application_name, ''), host(client_addr), 'unnamed'), sync_state,
    coalesce(extract(epoch from replay_lag), 0)::float
from pg_stat_replication where state = 'streaming' order by 1
"""
_ADVICE = "see docs/operations.md, `When a standby takes over`"


def look_at_hosts(settings: Settings, findings: Findings) -> None:
    """Each host of `[database] host`: exactly one is the primary."""
    hosts = settings.database.hosts
    if len(hosts) == 1:
        words = f"{hosts[0]} alone"
        findings.warn(
            "[database] host", words, "fine for a pooler's or a cloud's address that moves; else name all"
        )
        return
    primaries = []
    for host in hosts:
        only = replace(settings.database, host=str(host))
        try:
            with Administrator(only, statement=5.0, any_state=True) as database:
                standby = bool(database.value("select pg_is_in_recovery()"))
        except StartError as error:
            findings.warn(f"PostgreSQL at {host}", f"does not let us in ({error})", "it can't take over")
            continue
        findings.ok(f"PostgreSQL at {host}", "is a standby" if standby else "is the primary")
        if not standby:
            primaries.append(host)
    if len(primaries) > 1:
        names = ", ".join(map(str, primaries))
        findings.bad(
            "PostgreSQL", f"{names} all take writes", "stop all but the one with the newest timeline at once"
        )


def look_at_standbys(database: Administrator, findings: Findings) -> None:
    """Who would take over, and whether it has all that was acknowledged."""
    found = database.rows(_STANDBYS)
    if not found:
        findings.warn(
            "PostgreSQL standby", "there is none", f"one machine lost is the service lost; {_ADVICE}"
        )
        return
    wanted = str(database.value("show synchronous_standby_names"))
    for name, state, lag in found:
        if state in ("sync", "quorum"):
            findings.ok(f"standby {name}", f"has all that is acknowledged ({state})")
        else:
            words = f"is asynchronous, {lag:.1f} s behind"
            why = "the last seconds come back from clients only" if not wanted else "others are waited for"
            findings.warn(f"standby {name}", words, f"{why}; {_ADVICE}")


def look_at_nats(settings: Settings, findings: Findings) -> None:
    """Whether one NATS may be lost."""
    if settings.nats.replicas < 3:
        findings.warn(
            "[nats] replicas",
            f"is {settings.nats.replicas}: one node holds each stream",
            "without it nothing is lost, and others' messages take seconds; three nodes and 3 do better",
        )
