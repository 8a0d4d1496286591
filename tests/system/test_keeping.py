"""A backup of a living server, restored into empty engines: the story goes on, and no prekey comes twice.
What is stored there agrees with itself; where it is made not to, `check` sees it, and mends what is safe.
"""

import json
import re
import resource
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from messenger.admin.backup.tables import KEPT
from tests.system.kept import Story, admin, done, refused
from tests.system.people import PASSWORD, Person, b64, device_list
from tests.system.spoiled import NEVER, SPOILED
from tests.system.stack import Stack, running
from tests.system.test_second_factor import Owner, answer
from tests.system.waiting import until

pytestmark = pytest.mark.system

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def story(one: Stack, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """People, messages and files, two backups, and a day's work that the last one has not."""
    folder = tmp_path_factory.mktemp("kept") / "backup"
    ann, ben = Person(one.url, "ann"), Person(one.url, "ben")
    for person in (ann, ben):
        person.publish(10)
    other = ben.another_device()
    story = Story(one, folder, ann, ben, other, ann.direct(ben), ann.group(ben), Owner(one.url))
    story.listed = device_list(SigningKey.generate(), 7, ben.user_id, ben)
    ben.ok("PUT", "/keys/device-list", 204, json=story.listed)
    story.sealed = b64(secrets.token_bytes(65_536))
    ben.ok("PUT", "/vault/seed", json={"content": story.sealed})
    with ben.socket() as socket:
        socket.until("synced")
        for _ in range(10):
            ann.send(story.direct, secrets.token_bytes(300))
        ben_head = socket.until(lambda frame: frame["type"] == "message" and frame["seq"] == 10)
        socket.say(type="ack", conversation_id=story.direct, seq=4, change=1)
        assert ben_head["conversation_id"] == story.direct
    ben.send(story.group, b"to all")
    for size in (0, 1, 70_000, 3_000_000):
        blob = secrets.token_bytes(size)
        stored = ann.ok(
            "POST", "/files", 201, content=blob, headers={**OCTETS, "X-Conversation-ID": story.direct}
        )
        story.files[stored["file_id"]] = blob
    said = done(one.data, "backup", str(folder))
    copied = re.search(r"(\d+) of [0-9.]+ MiB copied now", said)  # other tests' files among them
    assert copied, said
    assert int(copied[1]) >= 4
    blob = secrets.token_bytes(5_000)
    stored = ben.ok("POST", "/files", 201, content=blob, headers={**OCTETS, "X-Conversation-ID": story.group})
    story.files[stored["file_id"]] = blob
    said = done(one.data, "backup", str(folder))
    assert "1 of 4.9 KiB copied now" in said, "a second backup copies what is new"
    # What the backup does not have: claims, and messages.
    for _ in range(4):
        bundle = next(
            one
            for one in ann.ok("POST", "/keys/claim", json={"user_id": ben.user_id})["items"]
            if one["device_id"] == ben.device_id
        )
        story.claimed.add(bundle["one_time_prekey"]["key_id"])
    ann.send(story.direct, b"after the backup")
    return story


@pytest.fixture(scope="module")
def restored(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The backup, restored and started."""
    place = tmp_path_factory.mktemp("restored")
    said = done(
        place / "var",
        "restore",
        str(story.folder),
        "--secrets",
        str(story.source.data / "secrets.json"),
    )
    assert "restored: " in said
    # What is spoiled below stays so until the check has seen it: the file service's own sweep comes later.
    with running(Stack(place, "one", {"MESSENGER_FILE__SWEEP": "3600"})) as stack:
        yield stack


def login(stack: Stack, person: Person) -> Person:
    """The same device, logged in anew."""
    body = {"username": person.username, "password": PASSWORD, "device_id": person.device_id}
    opened = httpx.post(f"{stack.url}/api/v1/auth/login", json=body, timeout=30)
    assert opened.status_code == 200, opened.text
    found = Person(stack.url, session=opened.json())
    assert found.device_id == person.device_id
    return found


def test_the_story_goes_on(story: Story, restored: Stack) -> None:
    old = Person(restored.url, session=story.ann.session)
    assert old.http.get("/auth/me").status_code == 401, "a token from before the restore is good"
    refresh = {"refresh_token": story.ann.session["refresh_token"]}
    assert old.http.post("/auth/refresh", json=refresh).status_code == 401
    ann, ben, other = (login(restored, one) for one in (story.ann, story.ben, story.other))

    page = ben.ok("GET", f"/conversations/{story.direct}/messages")
    assert [one["seq"] for one in page["items"]] == list(range(1, 11))
    for file_id, blob in story.files.items():
        assert ben.http.get(f"/files/{file_id}").content == blob

    with ben.socket() as socket:
        waiting = socket.all_until("synced")
        direct = [
            one["seq"]
            for one in waiting
            if one["type"] == "message" and one["conversation_id"] == story.direct
        ]
        assert direct == list(range(5, 11)), "its place is where it had acknowledged"
        assert socket.until("prekeys")["one_time_prekeys"] == 0
        with ann.socket() as sender:
            sender.until("synced")
            assert sender.send(story.direct, b"and on")["seq"] == 11
        assert socket.until("message")["content"] == b64(b"and on")
    with other.socket() as socket:
        frames = socket.all_until("synced")
        socket.say(type="typing", conversation_id=story.direct, is_typing=True)
        assert not [one for one in frames if one["type"] == "prekeys"], "it never published any"
    challenge = httpx.post(
        f"{restored.url}/api/v1/auth/login", json={"username": story.owner.username, "password": PASSWORD}
    ).json()["challenge"]
    # The seed is sealed with the secret that --secrets brought along.
    assert answer(restored.url, challenge, story.owner.code(1)).status_code == 200
    stored = ann.ok("POST", "/files", 201, content=b"more", headers=OCTETS)
    ann.ok("DELETE", f"/files/{stored['file_id']}", 204)


def test_the_device_list_and_the_vault_are_there(story: Story, restored: Stack) -> None:
    ann, ben = login(restored, story.ann), login(restored, story.ben)
    found = ann.ok("GET", f"/keys/identity/{ben.user_id}")
    assert found["device_list"] == story.listed
    assert [one["device_id"] for one in found["items"]] == [ben.device_id]
    assert ben.http.put("/keys/device-list", json=story.listed).json()["version"] == 7
    kept = ben.ok("GET", "/vault/seed")
    assert kept["content"] == story.sealed
    headers = {"If-Match": f'"{kept["version"]}"'}
    assert ben.ok("PUT", "/vault/seed", json={"content": ""}, headers=headers)["version"] > kept["version"]


def test_no_prekey_comes_twice(story: Story, restored: Stack) -> None:
    ann, ben = login(restored, story.ann), login(restored, story.ben)

    def claim() -> Any:
        items = ann.ok("POST", "/keys/claim", json={"devices": [ben.device_id]})["items"]
        return items[0]["one_time_prekey"]

    assert claim() is None
    status = ben.ok("GET", "/keys/status")
    assert (status["one_time_prekeys"], status["highest_key_id"]) == (0, 10)

    def publish(key_id: int) -> int:
        key = {"key_id": key_id, "public_key": b64(bytes(PrivateKey.generate().public_key))}
        return ben.http.post("/keys/one-time-prekeys", json={"prekeys": [key]}).status_code

    assert publish(10) == 409, "an id that was used may come again"
    assert publish(11) == 200
    assert claim()["key_id"] == 11
    assert claim() is None
    assert 11 not in story.claimed


def test_both_are_written_down(story: Story, restored: Stack) -> None:
    assert done(story.source.data, "audit").count(" backup ") == 2
    lines = [line for line in done(restored.data, "audit").splitlines() if " restore " in line]
    assert len(lines) == 1


def test_what_is_in_use_is_not_restored_into(story: Story, restored: Stack) -> None:
    line = refused(restored.data, "restore", str(story.folder))
    assert "stop all services first" in line
    assert restored.url


@pytest.mark.long
def test_wrong_input_is_told_in_a_line(story: Story, tmp_path: Path) -> None:
    data = story.source.data
    nothing = tmp_path / "nothing"
    assert "holds no data" in refused(nothing, "backup", str(tmp_path / "to"))
    assert not nothing.exists()
    assert "is no backup" in refused(None, "restore", "--verify-only", str(tmp_path))
    assert "--keep" in refused(data, "backup", "--keep", "0", str(tmp_path / "to"))
    (tmp_path / "file").write_text("")
    assert "can't write" in refused(data, "backup", str(tmp_path / "file"))


def test_a_backup_is_verified_without_any_engine(story: Story) -> None:
    said = done(None, "restore", "--verify-only", str(story.folder))
    whole = re.search(rf"is whole: {len(KEPT)} tables, (\d+) blobs", said)  # other tests' files among them
    assert whole, said
    assert int(whole[1]) >= len(story.files)
    assert len(list((story.folder / "sets").iterdir())) == 2


def test_a_backup_that_is_killed_leaves_the_last_one(story: Story) -> None:
    before = sorted(one.name for one in (story.folder / "sets").iterdir())
    command = [sys.executable, "-m", "messenger.admin.main", "--data", str(story.source.data)]
    child = subprocess.Popen([*command, "backup", str(story.folder)], stderr=subprocess.DEVNULL)
    until(lambda: list((story.folder / "sets").glob(".*.partial")), every=0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    whole = sorted(one.name for one in (story.folder / "sets").iterdir() if not one.name.startswith("."))
    assert whole == before
    done(None, "restore", "--verify-only", str(story.folder))


# What does not agree.


def sql(stack: Stack, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """What PostgreSQL's superuser does."""
    ports = json.loads((stack.data / "ports.json").read_text())
    password = json.loads((stack.data / "secrets.json").read_text())["postgres_password"]
    connection = psycopg2.connect(
        host="127.0.0.1", port=ports["postgres"], dbname="messenger", user="postgres", password=password
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def test_what_does_not_agree_is_seen_and_what_is_safe_is_mended(story: Story, restored: Stack) -> None:
    ann, ben = login(restored, story.ann), login(restored, story.ben)
    key = {"key_id": 20, "public_key": b64(bytes(PrivateKey.generate().public_key))}
    ben.ok("POST", "/keys/one-time-prekeys", json={"prekeys": [key]})
    said = done(restored.data, "check")
    assert "WRONG" not in said
    assert said.count("ok    ") > 25

    file_id = next(iter(story.files))
    known = {"c": story.direct, "g": story.group, "d": ben.device_id, "a": ann.user_id, "b": ben.user_id}
    before = sql(restored, "select blob_key from file.files where file_id = %s", file_id)[0][0]
    for spoiled in SPOILED:
        statement = spoiled.statement % {
            name: f"'{value}'" for name, value in {**known, "f": file_id}.items()
        }
        sql(restored, statement)

    found = admin(restored.data, "check")
    assert found.returncode == 1
    for spoiled in SPOILED:
        assert f"WRONG {spoiled.title}: " in found.stdout, spoiled
    assert "; mended: " not in found.stdout

    repaired = admin(restored.data, "check", "--repair")
    assert repaired.returncode == 1, repaired.stdout
    for spoiled in SPOILED:
        lines = [one for one in repaired.stdout.splitlines() if one.startswith(f"WRONG {spoiled.title}: ")]
        assert any(("; mended: " if spoiled.mended else "; left: ") in line for line in lines), spoiled

    # What was left is for people; here they know what it was.
    sql(restored, "update file.files set blob_key = %s where file_id = %s", before, file_id)
    sql(restored, "delete from file.files where file_id = %s", NEVER)
    sql(restored, "delete from auth.outbox where subject = 'nobody.hears'")
    sql(restored, "delete from message.changes where conversation_id = %s", NEVER)
    owner = "update message.members set role = 'owner' where conversation_id = %s and user_id = %s"
    sql(restored, owner, story.group, ann.user_id)
    said = done(restored.data, "check", "--repair")
    assert "WRONG" not in said.replace("WRONG quota", ""), said
    actions = [line for line in done(restored.data, "audit").splitlines() if "check --repair" in line]
    assert len(actions) >= 12

    # And the story goes on: the hole is a deleted message, the numbers go up.
    items = ben.ok("GET", f"/conversations/{story.direct}/messages")["items"]
    assert [one["seq"] for one in items] == list(range(1, len(items) + 1))
    assert items[2]["deleted"]
    assert login(restored, story.ann).send(story.direct)["seq"] == len(items) + 1


@pytest.mark.long
def test_keys_of_a_device_that_is_gone_are_seen_at_a_second_look(story: Story, restored: Stack) -> None:
    insert = "insert into key.devices (device_id, user_id) values (%s, %s)"
    sql(restored, insert, NEVER, story.ann.user_id)
    assert "WRONG keys of devices: " in done(restored.data, "check", "--repair")
    assert not sql(restored, "select 1 from key.devices where device_id = %s", NEVER)


@pytest.mark.long
def test_a_full_disk_is_told_and_leaves_the_last_backup(story: Story) -> None:
    before = sorted(one.name for one in (story.folder / "sets").iterdir() if not one.name.startswith("."))
    blob = {"content": secrets.token_bytes(400_000), "headers": OCTETS}
    file_id = story.other.ok("POST", "/files", 201, **blob)["file_id"]
    command = [sys.executable, "-m", "messenger.admin.main", "--data", str(story.source.data)]
    found = subprocess.run(
        [*command, "backup", str(story.folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    story.other.ok("DELETE", f"/files/{file_id}", 204)
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    assert "can't write to" in found.stderr.strip().splitlines()[-1]
    assert before == sorted(
        one.name for one in (story.folder / "sets").iterdir() if not one.name.startswith(".")
    )
    done(None, "restore", "--verify-only", str(story.folder))


def test_a_restore_looks_at_all_before_it_makes_anything(story: Story, tmp_path: Path) -> None:
    new, secrets_file = tmp_path / "new", story.source.data / "secrets.json"
    damaged = tmp_path / "damaged"
    shutil.copytree(story.folder, damaged)
    (newest,) = sorted((damaged / "sets").iterdir())[-1:]
    (newest / "auth.users.copy.gz").write_bytes(b"")
    (tmp_path / "other.json").write_text(
        secrets_file.read_text().replace('"token_secret": "', '"token_secret": "x')
    )
    (tmp_path / "no.json").write_text("{}")
    (tmp_path / "file").write_text("")
    for word, arguments, data in [
        ("is damaged", ["--secrets", str(secrets_file), str(damaged)], new),
        ("Give --secrets FILE", [str(story.folder)], new),
        ("can't be read", ["--secrets", str(tmp_path / "none.json"), str(story.folder)], new),
        ("is damaged", ["--secrets", str(tmp_path / "no.json"), str(story.folder)], new),
        (
            "signing_secret is not the one",
            ["--secrets", str(tmp_path / "other.json"), str(story.folder)],
            new,
        ),
        ("holds no set x", ["--secrets", str(secrets_file), "--set", "x", str(story.folder)], new),
        ("holds something else", ["--secrets", str(secrets_file), str(story.folder)], tmp_path),
        ("can't be made", ["--secrets", str(secrets_file), str(story.folder)], tmp_path / "file" / "new"),
    ]:
        line = refused(data, "restore", *arguments)
        assert word in line
        # What ruins something is never what is offered.
        assert "--other-secrets" not in line
        assert not new.exists(), line
    assert sorted(one.name for one in tmp_path.iterdir()) == ["damaged", "file", "no.json", "other.json"]
    other = refused(
        story.source.data, "restore", "--secrets", str(tmp_path / "other.json"), str(story.folder)
    )
    assert "is there already" in other


def test_a_quiet_backup_says_nothing(story: Story, tmp_path: Path) -> None:
    assert done(story.source.data, "backup", "--quiet", str(tmp_path / "quiet")) == ""
    done(None, "restore", "--verify-only", str(tmp_path / "quiet"))


@pytest.mark.long
def test_other_secrets_and_engines_that_are_not_empty(story: Story, tmp_path: Path) -> None:
    assert "holds no set x" in refused(None, "restore", "--verify-only", "--set", "x", str(story.folder))
    assert "--secrets goes with --data" in refused(None, "restore", "--secrets", "x", str(story.folder))
    said = done(tmp_path / "new", "restore", "--other-secrets", str(story.folder))
    assert "restored: " in said
    again = refused(tmp_path / "new", "restore", "--other-secrets", str(story.folder))
    assert "the database is not empty" in again
    assert "nothing was touched" in again
