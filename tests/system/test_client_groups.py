"""Groups that belong to their members: who takes one over, changes that meet, identities that change, and
what authors say of their messages later."""

import asyncio
from pathlib import Path

import pytest

from messenger.client import (
    ConversationUpdated,
    GoneFromServer,
    IdentityChanged,
    MembershipRefused,
    MessageDeleted,
    MessageEdited,
    NotYours,
    RosterChanged,
    ServerWarning,
)
from messenger.client.e2e import Rosters
from messenger.client.engine.vault import Store
from tests.system.people import PASSWORD
from tests.system.stack import Stack
from tests.system.talkers import Talker, crowd

pytestmark = pytest.mark.system


def warnings(*talkers: Talker) -> list[ServerWarning]:
    """All that was told of a hostile server."""
    return [event for one in talkers for event in one.heard if isinstance(event, ServerWarning)]


async def make_old(talker: Talker, group_id: str) -> None:
    """Have a profile be as one of a client from before rosters."""

    def forget(store: Store) -> None:
        store.states.drop(Rosters, group_id)
        store.conversations.set(group_id, legacy=1)

    await talker.client.engine.vault.run(forget)


def test_a_group_from_before_rosters_is_taken_over_by_its_owner(one: Stack, tmp_path: Path) -> None:
    async def story() -> None:
        async with crowd(tmp_path, one.url) as people:
            ann, bob, cid = await asyncio.gather(*(people.register(name) for name in ("ann", "bob", "cid")))
            group = await ann.client.create_group("Old", [bob.name, cid.name])
            await group.send("one")
            await asyncio.gather(bob.until_text("one"), cid.until_text("one"))
            for talker in (ann, bob, cid):
                await make_old(talker, group.id)
            # The members come first, and talk as they did before.
            await ann.close()
            bob, cid = await people.reopen(bob), await people.reopen(cid)
            of_bob = await bob.client.conversation(group.id)
            assert (await of_bob.info()).version == 0
            await of_bob.send("two, by the members that were known")
            await cid.until_text("two, by the members that were known")
            ann = await people.reopen(ann)
            await ann.until(
                RosterChanged, lambda event: event.change == "made" and event.username == cid.name
            )
            await asyncio.gather(*(one.until(RosterChanged) for one in (bob, cid)))
            infos = [await (await one.client.conversation(group.id)).info() for one in (ann, bob, cid)]
            assert {info.version for info in infos} == {1}
            assert len({info.digest for info in infos}) == 1
            await of_bob.send("three")
            await asyncio.gather(ann.until_text("three"), cid.until_text("three"))
            assert warnings(ann, bob, cid) == []

    asyncio.run(story())


def test_changes_that_meet_are_both_made(one: Stack, tmp_path: Path) -> None:
    async def story() -> None:
        async with crowd(tmp_path, one.url) as people:
            names = ("ann", "bob", "cid", "dan", "eve")
            ann, bob, cid, dan, eve = await asyncio.gather(*(people.register(name) for name in names))
            group = await ann.client.create_group("Five", [bob.name, cid.name])
            await bob.until(RosterChanged)
            await group.set_role(bob.name, "admin")
            of_bob = await bob.client.conversation(group.id)
            with pytest.raises(MembershipRefused):
                await (await cid.client.conversation(group.id)).add(dan.name)
            await bob.until(RosterChanged, lambda event: event.change == "role_changed")
            await asyncio.gather(group.add(dan.name), of_bob.add(eve.name))
            await group.send("hello, all")
            await asyncio.gather(*(one.until_text("hello, all") for one in (bob, cid, dan, eve)))
            infos = [
                await (await one.client.conversation(group.id)).info() for one in (ann, bob, cid, dan, eve)
            ]
            assert {(info.version, info.digest) for info in infos} == {(4, infos[0].digest)}
            assert all(member.vouched and member.listed for info in infos for member in info.members)
            await of_bob.leave()
            await ann.until(RosterChanged, lambda event: event.change == "left")
            assert warnings(ann, bob, cid, dan, eve) == []

    asyncio.run(story())


def test_who_has_a_new_identity_reads_once_it_is_confirmed(one: Stack, tmp_path: Path) -> None:
    async def story() -> None:
        async with crowd(tmp_path, one.url) as people:
            ann, bob = await asyncio.gather(people.register("ann"), people.register("bob"))
            bob2 = await people.another_device(bob)
            group = await ann.client.create_group("Three", [bob.name])
            await group.send("one")
            await asyncio.gather(bob.until_text("one"), bob2.until_text("one"))
            await bob.client.reset_identity(PASSWORD)
            await ann.until(IdentityChanged)
            await ann.until(RosterChanged, lambda event: event.change == "unconfirmed")
            await group.send("two, not for Bob")
            await group.confirm(bob.name)
            # The other device was put out, too: it is approved under the new key.
            await bob.client.approve_device(await bob2.client.device_code())
            await group.send("three")
            await asyncio.gather(bob.until_text("three"), bob2.until_text("three"))
            assert "two, not for Bob" not in bob.texts() + bob2.texts()

    asyncio.run(story())


def test_a_new_device_knows_the_groups_before_anybody_writes(one: Stack, tmp_path: Path) -> None:
    async def story() -> None:
        async with crowd(tmp_path, one.url) as people:
            ann, bob = await asyncio.gather(people.register("ann"), people.register("bob"))
            group = await ann.client.create_group("Plans", [bob.name])
            await bob.until(ConversationUpdated, lambda event: event.title == "Plans")
            bob2 = await people.another_device(bob)
            await bob2.until(ConversationUpdated, lambda event: event.title == "Plans")
            await bob2.until(RosterChanged)
            await (await bob2.client.conversation("Plans")).send("from the new one")
            await asyncio.gather(ann.until_text("from the new one"), bob.until_text("from the new one"))
            assert group.id == (await bob2.client.conversation("Plans")).id
            assert warnings(ann, bob, bob2) == []

    asyncio.run(story())


def test_only_authors_and_who_leads_say_what_becomes_of_a_message(one: Stack, tmp_path: Path) -> None:
    async def story() -> None:
        async with crowd(tmp_path, one.url) as people:
            ann, bob = await asyncio.gather(people.register("ann"), people.register("bob"))
            to_bob = await ann.client.direct(bob.name)
            sent = await to_bob.send("a tpyo")
            received = (await bob.until_text("a tpyo")).message
            of_bob = await bob.client.conversation(ann.name)
            with pytest.raises(NotYours):
                await of_bob.edit_message(received, "mine")
            with pytest.raises(NotYours):
                await of_bob.delete_message(received)
            assert (await to_bob.edit_message(sent, "a typo")).edited
            edited = (await bob.until(MessageEdited)).message
            assert (edited.text, edited.edited) == ("a typo", True)
            # What the server alone says removes nothing.
            assert sent.seq is not None
            await ann.client.engine.api.delete_message(to_bob.id, sent.seq)
            await bob.until(GoneFromServer)
            assert [(one.text, one.gone) for one in await of_bob.history()] == [("a typo", True)]
            await to_bob.delete_message(sent)
            await bob.until(MessageDeleted)
            assert [(one.text, one.state) for one in await of_bob.history()] == [("", "deleted")]
            await to_bob.set_timer(2)
            await bob.until(ConversationUpdated)
            await of_bob.send("for two seconds")
            await ann.until_text("for two seconds")
            stored = (await to_bob.history())[-1]
            async with asyncio.timeout(20):
                while stored.state != "deleted":
                    await asyncio.sleep(0.1)
                    stored = (await to_bob.history())[-1]
            assert warnings(ann, bob) == []

    asyncio.run(story())
