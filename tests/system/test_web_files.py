"""Files between the web client and the Python client on a real server: of every size both ways."""

import asyncio
import hashlib
import secrets
from pathlib import Path

import pytest

from messenger.client.e2e.files import CHUNK, stored_size
from tests.system.people import unique
from tests.system.stack import Stack
from tests.system.web_scene import Scene, refused, told, warnings

pytestmark = [pytest.mark.system, pytest.mark.long]

PIECE = 4 << 20  # what the web client sends of a file at a time
LARGEST = 100 << 20  # bytes that the server stores of one
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE)
LONG = 300.0


def largest() -> int:
    """The most bytes of a file whose ciphertext the server takes."""
    size = LARGEST - stored_size(0)
    while stored_size(size) > LARGEST:
        size -= 1
    return size


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def both_ways(scene: Scene, folder: Path, *sizes: int) -> None:
    """Files of these sizes go from the browser to the program and back."""
    ann, name = await scene.people.register("ann"), unique("bea")
    bea = await scene.web("register", name)
    there, here = await bea.direct(ann.name), await ann.client.direct(name)
    for size in sizes:
        path = folder / f"sent-{size}.bin"
        await asyncio.to_thread(path.write_bytes, secrets.token_bytes(size))
        sent = await there.send_file(path, LONG)
        assert sent.file is not None
        assert sent.file.size == size
        event = await ann.until_text("", 60.0)
        ann.heard.clear()
        assert event.message.file is not None
        assert (event.message.file.name, event.message.file.size) == (path.name, size)
        got = await ann.client.fetch_file(event.message, folder / f"got-{size}.bin")
        assert await asyncio.to_thread(digest, got) == await asyncio.to_thread(digest, path)
        await here.send_file(got, text=f"back: {size}")
        await bea.do("until", event="message_received", text=f"back: {size}")
        [message] = [one for one in await there.history() if one.text == f"back: {size}"]
        await bea.fetch_file(message, folder / "back.bin", LONG)
        assert await asyncio.to_thread(digest, folder / "back.bin") == await asyncio.to_thread(digest, path)
    assert await warnings([bea], [ann]) == []


def test_files_of_every_size_both_ways(one: Stack, tmp_path: Path) -> None:
    told(one, tmp_path, lambda scene: both_ways(scene, tmp_path, *SIZES))


def test_the_largest_file_that_the_server_takes_both_ways(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await both_ways(scene, tmp_path, largest())

    told(one, tmp_path, story)


def test_a_file_that_is_larger_than_the_server_takes_is_refused(one: Stack, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        ann, name = await scene.people.register("ann"), unique("bea")
        bea = await scene.web("register", name)
        there = await bea.direct(ann.name)
        with (tmp_path / "large.bin").open("wb") as file:
            file.truncate(largest() + 1)
        await refused(there.send_file(tmp_path / "large.bin", LONG), "too_large")
        # Nothing of it was said to anybody, and the talk goes on.
        await there.send("too large, alas")
        await ann.until_text("too large, alas")
        assert [one.text for one in await there.history()] == ["too large, alas"]

    told(one, tmp_path, story)
