"""Account keys, device lists, contact links and what is known of users."""

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
    ListRefused,
    PeerSessions,
    Policy,
    TrustEvent,
    contact_link,
    errors,
    read_contact_link,
    safety_number,
)
from messenger.wire.codec import Binary, Uuid
from messenger.wire.keys import Bundle, DeviceIdentity, Identities
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


def refusals(events: list[TrustEvent]) -> list[type[Exception]]:
    return [type(one.error) for one in events if isinstance(one, ListRefused | DeviceRefused)]


def test_only_devices_of_the_signed_list_count() -> None:
    user = User()
    good = user.device()
    stranger = User().device()
    known = KnownUser(user.user_id)
    said = user.identities()
    item = DeviceIdentity(device_id=stranger.device_id, identity_key=stranger.keys.identity_key)
    events = known.learn(replace(said, items=[*said.items, item]), Policy.REFUSE)
    assert refusals(events) == [errors.UnlistedDevice]
    known.device(good.device_id)
    with pytest.raises(errors.UnlistedDevice):
        known.device(stranger.device_id)
    with pytest.raises(errors.UnlistedDevice):
        known.check_bundle(replace(stranger.bundle(), user_id=user.user_id))


def test_a_user_without_a_list_has_no_devices() -> None:
    user = User()
    device = user.device()
    known = KnownUser(user.user_id)
    events = known.learn(replace(user.identities(), device_list=None), Policy.WARN)
    assert refusals(events) == [errors.UnlistedDevice]
    with pytest.raises(errors.UnlistedDevice):
        known.check_bundle(device.bundle())


def test_a_list_that_does_not_hold_changes_nothing() -> None:
    user, mallory = User(), User()
    device = user.device()
    known = known_of(user)
    good = user.list()
    theirs = mallory.device()
    more = {device.device_id: device.keys.identity_key, theirs.device_id: theirs.keys.identity_key}
    same_key = {device.device_id: device.keys.identity_key, theirs.device_id: device.keys.identity_key}
    eleven = {str(uuid4()): bytes([number]) * 32 for number in range(11)}
    listed = [*good.devices, *mallory.list().devices]
    for bad in (
        replace(good, version=good.version + 1),
        replace(good, version=good.version + 1, devices=listed),
        replace(user.account.sign_list(user.user_id, 9, more), devices=good.devices),
        user.account.sign_list(mallory.user_id, 9, more),
        replace(mallory.account.sign_list(user.user_id, 9, more), account_key=good.account_key),
        replace(user.account.sign_list(user.user_id, 9, more), devices=[*listed, listed[0]]),
        user.account.sign_list(user.user_id, 9, same_key),
        user.account.sign_list(user.user_id, 9, eleven),
    ):
        before = known.to_bytes()
        events = known.learn(Identities(device_list=bad, items=[]), Policy.WARN)
        assert refusals(events) == [errors.BadDeviceList], bad
        assert known.to_bytes() == before


def test_an_older_list_and_another_one_of_the_same_version_are_refused() -> None:
    user = User()
    first = user.device()
    old = user.list()
    second = user.device()
    known = known_of(user)
    assert known.list_version == 2
    assert refusals(known.learn(Identities(device_list=old, items=[]), Policy.WARN)) == [errors.OldDeviceList]
    other = user.account.sign_list(user.user_id, 2, {first.device_id: first.keys.identity_key})
    events = restored(known).learn(Identities(device_list=other, items=[]), Policy.WARN)
    assert refusals(events) == [errors.BadDeviceList]
    known.device(second.device_id)
    swapped = {first.device_id: second.keys.identity_key}
    newer = user.account.sign_list(user.user_id, 3, swapped)
    events = known.learn(Identities(device_list=newer, items=[]), Policy.WARN)
    assert refusals(events) == [errors.IdentityKeyChanged]
    assert known.list_version == 2


