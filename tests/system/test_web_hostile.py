"""The web client behind a server that lies, on the real stack: about messages, files, keys and people.

What `test_client_hostile.py` and `test_client_hostile_identities.py` tell of the Python client. The whole
matrix of lies is played to both on a server in memory (`test_web_lying.py`); here each sort of lie is told
once over real services, and the Python client, whose server is honest, looks on.
"""

import base64
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from messenger.client import MessageRejected
from tests.system.hostile import Hostile, hostile_server
from tests.system.hostile_story import Frame, OnTexts, flipped, key
from tests.system.people import unique
from tests.system.stack import Stack
from tests.system.talkers import Talker
from tests.system.test_client_hostile_identities import own_list
from tests.system.web_scene import Scene, holds, refused, shared, text, texts, told
from tests.web.agent import Device, Talk

pytestmark = [pytest.mark.system, pytest.mark.long]

Story = Callable[[Hostile, Talker, Device, Talk, Scene], Awaitable[None]]
FALSE = "01890000-0000-7000-8000-00000000beef"


def honest(_method: str, _path: str, value: Any) -> Any:
    """What a server does that tells the truth."""
    return value


def play(stack: Stack, folder: Path, story: Story, **settings: str) -> None:
    """Ann is at the true server with the Python client, Bea's browser behind a hostile one; they know each
    other."""

    async def tell(scene: Scene) -> None:
        async with hostile_server(stack.url) as hostile:
            ann = await scene.people.register("ann")
            bea = await scene.web("register", unique("bea"), server=hostile.url, **settings)
            to_bea = await ann.client.direct(bea.name)
            await to_bea.send("before")
            await text(bea, "before")
            there = await shared(bea, to_bea.id)
            await there.send("before, too")
            await ann.until_text("before, too")
            await story(hostile, ann, bea, there, scene)
            await bea.close()

    told(stack, folder, tell)


def test_a_tampered_envelope_is_named_and_asked_for_again_by_either(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bea: Device, there: Talk, scene: Scene) -> None:
        def tamper(frame: Frame, count: int) -> list[Frame]:
            return [{**frame, "envelope": flipped(frame["envelope"])} if count == 1 else frame]

        hostile.frames = OnTexts(tamper)
        to_bea = await ann.client.direct(bea.name)
        sent = await to_bea.send("tampered with")
        warned = await bea.do("until", event="message_rejected")
        assert (warned["reason"], warned["seq"], warned["username"]) == ("tampered", sent.seq, ann.name)
        assert (await text(bea, "tampered with"))["late"]
        await to_bea.send("and on it goes")
        await text(bea, "and on it goes")
        # The other way: the Python client is lied to, and the browser sends again.
        cid = await scene.people.register("cid", hostile.url)
        with_cid = await bea.direct(cid.name)
        await with_cid.send("before")
        await cid.until_text("before")
        hostile.frames = OnTexts(tamper)
        await with_cid.send("tampered with, too")
        assert (await cid.until(MessageRejected)).reason == "tampered"
        assert (await cid.until_text("tampered with, too")).message.late

    play(one, tmp_path, story)


def test_replays_and_rewritten_history_are_named(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bea: Device, there: Talk, _scene: Scene) -> None:
        kept: list[Frame] = []
        hostile.frames = OnTexts(lambda frame, _: [kept.append(frame) or frame])  # type: ignore[func-returns-value]
        sent = await (await ann.client.direct(bea.name)).send("once")
        await text(bea, "once")
        hostile.frames = lambda frame: [frame]
        await hostile.inject(kept[0])  # the very same at its place is no news
        await hostile.inject({**kept[0], "seq": kept[0]["seq"] + 1})
        assert (await bea.do("until", event="message_rejected"))["reason"] == "replayed"
        await hostile.inject({**kept[0], "client_id": "0a8f4ee2-5e1d-4a7c-9a52-6f3f0c2a9c11"})
        warned = await bea.do("until", event="history_rewritten")
        assert (warned["reason"], warned["seq"]) == ("replaced", sent.seq)
        assert (await texts(there)).count("once") == 1

    play(one, tmp_path, story)


