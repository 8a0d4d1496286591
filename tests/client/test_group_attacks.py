"""What a lying server, a stranger, a former member, a plain member or a removed device says to get into a
group, and what becomes of it; on real vaults, by the engine's own rules."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace

from messenger.client.e2e import SenderKey, SendingChain, Text
from messenger.client.e2e.bodies import Delete, Edit, MessageReference, MetadataKey, Timer
from messenger.client.e2e.payload import RosterMark
from messenger.client.e2e.roster import Roster
from messenger.client.engine import membership, receiving, sealing
from messenger.client.engine.vault import Store
from messenger.client.errors import ContactConflict
from tests.client.engine_talk import MOMENT, Talk
from tests.client.engine_world import Desk, World, world_in


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as made:
        yield made


def remove_device(desk: Desk) -> None:
    """Its user takes a device out of the signed list."""
    desk.user.devices.remove(desk.device)


def still_listed(talk: Talk, desk: Desk) -> None:
    """The server goes on listing a device that its user removed."""
    view = talk.view

    def lie() -> sealing.DeviceView:
        users = {**view().users, desk.device.device_id: desk.user.user_id}
        return sealing.DeviceView(users=users)

    talk.view = lie  # type: ignore[method-assign]


# strangers


def test_a_strangers_envelope_in_a_group_is_refused_and_told(world: World) -> None:
    alice, bob, mallory = (world.desk(name) for name in ("alice", "bob", "mallory"))
    talk = world.group(alice, bob)
    mallory.know(talk)
    for body in (MetadataKey(key=bytes(32)), Text(text="hello from nobody"), _chain(mallory, talk)):
        mallory.forge(talk, body, bob)
        bob.sync(talk)
    assert [kind for kind, _ in bob.warnings()] == ["MessageRejected"] * 3
    assert bob.texts(talk) == []


def _chain(desk: Desk, talk: Talk) -> SenderKey:
    chain = SendingChain.create(desk.device.keys, talk.conversation_id, now=0)
    return chain.distribution(1)


def test_a_strangers_roster_for_a_group_that_has_one_changes_nothing(world: World) -> None:
    alice, bob, mallory = (world.desk(name) for name in ("alice", "bob", "mallory"))
    talk = world.group(alice, bob)
    mallory.know(talk)
    forged = Roster.of(talk.conversation_id, 9, [world.entry(mallory, "owner"), world.entry(bob)])
    mallory.forge(talk, forged.body(), bob)
    bob.sync(talk)
    assert bob.roster(talk) == alice.roster(talk)
    assert bob.warnings() == [("RosterDiffers", "roster_refused")]


def test_a_strangers_roster_that_comes_first_is_told_once_the_true_one_comes(world: World) -> None:
    """The server helps a stranger to be the first who hands a newcomer a roster."""
    alice, dave, mallory = (world.desk(name) for name in ("alice", "dave", "mallory"))
    talk = world.talk("group", [alice.user, dave.user, mallory.user])
    alice.learn(dave.user.user_id)
    alice.run(lambda store: membership.make_first(store, talk.conversation_id, [dave.user.user_id]))
    for desk in (alice, dave, mallory):
        desk.know(talk)
    forged = Roster.of(talk.conversation_id, 1_000, [world.entry(mallory, "owner"), world.entry(dave)])
    mallory.forge(talk, forged.body(), dave)
    dave.sync(talk)
    world.hand_over(alice, talk)
    dave.sync(talk)
    assert ("RosterDiffers", "roster_refused") in dave.warnings()


def test_an_admin_seizes_no_group_by_a_whole_roster(world: World) -> None:
    alice, bob, mallory = (world.desk(name) for name in ("alice", "bob", "mallory"))
    talk = world.group(alice, bob, mallory)
    alice.change(talk, put=[world.entry(mallory, "admin")])
    alice.pump(talk)
    world.settle(talk, alice, bob, mallory)
    standing = bob.roster(talk)
    assert standing is not None
    for members in (
        [world.entry(alice, "admin"), world.entry(bob), world.entry(mallory, "owner")],
        [world.entry(bob), world.entry(mallory, "owner")],
        [world.entry(alice, "owner"), world.entry(bob, "admin"), world.entry(mallory, "admin")],
    ):
        seized = Roster.of(talk.conversation_id, standing.version + 5, members)
        mallory.forge(talk, seized.body(), bob)
        bob.sync(talk)
        assert bob.roster(talk) == standing


def test_who_left_and_is_added_again_by_another_leader_is_in(world: World) -> None:
    """The owner hands on and leaves meanwhile; of the new one who left knows only that it was a member."""
    alice, bob, dave = (world.desk(name) for name in ("alice", "bob", "dave"))
    talk = world.group(alice, bob, dave)
    dave.change(talk, remove=[dave.user])
    dave.pump(talk)
    talk.users.remove(dave.user)
    world.settle(talk, alice, bob)
    alice.change(talk, put=[world.entry(bob, "owner")], remove=[alice.user])
    alice.pump(talk)
    talk.users.remove(alice.user)
    bob.sync(talk)
    bob.change(talk, put=[world.entry(dave)])
    bob.pump(talk)
    talk.users.append(dave.user)
    dave.read[talk.conversation_id] = len(talk.filed)
    bob.say(talk, "welcome back")
    dave.sync(talk)
    assert dave.roster(talk) == bob.roster(talk)
    assert dave.texts(talk) == ["welcome back"]
    dave.say(talk, "thanks")
    bob.sync(talk)
    assert bob.texts(talk)[-1] == "thanks"
    assert dave.warnings() == bob.warnings() == []


def test_a_roster_that_is_spoken_of_and_never_comes_is_told(world: World) -> None:
    """Somebody's messages name a newer roster, and nobody hands it over."""
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.group(alice, bob)
    alice.say(talk)
    bob.sync(talk)
    mark = RosterMark(version=9, digest=bytes(32))
    for _ in range(4):
        assert bob.warnings() == []
        alice.forge_content(talk, Text(text="hello"), kind="text", roster=mark)
        bob.sync(talk)
        bob.pump(talk)
        world.now += 3_601
    assert bob.warnings() == [("RosterDiffers", "newer_roster")]


