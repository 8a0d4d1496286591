"""Keys on a store in memory."""

from collections.abc import Callable, Coroutine
from dataclasses import replace as changed
from typing import Any

import pytest

from messenger.core.outgoing import Outgoing
from messenger.keys.domain import Keys
from messenger.keys.model import Change, Claimed, ClaimRequest, CurrentList, DeviceKeys
from messenger.wire.errors import Code, Problem
from messenger.wire.events import DeviceChanged, PrekeysLow
from messenger.wire.keys import (
    Bundle,
    BundleOneTimePrekey,
    BundleSignedPrekey,
    DeviceIdentity,
    DeviceList,
    Identities,
    KemPrekey,
    OneTimePrekey,
    PendingDevice,
    SignedPrekey,
)
from tests.fakes import Clock, Published, outgoing, run
from tests.keys.key_devices import Device


class MemoryStore:
    """A KeyStore, DeviceListStore and ClaimStore; claims per hour are not counted here, but `spent` can say
    so. test_keys_stores.py holds it to PostgreSQL's rules."""

    def __init__(self) -> None:
        self.keys: dict[str, DeviceKeys] = {}
        self.signed: dict[str, SignedPrekey] = {}
        self.one_time: dict[str, list[OneTimePrekey]] = {}
        self.last_resort: dict[str, KemPrekey] = {}
        self.lists: dict[str, DeviceList] = {}
        self.live: dict[str, str] = {}  # devices that auth knows, and whose they are
        self.spent: int | None = None

    async def device(self, device_id: str) -> DeviceKeys | None:
        found = self.keys.get(device_id)
        left = len(self.one_time.get(device_id, []))
        return found and changed(self._listed(found), one_time_prekeys=left)

    def _listed(self, device: DeviceKeys) -> DeviceKeys:
        given = self.lists.get(device.user_id)
        keys = {str(one.device_id): bytes(one.identity_key) for one in given.devices} if given else {}
        return changed(device, has_list=given is not None, listed_key=keys.get(device.device_id))

    async def alter(
        self, user_id: str, device_id: str, rule: Callable[[DeviceKeys], Change]
    ) -> list[Outgoing] | None:
        if self.live.get(device_id) != user_id:
            return None
        found = await self.device(device_id) or self._listed(DeviceKeys(user_id=user_id, device_id=device_id))
        change = rule(found)
        if change.signed_prekey:
            self.signed[device_id] = change.signed_prekey
        if change.last_resort:
            self.last_resort[device_id] = change.last_resort
        self.one_time.setdefault(device_id, []).extend(change.one_time)
        kem = [*change.kem, *([change.last_resort] if change.last_resort else [])]
        self.keys[device_id] = changed(
            found,
            identity_key=change.identity_key or found.identity_key,
            signed_prekey_id=change.signed_prekey.key_id if change.signed_prekey else found.signed_prekey_id,
            one_time_prekeys=found.one_time_prekeys + len(change.one_time),
            kem_prekeys=found.kem_prekeys + len(change.kem),
            highest_one_time_id=max(
                (one.key_id for one in change.one_time), default=found.highest_one_time_id
            ),
            highest_kem_id=max((one.key_id for one in kem), default=found.highest_kem_id),
        )
        if not change.publishes and not change.waits:
            return []
        return outgoing(
            [DeviceChanged(event="published", user_id=user_id, device_id=device_id, waiting=change.waits)]
        )

    async def replace(
        self, user_id: str, given: DeviceList, rule: Callable[[CurrentList], None]
    ) -> list[Outgoing] | None:
        if not await self.user_exists(user_id):
            return None
        standing = self.lists.get(user_id)
        if standing is not None:
            rule(CurrentList(bytes(standing.account_key), standing.version))
        before = await self._published(user_id)
        self.lists[user_id] = given
        after = await self._published(user_id)
        is_replaced = standing is not None and standing.account_key != given.account_key
        changed = before | after if is_replaced else before ^ after
        return outgoing(
            [
                DeviceChanged(
                    event="published" if one in after else "removed", user_id=user_id, device_id=one
                )
                for one in sorted(changed)
            ]
        )

    async def _published(self, user_id: str) -> set[str]:
        found = [await self.device(one) for one in self.keys]
        return {one.device_id for one in found if one and one.user_id == user_id and one.published}

    async def identities(self, user_id: str) -> Identities | None:
        if not await self.user_exists(user_id):
            return None
        items = [
            DeviceIdentity(device_id=key, identity_key=self.keys[key].identity_key or b"")
            for key in sorted(await self._published(user_id))
        ]
        found = [await self.device(one) for one in self.keys]
        pending = [
            PendingDevice(
                device_id=one.device_id, identity_key=one.identity_key, device_name=None, created_at=""
            )
            for one in found
            if one and one.user_id == user_id and one.identity_key and one.listed_key != one.identity_key
        ]
        return Identities(device_list=self.lists.get(user_id), items=items, pending=pending)

    async def user_exists(self, user_id: str) -> bool:
        return user_id in self.live.values()

    async def claim(self, asking: ClaimRequest) -> Claimed:
        if self.spent is not None:
            return Claimed([], self.spent)
        bundles, events = [], []
        for device_id in list(self.keys):
            one = await self.device(device_id)
            assert one is not None
            if device_id == asking.asker_device_id or not one.published:
                continue
            if one.user_id != asking.user_id and device_id not in asking.device_ids:
                continue
            left = self.one_time[device_id]
            taken = left.pop(0) if left else None
            if len(left) < asking.low:
                events.append(PrekeysLow(device_id=device_id, one_time_prekeys=len(left)))
            signed = self.signed[device_id]
            bundles.append(
                Bundle(
                    user_id=one.user_id,
                    device_id=device_id,
                    identity_key=one.identity_key or b"",
                    signed_prekey=BundleSignedPrekey(
                        signed.key_id, bytes(signed.public_key), bytes(signed.signature)
                    ),
                    one_time_prekey=taken and BundleOneTimePrekey(taken.key_id, bytes(taken.public_key)),
                    kem_prekey=None,
                    list_version=self.lists[one.user_id].version if one.has_list else None,
                )
            )
        return Claimed(bundles, None, outgoing(events))


class House:
    """Keys and all that they stand on; the clock begins 100 s after the devices' logins."""

    def __init__(self, stored: int = 200) -> None:
        self.store = MemoryStore()
        self.events = Published()
        self.clock = Clock()
        self.clock.seconds = 1_100.0
        self.keys = Keys(
            self.store,
            self.store,
            self.store,
            self.clock,
            self.events,
            stored=stored,
            low=3,
            by_asker=20,
            of_device=100,
        )

    def device(self, user_id: str | None = None) -> Device:
        """A device that auth knows and that has published nothing."""
        device = Device(user_id)
        self.store.live[device.who.device_id] = device.who.user_id
        return device

    def published(self, user_id: str | None = None, one_time: int = 0) -> Device:
        """A device with an identity key and a signed prekey."""
        device = self.device(user_id)
        run(self.keys.set_identity(device.who, device.identity_body()))
        run(self.keys.set_signed_prekey(device.who, device.signed(0)))
        if one_time:
            run(self.keys.add_one_time_prekeys(device.who, device.one_time(one_time)))
        self.events.clear()
        return device


def refused(code: Code, coroutine: Coroutine[Any, Any, object]) -> Problem:
    """The problem that it ends with."""
    with pytest.raises(Problem) as caught:
        run(coroutine)
    assert caught.value.code == code
    return caught.value
