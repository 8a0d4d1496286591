"""Encoded frames of messages and changes."""

from typing import Any

from messenger.messages.model import Happened, Stored
from messenger.wire.codec import encode
from messenger.wire.conversations import Change
from messenger.wire.frames import ChangeFrame, MessageFrame
from messenger.wire.times import rfc3339


def message_frame(stored: Stored, device_id: str, now: int) -> bytes:
    """The frame of a message as `device_id` may see it at `now` (milliseconds since 1970)."""
    return encode(stored.seen_by(device_id, now, MessageFrame))


def change_members(happened: Happened) -> dict[str, Any]:
    """The members of a change's struct."""
    return {
        "change": happened.change,
        "at_seq": happened.at_seq,
        "created_at": rfc3339(happened.created),
        "actor_id": happened.actor_id,
        "event": happened.event,
        **happened.details,
    }


def change_frame(happened: Happened) -> bytes:
    """The frame of a change."""
    return encode(ChangeFrame(conversation_id=happened.conversation_id, **change_members(happened)))


def change_item(happened: Happened) -> Change:
    """A change in a list."""
    return Change(**change_members(happened))
