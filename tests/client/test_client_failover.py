"""The server's database fails over: what was lost comes back once, nobody is wrongly suspected, and a server
that merely says so gains nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from messenger.client import events
from messenger.client.engine import history
from tests.client.engine_talk import Talk
from tests.client.engine_world import Desk, World, world_in


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as made:
        yield made


def see(world: World, epoch: str, *desks: Desk) -> None:
    """These connect, and are told of this history, which is the first that they see, or the same."""
    for desk in desks:
        assert desk.run(lambda store: history.is_known(store, epoch, world.now))


def greet(world: World, talk: Talk, epoch: str, desk: Desk) -> None:
    """One connects again, and is told of another history."""
    assert not desk.run(lambda store: history.is_known(store, epoch, world.now))
    end = history.End(len(talk.filed), 1)
    desk.run(lambda store: history.begin(store, epoch, {talk.conversation_id: end}, world.now))
    desk.read[talk.conversation_id] = min(desk.read.get(talk.conversation_id, 0), len(talk.filed))


def lose(talk: Talk, count: int, *desks: Desk) -> None:
    """The last messages are gone, and so is what these had acknowledged of them."""
    del talk.filed[-count:]
    for desk in desks:
        desk.read[talk.conversation_id] = min(desk.read.get(talk.conversation_id, 0), len(talk.filed))


def shown(desk: Desk) -> list[str]:
    """The texts that were told, in order."""
    return [one.message.text for one in desk.told(events.MessageReceived)]


@pytest.mark.parametrize("kind", ["direct", "group"])
@pytest.mark.parametrize("lost", [1, 3])
def test_what_was_lost_comes_back_once(world: World, kind: str, lost: int) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob) if kind == "direct" else world.group(alice, bob)
    see(world, "first", alice, bob)
    for number in range(3):
        alice.say(talk, f"a{number}")
        bob.sync(talk)
        bob.say(talk, f"b{number}")
        alice.sync(talk)
    lose(talk, lost, alice, bob)
    # Bob is back first: what he sends again, and something new, stands where alice has seen other messages.
    greet(world, talk, "second", bob)
    bob.pump(talk)
    bob.say(talk, "new")
    greet(world, talk, "second", alice)
    alice.fetch(talk)
    world.settle(talk, alice, bob)
    alice.say(talk, "last")
    world.settle(talk, alice, bob)
    assert shown(alice) == ["b0", "b1", "b2", "new"]
    assert shown(bob) == ["a0", "a1", "a2", "last"]
    assert alice.warnings() == bob.warnings() == []
    assert len({one.draft.client_id for one in talk.filed}) == len(talk.filed)
    assert set(alice.texts(talk)) == set(bob.texts(talk)) == {*shown(alice), *shown(bob)}


def test_one_who_never_got_it_is_shown_it_and_suspects_nobody(world: World) -> None:
    alice, bob, carol = (world.desk(name) for name in ("alice", "bob", "carol"))
    talk = world.group(alice, bob, carol)
    for desk in (alice, bob, carol):
        desk.say(talk, "hello")
        world.settle(talk, alice, bob, carol)
    see(world, "first", alice, bob, carol)
    alice.say(talk, "one")
    bob.sync(talk)
    bob.say(talk, "two")  # says what he has seen: a place that will hold something else
    lose(talk, 2, alice, bob)
    greet(world, talk, "second", carol)
    carol.say(talk, "in between")
    for desk in (alice, bob):
        greet(world, talk, "second", desk)
        desk.fetch(talk)
        desk.waits(talk)
    world.settle(talk, alice, bob, carol)
    for desk in (alice, bob, carol):
        desk.say(talk, "and on")
        world.settle(talk, alice, bob, carol)
    assert shown(carol).count("one") == shown(carol).count("two") == 1
    assert [desk.warnings() for desk in (alice, bob, carol)] == [[], [], []]


def test_a_standby_in_step_changes_nothing(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    see(world, "first", alice, bob)
    for number in range(3):
        alice.say(talk, f"a{number}")
        bob.sync(talk)
    filed = list(talk.filed)
    for desk in (alice, bob):
        greet(world, talk, "second", desk)
        desk.fetch(talk)
        desk.pump(talk)
    assert talk.filed == filed
    assert (shown(bob), alice.warnings(), bob.warnings()) == (["a0", "a1", "a2"], [], [])
    assert len(alice.told(events.MessageSent)) == 3
    assert bob.run(lambda store: store.history.doubted(talk.conversation_id, 100)) == []


# a server that merely says so


def test_what_lies_further_back_stands(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    see(world, "first", bob)
    old = alice.say(talk, "old")
    bob.sync(talk)
    bob.run(lambda store: store.database.run("update places set taken_at = taken_at - 3600"))
    alice.say(talk, "young")
    bob.sync(talk)
    greet(world, talk, "second", bob)
    # Another of alice's messages is presented at the place of the old one.
    held = alice.say(talk, "three")
    bob.take(talk.at(held, bob, seq=old))
    assert ("HistoryRewritten", "replaced") in bob.warnings()
    assert len(bob.told(events.HistoryRestarted)) == 1


def test_nothing_is_shown_twice(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    see(world, "first", bob)
    places = [alice.say(talk, text) for text in ("one", "two")]
    bob.sync(talk)
    greet(world, talk, "second", bob)
    for seq in (*places, *places):
        bob.take(talk.at(seq, bob, seq=seq + 10))
    assert shown(bob) == ["one", "two"]


def test_what_nobody_disputes_stands_again(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    see(world, "first", bob)
    place = alice.say(talk, "one")
    bob.sync(talk)
    greet(world, talk, "second", bob)
    late = world.now + history.DOUBT_SECONDS + 1
    bob.run(lambda store: history.still_seen(store, late))
    held = alice.say(talk, "two")
    bob.take(talk.at(held, bob, seq=place))
    assert ("HistoryRewritten", "replaced") in bob.warnings()


def test_each_word_is_told_and_sending_again_has_an_end(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    see(world, "first", alice)
    alice.say(talk, "one")
    client_id = str(talk.filed[-1].draft.client_id)
    went = 0
    for number in range(10):
        greet(world, talk, f"word {number}", alice)
        went += alice.run(lambda store: store.outbox.get(client_id)) is not None
        alice.pump(talk)
    assert went == 3
    assert len(alice.told(events.HistoryRestarted)) == 10
    assert len(talk.filed) == 1


def test_what_was_taken_away_goes_out_no_more(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.direct(alice, bob)
    see(world, "first", alice)
    alice.say(talk, "one")
    client_id = str(talk.filed[-1].draft.client_id)
    alice.run(lambda store: store.forget_sent(client_id, edited=False))
    greet(world, talk, "second", alice)
    assert alice.run(lambda store: store.outbox.count()) == 0


def test_the_same_bytes_go_out_again(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.group(alice, bob)
    see(world, "first", alice)
    alice.say(talk, "one")
    before = talk.filed[-1].draft
    lose(talk, 1)
    greet(world, talk, "second", alice)
    alice.pump(talk)
    assert talk.filed[-1].draft == before


def test_one_that_is_made_anew_keeps_its_number(world: World) -> None:
    """The devices have changed meanwhile: other bytes, which nobody takes for a gap."""
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.group(alice, bob)
    see(world, "first", alice, bob)
    for text in ("one", "two"):
        alice.say(talk, text)
    client_id = str(talk.filed[-2].draft.client_id)
    lose(talk, 2)
    greet(world, talk, "second", alice)
    alice.run(lambda store: store.outbox.unseal(client_id))
    world.settle(talk, alice, bob)
    assert sorted(shown(bob)) == ["one", "two"]
    assert "MessagesMissing" not in {kind for kind, _ in bob.warnings()}
