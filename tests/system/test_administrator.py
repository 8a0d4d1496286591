"""Accounts that an administrator makes and mends, used by real clients; and what is held of a user."""

import json
import os
import subprocess
import sys
from pathlib import Path
from secrets import token_bytes
from typing import Any

import pytest

from tests.system.people import Person, b64, unique
from tests.system.stack import Stack
from tests.system.test_command_line import User
from tests.system.waiting import until

pytestmark = pytest.mark.system

CHOSEN = "umbrella kettle ninety"


def admin(stack: Stack, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """`messenger-admin` on a stack of either form."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")}
    where: list[str] = []
    if stack.form == "one":
        where = ["--data", str(stack.data)]
    else:
        environment = stack.admin_environment
    return subprocess.run(
        [sys.executable, "-m", "messenger.admin.main", *where, *arguments],
        env=environment,
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def done(stack: Stack, *arguments: str, said: str = "") -> str:
    found = admin(stack, *arguments, said=said)
    assert found.returncode == 0, found.stderr
    return found.stdout


def refused(stack: Stack, *arguments: str, said: str = "") -> str:
    found = admin(stack, *arguments, said=said)
    assert (found.returncode, found.stdout) == (1, "")
    (line,) = found.stderr.strip().splitlines()
    return line


def printed(text: str) -> str:
    """The password that was made."""
    (line,) = [line for line in text.splitlines() if line.startswith("password: ")]
    return line.removeprefix("password: ")


def test_an_account_that_an_administrator_made_is_logged_in_to(stack: Stack, tmp_path: Path) -> None:
    ann, bob = User(stack.url, tmp_path, "ann"), User(stack.url, tmp_path, "bob")
    ann.run("register", ann.name)
    password = printed(done(stack, "users", "create", bob.name))
    bob.run("login", bob.name, MESSENGER_PASSWORD=password)
    ann.run("send", bob.name, "welcome", MESSENGER_PASSWORD="correct horse battery 7")
    heard = bob.run("--json", "listen", "--count", "1", MESSENGER_PASSWORD=password)
    assert '"welcome"' in heard
    bob.run("password", MESSENGER_PASSWORD=password, MESSENGER_NEW_PASSWORD=CHOSEN)
    bob.run("login", bob.name, MESSENGER_PASSWORD=CHOSEN)
    assert "given out" in refused(stack, "users", "create", bob.name.upper())
    assert "users create" in done(stack, "audit")


def test_what_can_not_be_created(stack: Stack) -> None:
    assert "starts with a letter" in refused(stack, "users", "create", "7up")
    for word, password in (("10 to", "short"), ("first that anyone", "Password2026")):
        line = refused(stack, "users", "create", unique(), "--password-stdin", said=password + "\n")
        assert word in line
        assert password not in line


def test_a_password_is_reset(stack: Stack, tmp_path: Path) -> None:
    ann = User(stack.url, tmp_path, "ann")
    ann.run("register", ann.name)
    other = {"MESSENGER_PROFILE": str(tmp_path / "other")}
    said = done(stack, "users", "reset-password", ann.name, "--password-stdin", said=CHOSEN + "\n")
    assert "sessions ended: 1" in said
    assert "recovery key, or another device" in said
    assert CHOSEN not in said
    assert "password" in ann.run("login", ann.name, status=1, **other)
    ann.run("login", ann.name, MESSENGER_PASSWORD=CHOSEN, **other)
    # The device that was there goes on; its profile has the passphrase that it had.
    ann.run("login", ann.name, MESSENGER_PASSWORD=CHOSEN, MESSENGER_PASSPHRASE="correct horse battery 7")
    assert "deleted" in done(stack, "users", "delete", "--yes", ann.name)
    assert "is deleted" in refused(stack, "users", "reset-password", ann.name)


def test_sessions_end_with_a_reset(stack: Stack) -> None:
    person = Person(stack.url)
    done(stack, "users", "reset-password", person.user_id)
    until(lambda: person.http.get("/auth/me").status_code == 401, 2)
    refresh = {"refresh_token": person.session["refresh_token"]}
    assert person.http.post("/auth/refresh", json=refresh).status_code == 401


def test_what_is_held_of_a_user_is_exported(stack: Stack, tmp_path: Path) -> None:
    ann, ben = Person(stack.url, "ann"), Person(stack.url, "ben")
    ann.publish(3)
    conversation, content = ann.direct(ben), token_bytes(300)
    ann.send(conversation, content)
    ben.send(conversation, b"what Ben wrote")
    ann.ok("PUT", "/vault/seed", json={"content": b64(b"sealed")})
    headers = {"Content-Type": "application/octet-stream"}
    stored = ann.ok("POST", "/files", 201, content=b"blob", headers=headers)
    ben.ok("PUT", f"/blocks/{ann.user_id}", 204)
    found: dict[str, Any] = json.loads(done(stack, "users", "export", ann.username))
    tables = found["tables"]
    assert found["user_id"] == ann.user_id
    assert [one["username"] for one in tables["auth.users"]] == [ann.username]
    assert [one["device_id"] for one in tables["auth.devices"]] == [ann.device_id]
    assert len(tables["auth.sessions"]) == 1
    assert len(tables["key.one_time_prekeys"]) == 3
    assert [(one["name"], one["content_bytes"]) for one in tables["key.vault"]] == [("seed", 6)]
    assert [one["conversation_id"] for one in tables["message.members"]] == [conversation]
    assert [one["content_bytes"] for one in tables["message.messages"]] == [300]
    assert [one["file_id"] for one in tables["file.files"]] == [stored["file_id"]]
    assert tables["message.blocks"] == []
    names = {name for rows in tables.values() for row in rows for name in row}
    assert not [name for name in names if "hash" in name or name in ("secret", "blocked", "auth")]

    path = tmp_path / "ann.json"
    assert str(path) in done(stack, "users", "export", ann.user_id, "--ciphertext", "--output", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    again = json.loads(path.read_text())["tables"]
    assert [one["content"] for one in again["message.messages"]] == [b64(content)]
    assert "exists" in refused(stack, "users", "export", ann.user_id, "--output", str(path))
    assert "there is no user" in refused(stack, "users", "export", "nobody-of-this-name")
    log = done(stack, "audit").splitlines()
    assert sum("users export" in line and ann.user_id in line for line in log) == 2
