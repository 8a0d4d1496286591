"""A server that lies about who is who: names, keys, devices and members. It is told to the user by name."""

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from messenger.client import (
    AudienceRefused,
    ContactConflict,
    ContactRefused,
    Conversation,
    DeviceRefused,
    IdentityChanged,
    KeysRefused,
    SendingFailed,
    StateChanged,
    WrongSafetyNumber,
)
from messenger.client.e2e import AccountKey
from messenger.wire.codec import encode
from tests.system.hostile import Hostile, hostile_server
from tests.system.hostile_story import STRICT, Frame, key, play
from tests.system.stack import Stack
from tests.system.talkers import Talker, crowd

pytestmark = [pytest.mark.system, pytest.mark.long]


def own_list(user_id: str, version: int, devices: dict[str, bytes]) -> dict[str, Any]:
    """A device list under an account key of the server's own."""
    return json.loads(encode(AccountKey.create().sign_list(user_id, version, devices)))


def test_a_swapped_account_key_is_told_and_accepted_or_refused(one: Stack, tmp_path: Path) -> None:
    def swapped(ann: Talker) -> Callable[[str, str, Any], Any]:
        false = own_list(ann.client.user_id, 9, {})

        def rewrite(_method: str, path: str, value: Any) -> Any:
            if path == f"/keys/identity/{ann.client.user_id}":
                return {**value, "device_list": false}
            return value

        return rewrite

    async def verified(hostile: Hostile, ann: Talker, bob: Talker, to_bob: Conversation) -> None:
        number = await bob.client.safety_number(ann.name)
        await bob.client.set_verified(ann.name, number.digits)
        to_ann = await bob.client.direct(ann.name)
        await to_ann.send("before")
        hostile.rewrite = swapped(ann)
        await hostile.inject(_device(ann))
        told = await bob.until(IdentityChanged)
        assert (told.username, told.was_verified, told.accepted) == (ann.name, True, False)
        shown = await bob.client.safety_number(ann.name)
        assert (shown.verified, shown.changed) == (False, True)
        with pytest.raises(WrongSafetyNumber):
            await bob.client.set_verified(ann.name, number.digits)
        with pytest.raises(SendingFailed) as failed:
            await to_ann.send("to whom?")
        assert failed.value.code == "account_key_changed"
        hostile.rewrite = lambda _method, _path, value: value
        await hostile.inject(_device(ann))
        await to_bob.send("the true key again")
        await bob.until_text("the true key again")

    async def warned(hostile: Hostile, ann: Talker, bob: Talker, _to_bob: Conversation) -> None:
        hostile.rewrite = swapped(ann)
        await hostile.inject(_device(ann))
        told = await bob.until(IdentityChanged)
        assert (told.username, told.was_verified, told.accepted) == (ann.name, False, True)
        # Nothing is encrypted to what the false key does not list.
        with pytest.raises(SendingFailed):
            await (await bob.client.direct(ann.name)).send("to whom?")

    async def refused(hostile: Hostile, ann: Talker, bob: Talker, _to_bob: Conversation) -> None:
        hostile.rewrite = swapped(ann)
        await hostile.inject(_device(ann))
        told = await bob.until(IdentityChanged)
        assert not told.accepted
        with pytest.raises(SendingFailed) as failed:
            await (await bob.client.direct(ann.name)).send("to whom?")
        assert failed.value.code == "account_key_changed"

    play(one, tmp_path / "verified", verified)
    play(one, tmp_path / "warn", warned)
    play(one, tmp_path / "refuse", refused, STRICT)


def test_a_key_that_changed_a_moment_ago_is_met_before_the_message_goes(one: Stack, tmp_path: Path) -> None:
    """No frame tells of it: what is sent goes by keys that were looked at on this connection."""

    async def story(hostile: Hostile, ann: Talker, bob: Talker, _to_bob: Conversation) -> None:
        number = await bob.client.safety_number(ann.name)
        await bob.client.set_verified(ann.name, number.digits)
        to_ann = await bob.client.direct(ann.name)
        await to_ann.send("before")
        false, mine = "01890000-0000-7000-8000-00000000beef", key()
        listed = own_list(ann.client.user_id, 9, {false: base64.b64decode(mine)})

        def rewrite(_method: str, path: str, value: Any) -> Any:
            if path == f"/keys/identity/{ann.client.user_id}":
                return {"device_list": listed, "items": [{"device_id": false, "identity_key": mine}]}
            if path == f"/conversations/{to_ann.id}/devices":
                theirs = {"user_id": ann.client.user_id, "device_id": false}
                own = [one for one in value["items"] if one["user_id"] == bob.client.user_id]
                return {**value, "items": [*own, theirs]}
            return value

        hostile.rewrite = rewrite
        await hostile.cut()
        await bob.until(StateChanged, lambda event: event.state == "connecting")
        with pytest.raises(SendingFailed) as failed:
            await to_ann.send("for ann only")
        assert failed.value.code == "account_key_changed"
        assert (await bob.until(IdentityChanged)).was_verified

    play(one, tmp_path, story)


