"""A server that tampers with messages and files, replays, holds back and reorders: all told by name."""

import asyncio
import base64
import secrets
from pathlib import Path

import pytest

from messenger.client import (
    Conversation,
    FileDamaged,
    FileRejected,
    HistoryRewritten,
    MessageReceived,
    MessageRejected,
    MessagesMissing,
    MessagesReordered,
    ProfileRestored,
)
from tests.system.hostile import Hostile
from tests.system.hostile_story import Frame, OnTexts, flipped, play
from tests.system.stack import Stack
from tests.system.talkers import Talker

pytestmark = [pytest.mark.system, pytest.mark.long]


def test_a_tampered_envelope_is_named_and_asked_for_again(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, _ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        hostile.frames = OnTexts(
            lambda frame, count: [{**frame, "envelope": flipped(frame["envelope"])} if count == 1 else frame]
        )
        sent = await to_bob.send("tampered with")
        told = await bob.until(MessageRejected)
        assert (told.reason, told.seq, told.username) == ("tampered", sent.seq, _ann.name)
        again = await bob.until_text("tampered with")
        assert again.message.late
        await to_bob.send("and on it goes")
        await bob.until_text("and on it goes")

    play(one, tmp_path, story)


def test_replays_and_rewritten_history_are_named(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, _ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        kept: list[Frame] = []
        hostile.frames = OnTexts(lambda frame, _: [kept.append(frame) or frame])  # type: ignore[func-returns-value]
        sent = await to_bob.send("once")
        await bob.until_text("once")
        hostile.frames = lambda frame: [frame]
        await hostile.inject(kept[0])  # the very same at its place is no news
        await hostile.inject({**kept[0], "seq": kept[0]["seq"] + 1})
        assert (await bob.until(MessageRejected)).reason == "replayed"
        await hostile.inject({**kept[0], "client_id": "0a8f4ee2-5e1d-4a7c-9a52-6f3f0c2a9c11"})
        told = await bob.until(HistoryRewritten)
        assert (told.reason, told.seq) == ("replaced", sent.seq)
        assert bob.texts().count("once") == 1

    play(one, tmp_path, story)


def test_a_refiled_message_is_named(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        group = await ann.client.create_group("Refiled", [bob.name])
        await group.send("in the group")
        await bob.until_text("in the group")
        seq = 2 + (await group.history())[-1].seq  # type: ignore[operator]
        hostile.frames = OnTexts(
            lambda frame, _: [
                {**frame, "conversation_id": group.id, "seq": seq}
                if frame["conversation_id"] == to_bob.id
                else {**frame, "conversation_id": to_bob.id, "seq": 50}
            ]
        )
        await to_bob.send("just for Bob")
        told = await bob.until(MessageRejected, lambda event: event.conversation_id == group.id)
        assert told.reason == "refiled"
        await group.send("just for the group")
        told = await bob.until(MessageRejected, lambda event: event.conversation_id == to_bob.id)
        assert told.reason == "refiled"
        # What the true server has at its place was fetched, and stands where it belongs.
        told_right = await bob.until_text("just for Bob")
        assert told_right.message.conversation_id == to_bob.id

    play(one, tmp_path, story)


def test_a_message_as_another_users_or_as_an_own_one_is_named(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        hostile.frames = OnTexts(lambda frame, _: [{**frame, "sender_device_id": bob.client.device_id}])
        await to_bob.send("as Bob's own")
        assert (await bob.until(ProfileRestored)).reason == "own_message_unknown"
        hostile.frames = OnTexts(lambda frame, _: [{**frame, "kind": "file"}])
        await to_bob.send("as a file")
        await bob.until(MessageRejected, lambda event: event.reason == "refiled")

    play(one, tmp_path, story)


def test_a_message_held_back_is_fetched_or_missed(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        # Only the socket holds it back: it is fetched, and comes in its order.
        hostile.frames = OnTexts(lambda frame, count: [] if count == 1 else [frame])
        await to_bob.send("left out")
        await to_bob.send("after it")
        await bob.until_text("after it")
        assert bob.texts()[-2:] == ["left out", "after it"]
        # The whole server holds it back, and closes the gap in its own numbers.
        hostile.frames = OnTexts(
            lambda frame, count: [] if count == 1 else [{**frame, "seq": frame["seq"] - 1}]
        )
        await to_bob.send("gone for good")
        await to_bob.send("after that")
        told = await bob.until(MessagesMissing)
        assert (told.reason, told.count, told.username) == ("held_back", 1, ann.name)
        await bob.until_text("after that")
        assert "gone for good" not in bob.texts()

    play(one, tmp_path, story)


def test_places_that_are_never_given_out_are_named(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, _ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        hostile.frames = OnTexts(lambda frame, count: [] if count == 1 else [frame])
        hostile.rewrite = lambda method, path, value: (
            {"items": [], "next": None} if method == "GET" and path.endswith("/messages") else value
        )
        await to_bob.send("held back")
        await to_bob.send("given out")
        await bob.until(MessagesMissing, lambda event: event.reason == "places_missing")
        await bob.until(MessagesMissing, lambda event: event.reason == "held_back")
        await bob.until_text("given out")

    play(one, tmp_path, story)


def test_messages_in_another_order_are_named(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, _ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        kept: list[Frame] = []

        def swap(frame: Frame, count: int) -> list[Frame]:
            if count == 1:
                kept.append(frame)
                return []
            if count > 2:
                return [frame]
            first = kept[0]
            return [{**frame, "seq": first["seq"]}, {**first, "seq": frame["seq"]}]

        hostile.frames = OnTexts(swap)
        await to_bob.send("first")
        await to_bob.send("second")
        await bob.until(MessagesReordered)
        await bob.until_text("first")

    play(one, tmp_path, story)


def test_a_tampered_or_truncated_file_is_refused(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, _ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        path = tmp_path / "plan.bin"
        path.write_bytes(secrets.token_bytes(300_000))
        await to_bob.send_file(path)
        message = (await bob.until(MessageReceived, lambda event: event.message.kind == "file")).message
        target = tmp_path / "got.bin"
        for spoil, reason in (
            (lambda raw: raw[:100_000] + bytes((raw[100_000] ^ 1,)) + raw[100_001:], "tampered"),
            (lambda raw: raw[:-70_000], "truncated"),
        ):
            hostile.blob = spoil
            with pytest.raises(FileDamaged):
                await bob.client.fetch_file(message, target)
            told = await bob.until(FileRejected, lambda event, reason=reason: event.reason == reason)
            assert told.username == _ann.name
            assert not target.exists()
        hostile.blob = lambda raw: raw
        await bob.client.fetch_file(message, target)
        assert target.read_bytes() == path.read_bytes()
        left = await asyncio.to_thread(lambda: list(tmp_path.glob(".messenger-*")))
        assert left == []

    play(one, tmp_path, story)


def test_nonsense_from_the_server_never_stops_the_client(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        for nonsense in ({"type": "message"}, {"type": "sent", "ref": 3}, {"type": "new"}, ["x"], 7, None):
            await hostile.inject(nonsense)  # type: ignore[arg-type]
        kept: list[Frame] = []
        hostile.frames = OnTexts(lambda frame, _: [kept.append(frame) or frame])  # type: ignore[func-returns-value]
        await to_bob.send("still there?")
        await bob.until_text("still there?")
        hostile.frames = lambda frame: [frame]
        for envelope in ("", "AA==", base64.b64encode(secrets.token_bytes(500)).decode()):
            seq = kept[0]["seq"] = kept[0]["seq"] + 1
            await hostile.inject(
                {**kept[0], "envelope": envelope, "client_id": f"{seq:08d}-0000-4000-8000-000000000000"}
            )
        await bob.until(MessageRejected, lambda event: event.reason == "malformed")
        await (await bob.client.direct(ann.name)).send("still here")
        await ann.until_text("still here")

    play(one, tmp_path, story)
