"""Which devices a conversation's messages are encrypted to: the published ones of all members.

A draft is judged by devices as they were at most two seconds before, so what was read is kept for as long.
"""

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from messenger.core.clock import Clock

if TYPE_CHECKING:
    from messenger.messages.store.conversations import ConversationStore

FRESH_MILLISECONDS = 1_500  # with the reading itself, within the two seconds that are promised
REMEMBERED = 5_000


class DeviceSet(NamedTuple):
    """The published devices of a conversation; `digest` is over all their ids."""

    items: list[tuple[str, str]]
    ids: frozenset[str]
    digest: bytes


def digest_of(device_ids: list[str]) -> bytes:
    """SHA-256 of the ids as 16 raw bytes each, sorted."""
    return sha256(b"".join(sorted(bytes.fromhex(name.replace("-", "")) for name in device_ids))).digest()


class Devices:
    """Remembers device sets for a moment."""

    def __init__(self, store: "ConversationStore", clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, DeviceSet]] = OrderedDict()

    async def of(self, conversation_id: str, *, fresh: bool = False) -> DeviceSet:
        """The conversation's devices; as they are now where `fresh`."""
        now = self._clock()
        known = self._known.get(conversation_id)
        if known is not None and not fresh and now - known[0] < FRESH_MILLISECONDS:
            return known[1]
        items = await self._store.devices(conversation_id)
        ids = [device_id for _, device_id in items]
        found = DeviceSet(items, frozenset(ids), digest_of(ids))
        self._known[conversation_id] = (now, found)
        self._known.move_to_end(conversation_id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    def forget_all(self) -> None:
        """Nothing of it may hold any more."""
        self._known.clear()

    def forget(self, conversation_id: str) -> None:
        """Its members have changed."""
        self._known.pop(conversation_id, None)