def test_messages_held_back_are_fetched_or_missed(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bea: Device, there: Talk, _scene: Scene) -> None:
        to_bea = await ann.client.direct(bea.name)
        # Only the socket holds it back: it is fetched, and comes in its order.
        hostile.frames = OnTexts(lambda frame, count: [] if count == 1 else [frame])
        await to_bea.send("left out")
        await to_bea.send("after it")
        await text(bea, "after it")
        assert (await texts(there))[-2:] == ["left out", "after it"]
        # The whole server holds it back, and closes the gap in its own numbers.
        hostile.frames = OnTexts(
            lambda frame, count: [] if count == 1 else [{**frame, "seq": frame["seq"] - 1}]
        )
        await to_bea.send("gone for good")
        await to_bea.send("after that")
        warned = await bea.do("until", event="messages_missing")
        assert (warned["reason"], warned["count"], warned["username"]) == ("held_back", 1, ann.name)
        await text(bea, "after that")
        assert "gone for good" not in await texts(there)

    play(one, tmp_path, story)


def test_a_tampered_or_truncated_file_is_refused(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bea: Device, there: Talk, _scene: Scene) -> None:
        path, target = tmp_path / "plan.bin", tmp_path / "got.bin"
        path.write_bytes(secrets.token_bytes(300_000))
        await (await ann.client.direct(bea.name)).send_file(path, text="the plan")
        await text(bea, "the plan")
        [message] = [one for one in await there.history() if one.text == "the plan"]
        for spoil, reason in (
            (lambda raw: raw[:100_000] + bytes((raw[100_000] ^ 1,)) + raw[100_001:], "tampered"),
            (lambda raw: raw[:-70_000], "truncated"),
        ):
            hostile.blob = spoil
            await refused(bea.fetch_file(message, target), "file_damaged")
            warned = [one for one in await bea.events() if type(one).__name__ == "FileRejected"]
            assert warned[-1].reason == reason  # type: ignore[attr-defined]
        hostile.blob = lambda raw: raw
        await bea.fetch_file(message, target)
        assert target.read_bytes() == path.read_bytes()

    play(one, tmp_path, story)


def test_nonsense_from_the_server_never_stops_the_client(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bea: Device, there: Talk, _scene: Scene) -> None:
        to_bea = await ann.client.direct(bea.name)
        kept: list[Frame] = []
        hostile.frames = OnTexts(lambda frame, _: [kept.append(frame) or frame])  # type: ignore[func-returns-value]
        for nonsense in (
            *({"type": "message"}, {"type": "sent", "ref": 3}, {"type": "new"}, ["x"], 7, None, "", {}),
            *({"type": "change", "conversation_id": there.id, "seq": -1}, [[[]]], {"type": {"a": 1}}),
            {"type": "message", "seq": 2**60, "conversation_id": there.id},
        ):
            await hostile.inject(nonsense)  # type: ignore[arg-type]
        await to_bea.send("still there?")
        await text(bea, "still there?")
        hostile.frames = lambda frame: [frame]
        for envelope in ("", "AA==", "no base64", base64.b64encode(secrets.token_bytes(500)).decode()):
            seq = kept[0]["seq"] = kept[0]["seq"] + 1
            await hostile.inject(
                {**kept[0], "envelope": envelope, "client_id": f"{seq:08d}-0000-4000-8000-000000000000"}
            )
        assert (await bea.do("until", event="message_rejected"))["reason"] == "malformed"
        await there.send("still here")
        await ann.until_text("still here")
        assert (await bea.do("state"))["state"] == "online"

    play(one, tmp_path, story)


@pytest.mark.parametrize("known_as", ["verified", "seen", "strict"])
def test_a_swapped_account_key_is_told_and_refused_or_warned_of(
    one: Stack, tmp_path: Path, known_as: str
) -> None:
    async def story(hostile: Hostile, ann: Talker, bea: Device, there: Talk, _scene: Scene) -> None:
        number = (await bea.safety_number(ann.name))["digits"]
        if known_as == "verified":
            await bea.do("verify", username=ann.name, proof=number)
        false = own_list(ann.client.user_id, 9, {})

        def rewrite(_method: str, path: str, value: Any) -> Any:
            if path == f"/keys/identity/{ann.client.user_id}":
                return {**value, "device_list": false}
            return value

        hostile.rewrite = rewrite
        await hostile.inject(_published(ann))
        changed = await bea.do("until", event="identity_changed")
        assert (changed["username"], changed["was_verified"]) == (ann.name, known_as == "verified")
        assert changed["accepted"] is (known_as == "seen")
        # Nothing is encrypted to what the false key does not list, nor to a key that is not accepted.
        error = await refused(
            there.send("to whom?"), "no_devices" if known_as == "seen" else "account_key_changed"
        )
        assert type(error).__name__ == "SendingFailed"
        await refused(bea.do("verify", username=ann.name, proof=number), "wrong_safety_number")
        if known_as == "verified":
            hostile.rewrite = honest
            await hostile.inject(_published(ann))
            await (await ann.client.direct(bea.name)).send("the true key again")
            await text(bea, "the true key again")
        assert "to whom?" not in ann.texts()

    play(one, tmp_path, story, **({"policy": "refuse"} if known_as == "strict" else {}))


