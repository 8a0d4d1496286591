"""Account keys, certificates and what is known of users."""

from uuid import uuid4

import msgspec
import pytest

from messenger.client.e2e import (
    AccountKey,
    AccountKeyHasChanged,
    AccountKeyPinned,
    DeviceAdded,
    DeviceRefused,
    DeviceRemoved,
    KnownUser,
    PeerSessions,
    Policy,
    errors,
    safety_number,
)
from messenger.wire.codec import Binary, Uuid
from messenger.wire.keys import Bundle, Identities
from tests.client.e2e_world import NOW, User

replace = msgspec.structs.replace


def known_of(user: User, policy: Policy = Policy.REFUSE) -> KnownUser:
    known = KnownUser(user.user_id)
    known.learn(user.identities(), policy)
    return known


def restored(known: KnownUser) -> KnownUser:
    return KnownUser.from_bytes(known.to_bytes())


def test_the_first_account_key_is_pinned_and_its_devices_are_known() -> None:
    user = User()
    device = user.device()
    known = KnownUser(user.user_id)
    assert known.learn(user.identities(), Policy.REFUSE) == [
        AccountKeyPinned(user_id=user.user_id, account_key=user.account.public),
        DeviceAdded(user_id=user.user_id, device_id=device.device_id),
    ]
    assert restored(known).device(device.device_id).identity_key == device.keys.identity_key
    assert known.learn(user.identities(), Policy.REFUSE) == []


def test_devices_without_a_good_certificate_are_refused() -> None:
    user, other = User(), User()
    good, bare, forged = user.device(), user.device(certified=False), user.device()
    forged.certificate = other.account.certify(user.user_id, forged.device_id, forged.keys.identity_key)
    known = KnownUser(user.user_id)
    events = known.learn(user.identities(), Policy.REFUSE)
    refused = {one.device_id: type(one.error) for one in events if isinstance(one, DeviceRefused)}
    assert refused == {bare.device_id: errors.UncertifiedDevice, forged.device_id: errors.BadCertificate}
    known.device(good.device_id)
    for device in (bare, forged):
        with pytest.raises(errors.UncertifiedDevice):
            known.device(device.device_id)
        with pytest.raises((errors.UncertifiedDevice, errors.BadCertificate)):
            known.check_bundle(device.bundle(), Policy.REFUSE)


def test_a_user_without_an_account_key_has_no_devices() -> None:
    user = User()
    device = user.device()
    known = KnownUser(user.user_id)
    said = Identities(account_key=None, items=user.identities().items)
    (event,) = known.learn(said, Policy.WARN)
    assert isinstance(event, DeviceRefused)
    with pytest.raises(errors.UncertifiedDevice):
        known.check_bundle(replace(device.bundle(), account_key=None), Policy.WARN)


def test_a_certificate_speaks_for_one_device_of_one_user() -> None:
    user = User()
    one, two = user.device(), user.device()
    one.certificate, two.certificate = two.certificate, one.certificate
    known = KnownUser(user.user_id)
    events = known.learn(user.identities(), Policy.REFUSE)
    assert [type(e.error) for e in events if isinstance(e, DeviceRefused)] == [errors.BadCertificate] * 2


def test_a_changed_account_key_is_refused_until_the_user_takes_it() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    known.set_verified(True)
    old, user.account = user.account, AccountKey.create()
    device.certificate = user.account.certify(user.user_id, device.device_id, device.keys.identity_key)
    expected = AccountKeyHasChanged(
        user_id=user.user_id, old=old.public, new=user.account.public, was_verified=True, accepted=False
    )
    assert known.learn(user.identities(), Policy.REFUSE) == [expected]
    assert known.learn(user.identities(), Policy.REFUSE) == []  # told once
    known = restored(known)
    for refused in (
        lambda: known.device(device.device_id),
        lambda: known.check_bundle(device.bundle(), Policy.REFUSE),
        lambda: known.set_verified(True),
    ):
        with pytest.raises(errors.AccountKeyChanged) as caught:
            refused()
        assert (caught.value.old, caught.value.new) == (old.public, user.account.public)
    known.accept_account_key(user.account.public)
    assert not known.verified
    known.learn(user.identities(), Policy.REFUSE)
    known.device(device.device_id)


def test_a_refused_account_key_is_forgotten_when_the_old_one_is_back() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    known.learn(replace(user.identities(), account_key=AccountKey.create().public), Policy.REFUSE)
    known.learn(user.identities(), Policy.REFUSE)
    known.device(device.device_id)


def test_a_changed_account_key_may_only_warn_and_then_is_unverified() -> None:
    user = User()
    user.device()
    known = known_of(user)
    known.set_verified(True)
    user.account = AccountKey.create()
    events = known.learn(user.identities(), Policy.WARN)
    assert isinstance(events[0], AccountKeyHasChanged)
    assert events[0].accepted
    assert events[0].was_verified
    assert not known.verified
    assert known.devices == {}  # the old key's certificates are void


def test_an_account_key_that_is_taken_away_is_never_accepted() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    (event,) = known.learn(Identities(account_key=None, items=[]), Policy.WARN)
    assert isinstance(event, AccountKeyHasChanged)
    assert not event.accepted
    with pytest.raises(errors.AccountKeyChanged):
        known.device(device.device_id)


