"""The frames of the WebSocket, both ways: JSON objects told apart by `type`.

Several may come as one JSON array in one WebSocket message. What does not decode is answered by an `error`
frame with the `ref` it bore, if one could be read.
"""

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from messenger.wire.codec import Decoder, Uuid
from messenger.wire.conversations import Change, Count, Draft, Message, Number, Place
from messenger.wire.errors import Code, Problem

SUBPROTOCOL = "messenger.v1"
BEARER_PREFIX = "bearer."
MAX_FRAME = 1024 * 1024
MAX_FRAMES = 10_000  # about what fits into MAX_FRAME

# Close codes (RFC 6455 section 7.4 and our own range).
GOING_AWAY = 1001
BINARY = 1003
NOT_JSON = 1007
TOO_BIG = 1009
TOKEN_EXPIRED = 4401
TOO_SLOW = 4408
TAKEN_OVER = 4409
TOO_FAST = 4429

Ref = Annotated[str, Meta(min_length=1, max_length=64)]


class Send(Draft, frozen=True, kw_only=True, tag="send", tag_field="type"):
    """A draft, answered by `sent` or `error`."""

    ref: Ref
    conversation_id: Uuid


class Ack(Struct, frozen=True, kw_only=True, tag="ack", tag_field="type"):
    """This device has stored everything up to there."""

    conversation_id: Uuid
    seq: Number | None = None
    change: Number | None = None


class Read(Struct, frozen=True, kw_only=True, tag="read", tag_field="type"):
    """The user has seen up to `seq`."""

    conversation_id: Uuid
    seq: Number


class Typing(Struct, frozen=True, kw_only=True, tag="typing", tag_field="type"):
    """The user is typing, or has stopped."""

    conversation_id: Uuid
    is_typing: bool


class Presence(Struct, frozen=True, kw_only=True, tag="presence", tag_field="type"):
    """How the device wishes to be seen."""

    status: Literal["online", "away"]


class Resend(Struct, frozen=True, kw_only=True, tag="resend", tag_field="type"):
    """Send again what follows `after`, own messages included."""

    conversation_id: Uuid
    after: Number


class Token(Struct, frozen=True, kw_only=True, tag="token", tag_field="type"):
    """A fresh access token of the same session."""

    ref: Ref
    access_token: Annotated[str, Meta(max_length=8192)]


class Ping(Struct, frozen=True, kw_only=True, tag="ping", tag_field="type"):
    """For clients that can't see the protocol's own pings."""

    ref: Ref


ClientFrame = Send | Ack | Read | Typing | Presence | Resend | Token | Ping


class Hello(Struct, frozen=True, kw_only=True, tag="hello", tag_field="type"):
    """The first frame of a socket; `heartbeat` is in seconds between the server's pings.

    `epoch` is an opaque word for the database's history. Where it differs from the one that a client saw
    last, a standby has taken over, and what was acknowledged in the last minutes may be gone: the client
    forgets its positions above the server's heads, and sends again what it sent in the last ten minutes,
    under the same `client_id`s.
    """

    user_id: str
    device_id: str
    server_time: str
    heartbeat: int
    epoch: str = ""


class Synced(Struct, frozen=True, kw_only=True, tag="synced", tag_field="type"):
    """The backlog is through."""


class SentFrame(Struct, frozen=True, kw_only=True, tag="sent", tag_field="type"):
    """The message is committed."""

    ref: str
    conversation_id: str
    seq: Place
    created_at: str


class MessageFrame(Message, frozen=True, kw_only=True, tag="message", tag_field="type"):
    """A message for this device."""


class ChangeFrame(Change, frozen=True, kw_only=True, tag="change", tag_field="type"):
    """A change to a conversation of this device's user."""

    conversation_id: str


class Receipt(Struct, frozen=True, kw_only=True, tag="receipt", tag_field="type"):
    """How far a member has come."""

    kind: Literal["delivered", "read"]
    conversation_id: str
    user_id: str
    seq: Count


