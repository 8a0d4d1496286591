"""How far devices have stored and users have read: gathered for a moment, then written all at once.

Nobody waits for this, and no message does. An acknowledgement is in force within a second, and before the
next socket of its device starts. At most `PENDING` marks wait; what comes beyond, while the database is away,
is passed over: a device is sent again what it has not acknowledged.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from messenger.messages.model import Ack, Mark, Risen
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.messages.store.cursors import CursorStore

FLUSH_SECONDS = 0.2
PENDING = 50_000
BATCH = 2_000

log = Logger()

Told = Callable[[list[Risen], list[Risen]], object]


class Progress:
    """Gathers marks. `risen(delivered, read)` hears who has come further by acknowledgements and by marks."""

    def __init__(self, reactor: Any, store: "CursorStore", risen: Told) -> None:
        self._reactor = reactor
        self._store = store
        self._risen = risen
        self._acks: dict[tuple[str, str], Ack] = {}
        self._reads: dict[tuple[str, str], Mark] = {}
        self._timer: Any = None
        self._flushing = False
        self._waiters: list[Deferred[None]] = []
        self._forgotten = 0  # how often

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Write what is left."""
        await self.flush()

    @property
    def waiting(self) -> int:
        """How many marks are not written yet."""
        return len(self._acks) + len(self._reads)

    def ack(self, ack: Ack) -> None:
        """A device has stored everything up to there."""
        key = (ack.device_id, ack.conversation_id)
        known = self._acks.get(key)
        if known is not None:
            ack = ack._replace(seq=_higher(known.seq, ack.seq), change=_higher(known.change, ack.change))
        elif self.waiting >= PENDING:
            return
        self._acks[key] = ack
        self._flush_later()

    def read(self, mark: Mark) -> None:
        """A user has seen everything up to there."""
        key = (mark.conversation_id, mark.user_id)
        known = self._reads.get(key, mark)
        if key not in self._reads and self.waiting >= PENDING:
            return
        self._reads[key] = mark if mark.seq >= known.seq else known
        self._flush_later()

    def forget(self) -> None:
        """Another history of the database has begun: who marked a message of the former one has not seen what
        stands there now, and is sent it again."""
        self._forgotten += 1
        self._acks.clear()
        self._reads.clear()

    def _flush_later(self) -> None:
        if self._timer is None and not self._flushing:
            self._timer = self._reactor.callLater(FLUSH_SECONDS, self._start_flush)

    def _start_flush(self) -> None:
        ensureDeferred(self.flush())

    async def flush(self) -> None:
        """Return once all that was marked until now is written."""
        # The flush under way may have begun before the mark. The next one has it, whoever starts that.
        waited = 0
        while self._flushing:
            waiting: Deferred[None] = Deferred()
            self._waiters.append(waiting)
            await waiting
            waited += 1
            if waited == 2:
                return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if not self._acks and not self._reads:
            return
        self._flushing = True
        try:
            await self._write()
        except Problem as problem:
            log.warn("acknowledgements can't be stored, and are tried again: {detail}", detail=problem.detail)
        except Exception:
            # A socket that opens waits for this, and must not wait for ever.
            log.failure("acknowledgements were not written")
        finally:
            self._flushing = False
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.callback(None)
            if self._acks or self._reads:
                self._flush_later()

    async def _write(self) -> None:
        forgotten = self._forgotten
        while self._acks or self._reads:
            acks = [self._acks.pop(key) for key in list(self._acks)[:BATCH]]
            reads = [self._reads.pop(key) for key in list(self._reads)[:BATCH]]
            delivered: list[Risen] = []
            read: list[Risen] = []
            try:
                if acks:
                    delivered = await self._store.acknowledge(acks)
                    acks = []
                if reads:
                    read = await self._store.read(reads)
                    reads = []
            except Problem:
                if forgotten == self._forgotten:
                    self._put_back(acks, reads)
                raise
            finally:
                if delivered or read:
                    self._risen(delivered, read)

    def _put_back(self, acks: list[Ack], reads: list[Mark]) -> None:
        for ack in acks:
            newer = self._acks.get((ack.device_id, ack.conversation_id), ack)
            self._acks[(ack.device_id, ack.conversation_id)] = ack._replace(
                seq=_higher(ack.seq, newer.seq), change=_higher(ack.change, newer.change)
            )
        for mark in reads:
            self.read(mark)


def _higher(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)
