"""Derived passwords, through the gateway: what is kept and told, and that a password never leaves."""

import asyncio
import json
import secrets
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest

from messenger.client import BadCredentials, Client, KdfRefused, Passphrase, WrongPassphrase
from tests.system.hostile import Hostile, hostile_server
from tests.system.people import PASSWORD, TRUST, Person, unique
from tests.system.stack import Stack
from tests.system.talkers import QUICK, UNLOCK
from tests.system.test_command_line import User

pytestmark = pytest.mark.system

NEW_PASSWORD = "umbrella kettle ninety"


def kdf(**changes: Any) -> dict[str, Any]:
    salt = b64encode(secrets.token_bytes(16)).decode()
    return {"algorithm": "argon2id", "memory_kib": 65_536, "passes": 3, "lanes": 1, "salt": salt, **changes}


def asked(stack: Stack, username: str) -> Any:
    answer = httpx.get(f"{stack.url}/api/v1/auth/kdf", params={"username": username}, verify=TRUST)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"kdf"}
    return answer.json()["kdf"]


def register(stack: Stack, username: str, **more: Any) -> httpx.Response:
    body = {"username": username, "password": PASSWORD, **more}
    return httpx.post(f"{stack.url}/api/v1/auth/register", json=body, timeout=30, verify=TRUST)


def test_what_is_kept_is_told(stack: Stack) -> None:
    name, first, second = unique(), kdf(), kdf(memory_kib=131_072, passes=4, lanes=2)
    assert "kdf" in httpx.get(f"{stack.url}/api/v1/info", verify=TRUST).json()["features"]
    answer = register(stack, name, kdf=first)
    assert answer.status_code == 201, answer.text
    assert asked(stack, name) == asked(stack, name.upper()) == first
    person = Person(stack.url, session=answer.json())
    assert person.another_device().user_id == person.user_id
    for said in (second, None):
        body = {"current_password": PASSWORD, "new_password": PASSWORD, "kdf": said}
        person.ok("POST", "/auth/password", 204, json=body)
        assert asked(stack, name) == said
    assert asked(stack, Person(stack.url).username) is None


def test_names_that_nobody_has_any_more_or_yet(stack: Stack) -> None:
    name = unique()
    before = asked(stack, name)
    assert before == {**kdf(), "salt": before["salt"]}
    assert asked(stack, name.upper()) == before
    assert asked(stack, unique()) != before
    person = Person(stack.url, session=register(stack, name, kdf=kdf(lanes=4)).json())
    assert asked(stack, name) != before
    person.ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})
    assert asked(stack, name) == before
    assert asked(stack, "no username") != asked(stack, "no username either")


def test_all_instances_say_the_same(twins: Stack) -> None:
    name = unique()
    found = {
        httpx.get(
            f"http://127.0.0.1:{twins.ports[f'auth-{number}']}/api/v1/auth/kdf", params={"username": name}
        ).text
        for number in (1, 2)
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"algorithm": "pbkdf2"}, 400),
        ({"memory_kib": 1_048_577}, 400),
        ({"passes": 0}, 400),
        ({"salt": "no base64"}, 400),
        ({"salt": b64encode(bytes(15)).decode()}, 422),
        ({"salt": b64encode(bytes(65)).decode()}, 422),
        ({"memory_kib": 31, "lanes": 4}, 422),
    ],
)
def test_what_is_no_kdf_is_refused(stack: Stack, change: dict[str, Any], status: int) -> None:
    name = unique()
    answer = register(stack, name, kdf=kdf(**change))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert register(stack, name, kdf=kdf()).status_code == 201


def spellings(password: str) -> list[bytes]:
    raw = password.encode()
    return [raw, b64encode(raw), raw.hex().encode(), raw.replace(b" ", b"+"), raw.replace(b" ", b"%20")]


def held(server: Hostile, *passwords: str) -> list[str]:
    """The requests that hold one of these."""
    found = [one for password in passwords for one in spellings(password)]
    return [
        f"{method} {path}"
        for method, path, rest in server.requests
        if any(one in path.encode() + rest for one in found)
    ]


