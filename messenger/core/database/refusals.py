"""PostgreSQL's refusals as Problems, and the probe that finds out that there is room again."""

import os
from collections.abc import Awaitable, Callable

import psycopg2
import psycopg2.errorcodes
from twisted.logger import Logger

from messenger.core.database.connection import Lost
from messenger.core.database.transaction import Transaction
from messenger.core.database.versions import error_line
from messenger.core.room import NO_SPACE, Room
from messenger.wire.errors import Code, Problem, unavailable

PROBE_BYTES = 65_536

log = Logger()


class NoPrimary(Problem):
    """Servers answer, and none of them takes writes. `state` is what `/ready` says of it."""

    state = "read-only: no primary answers"

    def __init__(self) -> None:
        super().__init__(Code.unavailable, "The database takes no writes at the moment.", retry_after=1)


class TakenBack(Exception):
    """Raised by the probe for room, to roll back what it stored."""


def gone(room: Room, lost: Lost) -> Problem:
    """The Problem of a changing statement whose connection has ended."""
    # PostgreSQL itself stops where its log finds no room, and says so to whoever is connected.
    if NO_SPACE in str(lost):
        return room.lost(NO_SPACE)
    return unavailable("The database went away.")


def refused(room: Room, error: psycopg2.OperationalError) -> Exception:
    """The Problem of a refusal for want of something (class 53) or after a fault of the system (58); others
    stay what they are."""
    code = error.pgcode or ""
    if code == psycopg2.errorcodes.DISK_FULL or NO_SPACE in str(error):
        return room.lost(error_line(error))
    if code.startswith(("53", "58")):
        log.error(
            "PostgreSQL refuses statements: {reason}; clients are told to come back until that is mended",
            reason=error_line(error),
        )
        return unavailable("The database can't serve this at the moment.")
    return error


def store_and_take_back(schema: str) -> Callable[[Transaction], Awaitable[None]]:
    """The body of a transaction that stores something of PROBE_BYTES and raises TakenBack."""
    sql = f"insert into {schema}.outbox (id, subject, payload) values (gen_random_uuid(), 'room', %s)"  # noqa: S608

    async def body(transaction: Transaction) -> None:
        await transaction.write(sql, (os.urandom(PROBE_BYTES),))
        raise TakenBack

    return body
