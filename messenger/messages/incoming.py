"""The frames of one WebSocket message, less those that a later one of the same array stands for."""

from typing import NamedTuple

import msgspec

from messenger.wire import frames
from messenger.wire.codec import decode_custom

Repeatable = frames.Ack | frames.Read | frames.Resend | frames.Typing

_repeatable = msgspec.json.Decoder(Repeatable, dec_hook=decode_custom)


class Incoming(NamedTuple):
    """A frame as it came, and decoded where that had to be done already."""

    raw: bytes
    frame: frames.ClientFrame | None = None


def fewest(several: list[bytes]) -> list[Incoming]:
    """The frames of one array, less those that a later one stands for.

    Of `resend` and `typing` of one conversation the last counts. `ack` and `read` never go back, so the last
    says the highest of all.
    """
    if len(several) == 1:
        return [Incoming(several[0])]
    found: dict[object, Incoming] = {}
    for number, raw in enumerate(several):
        key: object = number
        try:
            frame: Repeatable | None = _repeatable.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            frame = None  # another one, or none: that is judged in its turn
        if frame is not None:
            key = (type(frame), frame.conversation_id)
            earlier = found.pop(key, None)
            frame = frame if earlier is None else _highest(earlier.frame, frame)
        found[key] = Incoming(raw, frame)
    return list(found.values())


def _highest(one: frames.ClientFrame | None, other: Repeatable) -> Repeatable:
    if isinstance(one, frames.Ack) and isinstance(other, frames.Ack):
        return frames.Ack(
            conversation_id=other.conversation_id,
            seq=_higher(one.seq, other.seq),
            change=_higher(one.change, other.change),
        )
    if isinstance(one, frames.Read) and isinstance(other, frames.Read):
        return frames.Read(conversation_id=other.conversation_id, seq=max(one.seq, other.seq))
    return other


def _higher(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)
