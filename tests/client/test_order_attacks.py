"""What a server does to the order of messages, or holds back, or says was deleted; and what an honest loss
must not look like. On real vaults, by the engine's own rules."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from messenger.client import events
from messenger.client.e2e import SenderKey, SendingChain, SentMessage, Text
from messenger.client.e2e.payload import Seen
from messenger.client.engine import receiving
from messenger.client.engine.receiving import CONTROL
from messenger.wire.times import rfc3339
from tests.client.engine_talk import Talk
from tests.client.engine_world import Desk, World, world_in


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as made:
        yield made


def take(desk: Desk, talk: Talk, seq: int, /, **lies: object) -> None:
    """Show a device a place."""
    desk.take(talk.at(seq, desk, **lies))


def spoiled(talk: Talk, seq: int, desk: Desk) -> dict[str, object]:
    """A ciphertext of the right form at a place, that nobody can open."""
    found = talk.at(seq, desk)
    name = "content" if found.envelope is None else "envelope"
    raw = bytearray(found.content or found.envelope or b"")
    raw[-80] ^= 1
    return {name: bytes(raw)}


# honest losses


def test_a_newcomer_that_missed_a_chain_gets_all_that_was_written_under_it(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.group(alice, bob)
    alice.say(talk, "one")
    first = len(talk.filed)
    alice.say(talk, "two")
    # Of what brings the chain and of both messages nothing can be opened at first.
    for seq in range(bob.read[talk.conversation_id] + 1, first + 2):
        take(bob, talk, seq, **spoiled(talk, seq, bob))
    bob.read[talk.conversation_id] = len(talk.filed)
    world.settle(talk, alice, bob)
    assert bob.texts(talk) == ["one", "two"]
    alice.say(talk, "three")
    bob.sync(talk)
    assert bob.texts(talk) == ["one", "two", "three"]
    assert [one for one in bob.warnings() if one[0] != "MessageRejected"] == []


def test_a_message_that_is_sent_again_was_not_moved(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    for text in ("one", "two", "three"):
        alice.say(talk, text)
    bob.sync(talk)
    seq = alice.say(talk, "four")
    take(bob, talk, seq, **spoiled(talk, seq, bob))
    bob.read[talk.conversation_id] = seq
    alice.say(talk, "five")
    world.settle(talk, alice, bob)
    assert sorted(bob.texts(talk)) == sorted(["one", "two", "three", "four", "five"])
    assert [one for one in bob.warnings() if one[0] != "MessageRejected"] == []


# what is held back


@pytest.mark.parametrize("kind", ["direct", "group"])
def test_the_first_messages_held_back_are_told_with_the_next_one(world: World, kind: str) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.group(alice, bob) if kind == "group" else world.direct(alice, bob)
    alice.say(talk, "one")
    alice.say(talk, "two")
    last = alice.say(talk, "three")
    for filed in talk.filed[:-1]:
        if not talk.at(filed.seq, bob).envelope or kind == "direct":
            talk.held.setdefault(bob.device.device_id, set()).add(filed.seq)
    bob.sync(talk)
    assert bob.texts(talk) == ["three"]
    assert ("MessagesMissing", "held_back") in bob.warnings()
    (missing,) = [one for one in bob.told(events.MessagesMissing) if one.reason == "held_back"]
    assert missing.count == 2
    assert missing.seq == last


def test_who_opens_a_conversation_misses_the_first_answer(world: World) -> None:
    """Its own message has place 1; the answer behind it is held back, and told with what comes next."""
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.group(alice, bob)
    carol = world.desk("carol", alice.user)
    carol.know(talk)
    bob.say(talk, "answer")
    talk.held[alice.device.device_id] = set(range(2, len(talk.filed) + 1))
    last = bob.tell(talk, chain_of(bob, talk), [carol])
    alice.sync(talk)
    take(alice, talk, last)
    assert ("MessagesMissing", "places_missing") in alice.warnings()


def chain_of(desk: Desk, talk: Talk) -> SenderKey:
    """Another chain of a device's."""
    return SendingChain.create(desk.device.keys, talk.conversation_id, now=0).distribution(1)


def test_a_forged_envelope_hides_no_dropped_message(world: World) -> None:
    """For a message the server puts nonsense, and each day some more: the gap is told all the same."""
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    alice.say(talk, "one")
    bob.sync(talk)
    dropped = alice.say(talk, "two")
    lie = spoiled(talk, dropped, bob)
    take(bob, talk, dropped, client_id="00000000-0000-4000-8000-000000000001", **lie)
    alice.say(talk, "three")
    take(bob, talk, dropped + 1)
    place = dropped + 1
    for number in range(2, 5):
        world.now += 80_000
        place += 1
        bob.take(
            talk.at(dropped, bob, seq=place, client_id=f"00000000-0000-4000-8000-00000000000{number}", **lie)
        )
        bob.run(lambda store: receiving.give_up(store, world.batch()))
    assert ("MessagesLost", "unanswered") in bob.warnings()
    assert ("MessagesMissing", "held_back") in bob.warnings()


