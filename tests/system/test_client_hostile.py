"""A server that lies: whatever it does to keys, devices, messages and files is told to the user by name."""

import asyncio
import base64
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from messenger.client import (
    Conversation,
    DeviceRefused,
    FileDamaged,
    FileRejected,
    HistoryRewritten,
    IdentityChanged,
    KeysRefused,
    MessageReceived,
    MessageRejected,
    MessagesMissing,
    MessagesReordered,
    SendingFailed,
    Settings,
)
from tests.system.hostile import Hostile, hostile_server
from tests.system.stack import Stack
from tests.system.talkers import QUICK, Talker, crowd

pytestmark = [pytest.mark.system, pytest.mark.long]

Frame = dict[str, Any]
Story = Callable[[Hostile, Talker, Talker, Conversation], Awaitable[None]]
STRICT = Settings(identity_changes="refuse", first_retry=0.05, last_retry=0.5)


def play(stack: Stack, folder: Path, story: Story, settings: Settings = QUICK) -> None:
    """Ann is at the true server, Bob behind a hostile one; they have spoken before it begins."""

    async def tell() -> None:
        async with hostile_server(stack.url) as hostile, crowd(folder, stack.url) as people:
            ann = await people.register("ann")
            bob = await people.register("bob", hostile.url, settings)
            to_bob = await ann.client.direct(bob.name)
            await to_bob.send("before")
            await bob.until_text("before")
            await (await bob.client.direct(ann.name)).send("before, too")
            await ann.until_text("before, too")
            await story(hostile, ann, bob, to_bob)

    asyncio.run(tell())


def flipped(text: str, at: int = -1) -> str:
    """Base64 with one byte changed."""
    raw = bytearray(base64.b64decode(text))
    raw[at] ^= 1
    return base64.b64encode(bytes(raw)).decode()


def key() -> str:
    """Some account key or identity key that is not the user's."""
    return base64.b64encode(bytes(SigningKey.generate().verify_key)).decode()


class OnTexts:
    """Does something to the texts that others write, passes all else on."""

    def __init__(self, do: Callable[[Frame, int], list[Frame]]) -> None:
        self.do = do
        self.count = 0

    def __call__(self, frame: Frame) -> list[Frame]:
        if frame["type"] != "message" or frame["kind"] == "control":
            return [frame]
        self.count += 1
        return self.do(frame, self.count)


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
        assert (await bob.until(MessageRejected)).reason == "reflected"
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


def test_a_swapped_account_key_is_told_and_accepted_or_refused(one: Stack, tmp_path: Path) -> None:
    def swapped(ann: Talker) -> Callable[[str, str, Any], Any]:
        false = key()

        def rewrite(_method: str, path: str, value: Any) -> Any:
            if path == f"/keys/identity/{ann.client.user_id}":
                return {**value, "account_key": false}
            return value

        return rewrite

    async def warned(hostile: Hostile, ann: Talker, bob: Talker, _to_bob: Conversation) -> None:
        await bob.client.set_verified(ann.name)
        hostile.rewrite = swapped(ann)
        await hostile.inject(_device(ann))
        told = await bob.until(IdentityChanged)
        assert (told.username, told.was_verified, told.accepted) == (ann.name, True, True)
        assert not (await bob.client.safety_number(ann.name)).verified
        # Nothing is encrypted to what the false key does not vouch for.
        await bob.until(DeviceRefused, lambda event: event.reason == "bad_certificate")
        with pytest.raises(SendingFailed):
            await (await bob.client.direct(ann.name)).send("to whom?")

    async def refused(hostile: Hostile, ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        hostile.rewrite = swapped(ann)
        await hostile.inject(_device(ann))
        told = await bob.until(IdentityChanged)
        assert not told.accepted
        with pytest.raises(SendingFailed) as failed:
            await (await bob.client.direct(ann.name)).send("to whom?")
        assert failed.value.code == "identity_refused"
        hostile.rewrite = lambda _method, _path, value: value
        await hostile.inject(_device(ann))
        await to_bob.send("the true key again")
        await bob.until_text("the true key again")

    play(one, tmp_path / "warn", warned)
    play(one, tmp_path / "refuse", refused, STRICT)


def _device(talker: Talker) -> Frame:
    return {
        "type": "device",
        "event": "published",
        "user_id": talker.client.user_id,
        "device_id": talker.client.device_id,
    }


def test_an_added_device_is_refused_and_nothing_goes_to_it(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        false = "01890000-0000-7000-8000-00000000beef"

        def rewrite(_method: str, path: str, value: Any) -> Any:
            if path == f"/keys/identity/{ann.client.user_id}":
                certificate = base64.b64encode(bytes(64)).decode()
                extra = {"device_id": false, "identity_key": key(), "certificate": certificate}
                return {**value, "items": [*value["items"], extra]}
            if path == f"/conversations/{to_bob.id}/devices":
                extra = {"user_id": ann.client.user_id, "device_id": false}
                return {**value, "items": [*value["items"], extra]}
            return value

        hostile.rewrite = rewrite
        await hostile.inject(_device(ann))
        told = await bob.until(DeviceRefused)
        assert (told.username, told.device_id, told.reason) == (ann.name, false, "bad_certificate")
        with pytest.raises(SendingFailed):
            await (await bob.client.direct(ann.name)).send("not to that one")

    play(one, tmp_path, story)


def test_a_bundle_with_swapped_prekeys_is_refused(one: Stack, tmp_path: Path) -> None:
    async def tell() -> None:
        async with hostile_server(one.url) as hostile, crowd(tmp_path, one.url) as people:
            ann = await people.register("ann")
            bob = await people.register("bob", hostile.url)

            def rewrite(_method: str, path: str, value: Any) -> Any:
                if path == "/keys/claim":
                    for item in value["items"]:
                        item["signed_prekey"]["public_key"] = key()
                return value

            hostile.rewrite = rewrite
            with pytest.raises(SendingFailed):
                await (await bob.client.direct(ann.name)).send("under a false key")
            told = await bob.until(KeysRefused)
            assert (told.username, told.device_id) == (ann.name, ann.client.device_id)
            assert told.reason == "bad_prekey_signature"

    asyncio.run(tell())


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
