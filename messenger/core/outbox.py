"""The transactional outbox: what a transaction stored for others to know reaches the bus after its commit.

Each schema has a table `outbox (id uuid, subject text, payload bytea, created_at timestamptz)`. The
transaction inserts a row by `record` (or inside a function of its schema); after the commit the instance
calls `publish`, which publishes at once and deletes the row when JetStream has it. What a dead instance or an
absent NATS left is relayed by any instance once it is older than two seconds. The id is the event's
`Nats-Msg-Id`, so a second relay is dropped there.

At most `IN_FLIGHT` events of one instance are on their way; what comes beyond waits in the table.
"""

from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.core.bus.connection import Bus, BusAway
from messenger.core.database.pool import Database
from messenger.core.database.transaction import Transaction
from messenger.core.ids import new_id
from messenger.core.outgoing import Outgoing
from messenger.wire.codec import encode
from messenger.wire.errors import Problem
from messenger.wire.events import Event

IN_FLIGHT = 500
RELAY_SECONDS = 1.0
ALONE_SECONDS = 5.0
RELAY_BATCH = 500

log = Logger()


async def record(tx: Transaction, events: Sequence[Event]) -> list[Outgoing]:
    """Write events into the outbox of the transaction's schema, to be published after the commit."""
    if not events:
        return []
    outgoing = [Outgoing(new_id(), event) for event in events]
    await tx.write(
        f"insert into {tx.schema}.outbox (id, subject, payload)"  # noqa: S608 - a constant of the code
        " select * from unnest(%s::uuid[], %s::text[], %s::bytea[])",
        (
            [one.event_id for one in outgoing],
            [event.subject for event in events],
            [encode(event) for event in events],
        ),
    )
    return outgoing


class Outbox:
    """Publishes the rows of one schema's outbox.

    `alone`: no other instance leaves rows, so those that are not this one's (`messenger-admin`'s) are looked
    for every ALONE_SECONDS only.
    """

    def __init__(self, reactor: Any, database: Database, bus: Bus, schema: str, alone: bool = False) -> None:
        self._seconds = reactor.seconds
        self._pause = ALONE_SECONDS if alone else 0.0
        self._looked = float("-inf")
        self._look_until = float("-inf")  # something waits in the table, or may
        self._lost = 0
        self._database = database
        self._bus = bus
        self._relaying = LoopingCall(self._relay)
        self._relaying.clock = reactor
        self._relayed: Deferred[Any] | None = None
        self._flying: set[str] = set()
        self._done: list[str] = []
        self._deleting = False
        self._idle: list[Deferred[None]] = []
        self.published = 0
        self.oldest = 0.0  # seconds
        self._select = (
            f"select id, subject, payload, extract(epoch from now() - created_at) from {schema}.outbox"  # noqa: S608 - a constant of the code
            " where created_at < now() - interval '2 seconds' order by created_at limit %s"
        )
        self._delete = f"delete from {schema}.outbox where id = any(%s::uuid[])"  # noqa: S608

    @property
    def in_flight(self) -> int:
        """How many events are on their way."""
        return len(self._flying)

    async def start(self) -> None:
        self._relayed = self._relaying.start(RELAY_SECONDS, now=False)

    async def stop(self) -> None:
        """Let what is on its way arrive; what does not is relayed by others."""
        self._relaying.stop()
        if self._relayed is not None:
            await self._relayed  # a read that is under way
        if self._flying or self._deleting:
            waiting: Deferred[None] = Deferred()
            self._idle.append(waiting)
            await waiting

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Publish events whose rows have just been committed, each as `send` does."""
        for one in outgoing:
            self.send(one.event_id, one.event.subject, encode(one.event))

    def send(self, event_id: str, subject: str, payload: bytes) -> None:
        """Publish an event whose row has just been committed; never raises, and nobody waits.

        What the bus does not store at the moment its hearers are told all the same; it is relayed later.
        """
        self.send_parts(event_id, [(subject, payload)])

    def send_parts(self, event_id: str, parts: Sequence[tuple[str, bytes]]) -> None:
        """Publish an event as `send`, in parts, each on a subject of its own: the row goes when all of them
        are stored, at once where there are none."""
        if len(self._flying) < IN_FLIGHT and self._bus.taking:
            self._fly(event_id, parts)
        else:
            self._leave()
            for number, (subject, payload) in enumerate(parts):
                self._bus.tell(subject, payload, _part_id(event_id, number))

    def _fly(self, event_id: str, parts: Sequence[tuple[str, bytes]]) -> None:
        if event_id not in self._flying:
            self._flying.add(event_id)
            ensureDeferred(self._publish(event_id, parts))

    def _leave(self) -> None:
        """Something stays in the table, and is old enough to be relayed in two seconds."""
        self._look_until = self._seconds() + ALONE_SECONDS

    async def _publish(self, event_id: str, parts: Sequence[tuple[str, bytes]]) -> None:
        try:
            storing = [
                self._bus.publish(subject, payload, _part_id(event_id, number))
                for number, (subject, payload) in enumerate(parts)
            ]
            if len(storing) == 1:
                await storing[0]
            else:
                await _all(storing)
            self._done.append(event_id)
            self.published += 1
        except BusAway as error:
            self._leave()
            log.debug("event {id} waits in the outbox: {error}", id=event_id, error=str(error))
        except CancelledError:
            log.debug("event {id} waits in the outbox: the bus has stopped", id=event_id)
        except Exception:
            self._leave()
            log.failure("event {id} waits in the outbox", id=event_id)
        finally:
            self._flying.discard(event_id)
            if self._done and not self._deleting:
                ensureDeferred(self._clear())
            self._tell_idle()

    async def _clear(self) -> None:
        # One delete at a time takes all that was published meanwhile.
        self._deleting = True
        try:
            while self._done:
                done, self._done = self._done, []
                await self._database.write(self._delete, (done,))
        except Problem as problem:
            self._leave()
            log.warn("published events stay in the outbox: {detail}", detail=problem.detail)
        except Exception:
            self._leave()
            log.failure("published events stay in the outbox")
        finally:
            self._deleting = False
            self._tell_idle()

    def _tell_idle(self) -> None:
        if not self._flying and not self._deleting:
            while self._idle:
                self._idle.pop().callback(None)

    def _relay(self) -> Deferred[None] | None:
        now = self._seconds()
        if self._database.lost != self._lost:  # with it, perhaps, the answer to a commit
            self._lost = self._database.lost
            self._leave()
        if now > self._look_until and now < self._looked + self._pause:
            return None
        self._looked = now
        return ensureDeferred(self._relay_left_over())

    async def _relay_left_over(self) -> None:
        try:
            rows = await self._database.read(self._select, (RELAY_BATCH,))
        except Problem as problem:
            self._leave()
            log.debug("the outbox can't be read: {detail}", detail=problem.detail)
            return
        except Exception:
            # The loop must go on: nobody else would relay what this instance leaves.
            self._leave()
            log.failure("the outbox can't be read")
            return
        if not self._relaying.running:
            return
        self.oldest = float(rows[0][3]) if rows else 0.0
        if rows:
            self._leave()
        for event_id, subject, payload, _ in rows:
            if len(self._flying) < IN_FLIGHT and self._bus.connected:
                self._fly(event_id, [(subject, payload)])


def _part_id(event_id: str, number: int) -> str:
    return f"{event_id}.{number}" if number else event_id


async def _all(storing: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all at once, and raise what the first of them that failed has raised."""
    results: list[tuple[bool, Any]] = await DeferredList(map(ensureDeferred, storing), consumeErrors=True)
    for stored, result in results:
        if not stored:
            result.raiseException()
