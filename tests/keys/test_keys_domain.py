"""The rules of identity keys, prekeys and claims."""

import pytest

from messenger.wire.codec import Binary
from messenger.wire.errors import Code
from messenger.wire.events import DeviceChanged, PrekeysLow
from messenger.wire.keys import (
    Claim,
    IdentityKey,
    KemPrekey,
    KemPrekeys,
    OneTimePrekey,
    OneTimePrekeys,
    SignedPrekey,
)
from tests.fakes import run
from tests.keys.key_devices import x25519_key
from tests.keys.keys_fakes import House, refused

# identity keys


def test_an_identity_key_is_set_once() -> None:
    house = House()
    device = house.device()
    run(house.keys.set_identity(device.who, device.identity_body()))
    run(house.keys.set_identity(device.who, device.identity_body()))
    refused(Code.identity_key_immutable, house.keys.set_identity(device.who, house.device().identity_body()))
    # What stands is compared first: a bad key is only another key then.
    refused(Code.identity_key_immutable, house.keys.set_identity(device.who, IdentityKey(Binary(bytes(32)))))


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(32), b"\xff" * 32, b"\x02" + bytes(31)])
def test_a_bad_identity_key_is_refused(raw: bytes) -> None:
    house = House()
    refused(Code.unprocessable, house.keys.set_identity(house.device().who, IdentityKey(Binary(raw))))


def test_a_removed_device_publishes_nothing() -> None:
    house = House()
    device = house.device()
    house.store.live.clear()
    refused(Code.unauthorized, house.keys.set_identity(device.who, device.identity_body()))


# signed prekeys


def test_a_signed_prekey_is_verified() -> None:
    house = House()
    device, other = house.published(), house.device()
    good = device.signed(1)
    refused(Code.unprocessable, house.keys.set_signed_prekey(device.who, device.signed(1, signer=other)))
    small = bytes(32)
    bodies = [
        SignedPrekey(1, good.public_key, Binary(good.signature[:-1])),
        SignedPrekey(1, good.public_key, Binary(b"")),
        SignedPrekey(1, Binary(x25519_key()), good.signature),
        SignedPrekey(1, Binary(small), Binary(device.identity.sign(small))),
        SignedPrekey(1, Binary(good.public_key + b"\0"), good.signature),
    ]
    for body in bodies:
        refused(Code.unprocessable, house.keys.set_signed_prekey(device.who, body))
    run(house.keys.set_signed_prekey(device.who, good))


def test_a_signed_prekey_wants_an_identity_key() -> None:
    house = House()
    device = house.device()
    refused(Code.unprocessable, house.keys.set_signed_prekey(device.who, device.signed(0)))


def test_key_ids_of_signed_prekeys_rise() -> None:
    house = House()
    device = house.published()
    run(house.keys.set_signed_prekey(device.who, device.signed(7)))
    for key_id in (7, 6, 0):
        refused(Code.conflict, house.keys.set_signed_prekey(device.who, device.signed(key_id)))
    run(house.keys.set_signed_prekey(device.who, device.signed(2**31 - 1)))


def test_others_hear_when_a_device_becomes_published_and_only_then() -> None:
    house = House()
    device = house.device()
    run(house.keys.set_identity(device.who, device.identity_body()))
    assert house.events == []
    run(house.keys.set_signed_prekey(device.who, device.signed(0)))
    published = DeviceChanged(event="published", user_id=device.who.user_id, device_id=device.who.device_id)
    assert house.events == [published]
    run(house.keys.set_signed_prekey(device.who, device.signed(1)))
    run(house.keys.set_identity(device.who, device.identity_body()))
    assert house.events == [published]


# one-time prekeys


def test_one_time_prekeys_are_stored_all_or_none() -> None:
    house = House()
    device = house.device()  # an identity key is not wanted for these
    assert run(house.keys.add_one_time_prekeys(device.who, device.one_time(100))) == 100
    spoiled = device.one_time(3).prekeys
    spoiled[2] = OneTimePrekey(spoiled[2].key_id, Binary((1).to_bytes(32, "little")))
    refused(Code.unprocessable, house.keys.add_one_time_prekeys(device.who, OneTimePrekeys(spoiled)))
    assert run(house.keys.status(device.who)).one_time_prekeys == 100
    assert run(house.keys.add_one_time_prekeys(device.who, device.one_time(100))) == 200
    refused(Code.unprocessable, house.keys.add_one_time_prekeys(device.who, device.one_time(1)))


@pytest.mark.parametrize("ids", [[4], [5], [6, 6], [7, 6], [6, 5]])
def test_key_ids_of_one_time_prekeys_rise(ids: list[int]) -> None:
    house = House()
    device = house.device()
    first = OneTimePrekeys([OneTimePrekey(5, Binary(x25519_key()))])
    run(house.keys.add_one_time_prekeys(device.who, first))
    body = OneTimePrekeys([OneTimePrekey(key_id, Binary(x25519_key())) for key_id in ids])
    refused(Code.conflict, house.keys.add_one_time_prekeys(device.who, body))


