"""Bytes that no honest client makes: whatever comes, it is an error of ours, and changes nothing."""

import struct
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messenger.client.e2e import (
    FileDecryptor,
    FileReference,
    KnownDevice,
    KnownUser,
    PeerSessions,
    Policy,
    ReceivedChains,
    Unknown,
    errors,
    open_conversation_metadata,
    open_file_metadata,
)
from messenger.client.e2e.bodies import decode_body
from messenger.client.e2e.padding import padded, unpadded
from messenger.client.e2e.payload import decode_payload
from messenger.wire.codec import Binary, Uuid
from messenger.wire.keys import DeviceIdentity, Identities, ListedDevice
from tests.client.e2e_world import NOW, Device, User, said_of

CONVERSATION = str(uuid4())
SMALL_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
]


def raw_bytes() -> st.SearchStrategy[bytes]:
    heads = st.sampled_from([b"", b"\x01\x01", b"\x01\x02", b"\x01\x03", b"\x02\x01", b"\x01", b"\x01\x00"])
    return st.tuples(heads, st.binary(max_size=2_000)).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(raw_bytes())
def test_noise_is_refused_by_name(raw: bytes) -> None:
    alice, bob = NOISE
    before = bob.keys.to_bytes(), bob.with_peer(alice).to_bytes()
    said = said_of(alice.payload(CONVERSATION))
    with pytest.raises(errors.EncryptionError):
        bob.open(alice, raw, said)
    assert (bob.keys.to_bytes(), bob.with_peer(alice).to_bytes()) == before
    chains = ReceivedChains(CONVERSATION, alice.user.user_id, alice.device_id)
    with pytest.raises(errors.EncryptionError):
        chains.open(bob.keys, raw, said)
    for opening in (open_file_metadata, open_conversation_metadata):
        with pytest.raises(errors.EncryptionError):
            opening(bytes(32), raw)
    reference = FileReference(
        file_id="f", key=bytes(32), sha256=bytes(32), size=len(raw), name="n", media_type="m"
    )
    decryptor = FileDecryptor(reference)
    with pytest.raises(errors.EncryptionError):
        decryptor.update(raw + decryptor.finish())
    for kind in (KnownUser, PeerSessions, ReceivedChains):
        with pytest.raises(errors.BadState):
            kind.from_bytes(raw)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.recursive(st.integers(), st.lists).map(msgspec.json.encode)))
def test_noise_is_no_payload(raw: bytes) -> None:
    with pytest.raises(errors.Malformed):
        decode_payload(raw)
    try:
        found = decode_body(raw)
    except errors.Malformed:
        found = Unknown(type="none")
    assert isinstance(found, Unknown)  # hypothesis does find {"type":""}, which is a newer client's
    assert unpadded(padded(raw)) == raw


NOISE: tuple[Device, Device] = (User().device(), User().device())


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_points_of_small_order_are_refused(point: bytes) -> None:
    alice, bob = User().device(), User().device()
    payload = alice.payload(CONVERSATION)
    envelope = alice.seal(bob, payload)
    with_ephemeral = envelope[:34] + point + envelope[66:]
    with pytest.raises((errors.UnusableKey, errors.AuthenticationFailed)):
        bob.open(alice, with_ephemeral, said_of(payload))
    start = 2 + 76 + 1568
    with pytest.raises(errors.AuthenticationFailed):
        bob.open(alice, envelope[:start] + point + envelope[start + 32 :], said_of(payload))
    bob.open(alice, envelope, said_of(payload))
    signed = bob.bundle().signed_prekey
    for members in (
        {"identity_key": point},
        {"signed_prekey": msgspec.structs.replace(signed, public_key=point)},
    ):
        bundle = msgspec.structs.replace(bob.bundle(), **members)
        with pytest.raises(errors.Untrusted):
            PeerSessions(bob.user.user_id, bob.device_id).start(alice.keys, bundle, now=NOW)


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_listed_device_with_an_unusable_identity_key_begins_nothing(point: bytes) -> None:
    """The peer itself is hostile: its list holds."""
    mallory, bob = User(), User().device()
    device_id = str(uuid4())
    peer = KnownDevice(user_id=mallory.user_id, device_id=device_id, identity_key=point)
    alice = mallory.device()
    payload = alice.payload(CONVERSATION)
    said = said_of(payload, sender_device_id=device_id)
    envelope = alice.seal(bob, payload)
    sessions = PeerSessions(mallory.user_id, device_id)
    with pytest.raises((errors.UnusableKey, errors.AuthenticationFailed)):
        sessions.open(bob.keys, peer, envelope[:2] + point + envelope[34:], said, now=NOW)
    assert sessions.session_ids == []


def test_a_message_far_ahead_is_refused_and_costs_nothing_lasting() -> None:
    alice, bob = User().device(), User().device()
    for sender, receiver in ((alice, bob), (bob, alice)):
        payload = sender.payload(CONVERSATION)
        receiver.open(sender, sender.seal(receiver, payload), said_of(payload))
    payload = alice.payload(CONVERSATION)
    envelope = alice.seal(bob, payload)
    for previous, number in ((0, 2**32 - 1), (2**32 - 1, 0), (0, 1_001)):
        head = envelope[:50] + struct.pack(">II", previous, number)
        with pytest.raises((errors.TooFarAhead, errors.AuthenticationFailed)):
            bob.open(alice, head + envelope[58:], said_of(payload))
    bob.open(alice, envelope, said_of(payload))


def test_a_hostile_server_can_not_make_learning_fail() -> None:
    user = User()
    user.device()
    good = user.list()
    for key in (b"", bytes(32), b"\xff" * 32, b"x" * 31):
        known = KnownUser(user.user_id)
        for members in (
            {"account_key": Binary(key)},
            {"signature": Binary(key)},
            {"devices": [ListedDevice(good.devices[0].device_id, Binary(key))]},
            {"devices": [ListedDevice(Uuid("x"), good.devices[0].identity_key)]},
        ):
            bad = msgspec.structs.replace(good, **members)
            known.learn(Identities(device_list=bad, items=[]), Policy.WARN)
            assert (known.devices, known.account_key) == ({}, None)
    known.learn(
        Identities(device_list=good, items=[DeviceIdentity(device_id="x", identity_key=b"")]), Policy.WARN
    )
    assert list(known.devices) == [good.devices[0].device_id]


def test_a_payload_is_utf8_in_what_is_passed_over_too() -> None:
    said = dict.fromkeys(("conversation_id", "sender_id", "sender_device_id", "client_id", "kind"), "")
    whole = msgspec.json.encode(
        {**said, "number": 1, "sent_at": "", "body": {"type": "text", "text": "?"}, "x": "?"}
    )
    assert decode_payload(whole.replace(b"?", "é".encode())).number == 1
    for place in (b'"text":"?"', b'"x":"?"'):
        for bad in (b"\xff", b"\xed\xa0\x80", b"\xc0\x80"):
            with pytest.raises(errors.Malformed):
                decode_payload(whole.replace(place, place.replace(b"?", bad)))