# former members


def test_a_former_members_new_chain_and_what_is_under_it_are_refused(world: World) -> None:
    alice, bob, mallory = (world.desk(name) for name in ("alice", "bob", "mallory"))
    talk = world.group(alice, bob, mallory)
    mallory.say(talk, "while I may")
    world.settle(talk, alice, bob, mallory)
    alice.change(talk, remove=[mallory.user])
    alice.pump(talk)
    world.settle(talk, alice, bob)
    # The server does not remove Mallory; her client goes on as if she had not heard of it.
    mallory.forge(talk, _chain(mallory, talk), bob)
    mallory.say(talk, "and now")
    world.settle(talk, alice, bob)
    for desk in (alice, bob):
        assert desk.texts(talk) == ["while I may"]
        assert {kind for kind, _ in desk.warnings()} == {"MessageRejected"}
    before = len(talk.filed)
    bob.say(talk, "without her")
    alice.sync(talk)
    assert alice.texts(talk)[-1] == "without her"
    mallory.sync(talk)
    assert "without her" not in mallory.texts(talk)
    for filed in talk.filed[before:]:
        addressed = {str(one.device_id) for one in filed.draft.envelopes or []}
        assert mallory.device.device_id not in addressed


def test_a_removal_that_the_server_does_not_do_changes_nothing(world: World) -> None:
    alice, bob, mallory = (world.desk(name) for name in ("alice", "bob", "mallory"))
    talk = world.group(alice, bob, mallory)
    alice.say(talk, "to all")
    world.settle(talk, bob, mallory)
    alice.change(talk, remove=[mallory.user])
    alice.pump(talk)
    alice.say(talk, "to bob")
    world.settle(talk, bob)
    mallory.sync(talk)
    assert bob.texts(talk) == ["to all", "to bob"]
    assert mallory.texts(talk) == ["to all"]
    assert bob.warnings() == alice.warnings() == []