def test_a_claimed_key_id_is_not_used_again() -> None:
    house = House()
    device, asker = house.published(one_time=1), house.published()
    run(house.keys.claim(asker.who, Claim(devices=[device.who.device_id])))
    again = OneTimePrekeys([OneTimePrekey(0, Binary(x25519_key()))])
    refused(Code.conflict, house.keys.add_one_time_prekeys(device.who, again))


# KEM prekeys


def test_kem_prekeys_are_checked_like_the_others() -> None:
    house = House()
    device = house.published()
    count = run(
        house.keys.add_kem_prekeys(device.who, KemPrekeys([device.kem(0), device.kem(1)], device.kem(2)))
    )
    assert count == 2
    assert run(house.keys.add_kem_prekeys(device.who, KemPrekeys([], device.kem(3)))) == 2
    unreduced = b"\xff" * 1568
    for code, body in (
        (Code.bad_request, KemPrekeys([])),
        (Code.conflict, KemPrekeys([device.kem(3)])),
        (Code.conflict, KemPrekeys([device.kem(5), device.kem(4)])),
        (Code.conflict, KemPrekeys([device.kem(4)], device.kem(4))),
        (Code.conflict, KemPrekeys([device.kem(4)], device.kem(2))),
        (Code.unprocessable, KemPrekeys([house.device().kem(4)])),
        (Code.unprocessable, KemPrekeys([device.kem(4)], house.device().kem(5))),
        (
            Code.unprocessable,
            KemPrekeys([KemPrekey(4, Binary(unreduced), Binary(device.identity.sign(unreduced)))]),
        ),
        (
            Code.unprocessable,
            KemPrekeys([KemPrekey(4, Binary(b""), Binary(device.identity.sign(b"")))]),
        ),
    ):
        refused(code, house.keys.add_kem_prekeys(device.who, body))
    assert run(house.keys.status(device.who)).kem_prekeys == 2


# status


def test_the_status_of_a_device_with_and_without_keys() -> None:
    house = House()
    empty = run(house.keys.status(house.device().who))
    assert (empty.identity_key, empty.signed_prekey_id, empty.highest_key_id) == (None, None, None)
    assert (empty.one_time_prekeys, empty.kem_prekeys) == (0, 0)
    device = house.published(one_time=4)
    run(house.keys.add_kem_prekeys(device.who, KemPrekeys([device.kem(9)])))
    full = run(house.keys.status(device.who))
    assert full.identity_key == device.identity.public_key().public_bytes_raw()
    assert (full.signed_prekey_id, full.one_time_prekeys, full.kem_prekeys, full.highest_key_id) == (
        0,
        4,
        1,
        9,
    )


# claims


def test_a_claim_names_a_user_or_devices() -> None:
    house = House()
    device, asker = house.published(), house.published()
    refused(Code.bad_request, house.keys.claim(asker.who, Claim()))
    both = Claim(user_id=device.who.user_id, devices=[device.who.device_id])
    refused(Code.bad_request, house.keys.claim(asker.who, both))


def test_a_claim_leaves_out_the_asker_and_who_is_not_published() -> None:
    house = House()
    first = house.published(one_time=1)
    second = house.published(first.who.user_id)
    half = house.device(first.who.user_id)
    run(house.keys.set_identity(half.who, half.identity_body()))
    bundles = run(house.keys.claim(first.who, Claim(user_id=first.who.user_id)))
    assert [bundle.device_id for bundle in bundles] == [second.who.device_id]
    asked = [half.who.device_id, first.who.device_id, first.who.device_id, second.who.session_id]
    bundles = run(house.keys.claim(second.who, Claim(devices=asked)))
    assert [bundle.device_id for bundle in bundles] == [first.who.device_id]


def test_an_unknown_user_is_not_found() -> None:
    house = House()
    asker = house.published()
    refused(Code.not_found, house.keys.claim(asker.who, Claim(user_id=asker.who.session_id)))
    refused(Code.not_found, house.keys.identities(asker.who.session_id))
    assert run(house.keys.claim(asker.who, Claim(devices=[asker.who.session_id]))) == []


def test_one_time_prekeys_run_out_and_the_device_hears_before() -> None:
    house = House()
    device, asker = house.published(one_time=4), house.published()
    got = [run(house.keys.claim(asker.who, Claim(devices=[device.who.device_id])))[0] for _ in range(5)]
    assert [bundle.one_time_prekey and bundle.one_time_prekey.key_id for bundle in got] == [0, 1, 2, 3, None]
    assert house.events == [
        PrekeysLow(device_id=device.who.device_id, one_time_prekeys=left) for left in (2, 1, 0, 0)
    ]


def test_an_asker_that_has_had_its_share_waits() -> None:
    house = House()
    device, asker = house.published(one_time=1), house.published()
    house.store.spent = 1_234
    problem = refused(Code.rate_limited, house.keys.claim(asker.who, Claim(devices=[device.who.device_id])))
    assert problem.retry_after == 1_234