class TypingFrame(Struct, frozen=True, kw_only=True, tag="typing", tag_field="type"):
    """A member is typing, or has stopped; it lapses after 6 s."""

    conversation_id: str
    user_id: str
    is_typing: bool


class PresenceFrame(Struct, frozen=True, kw_only=True, tag="presence", tag_field="type"):
    """A peer is `online`, `away` or `offline`."""

    user_id: str
    status: str
    last_seen_at: str


class DeviceFrame(Struct, frozen=True, kw_only=True, tag="device", tag_field="type"):
    """A device of a peer or of one's own was published or removed, or one of one's own waits for approval
    (`published`, too): time to look at keys again."""

    event: str
    user_id: str
    device_id: str


class PrekeysFrame(Struct, frozen=True, kw_only=True, tag="prekeys", tag_field="type"):
    """This device has few one-time prekeys left; said at the claim that leaves so few, and, where none is
    left, when it connects."""

    one_time_prekeys: int


class TokenFrame(Struct, frozen=True, kw_only=True, tag="token", tag_field="type"):
    """The fresh token holds for `expires_in` seconds."""

    ref: str
    expires_in: int


class Pong(Struct, frozen=True, kw_only=True, tag="pong", tag_field="type"):
    """The answer to a `ping`, at once."""

    ref: str


class _Ref(Struct):
    ref: str | None = None


_one = Decoder[ClientFrame](ClientFrame)
_several = msgspec.json.Decoder(list[msgspec.Raw])
_any = msgspec.json.Decoder(msgspec.Raw)  # looks at the grammar only: a number of any size is JSON
_ref = msgspec.json.Decoder(_Ref)


class NotJson(Exception):
    """The WebSocket message is no JSON at all: close code 1007."""


def split(raw: bytes) -> list[bytes]:
    """The frames of one WebSocket message: itself, or the items of its array (at most MAX_FRAMES).

    Raises NotJson for what is no JSON, Problem `bad_request` for JSON that can be no frame.
    """
    if not raw.lstrip(b" \t\r\n").startswith(b"["):
        return [raw]
    try:
        items = _several.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        items = [msgspec.Raw(json.dumps(item).encode()) for item in _loose(raw)]
    except RecursionError:
        raise Problem(Code.bad_request, "The frame is nested too deeply.") from None
    if len(items) > MAX_FRAMES:
        raise Problem(Code.bad_request, f"At most {MAX_FRAMES} frames in one message.")
    return [bytes(item) for item in items]


def decode(raw: bytes) -> ClientFrame:
    """One frame. Raises NotJson for what is no JSON, Problem `bad_request` for what is no frame."""
    try:
        return _one.decode(raw)
    except Problem:
        try:
            raw.decode("utf-8")
            _any.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            _loose(raw)
            raise Problem(
                Code.bad_request, "An escape names half a surrogate pair: that is no text."
            ) from None
        except RecursionError:
            raise Problem(Code.bad_request, "The frame is nested too deeply.") from None
        raise


def _loose(raw: bytes) -> Any:
    """Decode what msgspec takes for no JSON, but is by the grammar of RFC 8259 section 7: an escape may name
    half a surrogate pair. NotJson for all else."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse, parse_int=_whole)
    except RecursionError:
        raise Problem(Code.bad_request, "The frame is nested too deeply.") from None
    except ValueError:
        raise NotJson() from None


def _whole(digits: str) -> int | str:
    """A whole number; one that no member of a frame can hold stays text, which costs nothing."""
    return int(digits) if len(digits) <= 20 else digits


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def ref_of(raw: bytes) -> str | None:
    """The `ref` of a frame that did not decode, where one can be read."""
    try:
        ref = _ref.decode(raw).ref
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return ref if ref is not None and 1 <= len(ref) <= 64 else None
