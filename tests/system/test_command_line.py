"""The command line as a user has it: real programs, a real server, and the full screen by its pilot."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Static

from messenger.client import Client, Passphrase
from messenger.client.chat.app import Chat, Place
from tests.system.people import unique
from tests.system.stack import Stack

pytestmark = pytest.mark.system

PASSWORD = "correct horse battery 7"


class User:
    """Somebody at a shell."""

    def __init__(self, url: str, folder: Path, name: str, password: str = PASSWORD) -> None:
        self.name = unique(name)
        self._password = password
        self.profile = folder / self.name
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")},
            "MESSENGER_SERVER": url,
            "MESSENGER_PROFILE": str(self.profile),
            "MESSENGER_PASSWORD": password,
        }

    def run(self, *arguments: str, status: int = 0, said: str = "", **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "messenger.client.cli.main", *arguments],
            env={**self._environment, **environment},
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert self._password not in done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("--json", *arguments).splitlines()]


@pytest.fixture(scope="module")
def pair(one: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[User, User]:
    folder = tmp_path_factory.mktemp("profiles")
    ann, bob = User(one.url, folder, "ann"), User(one.url, folder, "bob")
    for user in (ann, bob):
        user.run("register", user.name)
    return ann, bob


def test_a_conversation(pair: tuple[User, User]) -> None:
    ann, bob = pair
    ann.run("send", bob.name, "Hello!")
    [heard] = [event for event in bob.json("listen", "--count", "1") if event["event"] == "message_received"]
    assert (heard["message"]["sender"], heard["message"]["text"]) == (ann.name, "Hello!")
    bob.run("send", ann.name, "-", said="two\nlines\n")
    assert [one["text"] for one in ann.json("history", bob.name)] == ["Hello!", "two\nlines"]
    [known] = ann.json("conversations")
    assert (known["title"], known["unread"]) == (bob.name, 1)


def test_a_group_and_a_file(pair: tuple[User, User], tmp_path: Path) -> None:
    ann, bob = pair
    ann.run("group", "create", "Our plans", bob.name)
    bob.run("send", "Our plans", "I am in")
    sent = tmp_path / "sent.bin"
    sent.write_bytes(os.urandom(200_000))
    ann.run("file", "send", "Our plans", str(sent))
    [message] = bob.json("file", "list", "Our plans")
    got = tmp_path / "got.bin"
    bob.run("file", "get", message["file"]["id"], str(got))
    assert got.read_bytes() == sent.read_bytes()
    assert "exists" in bob.run("file", "get", message["file"]["id"], str(got), status=1)
    assert {one["username"] for one in bob.json("group", "members", "Our plans")} == {ann.name, bob.name}


def test_safety_numbers_are_the_same_on_both_sides(pair: tuple[User, User]) -> None:
    ann, bob = pair
    [his] = bob.json("verify", ann.name)
    wrong = ann.run("verify", bob.name, *reversed(his["digits"].split()), status=5)
    assert "not what this device sees" in wrong
    assert not ann.json("verify", bob.name)[0]["verified"]
    [hers] = ann.json("verify", bob.name, *his["digits"].split())
    assert hers["digits"] == his["digits"]
    assert (hers["verified"], his["verified"]) == (True, False)
    # Nothing of one's own devices' talk shows as a conversation.
    assert all(one["title"] for one in ann.json("conversations"))
    assert "group" not in {one["type"] for one in ann.json("conversations") if not one["title"].strip()}


def test_a_contact_link_verifies_at_once(pair: tuple[User, User]) -> None:
    ann, bob = pair
    [link] = bob.json("contact", "link")
    assert "/#contact=" in link["link"]
    damaged = link["link"][:-6]
    assert "damaged" in ann.run("contact", "add", damaged, status=1)
    assert ann.json("contact", "add", link["link"])[0]["username"] == bob.name
    found = {one["username"]: one for one in ann.json("contact", "list")}
    assert (found[bob.name]["verified"], found[bob.name]["changed"]) == (True, False)
    elsewhere = link["link"].replace("http://", "https://other.example/", 1)
    assert "for the server" in ann.run("contact", "add", elsewhere, status=1)


def test_what_can_not_be_done_says_so_in_a_line(pair: tuple[User, User], tmp_path: Path) -> None:
    ann, _ = pair
    for arguments, status, word, environment in [
        (("whoami",), 3, "passphrase", {"MESSENGER_PASSWORD": "wrong"}),
        (("whoami",), 3, "register or log in", {"MESSENGER_PROFILE": str(tmp_path / "none")}),
        (("send", "nobody-of-this-name", "x"), 1, "no user", {}),
        (("send", "nobody", ""), 1, "nothing to send", {}),
        (("file", "send", "nobody", str(tmp_path / "none")), 1, "no such file", {}),
    ]:
        told = ann.run(*arguments, status=status, **environment)
        assert word in told
        assert len(told.splitlines()) == 1


def test_the_full_screen(one: Stack, pair: tuple[User, User]) -> None:
    ann, bob = pair

    async def talk() -> None:
        hers = await Client.open(ann.profile, Passphrase(PASSWORD))
        his = await Client.open(bob.profile, Passphrase(PASSWORD))
        try:
            async with his:
                await his.synced(30)
                app = Chat(hers, bob.name)
                async with app.run_test(size=(100, 30)) as pilot:
                    await until(lambda: app.query(Place))
                    app.query_one("#entry", Input).value = "from the screen"
                    await pilot.press("enter")
                    async for event in his.events():
                        message = getattr(event, "message", None)
                        if message is not None and message.text == "from the screen":
                            break
                    await (await his.direct(ann.name)).send("and back")
                    await until(lambda: "and back" in text_of(app))
                    assert "from the screen" in text_of(app)
                    await until(lambda: "✓✓" in text_of(app))
        finally:
            await his.close()
            await hers.close()

    asyncio.run(talk())


def text_of(app: Chat) -> str:
    """All that stands among the messages."""
    return "\n".join(str(one.render()) for one in app.query("#messages Static").results(Static))


async def until(check: Any, seconds: float = 20.0) -> None:
    """Return once `check()` is true."""
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110 - the screen tells nobody when it is painted
            await asyncio.sleep(0.05)
