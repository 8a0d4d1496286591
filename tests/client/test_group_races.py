"""Members of a group who change it, come back to it, or are new in it, while others write: nothing is lost,
and nothing is told; on real vaults, by the engine's own rules."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from messenger.client.engine import rosters
from messenger.client.engine.changes import LEFT, take_change
from messenger.client.engine.vault import Store
from messenger.client.errors import ServerRefused
from messenger.client.group import Group
from messenger.client.records import Person
from messenger.wire.conversations import Change, Member
from tests.client.engine_talk import Talk
from tests.client.engine_world import Desk, World, world_in


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as made:
        yield made


def test_a_group_of_three_talks_and_nothing_is_told(world: World) -> None:
    alice, bob, carol = (world.desk(name) for name in ("alice", "bob", "carol"))
    phone = world.desk("bob", bob.user)
    talk = world.group(alice, bob, phone, carol)
    everybody = (alice, bob, phone, carol)
    assert len(talk.filed) == 1  # the roster: nobody asks for what has just come
    for number, desk in enumerate(everybody):
        desk.say(talk, f"from {number}")
        world.settle(talk, *everybody)
    for desk in everybody:
        assert desk.texts(talk) == ["from 0", "from 1", "from 2", "from 3"]
        assert desk.warnings() == []
        assert desk.roster(talk) == alice.roster(talk)


def test_two_who_change_at_once_agree_and_nothing_is_told(world: World) -> None:
    """The second one's answer comes before the first one's change."""
    alice, bob, carol, dave, eve = (world.desk(name) for name in ("alice", "bob", "carol", "dave", "eve"))
    talk = world.group(alice, bob, carol, dave)
    alice.change(talk, put=[world.entry(bob, "admin")])
    alice.pump(talk)
    everybody = (alice, bob, carol)
    world.settle(talk, *everybody, dave)
    for desk in everybody:
        desk.say(talk, "hello")
        world.settle(talk, *everybody, dave)
    bob.change(talk, put=[world.entry(eve)])
    alice.change(talk, remove=[dave.user])
    alice.pump(talk)
    bob.pump(talk)
    bob.say(talk, "both at once")
    world.settle(talk, *everybody)
    standing = alice.roster(talk)
    assert standing is not None
    assert standing.version == 4
    assert standing.member(dave.user.user_id) is None
    assert standing.member(eve.user.user_id) is not None
    for desk in everybody:
        assert desk.roster(talk) == standing
        assert desk.texts(talk)[-1] == "both at once"
        assert desk.warnings() == []


def test_a_newcomer_that_writes_before_its_adding_could_be_read_is_heard(world: World) -> None:
    """Carol can't open the change by which Dave was added, and asks for it; Dave writes meanwhile."""
    alice, carol, dave = (world.desk(name) for name in ("alice", "carol", "dave"))
    talk = world.group(alice, carol)
    for desk in (alice, carol):
        desk.say(talk, "hello")
        world.settle(talk, alice, carol)
    alice.change(talk, put=[world.entry(dave)])
    (seq,) = alice.pump(talk)
    found = talk.at(seq, carol)
    assert found.content is not None
    carol.take(replace(found, content=found.content[:-1] + bytes([found.content[-1] ^ 1])))
    carol.read[talk.conversation_id] = seq
    talk.users.append(dave.user)
    dave.know(talk)
    dave.read[talk.conversation_id] = seq
    world.hand_over(alice, talk)
    dave.sync(talk)
    dave.say(talk, "new here")
    world.settle(talk, alice, carol, dave)
    assert carol.texts(talk)[-1] == "new here"
    assert carol.roster(talk) == alice.roster(talk)
    assert [one for one in carol.warnings() if one != ("MessageRejected", "bad_sender_signature")] == []


def removed_for_a_while(world: World, talk: Talk, dave: Desk, *others: Desk, told: bool) -> int:
    """The first of the others removes Dave, all talk on, and he is added again; the place of his removal."""
    alice = others[0]
    alice.change(talk, remove=[dave.user])
    (removal,) = alice.pump(talk)
    talk.users.remove(dave.user)
    if told:
        dave.sync(talk)
    world.settle(talk, *others)
    for desk in others:
        desk.say(talk, "without him")
        world.settle(talk, *others)
    alice.change(talk, put=[world.entry(dave)])
    alice.pump(talk)
    talk.users.append(dave.user)
    dave.read[talk.conversation_id] = len(talk.filed)
    return removal


@pytest.mark.parametrize("roster_first", [True, False])
def test_who_comes_back_misses_nothing_that_was_written_while_away(world: World, roster_first: bool) -> None:
    alice, bob, dave = (world.desk(name) for name in ("alice", "bob", "dave"))
    talk = world.group(alice, bob, dave)
    for desk in (alice, bob, dave):
        desk.say(talk, "hello")
        world.settle(talk, alice, bob, dave)
    removed_for_a_while(world, talk, dave, alice, bob, told=True)
    dave.run(lambda store: store.conversations.set(talk.conversation_id, place=len(talk.filed)))
    bob.sync(talk)
    if roster_first:
        world.hand_over(alice, talk)
    bob.say(talk, "welcome")
    alice.say(talk, "back")
    world.settle(talk, alice, bob, dave)
    assert dave.texts(talk)[-2:] == ["welcome", "back"]
    assert dave.roster(talk) == alice.roster(talk)
    assert dave.warnings() == []


