"""Groups with members at browsers and at the Python client, on a real server: who is in them, by whose word.

What `test_client.py` and `test_client_groups.py` tell of the Python client alone, with the web client's
engine as owner, admin and member.
"""

import asyncio
from pathlib import Path

import pytest

from messenger.client import (
    ConversationEnded,
    ConversationUpdated,
    MembershipChanged,
    MembershipRefused,
    RosterChanged,
)
from tests.system.people import unique
from tests.system.stack import Stack
from tests.system.talkers import Talker
from tests.system.test_client_groups import make_old
from tests.system.web_scene import Scene, holds, refused, shared, text, texts, told, warnings
from tests.web.agent import Device, Talk

pytestmark = [pytest.mark.system, pytest.mark.long]


async def roster(talk: Talk) -> tuple[int, str]:
    """The version and digest of the roster that a browser goes by."""
    said = await talk.do("roster")
    return said["version"], said["digest"]


async def agreed(group_id: str, talkers: list[Talker], devices: list[Device], version: int) -> None:
    """All go by the same roster, of this version."""

    async def same() -> bool:
        infos = [await (await one.client.conversation(group_id)).info() for one in talkers]
        found = [(info.version, info.digest) for info in infos]
        found += [await roster(await shared(one, group_id)) for one in devices]
        return len(set(found)) == 1 and found[0][0] == version

    await holds(same)


