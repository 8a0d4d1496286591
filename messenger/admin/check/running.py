"""All checks, in order."""

import sys
from typing import Any

from msgspec.structs import replace

from messenger.admin.check import accounts, files, messages
from messenger.admin.check.blobs import BlobCheck
from messenger.admin.check.outboxes import check_outboxes
from messenger.admin.check.walk import Report, run_check
from messenger.admin.progress import Progress
from messenger.admin.running import note, run_reactor
from messenger.core.administrator import Administrator
from messenger.core.blobs import Blobs
from messenger.core.bus.connection import Bus
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings
from messenger.core.threads import Threads
from messenger.wire.errors import Problem

STATEMENT_SECONDS = 120.0
LOCK_SECONDS = 1.0
NATS_SECONDS = 3.0


def check(settings: Settings, *, repair: bool) -> int:
    """Do all of it; how much is wrong and was left."""
    report = Report(Progress())
    with Administrator(settings.database, statement=STATEMENT_SECONDS, lock=LOCK_SECONDS) as database:
        try:
            for one in (*messages.CHECKS, *accounts.CHECKS, *files.checks(settings.file.abandoned)):
                run_check(one, database, report, repair=repair)
            run_reactor(lambda reactor: _beyond(reactor, settings, database, report, repair=repair))
        finally:
            for title, count in report.mended.items():
                note(database, "check --repair", f"{title}: {count}")
    mended = sum(report.mended.values())
    sys.stdout.write(f"left: {report.left}, mended: {mended}\n")
    return report.left


async def _beyond(
    reactor: Any, settings: Settings, database: Administrator, report: Report, *, repair: bool
) -> None:
    """Run the checks that need S3 and NATS."""
    await _outboxes(reactor, settings, database, report, repair=repair)
    threads = Threads(reactor, "s3", 1, 8)
    blobs = Blobs(reactor, settings.s3, threads)
    await threads.start()
    try:
        await blobs.start()
        await BlobCheck(database, blobs, report, repair=repair).run()
    except Problem as problem:
        raise StartError(f"the blobs could not be looked at: {problem.detail}") from None
    finally:
        await blobs.stop()
        await threads.stop()


async def _outboxes(
    reactor: Any, settings: Settings, database: Administrator, report: Report, *, repair: bool
) -> None:
    if not repair:
        await check_outboxes(database, None, report)
        return
    bus = Bus(reactor, replace(settings.nats, wait=NATS_SECONDS), "messenger-admin")
    try:
        await bus.start()
    except StartError:
        await check_outboxes(database, bus, report)  # each line says that NATS is away
        return
    try:
        await check_outboxes(database, bus, report)
    finally:
        await bus.stop()