def test_a_reader_whose_roster_was_lost_asks_for_it(world: World) -> None:
    """The server drops the roster; Dave only reads."""
    alice, bob, dave = (world.desk(name) for name in ("alice", "bob", "dave"))
    talk = world.group(alice, bob)
    alice.say(talk)
    world.settle(talk, alice, bob)
    alice.change(talk, put=[world.entry(dave)])
    alice.pump(talk)
    talk.users.append(dave.user)
    dave.know(talk)
    dave.read[talk.conversation_id] = len(talk.filed)
    world.hand_over(alice, talk)
    talk.held[dave.device.device_id] = {len(talk.filed)}
    bob.sync(talk)
    bob.say(talk, "can you read this")
    dave.sync(talk)
    assert dave.roster(talk) is None
    dave.learn(alice.user.user_id)
    dave.run(lambda store: _ask(store, world, talk))
    world.settle(talk, alice, bob, dave)
    assert dave.texts(talk) == ["can you read this"]


def test_a_roster_that_could_not_be_opened_is_sent_again(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.group(alice)
    alice.change(talk, put=[world.entry(bob)])
    alice.pump(talk)
    talk.users.append(bob.user)
    bob.know(talk)
    world.hand_over(alice, talk)
    seq = len(talk.filed)
    found = talk.at(seq, bob)
    assert found.envelope is not None
    bob.take(replace(found, envelope=found.envelope[:-1] + bytes([found.envelope[-1] ^ 1])))
    bob.read[talk.conversation_id] = seq
    assert bob.waits(talk) is False
    world.settle(talk, alice, bob)
    assert bob.roster(talk) == alice.roster(talk)
    assert bob.warnings() == [("MessageRejected", "tampered")]


@pytest.mark.parametrize("leader", [True, False])
def test_a_device_that_is_added_during_a_chat_reads_on(world: World, leader: bool) -> None:
    """Where no leader writes it has no roster yet, and asks its owner's other device for it."""
    alice, bob, carol = (world.desk(name) for name in ("alice", "bob", "carol"))
    talk = world.group(alice, bob, carol)
    for desk in (alice, bob, carol):
        desk.say(talk, "before")
        world.settle(talk, alice, bob, carol)
    phone = world.desk("bob", bob.user)
    phone.know(talk)
    phone.read[talk.conversation_id] = len(talk.filed)
    (alice if leader else carol).say(talk, "to the phone, too")
    phone.sync(talk)
    assert (phone.roster(talk) is not None) == leader
    if not leader:
        phone.learn(alice.user.user_id)
        phone.run(lambda store: _ask(store, world, talk))
    world.settle(talk, bob, carol, phone)
    assert phone.texts(talk) == ["to the phone, too"]
    phone.say(talk, "from the phone")
    world.settle(talk, alice, bob, carol, phone)
    for desk in (alice, bob, carol, phone):
        assert desk.texts(talk)[-1] == "from the phone"
        assert desk.warnings() == []


def _ask(store: Store, world: World, talk: Talk) -> None:
    """As the engine does from time to time for what waits."""
    assert rosters.lacked(store) == [talk.conversation_id]
    row = store.conversations.get(talk.conversation_id)
    assert row is not None
    rosters.ask(store, world.batch(), row, rosters.leaders(store, row))


def test_adding_once_more_after_a_crash_says_that_the_server_refuses() -> None:
    """The roster has had the member since before the crash; the server will still not have it."""

    class Half(Group):
        id = "group"

        async def _person(self, username: str) -> Person:
            return Person(user_id="dave", username=username)

        async def _change(self, wanted: object) -> bool:
            return False  # nothing is left to change

    async def refuse(*_: object) -> None:
        raise ServerRefused(403, "blocked", "Dave has blocked you.")

    async def members(_: str) -> list[Member]:
        return []

    group = Half()
    api = SimpleNamespace(add_member=refuse, members=members)
    group._client = SimpleNamespace(engine=SimpleNamespace(api=api))  # type: ignore[assignment]
    with pytest.raises(ServerRefused):
        asyncio.run(group.add("dave"))


@pytest.mark.parametrize("knew", [True, False])
def test_who_was_removed_and_added_again_while_away_is_told_nothing_wrong(world: World, knew: bool) -> None:
    """The conversation is listed before the change by which he was added comes. Who has not seen the removal
    has no word but the server's for it, and hears of each sender that numbers are missing."""
    alice, bob, dave = (world.desk(name) for name in ("alice", "bob", "dave"))
    talk = world.group(alice, bob, dave)
    for desk in (alice, bob, dave):
        desk.say(talk, "hello")
        world.settle(talk, alice, bob, dave)
    removal = removed_for_a_while(world, talk, dave, alice, bob, told=knew)
    place = len(talk.filed)
    talk.held[dave.device.device_id] = set(range(removal + knew, place + 1))  # out of his sight
    if knew:
        dave.run(lambda store: store.conversations.set(talk.conversation_id, ended=LEFT))
    dave.run(lambda store: store.conversations.set(talk.conversation_id, ended=0))  # as the list says
    added = Change(
        change=9,
        at_seq=place,
        created_at="2026-01-31T09:30:00.123Z",
        actor_id=alice.user.user_id,
        event="member_added",
        user_id=dave.user.user_id,
        role="member",
    )
    dave.run(lambda store: take_change(store, talk.conversation_id, added))
    bob.sync(talk)
    world.hand_over(alice, talk)
    bob.say(talk, "welcome")
    alice.say(talk, "back")
    world.settle(talk, alice, bob, dave)
    assert dave.texts(talk)[-2:] == ["welcome", "back"]
    held_back = ("MessagesMissing", "held_back")
    assert dave.warnings() == ([] if knew else [held_back, held_back])