def test_a_group_of_five_with_changes_of_membership(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, cid = await asyncio.gather(*(scene.people.register(name) for name in ("ann", "cid")))
        bob, dan, eve = [await scene.web("register", unique(name)) for name in ("bob", "dan", "eve")]
        group = await ann.client.create_group("Five", [bob.name, cid.name, dan.name])
        await bob.do("until", event="conversation_updated")
        await group.send("one")
        for device in (bob, dan):
            await text(device, "one")
        await cid.until_text("one")
        of_bob = await shared(bob, group.id)
        assert of_bob.title == "Five"
        await of_bob.send("two")
        await group.add(eve.name)
        await eve.do("until", event="conversation_updated")
        await bob.do("until", event="roster_changed")
        await of_bob.send("three, and Eve hears it")
        await text(eve, "three, and Eve hears it")
        of_eve = await shared(eve, group.id)
        assert await texts(of_eve) == ["three, and Eve hears it"]
        await group.remove(cid.name)
        await cid.until(ConversationEnded)
        await (await shared(dan, group.id)).do("leave")
        await ann.until(MembershipChanged, lambda event: event.change == "left")
        await agreed(group.id, [ann], [bob, eve], 4)
        await of_bob.send("four, without Cid and Dan")
        await ann.until_text("four, without Cid and Dan")
        await text(eve, "four, without Cid and Dan")
        assert cid.texts() == ["one", "two", "three, and Eve hears it"]
        assert "four, without Cid and Dan" not in await texts(await shared(dan, group.id))
        second = await scene.program(eve)
        await of_bob.send("five")
        await second.until_text("five")
        await group.set_role(bob.name, "admin")
        await agreed(group.id, [ann, second], [bob, eve], 5)
        roles = {ann.name: "owner", bob.name: "admin", eve.name: "member"}
        for device in (bob, eve):
            members = await (await shared(device, group.id)).do("members")
            assert {member["username"]: member["role"] for member in members} == roles
            assert all(member["vouched"] and member["listed"] for member in members)
        assert await warnings([bob, dan, eve], [ann, cid, second]) == []

    told(one, tmp_path, story)


@pytest.mark.parametrize("owner", ["browser", "program"])
def test_changes_that_meet_are_both_made(one: Stack, tmp_path: Path, owner: str) -> None:
    async def story(scene: Scene) -> None:
        ann, dan = await asyncio.gather(*(scene.people.register(name) for name in ("ann", "dan")))
        bea, cid, eve = [await scene.web("register", unique(name)) for name in ("bea", "cid", "eve")]
        if owner == "browser":
            of_bea = await bea.create_group("Five", [ann.name, cid.name])
            await ann.until(RosterChanged)
            of_ann = await ann.client.conversation(of_bea.id)
            await of_bea.do("set_role", username=ann.name, role="admin")
            await ann.until(RosterChanged, lambda event: event.change == "role_changed")
        else:
            of_ann = await ann.client.create_group("Five", [bea.name, cid.name])
            await bea.do("until", event="roster_changed")
            of_bea = await shared(bea, of_ann.id)
            await of_ann.set_role(bea.name, "admin")
        await agreed(of_ann.id, [ann], [bea, cid], 2)
        of_cid = await shared(cid, of_ann.id)
        await refused(of_cid.do("add_member", username=dan.name), "membership_refused")
        await asyncio.gather(of_ann.add(dan.name), of_bea.do("add_member", username=eve.name))
        await of_cid.send("hello, all")
        for talker in (ann, dan):
            await talker.until_text("hello, all")
        for device in (bea, eve):
            await text(device, "hello, all")
        await agreed(of_ann.id, [ann, dan], [bea, cid, eve], 4)
        # What a plain member may not, in either client.
        with pytest.raises(MembershipRefused):
            await (await dan.client.conversation(of_ann.id)).remove(eve.name)
        # Both remove the same member: whoever comes second has nothing to do.
        await asyncio.gather(of_ann.remove(cid.name), of_bea.remove(cid.name))
        await agreed(of_ann.id, [ann, dan], [bea, eve], 5)
        await of_bea.send("without Cid")
        for talker in (ann, dan):
            await talker.until_text("without Cid")
        assert "without Cid" not in await texts(of_cid)
        assert await warnings([bea, cid, eve], [ann, dan]) == []

    told(one, tmp_path, story)


def test_a_new_device_knows_the_groups_before_anybody_writes(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        group = await ann.client.create_group("Plans", [name])
        await bea.do("until", event="conversation_updated")
        annas = await scene.browser(ann)
        await annas.do("until", event="conversation_updated")
        await annas.do("until", event="roster_changed")
        there = await shared(annas, group.id)
        assert there.title == "Plans"
        await there.send("from ann's new browser")
        await text(bea, "from ann's new browser")
        await ann.until_text("from ann's new browser")
        beas = await scene.program(bea)
        await beas.until(ConversationUpdated, lambda event: event.title == "Plans")
        await beas.until(RosterChanged)
        await (await beas.client.conversation("Plans")).send("from bea's new program")
        await ann.until_text("from bea's new program")
        for device in (annas, bea):
            await text(device, "from bea's new program")
        await agreed(group.id, [ann, beas], [annas, bea], 1)
        assert await warnings([annas, bea], [ann, beas]) == []

    told(one, tmp_path, story)


def test_a_browser_comes_to_a_group_from_before_rosters(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, bob = await asyncio.gather(*(scene.people.register(name) for name in ("ann", "bob")))
        group = await ann.client.create_group("Old", [bob.name])
        await group.send("one")
        await bob.until_text("one")
        for talker in (ann, bob):
            await make_old(talker, group.id)
        await ann.close()
        bob = await scene.people.reopen(bob)
        assert (await (await bob.client.conversation(group.id)).info()).version == 0
        # Nobody can vouch for its members to a browser yet: what is written waits there to be judged.
        browser = await scene.browser(bob)
        await (await bob.client.conversation(group.id)).send("two, by the members that were known")
        ann = await scene.people.reopen(ann)
        await browser.do("until", event="roster_changed")
        await text(browser, "two, by the members that were known")
        await agreed(group.id, [ann, bob], [browser], 1)
        await (await shared(browser, group.id)).send("three, from the browser")
        for talker in (ann, bob):
            await talker.until_text("three, from the browser")
        assert await warnings([browser], [ann, bob]) == []

    told(one, tmp_path, story)