def test_a_remapped_name_is_refused(one: Stack, tmp_path: Path) -> None:
    async def story(hostile: Hostile, ann: Talker, bob: Talker, _to_bob: Conversation) -> None:
        false = "01890000-0000-7000-8000-00000000beef"

        def rewrite(_method: str, path: str, value: Any) -> Any:
            if path == "/users":
                return {"items": [{**one, "user_id": false} for one in value["items"]]}
            return value

        await bob.client.user(ann.name)
        hostile.rewrite = rewrite
        with pytest.raises(ContactConflict):
            await bob.client.user(ann.name)
        told = await bob.until(ContactRefused)
        assert (told.username, told.reason) == (ann.name, "another_user")
        hostile.rewrite = lambda _method, _path, value: value
        assert (await bob.client.user(ann.name)).user_id == ann.client.user_id

    play(one, tmp_path, story)


def test_another_conversation_in_the_place_of_a_direct_one_is_refused(one: Stack, tmp_path: Path) -> None:
    async def tell() -> None:
        async with hostile_server(one.url) as hostile, crowd(tmp_path, one.url) as people:
            ann = await people.register("ann")
            cat = await people.register("cat")
            bob = await people.register("bob", hostile.url)
            with_cat = await bob.client.direct(cat.name)

            def rewrite(method: str, path: str, value: Any) -> Any:
                if (method, path) == ("POST", "/conversations"):
                    return {**value, "conversation_id": with_cat.id}
                return value

            hostile.rewrite = rewrite
            with pytest.raises(ContactConflict):
                await bob.client.direct(ann.name)

            def grouped(method: str, path: str, value: Any) -> Any:
                return {**value, "type": "group"} if (method, path) == ("POST", "/conversations") else value

            dan = await people.register("dan")
            hostile.rewrite = grouped
            with pytest.raises(ContactConflict):
                await bob.client.direct(dan.name)

    asyncio.run(tell())


def test_a_third_member_of_a_direct_conversation_gets_nothing_and_is_told(one: Stack, tmp_path: Path) -> None:
    async def tell() -> None:
        async with hostile_server(one.url) as hostile, crowd(tmp_path, one.url) as people:
            ann, cat = await people.register("ann"), await people.register("cat")
            bob = await people.register("bob", hostile.url)
            to_ann = await bob.client.direct(ann.name)
            await to_ann.send("before")
            await bob.client.user(cat.name)

            def rewrite(_method: str, path: str, value: Any) -> Any:
                if path == f"/conversations/{to_ann.id}/devices":
                    extra = {"user_id": cat.client.user_id, "device_id": cat.client.device_id}
                    return {**value, "items": [*value["items"], extra]}
                if path == f"/conversations/{to_ann.id}/members":
                    extra = {**value["items"][0], "user_id": cat.client.user_id, "role": "member"}
                    return {**value, "items": [*value["items"], extra]}
                return value

            hostile.rewrite = rewrite
            await hostile.cut()
            await bob.until(StateChanged, lambda event: event.state == "connecting")
            sent = await to_ann.send("for ann only")
            await ann.until_text("for ann only")
            told = await bob.until(AudienceRefused, lambda event: event.reason == "not_in_audience")
            assert told.device_id == cat.client.device_id
            assert sent.seq is not None

    asyncio.run(tell())


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
                extra = {"device_id": false, "identity_key": key()}
                return {**value, "items": [*value["items"], extra]}
            if path == f"/conversations/{to_bob.id}/devices":
                extra = {"user_id": ann.client.user_id, "device_id": false}
                return {**value, "items": [*value["items"], extra]}
            return value

        hostile.rewrite = rewrite
        await hostile.inject(_device(ann))
        told = await bob.until(DeviceRefused)
        assert (told.username, told.device_id, told.reason) == (ann.name, false, "unlisted_device")
        await (await bob.client.direct(ann.name)).send("not to that one")
        await ann.until_text("not to that one")
        await bob.until(AudienceRefused, lambda event: event.device_id == false)

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
