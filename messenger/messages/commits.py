"""Group commit: one flush of PostgreSQL for all drafts that came in while the one before was under way.

No timer: an idle instance commits a draft at once, a busy one gathers while it waits. Two batches run side by
side at most, so that one conversation held by another transaction does not stop the rest. Drafts of one
conversation never stand in two batches at once, which keeps their order.

A draft whose conversation is held elsewhere (`busy`) goes into the next batch; after a few rounds its batch
waits for the lock. At most `QUEUE` drafts wait; the next is answered 503.
"""

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from messenger.core.ids import new_id
from messenger.messages.model import Draft, Outcome
from messenger.wire.errors import Problem, unavailable

if TYPE_CHECKING:
    from messenger.messages.store.messages import MessageStore

BATCH = 200
BATCH_BYTES = 1024 * 1024
QUEUE = 5_000
RUNNING = 2
PATIENCE = 3

log = Logger()

Key = tuple[str, str, str]


class _Waiting:
    """A draft and those who wait for it; a repeat that comes meanwhile waits for the same."""

    __slots__ = ("alone", "draft", "rounds", "since", "waiters")

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.waiters: list[Deferred[Outcome]] = []
        self.rounds = 0
        self.alone = False  # it stood in a batch that PostgreSQL refused, whoever was to blame
        self.since = perf_counter()

    @property
    def key(self) -> Key:
        return (self.draft.conversation_id, self.draft.device_id, self.draft.client_id)

    @property
    def size(self) -> int:
        envelopes = self.draft.envelopes
        sealed = sum(map(len, envelopes.values())) + 52 * len(envelopes) if envelopes else 0
        return len(self.draft.content or b"") + sealed


