"""Sender keys: who can read what, and what is refused by which name."""

from uuid import uuid4

import pytest

from messenger.client.e2e import (
    Payload,
    ReceivedChains,
    SenderKey,
    SendingChain,
    body_of,
    chain_id_of,
    errors,
)
from tests.client.e2e_world import NOW, Device, User, said_of

CONVERSATION = str(uuid4())


class Member:
    """A device in the group, with its own chain and those that it was given."""

    def __init__(self) -> None:
        self.device = User().device()
        self.chain = SendingChain.create(self.device.keys, CONVERSATION, now=NOW)
        self.received: dict[str, ReceivedChains] = {}

    def give(self, *others: "Member") -> None:
        """Distribute the own chain, in sessions."""
        for other in others:
            body = self.chain.distribution(self.device.numbers.get(CONVERSATION, 0) + 1)
            payload = self.device.payload(CONVERSATION, kind="control", body=body)
            self.device.numbers[CONVERSATION] -= 1
            envelope = self.device.seal(other.device, payload)
            opened = other.device.open(self.device, envelope, said_of(payload))
            found = body_of(opened.payload)
            assert isinstance(found, SenderKey)
            other.chains_of(self.device).accept(found, opened.payload, is_member=True)
            self.chain.give([other.device.device_id])

    def chains_of(self, sender: Device) -> ReceivedChains:
        """Written down and read again."""
        there = self.received.get(sender.device_id)
        there = there or ReceivedChains(CONVERSATION, sender.user.user_id, sender.device_id)
        self.received[sender.device_id] = ReceivedChains.from_bytes(there.to_bytes())
        return self.received[sender.device_id]

    def say(self, text: str = "hello") -> tuple[Payload, bytes]:
        self.chain = SendingChain.from_bytes(self.chain.to_bytes())
        payload = self.device.payload(CONVERSATION, text)
        return payload, self.chain.seal(self.device.keys, payload)

    def hear(self, sender: "Member", payload: Payload, content: bytes, **other: str) -> Payload:
        chains = self.chains_of(sender.device)
        return chains.open(self.device.keys, content, said_of(payload, **other))


def group(size: int) -> list[Member]:
    return [Member() for _ in range(size)]


def test_one_content_is_read_by_all_who_have_the_chain() -> None:
    alice, *others = group(4)
    alice.give(*others)
    for text in ("one", "two", "three"):
        payload, content = alice.say(text)
        for other in others:
            assert other.hear(alice, payload, content) == payload


def test_who_gets_the_chain_late_reads_from_there_on() -> None:
    alice, bob, carol = group(3)
    alice.give(bob)
    before = alice.say("before")
    alice.give(carol)
    after = alice.say("after")
    assert carol.hear(alice, *after) == after[0]
    with pytest.raises(errors.UnknownSenderKey):
        carol.hear(alice, *before)
    assert bob.hear(alice, *after) == after[0]
    assert bob.hear(alice, *before) == before[0]


def test_reordered_messages_are_read_once_each() -> None:
    alice, bob = group(2)
    alice.give(bob)
    said = [alice.say(str(number)) for number in range(20)]
    for payload, content in said[::-1]:
        assert bob.hear(alice, payload, content) == payload
    for payload, content in said:
        with pytest.raises(errors.ReplayedMessage):
            bob.hear(alice, payload, content)


def test_a_chain_given_again_never_goes_back() -> None:
    alice, bob = group(2)
    alice.give(bob)
    first = alice.say()
    old = alice.chain.distribution(1)
    bob.hear(alice, *first)
    alice.give(bob)
    with pytest.raises(errors.ReplayedMessage):
        bob.hear(alice, *first)
    payload = alice.device.payload(CONVERSATION, kind="control", body=old)
    other = SenderKey(
        chain_id=old.chain_id, iteration=0, chain_key=bytes(32), signature_key=bytes(32), number=1
    )
    with pytest.raises(errors.SenderKeyRefused):
        bob.chains_of(alice.device).accept(other, payload, is_member=True)


