"""What the web client's engine does with the account itself, on a real server, beside the Python client:
passwords, second factors, sessions, new identities, the end. Each also with a wrong password or code."""

import base64
import time
from pathlib import Path

import pytest

from messenger.auth import totp
from messenger.client import (
    BadCredentials,
    ConversationEnded,
    IdentityChanged,
    RosterChanged,
    SessionEnded,
)
from tests.system.people import PASSWORD, unique
from tests.system.stack import Stack
from tests.system.web_scene import Scene, shared, text, texts, told, warnings
from tests.system.web_scene import refused as refusal
from tests.web.agent import Device, Talk

pytestmark = [pytest.mark.system, pytest.mark.long]

FRESH = "umbrella kettle ninety"
WRONG = "somebody else's password"


async def refused(device: Device, what: str, word: str, **said: str) -> None:
    """Something is refused by this word."""
    await refusal(device.do(what, **said), word)


async def not_begun(scene: Scene, what: str, profile: str, word: str, **said: str) -> None:
    """A profile is not to be had, by this word."""
    await refusal(scene.begun(what, profile, **said), word)


def test_a_changed_password_is_the_stores_lock_too(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name, lock=True)
        other = await scene.people.login(name)
        there = await bea.direct(ann.name)
        await refused(bea, "change_password", "forbidden", current=WRONG, password=FRESH)
        for weak in ("password1234", "too short", f"{name}-2024"):
            await refused(bea, "change_password", "weak_password", current=PASSWORD, password=weak)
        await bea.do("change_password", current=PASSWORD, password=FRESH)
        # This session goes on, others have ended.
        await there.send("under another password")
        await ann.until_text("under another password")
        await other.until(SessionEnded)
        await bea.close()
        for wrong in (PASSWORD, WRONG):
            await not_begun(scene, "open", bea.profile, "wrong_password", password=wrong)
        bea = await scene.begun("open", bea.profile, password=FRESH)
        await (await ann.client.direct(name)).send("welcome back")
        await text(bea, "welcome back")
        with pytest.raises(BadCredentials):
            await scene.people.login(name, PASSWORD)
        await scene.people.login(name, FRESH)
        assert await warnings([bea], [ann]) == []

    told(apart, tmp_path, story)


