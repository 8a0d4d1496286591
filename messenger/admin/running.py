"""Runs one asynchronous piece of administration in a process of its own: start, do, tell, stop.

It logs in as the auth service does ([auth] database_password), so that it can do no more than that. What has
to be told to the services is told at once where NATS is there; else they relay it from the outbox within
seconds.
"""

import os
from collections.abc import Awaitable, Callable
from getpass import getuser
from socket import gethostname
from typing import Any, TypeVar

from msgspec.structs import replace
from twisted.internet.defer import FirstError, ensureDeferred, gatherResults
from twisted.python.failure import Failure

from messenger.auth.store.administration import AdminStore
from messenger.core.administrator import Administrator
from messenger.core.bus.connection import Bus
from messenger.core.config import require
from messenger.core.database.pool import Database
from messenger.core.lifecycle import StartError
from messenger.core.outbox import Outbox
from messenger.core.outgoing import Outgoing
from messenger.core.reactor import install_reactor
from messenger.core.schemas import newest
from messenger.core.settings import Settings

DATABASE_SECONDS = 5.0
NATS_SECONDS = 2.0

_NOTE = "insert into auth.audit (actor, action, subject) values (%s, %s, %s)"

T = TypeVar("T")
Tell = Callable[[list[Outgoing]], None]


def actor() -> str:
    """Who acts: the user of the operating system, also behind sudo, and the machine."""
    name = os.environ.get("SUDO_USER") or getuser()
    return f"{name}@{gethostname()}"[:200]


def note(database: Administrator, action: str, subject: str) -> None:
    """Write down in `auth.audit` what was done as the administrator; the first schema has no such table."""
    if database.value("select to_regclass('auth.audit')") is not None:
        database.change(_NOTE, (actor(), action, subject))


def run(settings: Settings, work: Callable[[AdminStore, Tell], Awaitable[T]]) -> T:
    """Run `work` and give its result, once all that it told is on its way; StartError or Problem where it
    could not."""
    return run_reactor(lambda reactor: _run(reactor, settings, work))


def run_reactor(work: Callable[[Any], Awaitable[T]]) -> T:
    """Give or raise what `work(reactor)` does. The reactor runs for as long as that lasts, once in a
    process."""
    install_reactor()
    from twisted.internet import reactor

    outcome: list[Any] = []

    async def begin() -> T:
        return await work(reactor)

    def start() -> None:
        ensureDeferred(begin()).addBoth(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    if not outcome:
        raise StartError("interrupted")
    (result,) = outcome
    if isinstance(result, Failure):
        result.raiseException()
    found: T = result
    return found


async def together(work: Callable[[], Awaitable[None]], workers: int) -> None:
    """Run `work` so many times side by side; return once all have, or raise what the first failure is."""

    async def one() -> None:
        await work()

    try:
        await gatherResults([ensureDeferred(one()) for _ in range(workers)], consumeErrors=True)
    except FirstError as first:
        first.subFailure.raiseException()


async def _run(reactor: Any, settings: Settings, work: Callable[[AdminStore, Tell], Awaitable[T]]) -> T:
    password = require(settings.auth.database_password, "auth", "database_password")
    where = replace(settings.database, connections=1, wait=DATABASE_SECONDS)
    database = Database(reactor, where, "auth", password, newest("auth"))
    told: list[Outgoing] = []
    await database.start()
    try:
        result = await work(AdminStore(database, actor()), told.extend)
        if told:
            await _tell(reactor, settings, database, told)
        return result
    finally:
        await database.stop()


async def _tell(reactor: Any, settings: Settings, database: Database, events: list[Outgoing]) -> None:
    bus = Bus(reactor, replace(settings.nats, wait=NATS_SECONDS), "messenger-admin")
    outbox = Outbox(reactor, database, bus, "auth")
    try:
        await bus.start()
    except StartError:
        return  # the auth service relays it
    await outbox.start()
    outbox.publish(events)
    await outbox.stop()
    await bus.stop()
