"""Sessions between devices: what arrives, and what is refused by which name."""

from uuid import uuid4

import msgspec
import pytest

from messenger.client.e2e import DeviceKeys, PeerSessions, Rosters, Text, body_of, errors
from messenger.client.e2e.envelope import decode_envelope
from tests.client.e2e_world import NOW, Device, User, said_of

CONVERSATION = str(uuid4())


def pair() -> tuple[Device, Device]:
    return User().device(), User().device()


def talk(sender: Device, receiver: Device, text: str) -> str:
    payload = sender.payload(CONVERSATION, text)
    opened = receiver.open(sender, sender.seal(receiver, payload), said_of(payload))
    assert opened.payload == payload
    body = body_of(opened.payload)
    assert isinstance(body, Text)
    return body.text


def test_messages_go_both_ways_and_survive_restarts() -> None:
    alice, bob = pair()
    for number in range(10):
        assert talk(alice, bob, f"to bob {number}") == f"to bob {number}"
        if number % 3:
            assert talk(bob, alice, f"to alice {number}") == f"to alice {number}"
    assert alice.sessions[bob.device_id].active_id == bob.sessions[alice.device_id].active_id


def test_the_handshake_comes_with_each_message_until_it_is_answered() -> None:
    alice, bob = pair()
    sent = [alice.payload(CONVERSATION, str(n)) for n in range(3)]
    envelopes = [alice.seal(bob, payload) for payload in sent]
    assert all(decode_envelope(raw).handshake for raw in envelopes)
    for index in (2, 0, 1):
        opened = bob.open(alice, envelopes[index], said_of(sent[index]))
        assert opened.new_session == (index == 2)
        assert opened.missed == (2 if index == 2 else 0)
    talk(bob, alice, "answer")
    assert decode_envelope(alice.seal(bob, alice.payload(CONVERSATION))).handshake is None


@pytest.mark.parametrize(("one_time", "kem"), [(0, 0), (5, 0), (0, 5), (5, 5)])
def test_every_kind_of_bundle_begins_a_session(one_time: int, kem: int) -> None:
    alice, bob = User().device(), User().device(one_time=one_time, kem=kem)
    assert talk(alice, bob, "hello") == "hello"
    assert talk(bob, alice, "hello") == "hello"


def test_simultaneous_first_messages_are_both_read_and_converge() -> None:
    alice, bob = pair()
    to_bob, to_alice = alice.payload(CONVERSATION, "a"), bob.payload(CONVERSATION, "b")
    for_bob, for_alice = alice.seal(bob, to_bob), bob.seal(alice, to_alice)
    bob.open(alice, for_bob, said_of(to_bob))
    alice.open(bob, for_alice, said_of(to_alice))
    talk(alice, bob, "next")
    talk(bob, alice, "next")
    assert alice.sessions[bob.device_id].active_id == bob.sessions[alice.device_id].active_id


def test_a_tampered_envelope_is_refused_and_the_true_one_still_opens() -> None:
    alice, bob = pair()
    for _ in range(2):
        payload = alice.payload(CONVERSATION)
        envelope = alice.seal(bob, payload)
        for place in {*range(2, len(envelope), 97), len(envelope) - 1}:
            changed = bytearray(envelope)
            changed[place] ^= 1
            with pytest.raises((errors.Undecryptable, errors.Untrusted)):
                bob.open(alice, bytes(changed), said_of(payload))
        bob.open(alice, envelope, said_of(payload))
        talk(bob, alice, "answer")


def test_a_refiled_envelope_is_named_and_the_true_one_still_opens() -> None:
    alice, bob = pair()
    for _ in range(2):
        payload = alice.payload(CONVERSATION)
        envelope = alice.seal(bob, payload)
        for other, error in (
            ({"conversation_id": str(uuid4())}, errors.ConversationMismatch),
            ({"client_id": str(uuid4())}, errors.ClientIdMismatch),
            ({"kind": "control"}, errors.KindMismatch),
            ({"sender_id": str(uuid4())}, errors.SenderMismatch),
            ({"sender_device_id": str(uuid4())}, errors.SenderMismatch),
        ):
            with pytest.raises(error):
                bob.open(alice, envelope, said_of(payload, **other))
        bob.open(alice, envelope, said_of(payload))
        talk(bob, alice, "answer")


