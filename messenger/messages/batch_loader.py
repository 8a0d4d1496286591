"""Lookups of one kind in the database, batched: many keys by one statement.

Sockets come in a storm when an instance or a gateway has stopped, and each has the same questions. To plan
such a statement costs PostgreSQL as much as to run it for many. So what is asked while an answer is under way
goes with the next question, as messages do with a commit (commits.py), and the next question is asked REST
after the one before: who comes alone waits for nobody, and a storm costs few statements. How many go together
follows the size of the answers, so that none of them is large.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from messenger.core.waits import pause

REST = 0.02  # seconds between two questions
MOST = 16  # askers that one question is for
ROWS = 1_000  # of one answer, about

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class BatchLoader(Generic[Key, Answer]):
    """`ask` gives the answers for these keys, each of which is asked for once; `rows` says how many rows an
    answer is."""

    def __init__(
        self,
        reactor: Any,
        ask: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Answer]]],
        rows: Callable[[Any], int] = len,
    ) -> None:
        self._reactor = reactor
        self._ask = ask
        self._rows = rows
        self._waiting: deque[tuple[Key, Deferred[Answer]]] = deque()
        self._asking = False
        self._most = MOST

    async def load(self, key: Key) -> Answer:
        """The answer for `key`, to a question that is asked from now on. Raises what `ask` does."""
        waiting: Deferred[Answer] = Deferred()
        self._waiting.append((key, waiting))
        if not self._asking:
            self._asking = True
            ensureDeferred(self._ask_all())
        return await waiting

    async def _ask_all(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), self._most)
                await self._ask_for([self._waiting.popleft() for _ in range(count)])
                await pause(self._reactor, 0 if len(self._waiting) >= self._most else REST)
        finally:
            self._asking = False

    async def _ask_for(self, batch: list[tuple[Key, Deferred[Answer]]]) -> None:
        keys = list(dict.fromkeys(key for key, _ in batch))
        try:
            found = await self._ask(keys)
            answers = [(waiting, found[key]) for key, waiting in batch]
        except Exception:
            why = Failure()
            for _, waiting in batch:
                if not waiting.called:
                    waiting.errback(why)
            return
        rows = sum(self._rows(answer) for _, answer in answers)
        self._most = max(1, min(MOST, ROWS * len(batch) // max(1, rows)))
        for waiting, answer in answers:
            if not waiting.called:
                waiting.callback(answer)
