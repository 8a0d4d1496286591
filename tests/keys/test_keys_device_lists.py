"""The rules of device lists: who publishes them, what is verified, who is published by them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import UNSET

from messenger.wire.codec import Binary
from messenger.wire.errors import Code
from messenger.wire.keys import (
    Claim,
    DeviceList,
    ListedDevice,
)
from tests.fakes import run
from tests.keys.key_devices import Device, signed_list, signed_names
from tests.keys.keys_fakes import House, refused


def put(house: House, device: Device, given: DeviceList) -> None:
    run(house.keys.set_list(device.who, given))


def seen(house: House, device: Device) -> list[str]:
    return [one.device_id for one in run(house.keys.identities(device.who.user_id)).items]


def test_with_a_list_the_devices_that_it_names_are_published_and_no_others() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    first = house.published()
    second = house.published(first.who.user_id)
    ids = sorted((first.who.device_id, second.who.device_id))
    assert seen(house, first) == ids
    given = signed_list(account, 1, first)
    put(house, first, given)
    assert seen(house, first) == [first.who.device_id]
    assert [(one.event, one.device_id) for one in house.events] == [("removed", second.who.device_id)]
    assert run(house.keys.identities(first.who.user_id)).device_list == given
    house.events.clear()
    put(house, second, signed_list(account, 2, second, first))
    assert seen(house, first) == ids
    assert [(one.event, one.device_id) for one in house.events] == [("published", second.who.device_id)]
    bundles = run(house.keys.claim(house.published().who, Claim(user_id=first.who.user_id)))
    assert [one.list_version for one in bundles] == [2, 2]


def test_of_a_device_that_waits_its_user_alone_is_told_once() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    first = house.published()
    put(house, first, signed_list(account, 1, first))
    new = house.device(first.who.user_id)
    house.events.clear()
    run(house.keys.set_identity(new.who, new.identity_body()))
    assert house.events == []
    run(house.keys.set_signed_prekey(new.who, new.signed(0)))
    run(house.keys.set_signed_prekey(new.who, new.signed(1)))
    assert [(one.event, one.device_id, one.waiting) for one in house.events] == [
        ("published", new.who.device_id, True)
    ]


def test_a_device_is_published_by_its_own_identity_key_only() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    first = house.published()
    new, other = house.device(first.who.user_id), Device(first.who.user_id)
    swapped = ListedDevice(new.listed().device_id, other.listed().identity_key)
    new_with_other_key = Device(first.who.user_id)
    new_with_other_key.who, new_with_other_key.identity = new.who, other.identity
    assert new_with_other_key.listed() == swapped
    put(house, first, signed_list(account, 1, first, new_with_other_key))
    run(house.keys.set_identity(new.who, new.identity_body()))
    run(house.keys.set_signed_prekey(new.who, new.signed(0)))
    assert seen(house, first) == [first.who.device_id]
    put(house, first, signed_list(account, 2, first, new))
    assert len(seen(house, first)) == 2


def test_only_its_user_sees_a_device_that_waits() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    device = house.published()
    user_id = device.who.user_id
    put(house, device, signed_list(account, 1, device))
    second = house.published(user_id)
    found = run(house.keys.identities(user_id, user_id))
    assert [one.device_id for one in found.pending] == [second.who.device_id]
    assert run(house.keys.identities(user_id, house.published().who.user_id)).pending is UNSET
    put(house, device, signed_list(account, 2, device, second))
    assert run(house.keys.identities(user_id, user_id)).pending == []


def test_a_list_is_verified() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    device, other = house.published(), house.published()
    good = signed_list(account, 1, device)
    stranger = Ed25519PrivateKey.generate()
    for bad in (
        DeviceList(good.account_key, 1, good.devices, Binary(b"")),
        DeviceList(good.account_key, 1, good.devices, Binary(bytes(64))),
        DeviceList(good.account_key, 2, good.devices, good.signature),
        DeviceList(good.account_key, 1, [other.listed()], good.signature),
        DeviceList(good.account_key, 1, [], good.signature),
        DeviceList(signed_list(stranger, 1, device).account_key, 1, good.devices, good.signature),
        DeviceList(Binary(bytes(32)), 1, good.devices, good.signature),
        DeviceList(good.account_key, 1, good.devices, Binary(good.signature + b"\0")),
        signed_list(account, 1, device, user_id=other.who.user_id),
    ):
        problem = refused(Code.unprocessable, house.keys.set_list(device.who, bad))
        assert "signature" in problem.detail or "account key" in problem.detail
    # Another user's list is nobody else's.
    refused(Code.unprocessable, house.keys.set_list(other.who, good))
    put(house, device, good)


def test_what_is_signed_is_what_the_contract_says() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    devices = [house.published()]
    devices += [house.published(devices[0].who.user_id) for _ in range(3)]
    user_id = devices[0].who.user_id
    said = b"messenger-device-list-1\0" + bytes.fromhex(user_id.replace("-", "")) + b"\0\0\0\0\0\0\x01\x02"
    for one in sorted(devices, key=lambda one: one.who.device_id):
        said += bytes.fromhex(one.who.device_id.replace("-", ""))
        said += one.identity.public_key().public_bytes_raw()
    key = Binary(account.public_key().public_bytes_raw())
    # Named in any order: what is signed goes by rising id.
    for version, order in ((258, devices[::-1]), (258, devices)):
        given = DeviceList(key, version, [one.listed() for one in order], Binary(account.sign(said)))
        house.store.lists.clear()
        put(house, devices[0], given)
    for spoiled in (said[1:], said + b"\0", said.replace(b"\0", b"", 1)):
        given = DeviceList(key, 258, [one.listed() for one in devices], Binary(account.sign(spoiled)))
        house.store.lists.clear()
        refused(Code.unprocessable, house.keys.set_list(devices[0].who, given))


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(32), b"\xff" * 32, b"\1" + bytes(31), bytes(33)])
def test_a_signed_list_with_a_bad_identity_key_is_refused(raw: bytes) -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    device = house.published()
    bad = [device.listed(), ListedDevice(Device().listed().device_id, Binary(raw))]
    given = signed_names(account, 1, device.who.user_id, bad)
    assert "identity key" in refused(Code.unprocessable, house.keys.set_list(device.who, given)).detail


def test_a_signed_list_names_a_device_once() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    device = house.published()
    other_key = ListedDevice(device.listed().device_id, Device().listed().identity_key)
    for listed in ([device.listed()] * 2, [device.listed(), other_key], [other_key, device.listed()]):
        given = signed_names(account, 1, device.who.user_id, listed)
        assert "twice" in refused(Code.unprocessable, house.keys.set_list(device.who, given)).detail


def test_a_small_order_account_key_signs_nothing() -> None:
    """Under the identity as key, R = identity and S = 0 would hold for every text."""
    house = House()
    device = house.published()
    identity = b"\1" + bytes(31)
    given = DeviceList(Binary(identity), 1, [device.listed()], Binary(identity + bytes(32)))
    problem = refused(Code.unprocessable, house.keys.set_list(device.who, given))
    assert "account key" in problem.detail


def test_a_list_may_name_whom_the_service_has_not_met() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    device, stranger = house.published(), house.published()
    new = house.device(device.who.user_id)
    put(house, device, signed_list(account, 1, device, new, stranger))
    # Another user's device does not become this one's, and stays what it was to its own user.
    assert seen(house, device) == [device.who.device_id]
    assert seen(house, stranger) == [stranger.who.device_id]
    house.events.clear()
    run(house.keys.set_identity(new.who, new.identity_body()))
    run(house.keys.set_signed_prekey(new.who, new.signed(0)))
    assert [(one.event, one.device_id) for one in house.events] == [("published", new.who.device_id)]
    assert len(seen(house, device)) == 2


def test_where_no_list_stands_all_devices_with_an_identity_key_wait() -> None:
    house = House()
    device = house.published()
    user_id = device.who.user_id
    half = house.device(user_id)
    run(house.keys.set_identity(half.who, half.identity_body()))
    run(house.keys.add_one_time_prekeys(house.device(user_id).who, half.one_time(1)))
    found = run(house.keys.identities(user_id, user_id))
    assert {one.device_id for one in found.pending} == {device.who.device_id, half.who.device_id}
    assert [one.device_id for one in found.items] == [device.who.device_id]


def test_an_empty_list_leaves_nobody_published() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    device = house.published()
    put(house, device, signed_list(account, 1, user_id=device.who.user_id))
    assert seen(house, device) == []
    assert [one.event for one in house.events] == ["removed"]
    assert run(house.keys.claim(house.published().who, Claim(user_id=device.who.user_id))) == []


def test_who_is_gone_publishes_no_list() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    device = house.published()
    house.store.live.clear()
    refused(Code.unauthorized, house.keys.set_list(device.who, signed_list(account, 1, device)))


def test_versions_only_rise() -> None:
    house, account = House(), Ed25519PrivateKey.generate()
    device = house.published()
    put(house, device, signed_list(account, 7, device))
    for version in (7, 6, 1):
        problem = refused(
            Code.conflict, house.keys.set_list(device.who, signed_list(account, version, device))
        )
        assert problem.members == {"version": 7}
    put(house, device, signed_list(account, 2**53 - 1, device))


def test_another_account_key_wants_a_fresh_login_and_a_higher_version() -> None:
    house = House()
    device = house.published()
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    house.clock.seconds = device.who.auth_time + 1_000_000
    put(house, device, signed_list(old, 3, device))  # the first one wants none
    refused(Code.forbidden, house.keys.set_list(device.who, signed_list(new, 4, device)))
    put(house, device, signed_list(old, 4, device))  # nothing is replaced
    house.clock.seconds = device.who.auth_time + 300
    refused(Code.forbidden, house.keys.set_list(device.who, signed_list(new, 5, device)))
    house.clock.seconds = device.who.auth_time + 299
    refused(Code.conflict, house.keys.set_list(device.who, signed_list(new, 4, device)))
    house.events.clear()
    put(house, device, signed_list(new, 5, device))
    assert seen(house, device) == [device.who.device_id]
    # Its peers look at the same device again, under another account key.
    assert [(one.event, one.device_id) for one in house.events] == [("published", device.who.device_id)]
