"""Wake-ups for devices that are away, by Web Push and UnifiedPush."""

from typing import Annotated

from msgspec import Meta, Struct

from messenger.wire.codec import Binary


class PushTarget(Struct, frozen=True, kw_only=True):
    """Where a device is to be woken: what its push service gave it (RFC 8030), and its keys (RFC 8291).

    `p256dh` is a P-256 public key, uncompressed, of 65 bytes; `auth` are 16 bytes.
    """

    endpoint: Annotated[str, Meta(max_length=2_048)]
    p256dh: Binary
    auth: Binary


class PushState(Struct, frozen=True, kw_only=True):
    """The key that signs wake-ups, and the asking device's endpoint; null where there is none.

    `vapid_key` (RFC 8292) is a P-256 public key, uncompressed, of 65 bytes. Without one no wake-ups are sent.
    """

    vapid_key: Binary | None
    endpoint: str | None