def test_a_refused_message_leaves_the_very_session_object_as_it_was() -> None:
    alice, bob = pair()
    talk(alice, bob, "first")
    talk(bob, alice, "answer")
    peer = bob.knows(alice.user).device(alice.device_id)
    sessions = bob.with_peer(alice)
    for _ in range(2):
        payload = alice.payload(CONVERSATION)
        envelope = alice.seal(bob, payload)
        before = sessions.to_bytes()
        for other in ({"conversation_id": str(uuid4())}, {"kind": "control"}):
            with pytest.raises(errors.Refiled):
                sessions.open(bob.keys, peer, envelope, said_of(payload, **other), now=NOW)
            assert sessions.to_bytes() == before
        assert sessions.open(bob.keys, peer, envelope, said_of(payload), now=NOW).payload == payload


def test_another_identity_key_than_the_devices_is_named() -> None:
    alice, bob = pair()
    mallory = User().device()
    peer = bob.knows(alice.user).device(alice.device_id)
    forged = msgspec.structs.replace(peer, identity_key=mallory.keys.identity_key)
    payload = alice.payload(CONVERSATION)
    envelope = alice.seal(bob, payload)
    sessions = PeerSessions(alice.user.user_id, alice.device_id)
    with pytest.raises(errors.IdentityKeyChanged):  # in a first message
        sessions.open(bob.keys, forged, envelope, said_of(payload), now=NOW)
    assert sessions.session_ids == []
    sessions.open(bob.keys, peer, envelope, said_of(payload), now=NOW)
    answer = bob.payload(CONVERSATION)
    alice.open(bob, sessions.seal(bob.keys, answer), said_of(answer))
    payload = alice.payload(CONVERSATION)
    envelope = alice.seal(bob, payload)
    with pytest.raises(errors.IdentityKeyChanged):  # in a session that stands
        sessions.open(bob.keys, forged, envelope, said_of(payload), now=NOW)
    sessions.open(bob.keys, peer, envelope, said_of(payload), now=NOW)


def test_a_replayed_message_is_named() -> None:
    alice, bob = pair()
    talk(alice, bob, "first")
    talk(bob, alice, "answer")
    payload = alice.payload(CONVERSATION)
    envelope = alice.seal(bob, payload)
    bob.open(alice, envelope, said_of(payload))
    with pytest.raises(errors.ReplayedMessage):
        bob.open(alice, envelope, said_of(payload))


def test_a_first_message_without_one_time_prekeys_opens_once_even_when_its_session_is_gone() -> None:
    alice, bob = User().device(), User().device(one_time=0, kem=0)
    payload = alice.payload(CONVERSATION)
    envelope = alice.seal(bob, payload)
    bob.open(alice, envelope, said_of(payload))
    with pytest.raises(errors.ReplayedMessage):
        bob.open(alice, envelope, said_of(payload))
    del bob.sessions[alice.device_id]
    with pytest.raises(errors.ReplayedFirstMessage):
        bob.open(alice, envelope, said_of(payload))


@pytest.mark.parametrize(("one_time", "kem"), [(3, 0), (0, 3), (3, 3)])
def test_a_used_one_time_prekey_opens_nothing_again(one_time: int, kem: int) -> None:
    alice, bob = User().device(), User().device(one_time=one_time, kem=kem)
    payload = alice.payload(CONVERSATION)
    envelope = alice.seal(bob, payload)
    bob.open(alice, envelope, said_of(payload))
    del bob.sessions[alice.device_id]
    with pytest.raises(errors.UnknownPrekey):
        bob.open(alice, envelope, said_of(payload))


def test_reflected_messages_are_named() -> None:
    alice, bob = pair()
    payload = alice.payload(CONVERSATION)
    first = alice.seal(bob, payload)
    with pytest.raises(errors.ReflectedMessage):
        alice.open(bob, first, said_of(payload))
    bobs = said_of(payload, sender_id=bob.user.user_id, sender_device_id=bob.device_id)
    with pytest.raises(errors.ReflectedMessage):
        alice.open(bob, first, bobs)
    bob.open(alice, first, said_of(payload))
    talk(bob, alice, "answer")
    later = alice.seal(bob, alice.payload(CONVERSATION))
    with pytest.raises(errors.ReflectedMessage):
        alice.open(bob, later, bobs)


