"""Work that has to be done once, by whichever instance of a service takes it: durable, and idempotent.

Whoever wants something done writes an outbox row with a subject below `messenger.work` in the transaction
that makes it necessary. Each service that has a part in it runs a `Work` with a durable name of its own, on
all of its instances: one of them gets each piece, also what was asked for while all were down. A piece is
acknowledged after `do` has returned, which is to say committed; where it raises, or its instance dies, the
piece comes again, later each time. So `do` may be called twice for the same piece, also at the same time.

NATS may be wiped, so PostgreSQL is the truth here too: a service also looks there for what is to be done, by
`look`, at its start, after each gap, and every LOOK_SECONDS.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger

from messenger.core.bus.connection import Bus, BusAway
from messenger.core.bus.jobs import Job
from messenger.core.periodic import Periodic
from messenger.core.waits import pause
from messenger.wire.codec import Decoder
from messenger.wire.errors import Problem

LOOK_SECONDS = 300.0
AWAY_SECONDS = 1.0
LONGEST_DELAY = 60.0

log = Logger()

T = TypeVar("T")
R = TypeVar("R")


class Work(Generic[T]):
    """A part that does the work on `subject`, one piece at a time, under the durable name `name`.

    `do` gets each piece as a `kind`; what can't be read as one is dropped. `look` finds in PostgreSQL what
    the bus has lost, and does that.
    """

    def __init__(
        self,
        reactor: Any,
        bus: Bus,
        name: str,
        subject: str,
        kind: type[T],
        do: Callable[[T], Awaitable[None]],
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._reactor = reactor
        self._bus = bus
        self._name = name
        self._subject = subject
        self._decoder = Decoder[T](kind)
        self._do = do
        self._looking = Periodic(reactor, LOOK_SECONDS, f"{name} by the database", look)
        self._working: Deferred[None] | None = None
        self._waiting: Deferred[Any] | None = None
        self._stopping = False
        bus.on_gap(self._looking.soon)

    async def start(self) -> None:
        """Begin; NATS need not be there."""
        await self._looking.start()
        self._working = ensureDeferred(self._work())

    async def stop(self) -> None:
        """Let the piece under way come to its end; wait for no other."""
        self._stopping = True
        if self._waiting is not None:
            self._waiting.cancel()
        if self._working is not None:
            await self._working
        await self._looking.stop()

    async def _work(self) -> None:
        while not self._stopping:
            job = await self._next()
            if job is None:
                continue
            try:
                await self._try(job)
            except Exception:
                # The piece comes again by itself; but who takes no more pieces leaves them all to others.
                log.failure(
                    "{name}: a job's outcome could not be told to NATS, which hands it out again",
                    name=self._name,
                )

    async def _next(self) -> Job | None:
        """The next piece, or None after a while without one."""
        try:
            return await self._unless_stopped(self._bus.take(self._name, self._subject))
        except BusAway as error:
            log.debug("{name} waits for NATS: {error}", name=self._name, error=str(error))
        except CancelledError:
            log.debug("{name} waits for NATS: it was broken off", name=self._name)
        except Exception:
            log.failure(
                "{name}: the next job could not be fetched from NATS; that is tried again", name=self._name
            )
        if not self._stopping:
            await self._unless_stopped(pause(self._reactor, AWAY_SECONDS))
        return None

    async def _unless_stopped(self, awaitable: Awaitable[R]) -> R | None:
        async def run() -> R:
            return await awaitable

        self._waiting = ensureDeferred(run())
        try:
            found: R = await self._waiting
            return found
        except CancelledError:
            if not self._stopping:
                raise  # not by us: whoever asks again at once would ask without end
            return None
        finally:
            self._waiting = None

    async def _try(self, job: Job) -> None:
        try:
            piece = self._decoder.decode(job.payload)
        except Problem as problem:
            log.error(
                "{name}: a job that does not decode was dropped: {detail}",
                name=self._name,
                detail=problem.detail,
            )
            await job.done()
            return
        try:
            await self._do(piece)
        except Problem as problem:
            log.warn("{name} failed, and is tried again: {detail}", name=self._name, detail=problem.detail)
            await job.again(_delay(job.tries))
        except Exception:
            log.failure("{name} failed, and is tried again", name=self._name)
            await job.again(_delay(job.tries))
        else:
            await job.done()


def _delay(tries: int) -> float:
    """Seconds before the next try: 1, 2, 4 and so on."""
    return min(LONGEST_DELAY, 2.0 ** min(tries - 1, 10))
