"""Asking devices for new prekeys when they connect.

A claim that leaves a device with few of them is told to it at once, if it has a socket then. One that was
away meanwhile, or whose prekeys went with a restore, is told here, once all are gone: without one-time
prekeys others' first messages to it have less protection.
"""

from collections.abc import Awaitable, Callable

from twisted.logger import Logger

from messenger.messages.live.connection import Connection
from messenger.wire.errors import Problem
from messenger.wire.frames import PrekeysFrame

log = Logger()


Exhausted = Callable[[str], Awaitable[bool]]
"""Whether the device has published one-time prekeys and none is left."""


async def ask_for_prekeys(exhausted: Exhausted, connection: Connection) -> None:
    """Tell a socket that has been synced that its device has run out of prekeys, if it has."""
    try:
        if await exhausted(connection.device_id) and not connection.closed:
            connection.say(PrekeysFrame(one_time_prekeys=0))
    except Problem as problem:
        log.debug("a device was not asked for prekeys: {detail}", detail=problem.detail)
    except Exception:
        log.failure("a device was not asked for prekeys")
