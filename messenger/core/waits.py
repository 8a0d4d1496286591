"""Waiting with an end, in Twisted's terms, and the one place where asyncio is met."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.python.failure import Failure

T = TypeVar("T")


async def within(reactor: Any, seconds: float, awaitable: Awaitable[T]) -> T:
    """The awaitable's result; it is cancelled and TimeoutError raised after `seconds`."""

    async def run() -> T:
        return await awaitable

    def ended(result: Any, timeout: float) -> Any:
        if isinstance(result, Failure) and result.check(CancelledError):
            raise TimeoutError(f"no answer within {timeout:g} s")
        return result

    return await ensureDeferred(run()).addTimeout(seconds, reactor, ended)


async def pause(reactor: Any, seconds: float) -> None:
    """Wait `seconds`; cancelling it leaves no call behind."""
    waiting: Deferred[None] = Deferred()
    call = reactor.callLater(seconds, waiting.callback, None)
    try:
        await waiting
    finally:
        if call.active():
            call.cancel()


async def shield(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which goes on to its end where whoever waits for it is cancelled."""
    waiting: Deferred[T] = Deferred()
    ensureDeferred(work).addCallbacks(waiting.callback, waiting.errback)
    return await waiting


async def from_asyncio(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that awaits asyncio's futures (nats-py, redis); cancelling cancels it.

    A coroutine that Twisted drives can't await those itself.
    """
    task = asyncio.ensure_future(coroutine)
    try:
        return await Deferred.fromFuture(task)
    except asyncio.CancelledError:
        raise CancelledError() from None