def test_a_client_never_sends_its_password(stack: Stack, tmp_path: Path) -> None:
    async def story() -> None:
        async with hostile_server(stack.url) as server:
            name = unique("ann")
            client = await Client.register(tmp_path / "a", server.url, name, PASSWORD, UNLOCK, settings=QUICK)
            async with client:
                await client.synced(20)
                await client.change_password(PASSWORD, NEW_PASSWORD)
            with pytest.raises(BadCredentials):
                await Client.login(tmp_path / "a", server.url, name, PASSWORD, UNLOCK, settings=QUICK)
            client = await Client.login(
                tmp_path / "a", server.url, name, NEW_PASSWORD, UNLOCK, settings=QUICK
            )
            await client.close()
            other = await Client.login(tmp_path / "b", server.url, name, NEW_PASSWORD, UNLOCK, settings=QUICK)
            await other.delete_account(NEW_PASSWORD)
            await other.close()
            paths = {path.partition("?")[0].removeprefix("/api/v1") for _, path, _ in server.requests}
            assert {"/auth/register", "/auth/password", "/auth/login", "/auth/me", "/auth/kdf"} <= paths
            assert not held(server, PASSWORD, NEW_PASSWORD)

    asyncio.run(story())


def test_a_server_that_asks_for_the_password_gets_nothing(stack: Stack, tmp_path: Path) -> None:
    async def story() -> None:
        async with hostile_server(stack.url) as server:
            name = unique("ann")
            client = await Client.register(tmp_path / "a", server.url, name, PASSWORD, UNLOCK, settings=QUICK)
            await client.close()
            for lie in (None, kdf(passes=1), kdf(memory_kib=1_024), kdf(memory_kib=2**30)):

                def rewrite(_method: str, path: str, value: Any, lie: Any = lie) -> Any:
                    return {"kdf": lie} if path == "/auth/kdf" else value

                server.rewrite = rewrite
                server.requests.clear()
                for profile, allowed in (("a", True), ("b", False)):
                    with pytest.raises(KdfRefused):
                        await Client.login(
                            tmp_path / profile,
                            server.url,
                            name,
                            PASSWORD,
                            UNLOCK,
                            settings=QUICK,
                            allow_bare_password=allowed,
                        )
                assert [method for method, _, _ in server.requests] == ["GET", "GET"]
                assert not held(server, PASSWORD)
            assert not Client.exists(tmp_path / "b")

    asyncio.run(story())


def test_an_account_from_before_gets_a_derived_password(stack: Stack, tmp_path: Path) -> None:
    name = unique("old")
    assert register(stack, name).status_code == 201

    async def story() -> None:
        with pytest.raises(KdfRefused) as caught:
            await Client.login(tmp_path / "a", stack.url, name, PASSWORD, UNLOCK, settings=QUICK)
        assert caught.value.code == "bare_kdf"
        client = await Client.login(
            tmp_path / "a", stack.url, name, PASSWORD, UNLOCK, settings=QUICK, allow_bare_password=True
        )
        await client.change_password(PASSWORD, NEW_PASSWORD)
        await client.close()
        assert asked(stack, name)["memory_kib"] == 65_536
        other = await Client.login(tmp_path / "b", stack.url, name, NEW_PASSWORD, UNLOCK, settings=QUICK)
        await other.close()

    asyncio.run(story())


def test_the_command_line_changes_both_secrets(stack: Stack, tmp_path: Path) -> None:
    ann = User(stack.url, tmp_path, "ann")
    ann.run("register", ann.name)
    ann.run("passphrase", MESSENGER_NEW_PASSPHRASE="of the profile alone")
    assert "passphrase" in ann.run("whoami", status=3)
    apart = {"MESSENGER_PASSPHRASE": "of the profile alone"}
    said = json.loads(ann.run("--json", "password", MESSENGER_NEW_PASSWORD=NEW_PASSWORD, **apart))
    assert said == {"username": ann.name, "passphrase_changed": False}
    ann.run("login", ann.name, MESSENGER_PASSWORD=NEW_PASSWORD, **apart)
    ann.run("passphrase", MESSENGER_NEW_PASSPHRASE=NEW_PASSWORD, **apart)
    # One secret for both stays one.
    third = "kettle umbrella eighty"
    said = json.loads(
        ann.run("--json", "password", MESSENGER_PASSWORD=NEW_PASSWORD, MESSENGER_NEW_PASSWORD=third)
    )
    assert said["passphrase_changed"]
    ann.run("login", ann.name, MESSENGER_PASSWORD=third)
    with pytest.raises(WrongPassphrase):
        asyncio.run(Client.open(ann.profile, Passphrase(NEW_PASSWORD)))
    # A new device of an account from before.
    old = unique("old")
    assert register(stack, old).status_code == 201
    new = {"MESSENGER_PROFILE": str(tmp_path / "new"), "MESSENGER_PASSWORD": PASSWORD}
    assert "--allow-bare-password" in ann.run("login", old, status=5, **new)
    ann.run("login", old, "--allow-bare-password", **new)
