"""Two people at browsers and at the Python client, on a real server: what is said, and what becomes of it.

What `test_client.py` and `test_client_groups.py` tell of the Python client alone, with the web client's
engine on either side.
"""

import json
from pathlib import Path
from typing import cast

import pytest

from messenger.client import (
    ConversationUpdated,
    DeviceWaiting,
    GoneFromServer,
    Message,
    MessageDeleted,
    NotYours,
    ReceiptReceived,
    SessionEnded,
    TypingChanged,
)
from messenger.client.e2e.bodies import Known, decode_body
from messenger.client.engine.batch import Batch
from messenger.client.engine.queueing import queue
from messenger.client.engine.vault import Store
from tests.system.people import Person, unique
from tests.system.stack import Stack
from tests.system.web_scene import Scene, holds, refused, shared, text, texts, told, warnings

pytestmark = [pytest.mark.system, pytest.mark.long]


def test_two_people_with_a_browser_and_a_program_each(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        annas, beas = await scene.browser(ann), await scene.program(bea)
        await refused(bea.do("approve", code="AAAA-BBBB-CCCC-DDDD-EEEE-FFFF"), "wrong_code")
        to_bea = await ann.client.direct(name)
        sent = await to_bea.send("Hello, Bea!")
        assert (sent.seq, sent.state) == (1, "sent")
        assert (await beas.until_text("Hello, Bea!")).message.sender == ann.name
        for device, outgoing in ((bea, False), (annas, True)):
            assert (await text(device, "Hello, Bea!"))["outgoing"] is outgoing
        to_ann = await shared(bea, to_bea.id)
        await to_ann.do("read")
        read = await ann.until(ReceiptReceived, lambda event: event.kind == "read")
        assert (read.seq, read.username) == (1, name)
        await annas.do("until", event="receipt_received", kind="read")
        await to_ann.do("typing")
        await ann.until(TypingChanged)
        await to_bea.typing()
        await bea.do("until", event="typing_changed")
        # An answer names the same message at all four.
        [first] = await to_ann.history()
        await to_ann.do("send", text="Hello, Ann!", reply_to=int(first.id))
        for talker in (ann, beas):
            answer = (await talker.until_text("Hello, Ann!")).message
            history = await (await talker.client.conversation(to_bea.id)).history()
            assert answer.reply_to == history[0].id
        answer_there = await text(annas, "Hello, Ann!")
        assert answer_there["reply_to"] == (await (await shared(annas, to_bea.id)).history())[0].client_id
        again = await to_bea.send("And how are you?", reply_to=(await to_bea.history())[-1].id)
        assert (await text(bea, "And how are you?"))["reply_to"] == (await to_ann.history())[1].client_id
        assert again.state == "sent"
        numbers = [
            (await ann.client.safety_number(name)).digits,
            (await beas.client.safety_number(ann.name)).digits,
            (await annas.safety_number(name))["digits"],
            (await bea.safety_number(ann.name))["digits"],
        ]
        assert len(set(numbers)) == 1
        # Whoever compares it does so for all devices of the user.
        await refused(bea.do("verify", username=ann.name, proof=numbers[0][::-1]), "wrong_safety_number")
        await bea.do("verify", username=ann.name, proof=numbers[0])
        await ann.client.set_verified(name, numbers[0])

        async def verified() -> bool:
            there = await beas.client.safety_number(ann.name)
            here: bool = (await annas.safety_number(name))["verified"]
            return there.verified and here

        await holds(verified)
        assert await warnings([annas, bea], [ann, beas]) == []

    told(one, tmp_path, story)


def test_a_device_that_waits_is_shown_and_one_that_is_removed_is_out(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        annas, beas = await scene.browser(ann), await scene.program(bea)
        waiting = await scene.web("login", ann.name)
        await waiting.device_code()
        listed = {ann.client.device_id: True, annas.device_id: True, waiting.device_id: False}
        assert {one.device_id: one.approved for one in await ann.client.devices()} == listed
        assert {one["device_id"]: one["approved"] for one in await annas.do("devices")} == listed
        await ann.until(DeviceWaiting, lambda event: event.device_id == waiting.device_id)
        await annas.do("until", event="device_waiting")
        there = await bea.direct(ann.name)
        await there.send("to all who are approved")
        await text(annas, "to all who are approved")
        # By the program the browser, by the browser the program.
        await ann.client.remove_device(annas.device_id)
        await annas.do("until_state", state="removed")
        await refused(annas.do("synced"), "session_ended")
        await bea.remove_device(beas.client.device_id)
        await beas.until(SessionEnded, lambda event: event.reason == "removed")
        await there.send("to who is left")
        await ann.until_text("to who is left")
        assert texts_of(await annas.events()) == ["to all who are approved"]
        assert await texts(there) == ["to all who are approved", "to who is left"]
        assert await warnings([bea], [ann]) == []

    told(one, tmp_path, story)


def texts_of(events: list[object]) -> list[str]:
    """What was received."""
    return [event.message.text for event in events if type(event).__name__ == "MessageReceived"]  # type: ignore[attr-defined]


def test_only_authors_say_what_becomes_of_a_message(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there, here = await bea.direct(ann.name), await ann.client.direct(name)
        own = await there.send("of the browser's")
        of_ann = await here.send("of the program's")
        received = (await ann.until_text("of the browser's")).message
        message = await text(bea, "of the program's")
        with pytest.raises(NotYours):
            await here.edit_message(received, "mine")
        with pytest.raises(NotYours):
            await here.delete_message(received)
        await refused(there.do("edit", message=message["id"], text="mine"), "not_yours")
        await refused(there.do("delete", message=message["id"]), "not_yours")
        # What the server alone says removes nothing.
        assert of_ann.seq is not None
        await ann.client.engine.api.delete_message(here.id, of_ann.seq)
        await bea.do("until", event="gone_from_server")
        await there.do("delete_at_server", message=int(own.id))
        await ann.until(GoneFromServer, lambda event: event.seq == own.seq)
        for history in (await here.history(), await there.history()):
            assert {(one.text, one.gone) for one in history} == {
                ("of the browser's", True),
                ("of the program's", True),
            }
        # What authors say does.
        await here.delete_message(of_ann)
        await bea.do("until", event="message_deleted")
        await there.do("delete", message=int(own.id))
        await ann.until(MessageDeleted)
        for history in (await here.history(), await there.history()):
            assert [(one.text, one.state) for one in history] == [("", "deleted")] * 2
        assert await warnings([bea], [ann]) == []

    told(one, tmp_path, story)


def test_timers_of_either_side_take_messages_away_on_both(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there, here = await bea.direct(ann.name), await ann.client.direct(name)
        await there.send("for ever")
        await ann.until_text("for ever")
        await there.do("timer", expires_in=2)
        await ann.until(ConversationUpdated)
        await here.send("of ann's, for two seconds")
        await text(bea, "of ann's, for two seconds")
        await there.send("of bea's, for two seconds")
        await ann.until_text("of bea's, for two seconds")

        async def gone() -> bool:
            both = [await here.history(), await there.history()]
            return all([one.text for one in history] == ["for ever", "", ""] for history in both)

        await holds(gone)
        await here.set_timer(None)

        async def stays() -> bool:
            [row] = [one for one in await bea.do("conversations") if one["conversation_id"] == there.id]
            return bool(row["expires_in"] is None)

        await holds(stays)
        sent = await there.send("for ever again")
        await ann.until_text("for ever again")
        assert (await bea.do("message", message=int(sent.id)))["expires_at"] is None
        assert await warnings([bea], [ann]) == []

    told(one, tmp_path, story)


def test_what_can_not_be_sent_says_why(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        bare = Person(one.url)  # registered, and without any keys
        talk = await bea.direct(bare.username)
        error = await refused(talk.send("into the void"), "no_devices")
        assert type(error).__name__ == "SendingFailed"
        assert [one.state for one in await talk.history()] == ["failed"]
        await refused(bea.direct(unique("nobody")), "unknown_user")
        # A device that nobody has approved writes nothing.
        waiting = await scene.web("login", ann.name)
        await refused(waiting.create_group("none", [name]), "not_approved")
        # Each may end it for the other.
        there = await bea.direct(ann.name)
        await there.send("before")
        await ann.until_text("before")
        await bea.do("block", username=ann.name)
        assert [one["username"] for one in await bea.do("blocks")] == [ann.name]
        await bea.do("unblock", username=ann.name)
        await (await ann.client.direct(name)).send("after")
        await text(bea, "after")
        assert await warnings([bea], [ann]) == []

    told(one, tmp_path, story)


def bodies(conversation_id: str, message: Message) -> list[bytes]:
    """What the contract has besides what these clients do by themselves."""
    named = {"device_id": message.sender_device_id, "client_id": message.client_id}
    about = {"conversation_id": conversation_id}
    said: list[dict[str, object]] = [
        {"type": "reaction", "message": named, "emoji": "\N{WAVING HAND SIGN}"},
        {"type": "read_mark", "message": named, **about},
        {"type": "mute", "until": None, **about},
        {"type": "archive", "archived": True, **about},
        {"type": "pin", "pinned": True, **about},
        {"type": "note", "text": "of the dentist's", **about},
    ]
    return [json.dumps(one).encode() for one in said]


def test_what_a_client_does_not_do_yet_is_passed_over(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        group = await ann.client.create_group("Both", [name])
        await bea.do("until", event="conversation_updated")
        for here in (await ann.client.direct(name), group):
            sent = await here.send("what it is about")
            await text(bea, "what it is about")
            there = await shared(bea, here.id)
            for body in bodies(here.id, sent):

                def say(store: Store, body: bytes = body, talk: str = here.id) -> None:
                    queue(store, Batch.begin(), talk, cast("Known", decode_body(body)))

                await ann.client.engine.vault.run(say)
                ann.client.engine.sending.wake(here.id)
                await there.do("say", body=body.decode())
            await here.send(f"ann, after all of it in {here.type}")
            await text(bea, f"ann, after all of it in {here.type}")
            await there.send(f"bea, after all of it in {here.type}")
            await ann.until_text(f"bea, after all of it in {here.type}")
            after = [f"{who}, after all of it in {here.type}" for who in ("ann", "bea")]
            shown = ["what it is about", *after]
            assert await texts(there) == shown
            assert [message.text for message in await here.history()] == shown
        assert await warnings([bea], [ann]) == []

    told(one, tmp_path, story)
