"""Events that don't get out: rows of outboxes older than a minute, which any instance should have relayed.

`--repair` gives them to NATS and removes them. That is what instances do; a second time does no harm.
"""

from messenger.admin.check.walk import Report
from messenger.core.administrator import Administrator
from messenger.core.bus.connection import Bus, BusAway
from messenger.core.schemas import SCHEMAS

PAGE = 500

_OLD = """
select count(*), extract(epoch from now() - min(created_at))::bigint, min(subject) from {schema}.outbox
where created_at < now() - interval '1 minute' having count(*) > 0
"""
_ROWS = """
select id, subject, payload from {schema}.outbox
where created_at < now() - interval '1 minute' order by created_at limit {page}
"""


async def check_outboxes(database: Administrator, bus: Bus | None, report: Report) -> None:
    """Look at all outboxes; mend what can be by `bus`, where one is given."""
    for schema in SCHEMAS:
        report.begin(f"outbox of {schema}")
        for count, age, subject in database.rows(_OLD.format(schema=schema)):
            what = f"{count} events have waited, the oldest for {age} s ({subject})"
            if bus is None:
                report.found(what, "", "--repair hands them to NATS; why do the services not?")
                continue
            try:
                done = await _relay(database, bus, schema)
            except BusAway as why:
                report.found(what, "", f"NATS does not take them: {why}")
            else:
                report.found(what, f"{done} are with NATS now", "")
        report.end()


async def _relay(database: Administrator, bus: Bus, schema: str) -> int:
    done = 0
    while rows := database.rows(_ROWS.format(schema=schema, page=PAGE)):
        for event_id, subject, payload in rows:
            await bus.publish(subject, payload, event_id)
        ids = [row[0] for row in rows]
        database.change(f"delete from {schema}.outbox where id = any(%s::uuid[])", (ids,))  # noqa: S608
        done += len(rows)
    return done
