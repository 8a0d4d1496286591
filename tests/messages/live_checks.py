"""What must hold of each socket, whatever happened and in whatever order it was heard."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from messenger.messages.live.connection import Connection
from messenger.messages.model import Head
from tests.messages.live_world import Channel, Conversation, user_of


@dataclass
class Socket:
    """A socket, and what was known when it was opened."""

    device_id: str
    connection: Connection
    channel: Channel
    began: dict[str, Head]
    resent: dict[str, int] = field(default_factory=dict)  # by conversation: how often that was asked for


def check(socket: Socket, conversation: Conversation) -> None:
    """It got the conversation in rising order, each message and change once, nothing that its user may not
    see, and nothing is missing."""
    periods = conversation.periods[user_of(socket.device_id)]
    frames = [one for one in socket.channel.frames() if one.get("conversation_id") == conversation.name]
    seqs = [one["seq"] for one in frames if one["type"] == "message"]
    changes = [one["change"] for one in frames if one["type"] == "change"]
    assert changes == sorted(set(changes)), changes
    falls = sum(later <= earlier for earlier, later in pairwise(seqs))
    assert falls <= socket.resent.get(conversation.name, 0), seqs
    began = socket.began[conversation.name]
    for seq in seqs:
        assert any(period.holds_seq(seq) for period in periods), (seq, periods)
        if conversation.name not in socket.resent:
            assert seq > began.seq
            assert conversation.messages[seq - 1].sender_device_id != socket.device_id
    for change in changes:
        assert change > began.change
        assert any(period.holds_change(change) for period in periods), (change, periods)
    _check_order(frames)
    if not socket.connection.closed:
        _check_whole(socket, conversation, set(seqs), set(changes))


def _check_order(frames: list[dict[str, Any]]) -> None:
    """A change comes after the messages that were there, and before those that were not."""
    seen = 0
    for one in frames:
        if one["type"] == "message":
            seen = max(seen, one["seq"])
        elif one["type"] == "change":
            assert one["at_seq"] >= seen, frames


def _check_whole(socket: Socket, conversation: Conversation, seqs: set[int], changes: set[int]) -> None:
    """Of the membership that stands, or of the last that stood when it was opened, nothing is missing."""
    assert socket.connection.synced
    period = conversation.periods[user_of(socket.device_id)][-1]
    began = socket.began[conversation.name]
    if period.last is not None and period.last.change <= began.change:
        return
    upto = period.last or conversation.head
    for stored in conversation.messages[: upto.seq]:
        if stored.seq >= period.first.seq and stored.seq > began.seq:
            own = stored.sender_device_id == socket.device_id
            assert own or stored.seq in seqs, (stored.seq, seqs)
    for change in range(max(period.first.change, began.change + 1), upto.change + 1):
        assert change in changes, (change, changes)
