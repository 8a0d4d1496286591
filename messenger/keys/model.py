"""Keys as they are stored, and what is asked and changed of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from messenger.core.outgoing import Outgoing
from messenger.wire.keys import Bundle, KemPrekey, OneTimePrekey, SignedPrekey


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeys:
    """The keys that a device has published; `highest_*` are the highest key ids ever, None before the first.

    `has_list`: its user has a device list, which names the device with `listed_key`, or does not (None). The
    counts are of one-time prekeys that are left.
    """

    user_id: str
    device_id: str
    identity_key: bytes | None = None
    signed_prekey_id: int | None = None
    signed_prekey_created_at: datetime | None = None
    highest_one_time_id: int | None = None
    highest_kem_id: int | None = None
    has_list: bool = False
    listed_key: bytes | None = None
    one_time_prekeys: int = 0
    kem_prekeys: int = 0

    @property
    def complete(self) -> bool:
        """Whether it has the keys that others need to encrypt to it."""
        return self.identity_key is not None and self.signed_prekey_id is not None

    @property
    def published(self) -> bool:
        """Whether others encrypt to this device, as the view key.published_devices has it."""
        return self.complete and (not self.has_list or self.listed_key == self.identity_key)

    @property
    def waiting(self) -> bool:
        """Whether only its user's approval is lacking."""
        return self.complete and not self.published


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change to a device's keys, stored all of it or nothing; None and empty leave things as they are.

    With `publishes` the others are told, with `waits` the user's other devices, which may approve it.
    """

    identity_key: bytes | None = None
    signed_prekey: SignedPrekey | None = None
    one_time: Sequence[OneTimePrekey] = ()
    kem: Sequence[KemPrekey] = ()
    last_resort: KemPrekey | None = None
    publishes: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class CurrentList:
    """The list of a user's that stands: whose it is, and its version."""

    account_key: bytes
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """Who claims of whom: either all devices of `user_id`, or `device_ids`.

    `by_asker` and `of_device` are how many one-time prekeys of a device one user gets, and all together get,
    within an hour; below `low` left, the device is told.
    """

    asker_id: str
    asker_device_id: str
    user_id: str | None
    device_ids: Sequence[str]
    by_asker: int
    of_device: int
    low: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """The outcome of a claim. With `retry_after` (seconds) the asker has had its share: nothing was given."""

    bundles: list[Bundle]
    retry_after: int | None = None
    events: list[Outgoing] = field(default_factory=list)