def test_a_device_that_the_server_does_not_remove_reads_no_more(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    phone = world.desk("bob", bob.user)
    talk = world.group(alice, bob, phone)
    direct = world.direct(alice, bob)
    phone.know(direct)
    for there in (talk, direct):
        alice.say(there, "to both")
        world.settle(there, bob, phone)
    remove_device(phone)
    for there in (talk, direct):
        still_listed(there, phone)
        alice.say(there, "to one")
        bob.sync(there)
        phone.sync(there)
        assert bob.texts(there) == ["to both", "to one"]
        assert phone.texts(there) == ["to both"]
    assert ("AudienceRefused", "unlisted_device") in alice.warnings()


# removed devices


def _old_word(phone: Desk) -> None:
    """A removed device goes on saying that its user's list is the one from before."""
    version = phone.run(lambda store: store.known(store.user_id).list_version)
    assert version < phone.user.list_version


def test_a_removed_device_hands_its_owners_other_devices_no_roster(world: World) -> None:
    """With an old list_version it passes for late, in a session that stood; its roster must not count."""
    alice, bob, mallory = (world.desk(name) for name in ("alice", "bob", "mallory"))
    phone = world.desk("alice", alice.user)
    talk = world.group(alice, phone, bob)
    bob.say(talk)
    phone.say(talk, "a session with everybody")
    world.settle(talk, alice, phone, bob)
    remove_device(phone)
    still_listed(talk, phone)
    alice.learn(alice.user.user_id)
    bob.learn(alice.user.user_id)
    _old_word(phone)
    standing = alice.roster(talk)
    assert standing is not None
    forged = Roster.of(talk.conversation_id, 9, [*standing.members, world.entry(mallory)])
    for desk in (alice, bob):
        phone.forge(talk, forged.body(), desk)
        desk.sync(talk)
        assert desk.roster(talk) == standing
        assert ("MessageRejected", "unlisted_device") in desk.warnings()


def test_a_removed_device_changes_no_roster_and_deletes_nothing(world: World) -> None:
    alice, bob = world.desk("alice"), world.desk("bob")
    phone = world.desk("alice", alice.user)
    talk = world.group(alice, phone, bob)
    phone.say(talk, "late or not")
    world.settle(talk, alice, phone, bob)
    remove_device(phone)
    still_listed(talk, phone)
    bob.learn(alice.user.user_id)
    standing = phone.roster(talk)
    assert standing is not None
    phone.forge_content(talk, standing.change([], [bob.user.user_id]))
    bob.sync(talk)
    assert bob.roster(talk) == alice.roster(talk)
    assert ("MessageRejected", "unlisted_device") in bob.warnings()


# the author's word


def test_only_author_and_leaders_take_a_message_away_and_only_its_author_edits_it(world: World) -> None:
    alice, bob, mallory = (world.desk(name) for name in ("alice", "bob", "mallory"))
    talk = world.group(alice, bob, mallory)
    everybody = (alice, bob, mallory)
    for desk in everybody:
        desk.say(talk, "hello")
        world.settle(talk, *everybody)
    alice.say(talk, "mine")
    world.settle(talk, *everybody)
    found = bob.run(lambda store: store.messages.history(talk.conversation_id, 1, None))[0]
    reference = MessageReference(device_id=found.sender_device_id, client_id=found.client_id)
    for body in (Edit(message=reference, text="hers"), Delete(message=reference), Timer(expires_in=1)):
        mallory.forge_content(talk, body)
    bob.sync(talk)
    assert bob.texts(talk)[-1] == "mine"
    assert bob.warnings() == [("MessageRejected", "not_the_author")] * 3
    alice.tell(talk, Edit(message=reference, text="still mine"))
    bob.sync(talk)
    assert bob.texts(talk)[-1] == "still mine"
    seq = mallory.say(talk, "nonsense")
    world.settle(talk, alice, bob)
    nonsense = bob.run(lambda store: store.messages.at(talk.conversation_id, seq))
    assert nonsense is not None
    away = MessageReference(device_id=nonsense.sender_device_id, client_id=nonsense.client_id)
    alice.tell(talk, Delete(message=away))
    bob.sync(talk)
    assert "nonsense" not in bob.texts(talk)


def test_what_is_said_of_a_message_that_is_asked_for_again_is_not_lost(world: World) -> None:
    """An edit by its author, and a deletion by who leads the group, come before the message itself."""
    alice, bob, carol = (world.desk(name) for name in ("alice", "bob", "carol"))
    talk = world.group(alice, bob, carol)
    everybody = (alice, bob, carol)
    for desk in everybody:
        desk.say(talk, "hello")
        world.settle(talk, *everybody)
    references = []
    for text in ("first version", "to be deleted"):
        seq = carol.say(talk, text)
        found = talk.at(seq, bob)
        assert found.content is not None
        bob.take(replace(found, content=found.content[:-1] + bytes([found.content[-1] ^ 1])))
        bob.read[talk.conversation_id] = seq
        references.append(MessageReference(device_id=carol.device.device_id, client_id=found.client_id))
    carol.tell(talk, Edit(message=references[0], text="second version"))
    alice.sync(talk)
    alice.tell(talk, Delete(message=references[1]))
    bob.sync(talk)
    world.settle(talk, *everybody)
    assert bob.texts(talk)[3:] == ["second version"]
    world.now += 90_000
    bob.run(lambda store: receiving.give_up(store, world.batch()))
    carol.say(talk, "later")
    bob.sync(talk)
    assert bob.warnings() == [("MessageRejected", "bad_sender_signature")] * 2


# what would stop the client


def test_a_number_out_of_all_bounds_is_malformed(world: World) -> None:
    """Nothing that a member says may be more than a store can hold."""
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.group(alice, bob)
    huge = _chain(alice, talk)
    alice.forge(talk, replace(huge, number=10**30), bob)
    bob.sync(talk)
    assert bob.warnings() == [("MessageRejected", "malformed")]


def test_a_new_group_is_none_that_is_known_otherwise(world: World) -> None:
    """The server answers with the direct conversation with Bob where a group with Carol is made."""
    alice, bob, carol = (world.desk(name) for name in ("alice", "bob", "carol"))
    talk = world.direct(alice, bob)
    alice.learn(carol.user.user_id)
    with pytest.raises(ContactConflict):
        alice.run(lambda store: membership.make_first(store, talk.conversation_id, [carol.user.user_id]))


@pytest.mark.parametrize("size", [3, 500])
def test_a_group_from_before_rosters_opens_whatever_the_server_said_of_it(world: World, size: int) -> None:
    """Two owners, a role that is none, an identity that has changed, more members than a roster holds."""
    alice, bob = world.desk("alice"), world.desk("bob")
    talk = world.talk("group", [alice.user, bob.user])
    alice.know(talk)

    def before(store: Store) -> None:
        store.conversations.set(talk.conversation_id, legacy=1)
        store.conversations.put_member(talk.conversation_id, bob.user.user_id, "owner", MOMENT)
        for _ in range(size - 2):
            store.conversations.put_member(talk.conversation_id, str(uuid4()), "king", MOMENT)
        membership.freeze_legacy(store)

    alice.run(before)
    alice.learn(bob.user.user_id)
    alice.run(lambda store: _refused(store, bob))
    assert [one for one, _ in alice.run(membership.to_take_over)] == [talk.conversation_id]
    alice.run(lambda store: membership.take_over(store, world.batch(), talk.conversation_id))
    standing = alice.roster(talk)
    assert standing is not None
    assert standing.members == (world.entry(alice, "owner"),)


def _refused(store: Store, desk: Desk) -> None:
    known = store.known(desk.user.user_id)
    known.refused = True
    store.states.save(desk.user.user_id, known)
