"""What the domain knows of stored keys, and what it wants of a store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from messenger.wire.events import DeviceChanged, PrekeysLow
from messenger.wire.keys import (
    Bundle,
    DeviceList,
    Identities,
    KemPrekey,
    OneTimePrekey,
    SignedPrekey,
)

Event = DeviceChanged | PrekeysLow


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event whose outbox row is committed, on its way to the bus."""

    event_id: str
    subject: str
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeys:
    """What a device has published; `highest_*` are the highest key ids ever, None before the first.

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
    def published(self) -> bool:
        """Whether others encrypt to this device, as the view key.published_devices has it."""
        return (
            self.identity_key is not None
            and self.signed_prekey_id is not None
            and (not self.has_list or self.listed_key == self.identity_key)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to store for a device, all of it or nothing; None and empty leave things as they are.

    With `publishes` the others are told.
    """

    identity_key: bytes | None = None
    signed_prekey: SignedPrekey | None = None
    one_time: Sequence[OneTimePrekey] = ()
    kem: Sequence[KemPrekey] = ()
    last_resort: KemPrekey | None = None
    publishes: bool = False


@dataclass(frozen=True, slots=True)
class StandingList:
    """The list of a user's that stands: whose it is, and its version."""

    account_key: bytes
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
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
    """What a claim gave. With `retry_after` (seconds) the asker has had its share: nothing was given."""

    bundles: list[Bundle]
    retry_after: int | None = None
    events: list[Outgoing] = field(default_factory=list)


class Store(Protocol):
    """Keys, each method atomic. Events come back once they are committed."""

    async def device(self, device_id: str) -> DeviceKeys | None:
        """What the device has published, None if nothing."""

    async def alter(
        self, user_id: str, device_id: str, rule: Callable[[DeviceKeys], Change]
    ) -> list[Outgoing] | None:
        """Store what `rule` says under the device's lock; it raises to refuse. None where the user has no
        such device."""

    async def set_list(
        self, user_id: str, given: DeviceList, rule: Callable[[StandingList], None]
    ) -> list[Outgoing] | None:
        """Put the list in the place of the one that stands. Where one does, `rule` gets it and raises to
        refuse. None where there is no such user."""

    async def identities(self, user_id: str) -> Identities | None:
        """The user's list, published devices, and `pending` ones, of one moment; None where there is no such
        user."""

    async def user_exists(self, user_id: str) -> bool:
        """Whether auth knows this user."""

    async def claim(self, asking: Asking) -> Claimed:
        """A bundle of each published device that is asked for, but the asking one, and a one-time prekey of
        each, handed out once, ever."""

    async def forget_devices(self, device_ids: Sequence[str]) -> None:
        """Delete the keys of those among these that auth no longer knows."""

    async def forget_user(self, user_id: str) -> None:
        """Delete the user's keys, list and vault, if auth says that the account was deleted."""

    async def forget_deleted(self) -> bool:
        """Do the same for all deleted users, a bounded number at a time; whether there was any."""

    async def sweep(self) -> None:
        """Delete the keys of devices that auth no longer knows; a bounded number at a time."""

    async def sweep_claims(self) -> None:
        """Delete claims that no longer count; a bounded number at a time."""