class Commits:
    """Commits drafts in batches.

    `committed(event_id, [(draft, outcome), ...])` is called once for each batch that stored something, before
    those who wait are answered; `observe(count)` for each batch that is tried; `took(seconds)` for each
    message that was stored: how long it waited, and was committed.
    """

    def __init__(
        self,
        messages: "MessageStore",
        committed: Callable[[str, list[tuple[Draft, Outcome]]], object],
        observe: Callable[[int], object] = lambda _: None,
        took: Callable[[float], object] = lambda _: None,
    ) -> None:
        self._messages = messages
        self._observe = observe
        self._took = took
        self._committed = committed
        self._queue: deque[_Waiting] = deque()
        self._pending: dict[Key, _Waiting] = {}
        self._committing: set[str] = set()  # conversations in a running batch
        self._running = 0
        self._choosing = False
        self._stopping = False
        self._idle: list[Deferred[None]] = []
        self.stored = 0

    async def start(self) -> None:
        self._stopping = False

    async def stop(self) -> None:
        """Finish what was accepted; whoever comes later is answered 503."""
        self._stopping = True
        if self._pending:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle

    @property
    def waiting(self) -> int:
        """How many drafts have not been answered."""
        return len(self._pending)

    async def append(self, draft: Draft) -> Outcome:
        """The outcome of the draft, once it is committed. Problem `unavailable` when too many wait."""
        key = (draft.conversation_id, draft.device_id, draft.client_id)
        waiting = self._pending.get(key)
        if waiting is None:
            if self._stopping or len(self._pending) >= QUEUE:
                raise unavailable("Too many messages are waiting to be stored.")
            waiting = self._pending[key] = _Waiting(draft)
            self._queue.append(waiting)
        answer: Deferred[Outcome] = Deferred()
        waiting.waiters.append(answer)
        self._run_next()
        return await answer

    def _run_next(self) -> None:
        # A batch may end before `_run` returns (the database is away), and who is answered may send again at
        # once: both find this loop at work, for a long queue would nest each batch in the one before.
        if self._choosing:
            return
        self._choosing = True
        try:
            while self._queue and self._running < RUNNING:
                batch = self._gather()
                if not batch:
                    return
                self._running += 1
                ensureDeferred(self._run(batch))
        finally:
            self._choosing = False

    def _gather(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        passed: list[_Waiting] = []
        size = 0
        # What a running batch holds, and all that follows in that conversation, stays in its order. A batch
        # that waits for a conversation's lock holds nothing else: others would wait, and fail, with it.
        left = set(self._committing)
        only: str | None = None
        while self._queue and len(batch) < BATCH and size < BATCH_BYTES and len(passed) < BATCH:
            waiting = self._queue.popleft()
            name = waiting.draft.conversation_id
            patient = waiting.rounds >= PATIENCE
            if name in left or (name != only and (only or (patient and batch))) or (waiting.alone and batch):
                passed.append(waiting)
                left.add(name)
            else:
                only = name if patient else only
                batch.append(waiting)
                size += waiting.size
                if waiting.alone:
                    break
        self._queue.extendleft(reversed(passed))
        self._committing.update(waiting.draft.conversation_id for waiting in batch)
        return batch

    async def _run(self, batch: list[_Waiting]) -> None:
        event_id = new_id()
        drafts = [waiting.draft for waiting in batch]
        wait = any(waiting.rounds >= PATIENCE for waiting in batch)
        try:
            self._observe(len(batch))
            outcomes = await self._messages.commit(event_id, drafts, wait=wait)
            if len(outcomes) != len(batch):
                raise ValueError(f"{len(outcomes)} outcomes for {len(batch)} drafts")
            error: Exception | None = None
        except Problem as problem:
            outcomes, error = [], problem
        except Exception as failure:
            log.failure("a batch of {count} drafts could not be committed", count=len(batch))
            outcomes, error = [], failure
        self._running -= 1
        self._committing.difference_update(draft.conversation_id for draft in drafts)
        chosen, self._choosing = self._choosing, True
        try:
            if error is not None:
                self._fail(batch, error)
            else:
                self._answer(event_id, batch, outcomes)
        finally:
            self._choosing = chosen
            self._run_next()
        if not self._pending:
            while self._idle:
                self._idle.pop().callback(None)

    def _answer(self, event_id: str, batch: list[_Waiting], outcomes: list[Outcome]) -> None:
        stored = [
            (waiting.draft, outcome)
            for waiting, outcome in zip(batch, outcomes, strict=True)
            if outcome.outcome == "stored"
        ]
        now = perf_counter()
        if stored:
            self.stored += len(stored)
            try:
                self._committed(event_id, stored)
                for waiting, outcome in zip(batch, outcomes, strict=True):
                    if outcome.outcome == "stored":
                        self._took(now - waiting.since)
            except Exception:
                # They are stored: their senders are answered, and delivery heals by itself.
                log.failure("a batch of {count} messages could not be delivered at once", count=len(stored))
        again: list[_Waiting] = []
        answered: list[tuple[_Waiting, Outcome]] = []
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if outcome.outcome == "busy":
                waiting.rounds += 1
                again.append(waiting)
                continue
            del self._pending[waiting.key]
            answered.append((waiting, outcome))
        # Back into the queue before anyone hears: who is answered may send the next message at once, and that
        # one must not overtake those that were busy.
        self._queue.extendleft(reversed(again))
        for waiting, outcome in answered:
            for position, answer in enumerate(waiting.waiters):
                # Whoever sent the same again while it was under way sent a repeat.
                repeat = position > 0 and outcome.outcome == "stored"
                answer.callback(outcome._replace(outcome="repeat") if repeat else outcome)

    def _fail(self, batch: list[_Waiting], error: Exception) -> None:
        if len(batch) > 1 and not isinstance(error, Problem):
            # One draft that PostgreSQL refuses must not spoil its neighbours: each on its own, then.
            for waiting in batch:
                waiting.rounds, waiting.alone = 0, True
            self._queue.extendleft(reversed(batch))
            return
        for waiting in batch:
            del self._pending[waiting.key]
            for answer in waiting.waiters:
                answer.errback(error)