def test_tampering_and_forgery_are_refused() -> None:
    alice, bob, mallory = group(3)
    alice.give(bob, mallory)
    payload, content = alice.say()
    for place in {*range(2, len(content), 41), len(content) - 1}:
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises((errors.BadSenderSignature, errors.UnknownSenderKey)):
            bob.hear(alice, payload, bytes(changed))
    # Mallory knows the chain key, and still can't write as Alice.
    signed = content[:-64] + mallory.say()[1][-64:]
    with pytest.raises(errors.BadSenderSignature):
        bob.hear(alice, payload, signed)
    assert bob.hear(alice, payload, content) == payload


def test_refiled_content_is_named_and_the_true_one_still_opens() -> None:
    alice, bob = group(2)
    alice.give(bob)
    payload, content = alice.say()
    for other, error in (
        ({"conversation_id": str(uuid4())}, errors.ConversationMismatch),
        ({"client_id": str(uuid4())}, errors.ClientIdMismatch),
        ({"kind": "file"}, errors.KindMismatch),
        ({"sender_id": str(uuid4())}, errors.SenderMismatch),
        ({"sender_device_id": str(uuid4())}, errors.SenderMismatch),
        ({"sender_device_id": bob.device.device_id}, errors.ReflectedMessage),
    ):
        with pytest.raises(error):
            bob.hear(alice, payload, content, **other)
    assert bob.hear(alice, payload, content) == payload


def test_content_in_another_conversation_is_known_by_its_chain() -> None:
    alice, bob = group(2)
    alice.give(bob)
    payload, content = alice.say()
    elsewhere = str(uuid4())
    there = ReceivedChains(elsewhere, alice.device.user.user_id, alice.device.device_id)
    with pytest.raises(errors.UnknownSenderKey):
        there.open(bob.device.keys, content, said_of(payload, conversation_id=elsewhere))
    assert chain_id_of(content) in bob.chains_of(alice.device).chain_ids


def test_a_sender_key_from_an_outsider_is_refused() -> None:
    alice, bob = group(2)
    body = alice.chain.distribution(1)
    payload = alice.device.payload(CONVERSATION, kind="control", body=body)
    chains = bob.chains_of(alice.device)
    with pytest.raises(errors.SenderKeyRefused):
        chains.accept(body, payload, is_member=False)
    elsewhere = alice.device.payload(str(uuid4()), kind="control", body=body)
    with pytest.raises(errors.ConversationMismatch):
        chains.accept(body, elsewhere, is_member=True)
    theirs = bob.device.payload(CONVERSATION, kind="control", body=body)
    with pytest.raises(errors.SenderMismatch):
        chains.accept(body, theirs, is_member=True)
    assert chains.chain_ids == []


def test_a_chain_rotates_when_a_device_goes_with_age_and_with_use() -> None:
    alice, bob, carol = group(3)
    own, one, two = (member.device.device_id for member in (alice, bob, carol))
    assert alice.chain.lacking([own, one, two]) == [one, two]
    alice.give(bob, carol)
    assert alice.chain.lacking([own, one, two]) == []
    assert not alice.chain.must_rotate({own, one, two}, NOW)
    assert alice.chain.must_rotate({own, one}, NOW)
    assert alice.chain.must_rotate({own, one, two}, NOW + 7 * 86_400)
    for _ in range(2_000):
        alice.chain.seal(alice.device.keys, alice.device.payload(CONVERSATION))
    assert alice.chain.must_rotate({own, one, two}, NOW)


def test_what_is_kept_of_chains_is_bounded() -> None:
    alice, bob = group(2)
    alice.give(bob)
    first, far = alice.say(), None
    for _ in range(1_500):
        far = alice.say()
    assert far is not None
    bob.hear(alice, *far)
    with pytest.raises(errors.UnknownSenderKey):  # its key was given up
        bob.hear(alice, *first)
    for _ in range(10_001):
        far = alice.device.payload(CONVERSATION), b""
        alice.chain._state.iteration += 1
    payload = alice.device.payload(CONVERSATION)
    content = alice.chain.seal(alice.device.keys, payload)
    with pytest.raises(errors.TooFarAhead):
        bob.hear(alice, payload, content)
    for _ in range(7):
        alice.chain = SendingChain.create(alice.device.keys, CONVERSATION, now=NOW)
        alice.give(bob)
    assert len(bob.chains_of(alice.device).chain_ids) == 5
