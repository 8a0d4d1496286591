"""Whom a conversation's events concern: the shards of its members (wire/shards.py), kept for many at a time.

What is kept of a conversation holds as of one of its changes, and members come and go with a change only. So
for a message, which is committed at a change, it is right where that is the same, and nobody is left out. Who
is not known goes for all, and is read for the next time.

What may be lost (typing, receipts) goes by what is known at the moment: that is dropped with the change that
is heard next, and all of it where changes may have been missed.
"""

from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.wire.errors import Problem
from messenger.wire.shards import ALL, shards_of

if TYPE_CHECKING:
    from messenger.messages.store.cursors import CursorStore

KEPT = 100_000  # conversations, some 250 bytes each
MEMBERS = 256  # a group of more concerns all
WANTED = 5_000  # conversations that wait to be read
BATCH = 500
GATHER_SECONDS = 0.02

log = Logger()


class Audience:
    """The shards of conversations' members, as far as this instance has asked for them lately."""

    def __init__(self, reactor: Any, store: "CursorStore") -> None:
        self._reactor = reactor
        self._store = store
        self._kept: dict[str, tuple[int, int]] = {}  # change and shards; the latest asked for are last
        self._wanted: dict[str, int] = {}  # to be read, and the latest change that was heard of meanwhile
        self._reading = False
        self._forgotten = 0  # how often

    def of(self, conversation_id: str, change: int | None = None) -> int | None:
        """The set of the members' shards when the conversation had `change`, or of now as far as is known;
        None where that is not known."""
        kept = self._kept.pop(conversation_id, None)
        if kept is not None:
            self._kept[conversation_id] = kept
            if change is None or kept[0] == change:
                return kept[1]
        if conversation_id in self._wanted or len(self._wanted) < WANTED:
            self._wanted.setdefault(conversation_id, 0)
            self._read_soon()
        return None

    def changed(self, conversation_id: str, change: int) -> None:
        """The conversation has come to `change`: what is older does not hold."""
        kept = self._kept.get(conversation_id)
        if kept is not None and kept[0] < change:
            del self._kept[conversation_id]
        if self._wanted.get(conversation_id, change) < change:
            self._wanted[conversation_id] = change

    def forget(self) -> None:
        """Changes may have been missed."""
        self._forgotten += 1
        self._kept.clear()

    def _read_soon(self) -> None:
        if not self._reading:
            self._reading = True
            self._reactor.callLater(GATHER_SECONDS, lambda: ensureDeferred(self._read()))

    async def _read(self) -> None:
        try:
            while self._wanted:
                names, forgotten = list(islice(self._wanted, BATCH)), self._forgotten
                found = await self._store.members(names, MEMBERS)
                for one in found if forgotten == self._forgotten else []:
                    if self._wanted.get(one.conversation_id, 0) <= one.change:
                        shards = ALL if one.user_ids is None else shards_of(one.user_ids)
                        self._kept[one.conversation_id] = (one.change, shards)
                for name in names:
                    self._wanted.pop(name, None)
                for name in list(islice(self._kept, max(0, len(self._kept) - KEPT))):
                    del self._kept[name]
        except Problem as problem:
            self._wanted.clear()  # they are asked for again
            log.warn("members can't be read, and all instances are told: {detail}", detail=problem.detail)
        except Exception:
            self._wanted.clear()
            log.failure("members can't be read, and all instances are told")
        finally:
            self._reading = False