def test_a_key_that_changed_a_moment_ago_is_met_before_the_message_goes(one: Stack, tmp_path: Path) -> None:
    """No frame tells of it: what is sent goes by keys that were looked at on this connection."""

    async def story(hostile: Hostile, ann: Talker, bea: Device, there: Talk, _scene: Scene) -> None:
        number = (await bea.safety_number(ann.name))["digits"]
        await bea.do("verify", username=ann.name, proof=number)
        mine = key()
        listed = own_list(ann.client.user_id, 9, {FALSE: base64.b64decode(mine)})

        def rewrite(_method: str, path: str, value: Any) -> Any:
            if path == f"/keys/identity/{ann.client.user_id}":
                return {"device_list": listed, "items": [{"device_id": FALSE, "identity_key": mine}]}
            if path == f"/conversations/{there.id}/devices":
                theirs = {"user_id": ann.client.user_id, "device_id": FALSE}
                own = [one for one in value["items"] if one["user_id"] == bea.user_id]
                return {**value, "items": [*own, theirs]}
            return value

        hostile.rewrite = rewrite
        await hostile.cut()
        await bea.do("until_state", state="offline")
        await refused(there.send("for ann only"), "account_key_changed")
        assert (await bea.do("until", event="identity_changed"))["was_verified"]

    play(one, tmp_path, story)


def test_people_devices_and_keys_that_the_server_makes_up_are_refused(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bea: Device, there: Talk, scene: Scene) -> None:
        cat = await scene.people.register("cat")
        await bea.user(cat.name)
        # A name that is another user's.
        hostile.rewrite = lambda _method, path, value: (
            {"items": [{**item, "user_id": FALSE} for item in value["items"]]} if path == "/users" else value
        )
        await refused(bea.user(cat.name), "contact_refused")
        warned = await bea.do("until", event="contact_refused")
        assert (warned["username"], warned["reason"]) == (cat.name, "another_user")
        # A device of ann's that no list names, and somebody else in the talk with her.
        stranger = {"user_id": cat.client.user_id, "device_id": cat.client.device_id}

        def rewrite(_method: str, path: str, value: Any) -> Any:
            if path == f"/keys/identity/{ann.client.user_id}":
                extra = {"device_id": FALSE, "identity_key": key()}
                return {**value, "items": [*value["items"], extra]}
            if path == f"/conversations/{there.id}/devices":
                extra = {"user_id": ann.client.user_id, "device_id": FALSE}
                return {**value, "items": [*value["items"], extra, stranger]}
            if path == f"/conversations/{there.id}/members":
                member = {**value["items"][0], "user_id": cat.client.user_id, "role": "member"}
                return {**value, "items": [*value["items"], member]}
            return value

        hostile.rewrite = rewrite
        await hostile.cut()
        await bea.do("until_state", state="offline")
        await bea.do("synced")
        await there.send("for ann only")
        await ann.until_text("for ann only")

        async def named() -> bool:
            refusals = {
                one.device_id  # type: ignore[attr-defined]
                for one in await bea.events()
                if type(one).__name__ == "AudienceRefused"
            }
            return {FALSE, cat.client.device_id} <= refusals

        await holds(named)
        assert "for ann only" not in cat.texts()
        # Prekeys that nobody of that name has signed.
        dan = await scene.people.register("dan")

        def swapped(_method: str, path: str, value: Any) -> Any:
            if path == "/keys/claim":
                for item in value["items"]:
                    item["signed_prekey"]["public_key"] = key()
            return value

        hostile.rewrite = swapped
        with_dan = await bea.direct(dan.name)
        error = await refused(with_dan.send("under a false key"), "bad_prekey_signature")
        assert type(error).__name__ == "SendingFailed"
        warned = await bea.do("until", event="keys_refused")
        assert (warned["username"], warned["reason"]) == (dan.name, "bad_prekey_signature")

    play(one, tmp_path, story)


def _published(talker: Talker) -> Frame:
    return {
        "type": "device",
        "event": "published",
        "user_id": talker.client.user_id,
        "device_id": talker.client.device_id,
    }
