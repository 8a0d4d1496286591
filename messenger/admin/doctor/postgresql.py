"""PostgreSQL: version, settings that promises hang on, the services' roles, schemas and rights, the clock."""

import time

from messenger.admin.doctor.findings import Findings
from messenger.admin.doctor.redundancy import look_at_hosts, look_at_standbys
from messenger.core.administrator import Administrator
from messenger.core.lifecycle import StartError
from messenger.core.room import NO_SPACE
from messenger.core.schemas import SCHEMAS, newest
from messenger.core.settings import Settings

OLDEST = 160_000
SKEW_SECONDS = 2.0
SLOW_SECONDS = 0.1

_RIGHTS = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s and c.relkind = 'r' and c.relname <> 'alembic_version'
    and not has_table_privilege(%(role)s, c.oid, 'select')
order by 1
"""
_STORED = """
create temporary table messenger_doctor on commit drop as
    select gen_random_uuid() as id, repeat('x', 1000) as filling from generate_series(1, 1000)
"""
_TOO_MANY = """
select rolsuper or rolcreaterole or rolbypassrls or pg_has_role(rolname, rolname || '_owner', 'member')
from pg_roles where rolname = %s
"""


def look_at_postgresql(settings: Settings, findings: Findings) -> None:
    """All of it; what hangs on a connection that can't be had is left out."""
    where = f"PostgreSQL at {settings.database.where}"
    try:
        began = time.time()
        database = Administrator(settings.database, statement=10.0)
    except StartError as error:
        findings.bad("PostgreSQL", f"{error}", "is it up, and are host, port and admin_password right?")
        return
    look_at_hosts(settings, findings)
    with database:
        findings.ok(
            where, f"lets {settings.database.admin_user} in, in {(time.time() - began) * 1000:.0f} ms"
        )
        _room(database, findings)
        _server(database, findings)
        _clock(database, findings)
        look_at_standbys(database, findings)
        schemas = _schemas(database, findings)
        for schema in schemas:
            _role(settings, database, schema, findings)


def _room(database: Administrator, findings: Findings) -> None:
    try:
        with database.transaction():
            database.change(_STORED)
            raise _TakenBack
    except _TakenBack:
        findings.ok("PostgreSQL's disk", "has room")
    except StartError as error:
        if NO_SPACE not in str(error):
            findings.bad("PostgreSQL", f"stores nothing ({error})", "see its log")
            return
        findings.bad(
            "PostgreSQL's disk is full",
            f"nothing new can be stored, nothing is lost ({error})",
            "make room there, or make it larger; never delete anything in its directory, pg_wal least of all."
            " Everything goes on by itself then",
        )


class _TakenBack(Exception):
    """Raised to take back what was stored to see whether it can be."""


def _server(database: Administrator, findings: Findings) -> None:
    number = int(database.value("show server_version_num"))
    version = str(database.value("show server_version"))
    findings.judge(number >= OLDEST, "PostgreSQL", f"is version {version}", "16 or newer is needed")
    for name, why in (
        ("fsync", "a crash of the machine may destroy the database"),
        ("full_page_writes", "a crash of the machine may destroy the database"),
        ("synchronous_commit", "messages that were answered for may be lost in a crash"),
    ):
        value = str(database.value(f"show {name}"))
        findings.judge(value != "off", f"PostgreSQL {name}", f"is {value}", f"{why}: set it to `on`")
    encoding = str(database.value("show server_encoding"))
    findings.judge(
        encoding == "UTF8", "PostgreSQL encoding", f"is {encoding}", "make the database with encoding UTF8"
    )
    most = int(database.value("show max_connections"))
    used = int(database.value("select count(*) from pg_stat_activity where backend_type = 'client backend'"))
    if used > most * 0.8:
        findings.warn("PostgreSQL connections", f"{used} of {most} are used", "raise max_connections")
    else:
        findings.ok("PostgreSQL connections", f"{used} of {most} are used")
    if database.value("show data_checksums") != "on":
        findings.warn(
            "PostgreSQL data_checksums", "are off", "a broken disk goes unnoticed: pg_checksums turns them on"
        )


def _clock(database: Administrator, findings: Findings) -> None:
    before = time.time()
    theirs = float(database.value("select extract(epoch from clock_timestamp())"))
    after = time.time()
    skew = 0.0 if before <= theirs <= after else min(abs(theirs - before), abs(theirs - after))
    findings.judge(
        skew <= SKEW_SECONDS,
        "clock",
        f"PostgreSQL's machine and this one differ by {skew:.1f} s",
        "let NTP set both: tokens and expiry go by the clock",
    )


def _schemas(database: Administrator, findings: Findings) -> list[str]:
    """The schemas that are there."""
    found = []
    for schema in SCHEMAS:
        if database.value("select to_regclass(%s)", (f"{schema}.alembic_version",)) is None:
            findings.bad(f"schema {schema}", "is not there", "run `messenger-admin migrate`")
            continue
        found.append(schema)
        version = str(database.value(f"select version_num from {schema}.alembic_version"))  # noqa: S608
        wanted = newest(schema)
        if version > wanted:
            findings.warn(
                f"schema {schema}", f"is at {version}, newer than this version's {wanted}", "update"
            )
        else:
            advice = f"{wanted} is wanted: run `messenger-admin migrate`"
            findings.judge(version == wanted, f"schema {schema}", f"is at {version}", advice)
    return found


def _role(settings: Settings, database: Administrator, schema: str, findings: Findings) -> None:
    role = f"messenger_{schema}"
    password = getattr(settings, schema).database_password
    if not password:
        return  # told already
    try:
        with Administrator(settings.database, role=(role, password)) as own:
            own.value(f"select version_num from {schema}.alembic_version")  # noqa: S608
    except StartError as error:
        findings.bad(
            f"role {role}",
            f"can't log in and read its schema ({error})",
            "`messenger-admin migrate` sets its password",
        )
        return
    missing = [name for (name,) in database.rows(_RIGHTS, {"schema": schema, "role": role})]
    if missing:
        advice = "somebody took it away: grant again what the schema's migrations grant"
        findings.bad(f"role {role}", f"may not read {schema}.{missing[0]}", advice)
    elif database.value(_TOO_MANY, (role,)):
        findings.warn(f"role {role}", "may do more than it needs", "take away what migrations did not grant")
    else:
        findings.ok(f"role {role}", "logs in and has its rights")