def test_a_changed_account_key_is_refused_until_the_user_takes_it() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    known.set_verified(True)
    old, user.account = user.account, AccountKey.create()
    expected = AccountKeyHasChanged(
        user_id=user.user_id, old=old.public, new=user.account.public, was_verified=True, accepted=False
    )
    assert known.learn(user.identities(), Policy.REFUSE) == [expected]
    assert known.learn(user.identities(), Policy.REFUSE) == []  # told once
    known = restored(known)
    for refused in (
        lambda: known.device(device.device_id),
        lambda: known.check_bundle(device.bundle()),
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
    theirs = AccountKey.create().sign_list(user.user_id, 1, {})
    known.learn(Identities(device_list=theirs, items=[]), Policy.REFUSE)
    with pytest.raises(errors.AccountKeyChanged):
        known.device(device.device_id)
    known.learn(user.identities(), Policy.REFUSE)
    known.device(device.device_id)


def test_the_changed_key_of_who_was_not_verified_may_only_warn() -> None:
    user = User()
    user.device()
    known = known_of(user)
    user.account = AccountKey.create()
    user.devices.clear()
    new = user.device()
    events = known.learn(user.identities(), Policy.WARN)
    assert isinstance(events[0], AccountKeyHasChanged)
    assert (events[0].accepted, events[0].was_verified) == (True, False)
    assert list(known.devices) == [new.device_id]  # what the old key listed is void


def test_no_setting_takes_the_changed_key_of_who_was_verified() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    known.set_verified(True)
    user.account = AccountKey.create()
    (event,) = known.learn(user.identities(), Policy.WARN)
    assert isinstance(event, AccountKeyHasChanged)
    assert (event.accepted, event.was_verified) == (False, True)
    with pytest.raises(errors.AccountKeyChanged):
        known.check_bundle(device.bundle())
    assert known.current_devices() == []


def test_a_list_that_is_taken_away_is_never_accepted() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    (event,) = known.learn(Identities(device_list=None, items=[]), Policy.WARN)
    assert isinstance(event, AccountKeyHasChanged)
    assert not event.accepted
    with pytest.raises(errors.AccountKeyChanged):
        known.device(device.device_id)


def test_what_certificates_vouched_for_stays_until_the_first_list() -> None:
    user = User()
    device, gone = user.device(), user.device()
    known = known_of(user)
    known.list_version = 0  # as an older client has left it
    known.set_verified(True)
    assert known.learn(Identities(device_list=None, items=[]), Policy.WARN) == []
    known.device(device.device_id)
    user.devices.remove(gone)
    known.learn(user.identities(), Policy.WARN)
    assert (known.verified, known.list_version) == (True, 2)
    with pytest.raises(errors.UnlistedDevice):
        known.device(gone.device_id)


def test_a_device_never_changes_its_identity_key() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    other = User().device()
    bundle = replace(other.bundle(), user_id=user.user_id, device_id=device.device_id)
    with pytest.raises(errors.IdentityKeyChanged):
        known.check_bundle(bundle)
    item = replace(user.identities().items[0], identity_key=other.keys.identity_key)
    events = known.learn(Identities(device_list=user.list(), items=[item]), Policy.WARN)
    assert refusals(events) == [errors.IdentityKeyChanged]
    assert known.device(device.device_id).identity_key == device.keys.identity_key


def test_a_swapped_bundle_is_refused_by_name() -> None:
    user, mallory = User(), User()
    device, theirs = user.device(), mallory.device()
    known = known_of(user)

    def refused(error: type[errors.EncryptionError], **members: object) -> None:
        bundle: Bundle = replace(device.bundle(), **members)
        with pytest.raises(error):
            known.check_bundle(bundle)

    swapped = theirs.bundle()
    refused(errors.IdentityKeyChanged, identity_key=swapped.identity_key)
    refused(errors.BadPrekeySignature, signed_prekey=swapped.signed_prekey)
    refused(errors.BadPrekeySignature, kem_prekey=swapped.kem_prekey)
    refused(errors.UnlistedDevice, device_id=theirs.device_id)
    known.check_bundle(device.bundle())
    with pytest.raises(errors.SenderMismatch):
        known.check_bundle(swapped)


def test_a_bundle_without_kem_is_refused_at_first_contact_too() -> None:
    user = User()
    device = user.device()
    known = known_of(user)
    with pytest.raises(errors.KemDowngrade):
        known.check_bundle(device.bundle(kem=False))
    known.check_bundle(device.bundle(one_time=False))  # the last-resort one


def test_a_removed_device_says_nothing_new() -> None:
    user = User()
    device, gone = user.device(), user.device()
    known = known_of(user)
    user.devices.remove(gone)
    removed = DeviceRemoved(user_id=user.user_id, device_id=gone.device_id)
    assert known.learn(user.identities(), Policy.REFUSE) == [removed]
    assert known.learn(user.identities(), Policy.REFUSE) == []
    known = restored(known)
    with pytest.raises(errors.UnlistedDevice):
        known.device(gone.device_id)
    assert [one.device_id for one in known.current_devices()] == [device.device_id]
    tombstone = known.writer(gone.device_id)
    known.stamp_removed(NOW)
    known.stamp_removed(NOW + 80_000)
    known.check_late(tombstone, 1, content=True, now=NOW + 86_399)  # sent before the removal
    # Its thief may say the old version for ever: so it says nothing that devices act on, and not for long.
    for version, content, now in ((2, True, NOW), (1, False, NOW), (1, True, NOW + 86_400)):
        with pytest.raises(errors.UnlistedDevice):
            known.check_late(tombstone, version, content=content, now=now)


def test_what_is_known_of_a_user_is_bounded() -> None:
    user = User()
    known = KnownUser(user.user_id)
    for _ in range(12):
        user.devices = [User().device(one_time=0, kem=0) for _ in range(10)]
        known.learn(user.identities(), Policy.REFUSE)
    assert len(known.devices) == 100
    assert all(one.device_id in known.devices for one in user.devices)


def test_a_contact_link_means_one_user_and_one_key() -> None:
    user = User()
    link = contact_link("https://chat.example.org", "ann", user.user_id, user.account.public)
    code = read_contact_link(f"  {link}\n")
    assert (code.server, code.username, code.user_id) == ("https://chat.example.org", "ann", user.user_id)
    assert code.fits(user.user_id, user.account.public)
    assert not code.fits(user.user_id, AccountKey.create().public)
    assert not code.fits(str(uuid4()), user.account.public)
    for bad in ("", "ann", link.replace("#contact=", "#c="), link[:-4], link.replace("=A", "=B")):
        with pytest.raises(errors.BadContactCode):
            read_contact_link(bad)


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
        signed_prekey=replace(bundle.signed_prekey, public_key=Binary(bundle.signed_prekey.public_key)),
    )
    known.check_bundle(bundle)
    assert restored(known).devices == known.devices
    sessions = PeerSessions(user.user_id, device.device_id)
    sessions.start(other.keys, bundle, now=NOW)
    assert PeerSessions.from_bytes(sessions.to_bytes()).session_ids == sessions.session_ids