def test_nothing_is_begun_without_kem() -> None:
    alice, bob = pair()
    sessions = PeerSessions(bob.user.user_id, bob.device_id)
    with pytest.raises(errors.KemDowngrade):
        sessions.start(alice.keys, bob.bundle(kem=False), now=NOW)
    payload = alice.payload(CONVERSATION)
    envelope = alice.seal(bob, payload)
    none = (0xFFFFFFFF).to_bytes(4, "big")
    without = envelope[:74] + none + envelope[78 + 1568 :]
    handshake = decode_envelope(without).handshake
    assert handshake is not None
    assert handshake.kem_prekey_id is None
    with pytest.raises(errors.KemDowngrade):
        bob.open(alice, without, said_of(payload))
    bob.open(alice, envelope, said_of(payload))


def test_a_device_that_lost_its_sessions_is_reached_by_a_new_one() -> None:
    alice, bob = pair()
    talk(alice, bob, "first")
    talk(bob, alice, "answer")
    del bob.sessions[alice.device_id]
    payload = alice.payload(CONVERSATION)
    with pytest.raises(errors.NoSession) as caught:
        bob.open(alice, alice.seal(bob, payload), said_of(payload))
    assert caught.value.asks_resend
    request = bob.payload(CONVERSATION)
    alice.open(bob, bob.seal(alice, request), said_of(request))
    assert talk(alice, bob, "again") == "again"
    assert alice.sessions[bob.device_id].active_id == bob.sessions[alice.device_id].active_id


def test_sessions_are_bounded() -> None:
    alice, bob = User().device(one_time=50), User().device(one_time=50)
    for _ in range(12):
        payload = alice.payload(CONVERSATION)
        envelope = alice.seal(bob, payload, bundle=bob.bundle())
        bob.open(alice, envelope, said_of(payload))
    assert len(alice.sessions[bob.device_id].session_ids) == 5
    assert alice.sessions[bob.device_id].session_ids == bob.sessions[alice.device_id].session_ids


def test_first_messages_that_have_to_be_remembered_are_bounded_by_peer() -> None:
    alice, bob = User().device(), User().device(one_time=0, kem=0)
    for _ in range(50):
        payload = alice.payload(CONVERSATION)
        bob.open(alice, alice.seal(bob, payload, bundle=bob.bundle()), said_of(payload))
    payload = alice.payload(CONVERSATION)
    with pytest.raises(errors.ReplayMemoryFull):
        bob.open(alice, alice.seal(bob, payload, bundle=bob.bundle()), said_of(payload))
    other = User().device()
    talk(other, bob, "another device is not held up")
    bob.keys.rotate_signed_prekey(now=NOW)
    bob.keys.rotate_signed_prekey(now=NOW + 31 * 86_400)
    talk_again = alice.payload(CONVERSATION)
    bob.open(alice, alice.seal(bob, talk_again, bundle=bob.bundle()), said_of(talk_again))


def test_an_unanswered_session_is_begun_anew_after_a_while() -> None:
    alice, bob = pair()
    alice.seal(bob, alice.payload(CONVERSATION))
    sessions = alice.sessions[bob.device_id]
    assert not sessions.needs_bundle(NOW + 86_400)
    assert sessions.needs_bundle(NOW + 21 * 86_400)


def test_what_a_clock_of_the_future_asked_holds_nothing_back() -> None:
    year = 365 * 86_400.0
    rosters = Rosters(CONVERSATION)
    assert rosters.may_ask(NOW + year, 60)
    assert rosters.may_ask(NOW, 60)
    assert not rosters.may_ask(NOW + 59, 60)
    sessions = PeerSessions(str(uuid4()), str(uuid4()))
    assert [sessions.may_repair(NOW + year) for _ in range(4)] == [True, True, True, False]
    assert [sessions.may_repair(NOW) for _ in range(4)] == [True, True, True, False]
    keys = DeviceKeys.create(str(uuid4()), str(uuid4()), now=NOW + year)
    assert keys.signed_prekey_due(NOW)
    assert not keys.signed_prekey_due(NOW + year)