# what is shown otherwise


def test_another_history_is_told_at_the_next_message_of_anybody(world: World) -> None:
    alice, bob, carol = (world.desk(name) for name in ("alice", "bob", "carol"))
    talk = world.group(alice, bob, carol)
    for desk in (alice, bob, carol):
        desk.say(talk, "hello")
        world.settle(talk, alice, bob, carol)
    seq = bob.say(talk, "yes")
    alice.sync(talk)
    # Carol is shown another message in that place.
    take(carol, talk, seq, client_id="00000000-0000-4000-8000-000000000001", content=None, kind=CONTROL)
    carol.read[talk.conversation_id] = seq
    alice.say(talk, "so be it")
    carol.sync(talk)
    assert ("HistoryDiffers", "another_history") in carol.warnings()
    assert bob.warnings() == alice.warnings() == []


def test_a_sender_that_has_seen_its_own_message_is_told(world: World) -> None:
    """The server has renumbered what it shows: nobody has seen place 9 who writes at place 5."""
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    alice.say(talk)
    bob.sync(talk)
    seen = Seen(first=1, seq=9, digest=bytes(32))
    alice.forge(talk, Text(text="hello"), bob, kind="text", number=2, seen=seen)
    bob.sync(talk)
    assert bob.warnings() == [("HistoryDiffers", "another_history")]


def test_history_wiped_by_the_servers_word_stays(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    places = [alice.say(talk, text) for text in ("one", "two")]
    bob.sync(talk)
    for seq in places:
        take(bob, talk, seq, content=None, envelope=None, deleted=True)
    assert bob.texts(talk) == ["one", "two"]
    assert [one.seq for one in bob.told(events.GoneFromServer)] == places
    take(bob, talk, places[0], client_id="00000000-0000-4000-8000-000000000001")
    assert ("HistoryRewritten", "replaced") in bob.warnings()
    assert bob.texts(talk) == ["one", "two"]


def test_an_own_message_in_anothers_place_is_told(world: World) -> None:
    """The server answers a message with a place that holds another one."""
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    seq = bob.say(talk, "here I am")
    alice.sync(talk)
    alice.write(talk, "here am I")
    alice.pump(talk, answer=False)
    client_id = alice.run(lambda store: store.outbox.first(talk.conversation_id)).client_id
    alice.take(replace(alice.answer(talk, client_id), seq=seq))
    assert alice.warnings() == [("HistoryRewritten", "replaced")]


# what is kept


def test_nothing_of_an_expired_message_is_kept_for_who_asks_again(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    alice.run(lambda store: store.conversations.set(talk.conversation_id, expires_in=1))
    seq = alice.say(talk, "burn after reading")
    take(bob, talk, seq, **spoiled(talk, seq, bob))
    bob.pump(talk)
    alice.sync(talk)  # asked for again: the answer waits in the outbox

    alice.run(lambda store: store.database.run("update messages set expires_at = ?", rfc3339(0)))
    assert alice.texts(talk) == []
    assert alice.run(lambda store: (store.outbox.count(), store.states.keys(SentMessage))) == (0, [])


# profiles


def _goes_on(alice: Desk, bob: Desk, talk: Talk) -> None:
    """The restored profile finds out about itself, and what it writes then is read without a warning."""
    alice.fetch(talk)
    assert ("ProfileRestored", "own_message_unknown") in alice.warnings()
    alice.say(talk, "four")
    bob.sync(talk)
    assert bob.texts(talk) == ["one", "two", "three", "four"]
    assert bob.warnings() == []


def test_a_profile_restored_from_a_copy_reuses_no_key_and_no_number(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    alice.say(talk, "one")
    bob.sync(talk)
    copy = alice.copy()
    for text in ("two", "three"):
        alice.say(talk, text)
    bob.sync(talk)
    alice.restore(copy)
    _goes_on(alice, bob, talk)


def test_a_profile_restored_from_before_a_conversation_reuses_no_number_in_it(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    copy = alice.copy()
    talk = world.direct(alice, bob)
    alice.say(talk, "one")
    bob.say(talk, "two")
    alice.sync(talk)
    alice.say(talk, "three")
    bob.sync(talk)
    alice.restore(copy)
    alice.know(talk)
    _goes_on(alice, bob, talk)


def test_a_new_device_fetches_nothing_of_what_was_said_before(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    alice.say(talk, "one")
    phone = world.desk("bob", bob.user)
    phone.know(talk)
    phone.fetch(talk)
    assert phone.run(lambda store: store.conversations.get(talk.conversation_id)).place is None
    assert phone.warnings() == []