def test_a_password_that_the_python_client_changed(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, ben = await scene.people.register("ann"), await scene.people.register("ben")
        web = await scene.web("login", ann.name, lock=True)
        await ann.client.approve_device(await web.device_code())
        await web.do("until", event="device_approved")
        await ann.client.change_password(PASSWORD, FRESH)
        await web.do("until_state", state="session_ended")
        await refused(web, "synced", "session_ended")
        await web.close()
        await (await ben.client.direct(ann.name)).send("while the session was over")
        # The store is still locked by what the password was here.
        said = {"username": ann.name, "password": FRESH}
        await not_begun(scene, "login", web.profile, "wrong_password", **said)
        await not_begun(scene, "login", web.profile, "wrong_password", locked_by=WRONG, **said)
        await not_begun(scene, "login", web.profile, "unauthorized", username=ann.name, password=PASSWORD)
        again = await scene.begun("login", web.profile, locked_by=PASSWORD, **said)
        assert again.device_id == web.device_id
        await text(again, "while the session was over")
        await again.close()
        await not_begun(scene, "open", web.profile, "wrong_password", password=PASSWORD)
        last = await scene.begun("open", web.profile, password=FRESH)
        await last.do("synced")
        await (await last.direct(ben.name)).send("from ann, who is back")
        await ben.until_text("from ann, who is back")
        assert await warnings([last], [ann, ben]) == []

    told(apart, tmp_path, story)


def test_a_session_that_was_ended_goes_on_as_the_same_device(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        await there.send("before")
        await bea.do("logout")
        assert (await bea.do("state"))["state"] == "session_ended"
        await refused(bea, "synced", "session_ended")
        assert (await there.enqueue("when there is a session again")).state == "queued"
        await bea.close()
        here = await ann.client.direct(name)
        await here.send("while nobody was logged in")
        await not_begun(scene, "login", bea.profile, "unauthorized", username=name, password=WRONG)
        await not_begun(scene, "login", bea.profile, "profile_mismatch", username=ann.name)
        await not_begun(scene, "login", unique("none"), "unauthorized", username=unique("nobody"))
        again = await scene.begun("login", bea.profile, username=name)
        assert again.device_id == bea.device_id
        assert (await again.do("state"))["approved"]
        await text(again, "while nobody was logged in")
        await ann.until_text("when there is a session again")
        # Ended by another device of the user's.
        second = await scene.people.login(name)
        await again.do("approve", code=await second.client.device_code())
        await second.client.synced(20)
        await second.client.remove_device(again.device_id)
        await again.do("until_state", state="removed")
        assert await warnings([again], [ann, second]) == []

    told(apart, tmp_path, story)


def test_a_second_factor(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        name = unique("bea")
        bea = await scene.web("register", name)
        await refused(bea, "begin_second_factor", "forbidden", password=WRONG)
        made = await bea.do("begin_second_factor", password=PASSWORD)
        secret = base64.b32decode(made["secret"])
        await refused(bea, "confirm_second_factor", "forbidden", code="000000")

        def code(steps: int) -> str:
            return totp.code_at(secret, int(time.time()) // 30 + steps)

        recovery = await bea.do("confirm_second_factor", code=f" {code(-1)} ")
        assert len(recovery) == 10
        profile = unique("web")
        await not_begun(scene, "login", profile, "second_factor_required", username=name)
        await not_begun(scene, "login", profile, "unauthorized", username=name, second_factor="000000")
        second = await scene.begun("login", profile, username=name, second_factor=code(0))
        await bea.do("approve", code=await second.device_code(), name="web")
        await second.do("until", event="device_approved")
        # A new identity wants it, too; what is refused changes nothing.
        link = await bea.contact_link()
        await refused(bea, "reset_identity", "second_factor_required", password=PASSWORD)
        await refused(bea, "reset_identity", "unauthorized", password=PASSWORD, second_factor="000000")
        await bea.do("synced")
        assert await bea.contact_link() == link
        await bea.do("reset_identity", password=PASSWORD, second_factor=recovery[0])
        await bea.do("synced")
        assert await bea.contact_link() != link
        await refused(bea, "remove_second_factor", "forbidden", password=WRONG)
        await bea.do("remove_second_factor", password=PASSWORD)
        await scene.begun("login", unique("web"), username=name)

    told(apart, tmp_path, story)


def test_a_browser_with_a_new_identity_reads_once_it_is_confirmed(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        other = await scene.web("login", name)
        await bea.do("approve", code=await other.device_code(), name="web")
        await other.do("until", event="device_approved")
        group = await ann.client.create_group("Three", [name])
        await group.send("one")
        for device in (bea, other):
            await text(device, "one")
        await refused(bea, "reset_identity", "unauthorized", password=WRONG)
        await bea.do("synced")  # the session goes on
        await bea.do("reset_identity", password=PASSWORD)
        assert not (await ann.until(IdentityChanged)).was_verified
        await ann.until(RosterChanged, lambda event: event.change == "unconfirmed")
        await group.send("two, not for bea")
        await group.confirm(name)
        # The other device was put out, too: it is approved under the new key.
        await bea.do("approve", code=await other.device_code(), name="web")
        await group.send("three")
        for device in (bea, other):
            await text(device, "three")
        for device in (bea, other):
            assert "two, not for bea" not in await texts(await shared(device, group.id))

    told(apart, tmp_path, story)


def test_the_python_client_with_a_new_identity_is_accepted_and_confirmed(
    apart: Stack, tmp_path: Path
) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        cleo = await scene.people.register("cleo")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        number = await bea.safety_number(ann.name)
        await refused(bea, "verify", "wrong_safety_number", username=ann.name, proof=number["digits"][::-1])
        await bea.do("verify", username=ann.name, proof=number["digits"])
        assert (await bea.safety_number(ann.name))["verified"]
        group = await bea.create_group("of the browser's", [ann.name, cleo.name])
        await group.send("one")
        for talker in (ann, cleo):
            await talker.until_text("one")
        await ann.client.reset_identity(PASSWORD)
        changed = await bea.do("until", event="identity_changed")
        assert (changed["was_verified"], changed["accepted"]) == (True, False)
        await refused_to_send(there, "to whom?", "account_key_changed")
        await group.send("two, not for ann")
        await cleo.until_text("two, not for ann")
        # What was compared before is not what is seen now; the user goes on all the same.
        await refused(bea, "verify", "wrong_safety_number", username=ann.name, proof=number["digits"])
        await bea.do("accept", username=ann.name)
        await there.send("to the new key")
        await ann.until_text("to the new key")
        await (await ann.client.direct(name)).send("from the new key")
        await text(bea, "from the new key")
        assert not (await bea.safety_number(ann.name))["verified"]
        await refused(bea, "confirm", "unknown_user", talk=group.id, username=unique("nobody"))
        await group.do("confirm", username=ann.name)
        await group.send("three")
        for talker in (ann, cleo):
            await talker.until_text("three")
        assert "two, not for ann" not in ann.texts()
        await (await ann.client.conversation(group.id)).send("four")
        await text(bea, "four")

    told(apart, tmp_path, story)


async def refused_to_send(talk: Talk, said: str, code: str) -> None:
    """A message that is not sent, by this word."""
    assert type(await refusal(talk.send(said), code)).__name__ == "SendingFailed"


def test_an_account_is_deleted_for_good(apart: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        await there.send("before the end")
        await ann.until_text("before the end")
        await refused(bea, "delete_account", "forbidden", password=WRONG)
        await there.send("not yet")
        await bea.do("delete_account", password=PASSWORD)
        await ann.until(ConversationEnded, seconds=60.0)
        await refused(bea, "delete_account", "session_ended", password=PASSWORD)
        await bea.close()
        await not_begun(scene, "login", bea.profile, "unauthorized", username=name)
        # What was said stays on the device until the profile goes.
        again = await scene.begun("open", bea.profile)
        assert await texts(await shared(again, there.id)) == ["before the end", "not yet"]
        await again.close()
        await scene.agent.do("remove", profile=bea.profile)
        await not_begun(scene, "open", bea.profile, "no_profile")

    told(apart, tmp_path, story)
