"""Encoded frames of messages and changes."""

from typing import Any

from messenger.messages.model import StoredChange, StoredMessage
from messenger.wire.codec import encode
from messenger.wire.conversations import Change
from messenger.wire.frames import ChangeFrame, MessageFrame
from messenger.wire.times import rfc3339


def message_frame(stored: StoredMessage, device_id: str, now: int) -> bytes:
    """The frame of a message as `device_id` may see it at `now` (milliseconds since 1970)."""
    return encode(stored.seen_by(device_id, now, MessageFrame))


class Frames:
    """The frames of what several devices are shown at `now`: made once, but for a device's own envelope."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._shared: dict[int, bytes] = {}

    def of(self, item: StoredMessage | StoredChange, device_id: str) -> bytes:
        """The frame for a device; `item` has to live as long as this does."""
        if isinstance(item, StoredMessage) and item.envelopes is not None and device_id in item.envelopes:
            return message_frame(item, device_id, self._now)
        frame = self._shared.get(id(item))
        if frame is None:
            frame = (
                change_frame(item) if isinstance(item, StoredChange) else message_frame(item, "", self._now)
            )
            self._shared[id(item)] = frame
        return frame


def change_members(happened: StoredChange) -> dict[str, Any]:
    """The members of a change's struct."""
    return {
        "change": happened.change,
        "at_seq": happened.at_seq,
        "created_at": rfc3339(happened.created),
        "actor_id": happened.actor_id,
        "event": happened.event,
        **happened.details,
    }


def change_frame(happened: StoredChange) -> bytes:
    """The frame of a change."""
    return encode(ChangeFrame(conversation_id=happened.conversation_id, **change_members(happened)))


def change_item(happened: StoredChange) -> Change:
    """A change in a list."""
    return Change(**change_members(happened))