def test_a_device_never_changes_its_identity_key() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    other = user.device()
    certificate = user.account.certify(user.user_id, device.device_id, other.keys.identity_key)
    bundle = replace(other.bundle(), device_id=device.device_id, certificate=certificate)
    with pytest.raises(errors.IdentityKeyChanged):
        known.check_bundle(bundle, Policy.WARN)
    item = replace(user.identities().items[0], identity_key=other.keys.identity_key, certificate=certificate)
    events = known.learn(Identities(account_key=user.account.public, items=[item]), Policy.WARN)
    assert isinstance(events[0], DeviceRefused)
    assert isinstance(events[0].error, errors.IdentityKeyChanged)
    assert known.device(device.device_id).identity_key == device.keys.identity_key


def test_a_swapped_bundle_is_refused_by_name() -> None:
    user, mallory = User(), User()
    device, theirs = user.device(), mallory.device()
    known = known_of(user)

    def refused(error: type[errors.EncryptionError], **members: object) -> None:
        bundle: Bundle = replace(device.bundle(), **members)
        with pytest.raises(error):
            known.check_bundle(bundle, Policy.REFUSE)

    swapped = theirs.bundle()
    refused(errors.IdentityKeyChanged, identity_key=swapped.identity_key)
    refused(errors.BadPrekeySignature, signed_prekey=swapped.signed_prekey)
    refused(errors.BadPrekeySignature, kem_prekey=swapped.kem_prekey)
    refused(errors.BadCertificate, certificate=swapped.certificate)
    refused(errors.AccountKeyChanged, account_key=swapped.account_key)
    known.check_bundle(device.bundle(), Policy.REFUSE)
    with pytest.raises(errors.SenderMismatch):
        known.check_bundle(swapped, Policy.REFUSE)


def test_a_device_that_had_a_kem_prekey_always_has_one() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    known.check_bundle(device.bundle(kem=False), Policy.REFUSE)  # nothing is known yet
    known.check_bundle(device.bundle(one_time=False), Policy.REFUSE)  # the last-resort one
    with pytest.raises(errors.KemDowngrade):
        restored(known).check_bundle(device.bundle(kem=False), Policy.REFUSE)


def test_what_a_peer_says_of_its_kem_is_kept() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    known.saw_kem(device.device_id)
    with pytest.raises(errors.KemDowngrade):
        known.check_bundle(device.bundle(kem=False), Policy.REFUSE)


def test_removed_devices_are_told_and_stay_known_for_what_they_sent() -> None:
    user = User()
    device, gone = user.device(), user.device()
    known = known_of(user)
    user.devices.remove(gone)
    removed = DeviceRemoved(user_id=user.user_id, device_id=gone.device_id)
    assert known.learn(user.identities(), Policy.REFUSE) == [removed]
    assert known.learn(user.identities(), Policy.REFUSE) == []
    assert not known.device(gone.device_id).listed
    assert known.device(device.device_id).listed


def test_what_is_known_of_a_user_is_bounded() -> None:
    user = User()
    devices = [user.device(one_time=0, kem=0) for _ in range(105)]
    known = KnownUser(user.user_id)
    known.learn(user.identities(), Policy.REFUSE)
    assert len(known.devices) == 100
    user.devices = devices[50:]
    known.learn(user.identities(), Policy.REFUSE)
    assert all(device.device_id in known.devices for device in devices[50:])


def test_safety_numbers_are_the_same_on_both_sides() -> None:
    one, two = User(), User()
    number = safety_number(one.user_id, one.account.public, two.user_id, two.account.public)
    assert number == safety_number(two.user_id, two.account.public, one.user_id, one.account.public)
    groups = number.split(" ")
    assert len(groups) == 12
    assert all(len(group) == 5 and group.isdigit() for group in groups)
    other = safety_number(one.user_id, one.account.public, two.user_id, AccountKey.create().public)
    assert other != number
    assert safety_number(one.user_id, one.account.public, str(uuid4()), two.account.public) != number


def test_damaged_state_is_named() -> None:
    raw = known_of(User()).to_bytes()
    for bad in (b"", b"\x02" + raw[1:], raw[:-1], raw[:1] + b"\x00"):
        with pytest.raises(errors.BadState):
            KnownUser.from_bytes(bad)


def test_the_wires_own_bytes_and_ids_are_stored_like_any() -> None:
    user, other = User(), User().device()
    device = user.device()
    known = known_of(user)
    bundle = device.bundle()
    bundle = replace(
        bundle,
        user_id=Uuid(bundle.user_id),
        identity_key=Binary(bundle.identity_key),
        account_key=Binary(user.account.public),
        signed_prekey=replace(bundle.signed_prekey, public_key=Binary(bundle.signed_prekey.public_key)),
    )
    known.check_bundle(bundle, Policy.REFUSE)
    assert restored(known).devices == known.devices
    sessions = PeerSessions(user.user_id, device.device_id)
    sessions.start(other.keys, bundle, now=NOW)
    assert PeerSessions.from_bytes(sessions.to_bytes()).session_ids == sessions.session_ids
