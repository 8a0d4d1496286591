"""The rules of the stores of keys and of the vault, for any of their implementations: in memory, and on
PostgreSQL."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import TestCase

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from messenger.core.ids import new_id
from messenger.core.outgoing import Outgoing
from messenger.keys.model import Change, ClaimRequest, CurrentList, DeviceKeys
from messenger.keys.vault.domain import Vault
from messenger.wire.errors import Code, Problem
from messenger.wire.events import DeviceChanged, PrekeysLow
from messenger.wire.keys import DeviceList
from messenger.wire.vault import VaultItem, VaultName
from tests.fakes import run
from tests.keys.key_devices import Device, signed_list


def events(outgoing: list[Outgoing] | None) -> list[Any]:
    assert outgoing is not None
    return [one.event for one in outgoing]


def no_rule(_standing: CurrentList) -> None:
    """Whatever stands may be replaced."""


class Refused(Exception):
    """A rule said no."""


def refuse(*_: Any) -> Any:
    raise Refused


class KeyStoreSuite(TestCase):
    """`setUp` of a subclass gives the three stores."""

    keys: Any
    lists: Any
    claims: Any

    def known(self, device: Device) -> Device:
        """A device, and its user, that auth knows."""
        raise NotImplementedError

    def alter(self, device: Device, change: Change) -> list[Any]:
        return events(run(self.keys.alter(device.who.user_id, device.who.device_id, lambda _: change)))

    def published(self, user_id: str | None = None, one_time: int = 0) -> Device:
        device = self.known(Device(user_id))
        key = bytes(device.identity_body().identity_key)
        prekeys = device.one_time(one_time).prekeys
        change = Change(identity_key=key, signed_prekey=device.signed(3), one_time=prekeys, publishes=True)
        assert self.alter(device, change) == [changed(device, "published")]
        return device

    def stored(self, device: Device) -> DeviceKeys | None:
        found: DeviceKeys | None = run(self.keys.device(device.who.device_id))
        return found and replace(found, signed_prekey_created_at=None)

    # devices

    def test_a_device_that_has_published_nothing(self) -> None:
        device = self.known(Device())
        who = device.who
        assert run(self.keys.device(who.device_id)) is None
        seen: list[DeviceKeys] = []

        def rule(state: DeviceKeys) -> Change:
            seen.append(state)
            return Change()

        assert run(self.keys.alter(who.user_id, who.device_id, rule)) == []
        assert seen == [DeviceKeys(user_id=who.user_id, device_id=who.device_id)]

    def test_only_ones_own_device_that_is_there(self) -> None:
        mine, other = self.known(Device()), Device()
        assert run(self.keys.alter(other.who.user_id, mine.who.device_id, refuse)) is None
        assert run(self.keys.alter(other.who.user_id, other.who.device_id, refuse)) is None
        self.published(mine.who.user_id)
        assert run(self.keys.alter(other.who.user_id, mine.who.device_id, refuse)) is None

    def test_what_was_published_is_there(self) -> None:
        device = self.published(one_time=2)
        key = bytes(device.identity_body().identity_key)
        kem, last = [device.kem(5), device.kem(6)], device.kem(9)
        assert self.alter(device, Change(kem=kem, last_resort=last)) == []
        state = DeviceKeys(
            user_id=device.who.user_id,
            device_id=device.who.device_id,
            identity_key=key,
            signed_prekey_id=3,
            highest_one_time_id=1,
            highest_kem_id=9,
            one_time_prekeys=2,
            kem_prekeys=2,
        )
        assert self.stored(device) == state
        self.alter(device, Change(signed_prekey=device.signed(4), kem=[device.kem(12)]))
        later = replace(state, signed_prekey_id=4, highest_kem_id=12, kem_prekeys=3)
        assert self.stored(device) == later
        self.alter(device, Change(last_resort=device.kem(20)))
        assert self.stored(device) == replace(later, highest_kem_id=20)

    def test_a_refusal_changes_nothing(self) -> None:
        device = self.published()
        before = self.stored(device)
        with self.assertRaises(Refused):
            run(self.keys.alter(device.who.user_id, device.who.device_id, refuse))
        assert self.stored(device) == before

    # lists

    def replace(self, given: DeviceList, user_id: str, rule: Callable[[CurrentList], None]) -> list[Any]:
        return events(run(self.lists.replace(user_id, given, rule)))

    def test_a_list_says_which_devices_are_published(self) -> None:
        first = self.published()
        user_id = first.who.user_id
        second, account = self.published(user_id), Ed25519PrivateKey.generate()
        assert self.replace(signed_list(account, 1, first), user_id, refuse) == [changed(second, "removed")]
        state = self.stored(second)
        assert state is not None
        assert (state.has_list, state.listed_key) == (True, None)
        seen: list[CurrentList] = []
        told = self.replace(signed_list(account, 2, second), user_id, seen.append)
        assert sorted(told, key=lambda one: one.event) == [
            changed(second, "published"),
            changed(first, "removed"),
        ]
        assert seen == [CurrentList(account.public_key().public_bytes_raw(), 1)]
        state = self.stored(second)
        assert state is not None
        assert state.listed_key == second.identity_body().identity_key

    def test_a_refused_list_leaves_the_one_that_stands(self) -> None:
        device, account = self.published(), Ed25519PrivateKey.generate()
        user_id, standing = device.who.user_id, signed_list(account, 1, device)
        self.replace(standing, user_id, no_rule)
        with self.assertRaises(Refused):
            run(self.lists.replace(user_id, signed_list(account, 2, user_id=user_id), refuse))
        assert run(self.lists.identities(user_id)).device_list == standing

    def test_nobody_has_no_list(self) -> None:
        device = Device()
        given = signed_list(Ed25519PrivateKey.generate(), 1, device)
        assert run(self.lists.replace(device.who.user_id, given, refuse)) is None
        assert run(self.lists.identities(device.who.user_id)) is None
        assert not run(self.lists.user_exists(device.who.user_id))

    def test_identities(self) -> None:
        silent = self.known(Device())
        user_id = silent.who.user_id
        assert run(self.lists.user_exists(user_id))
        found = run(self.lists.identities(user_id))
        assert (found.device_list, found.items, found.pending) == (None, [], [])
        first, second = sorted(
            (self.published(user_id), self.published(user_id)), key=lambda one: one.who.device_id
        )
        found = run(self.lists.identities(user_id))
        assert [one.device_id for one in found.items] == [first.who.device_id, second.who.device_id]
        assert [one.identity_key for one in found.items] == [
            first.identity_body().identity_key,
            second.identity_body().identity_key,
        ]
        listed = signed_list(Ed25519PrivateKey.generate(), 1, first)
        self.replace(listed, user_id, no_rule)
        found = run(self.lists.identities(user_id))
        assert found.device_list == listed
        assert [one.device_id for one in found.items] == [first.who.device_id]
        assert [one.device_id for one in found.pending] == [second.who.device_id]

    # claims

    def claim(self, asker: Device, user_id: str | None = None, *devices: Device, low: int = 0) -> Any:
        return run(
            self.claims.claim(
                ClaimRequest(
                    asker_id=asker.who.user_id,
                    asker_device_id=asker.who.device_id,
                    user_id=user_id,
                    device_ids=[one.who.device_id for one in devices],
                    by_asker=100,
                    of_device=100,
                    low=low,
                )
            )
        )

    def test_a_one_time_prekey_is_handed_out_once(self) -> None:
        asker, device = self.published(), self.published(one_time=2)
        user_id, given = device.who.user_id, []
        for _ in range(3):
            (bundle,) = self.claim(asker, user_id).bundles
            assert (bundle.user_id, bundle.device_id) == (user_id, device.who.device_id)
            assert bundle.identity_key == device.identity_body().identity_key
            assert (bundle.signed_prekey.key_id, bundle.list_version) == (3, None)
            given.append(bundle.one_time_prekey and bundle.one_time_prekey.key_id)
        assert given == [0, 1, None]
        state = self.stored(device)
        assert state is not None
        assert (state.one_time_prekeys, state.highest_one_time_id) == (0, 1)

    def test_a_device_hears_that_it_has_few_left(self) -> None:
        asker, device = self.published(), self.published(one_time=3)
        told = [events(self.claim(asker, None, device, low=2).events) for _ in range(2)]
        low = PrekeysLow(device_id=device.who.device_id, one_time_prekeys=1)
        assert told == [[], [low]]

    def test_a_claim_is_for_published_devices_but_the_asking_one(self) -> None:
        asker = self.published(one_time=1)
        user_id = asker.who.user_id
        mine, unlisted, silent = self.published(user_id), self.published(user_id), self.known(Device(user_id))
        self.replace(signed_list(Ed25519PrivateKey.generate(), 7, asker, mine), user_id, no_rule)
        for claimed in (self.claim(asker, user_id), self.claim(asker, None, asker, mine, unlisted, silent)):
            (bundle,) = claimed.bundles
            assert (bundle.device_id, bundle.list_version) == (mine.who.device_id, 7)
        state = self.stored(asker)
        assert state is not None
        assert state.one_time_prekeys == 1
        assert self.claim(asker, new_id()).bundles == []


def changed(device: Device, event: str) -> DeviceChanged:
    return DeviceChanged(event=event, user_id=device.who.user_id, device_id=device.who.device_id)


class VaultStoreSuite(TestCase):
    """`setUp` of a subclass gives the store, and two users who are there."""

    store: Any
    ann: str
    ben: str

    def put(self, user_id: str, name: str, content: bytes) -> int:
        version: int = run(self.store.put(user_id, name, content, lambda _standing, _count: None))
        return version

    def test_each_user_has_names_of_its_own_in_order(self) -> None:
        assert run(self.store.names(self.ann)) == []
        assert run(self.store.get(self.ann, "a")) is None
        second, first = self.put(self.ann, "b", b"2"), self.put(self.ann, "a", b"1")
        self.put(self.ben, "a", b"3")
        assert run(self.store.names(self.ann)) == [
            VaultName(name="a", version=first),
            VaultName(name="b", version=second),
        ]
        assert run(self.store.get(self.ann, "a")) == VaultItem(name="a", version=first, content=b"1")
        assert run(self.store.get(self.ben, "a")).content == b"3"

    def test_versions_rise_past_a_deletion(self) -> None:
        versions = [self.put(self.ann, "a", b"1"), self.put(self.ann, "a", b"2")]
        run(self.store.delete(self.ann, "a", lambda _standing: None))
        assert run(self.store.get(self.ann, "a")) is None
        versions.append(self.put(self.ann, "a", b"3"))
        assert versions == sorted(set(versions))

    def test_a_rule_judges_what_stands(self) -> None:
        seen: list[tuple[Any, ...]] = []

        def rule(*state: Any) -> None:
            seen.append(state)

        version = run(self.store.put(self.ann, "a", b"1", rule))
        run(self.store.put(self.ann, "b", b"1", rule))
        run(self.store.put(self.ann, "a", b"2", rule))
        run(self.store.delete(self.ann, "b", rule))
        assert seen[:3] == [(None, 0), (None, 1), (version, 2)]
        assert len(seen[3]) == 1

    def test_a_refusal_changes_nothing(self) -> None:
        version = self.put(self.ann, "a", b"1")
        with self.assertRaises(Refused):
            run(self.store.put(self.ann, "a", b"2", refuse))
        with self.assertRaises(Refused):
            run(self.store.delete(self.ann, "a", refuse))
        assert run(self.store.get(self.ann, "a")) == VaultItem(name="a", version=version, content=b"1")

    def test_who_is_not_there_keeps_nothing(self) -> None:
        nobody = new_id()
        assert run(self.store.put(nobody, "a", b"1", lambda _standing, _count: None)) is None
        with self.assertRaises(Problem) as caught:
            run(Vault(self.store).put(nobody, "a", b"1", lambda _standing: True))
        assert caught.exception.code == Code.unauthorized
        assert run(self.store.names(nobody)) == []
