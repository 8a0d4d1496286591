"""Upgrades of a living system: the schemas from the first to the newest, instances one after the other."""

import base64
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import bcrypt
import httpx
import psycopg2
import pytest
from nacl.signing import SigningKey

from messenger.core.config import load
from messenger.core.migrate import migrate
from messenger.core.schemas import SCHEMAS, newest
from tests.system.checker.faults import Fault
from tests.system.checker.trial import SETTINGS, Size, Trial
from tests.system.people import PASSWORD, Person, device_list
from tests.system.stack import Stack, running
from tests.system.test_instances import query
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.long]

OLD_MESSAGES = 2_000
SENDERS = 4


def connect(environment: dict[str, str], role: str, password: str) -> Any:
    connection = psycopg2.connect(
        host=environment["MESSENGER_DATABASE__HOST"],
        port=environment["MESSENGER_DATABASE__PORT"],
        dbname=environment["MESSENGER_DATABASE__NAME"],
        user=role,
        password=password,
    )
    connection.autocommit = True
    return connection


class FirstVersion:
    """What the first version's services did to the database, by their statements and their rights."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.users = [str(uuid4()) for _ in range(SENDERS)]
        self.devices = [str(uuid4()) for _ in range(SENDERS)]
        self.conversation = str(uuid4())
        self.sent: list[int] = []
        self.uploads = 0
        self._stopping = threading.Event()

    def service(self, name: str) -> Any:
        password = self._environment[f"MESSENGER_{name.upper()}__DATABASE_PASSWORD"]
        return connect(self._environment, f"messenger_{name}", password)

    def fill(self) -> None:
        """Users who can log in, a group of all, and its history."""
        # bcrypt over base64 of SHA-256, as the first version has it.
        secret = base64.b64encode(hashlib.sha256(PASSWORD.encode()).digest())
        hashed = bcrypt.hashpw(secret, bcrypt.gensalt(4)).decode()
        with closing(self.service("auth")) as auth, auth.cursor() as cursor:
            for number, (user, device) in enumerate(zip(self.users, self.devices, strict=True)):
                cursor.execute(
                    "insert into auth.users (user_id, username, password_hash) values (%s, %s, %s)",
                    (user, f"first-{number}", hashed),
                )
                cursor.execute(
                    "insert into auth.devices (device_id, user_id) values (%s, %s)", (device, user)
                )
        with closing(self.service("key")) as key, key.cursor() as cursor:
            for user, device in zip(self.users, self.devices, strict=True):
                cursor.execute(
                    "insert into key.devices (device_id, user_id, identity_key, signed_prekey_id,"
                    " signed_prekey, signed_prekey_signature, signed_prekey_created_at)"
                    " values (%s, %s, %s, 0, %s, %s, now())",
                    (device, user, bytes(32), bytes(32), bytes(64)),
                )
                # An account key, which has certified nothing.
                cursor.execute(
                    "insert into key.accounts (user_id, account_key) values (%s, %s)", (user, bytes(32))
                )
        with closing(self.service("message")) as message, message.cursor() as cursor:
            cursor.execute(
                "insert into message.conversations (conversation_id, type, created_by, created_at,"
                " updated_at, last_change, member_count) values (%s, 'group', %s, now(), now(), 1, %s)",
                (self.conversation, self.users[0], SENDERS),
            )
            cursor.execute(
                "insert into message.changes values (%s, 1, 0, now(), %s, 'created',"
                " '{\"conversation\": {}}')",
                (self.conversation, self.users[0]),
            )
            for user in self.users:
                role = "owner" if user == self.users[0] else "member"
                cursor.execute(
                    "insert into message.members (conversation_id, user_id, role, joined_at, first_seq,"
                    " first_change, delivered_seq, read_seq) values (%s, %s, %s, now(), 1, 1, 0, 0)",
                    (self.conversation, user, role),
                )
        with closing(self.service("message")) as message, message.cursor() as cursor:
            for _ in range(OLD_MESSAGES // 200):
                self._commit(cursor, 0, 200)

    def _commit(self, cursor: Any, sender: int, count: int, wait: bool = True) -> None:
        cursor.execute(
            "select seq, outcome from message.commit_drafts(%s, %s, %s::uuid[], %s::uuid[], %s::uuid[],"
            " %s::uuid[], %s, %s::bytea[], '{}', '{}', '{}')",
            (
                str(uuid4()),
                wait,
                [self.conversation] * count,
                [self.users[sender]] * count,
                [self.devices[sender]] * count,
                [str(uuid4()) for _ in range(count)],
                ["text"] * count,
                [b"ciphertext"] * count,
            ),
        )
        rows = cursor.fetchall()
        assert {outcome for _, outcome in rows} == {"stored"}
        self.sent += [seq for seq, _ in rows]

    def send(self, sender: int) -> None:
        """Send one message after the other until `stop`."""
        with closing(self.service("message")) as message, message.cursor() as cursor:
            while not self._stopping.is_set():
                self._commit(cursor, sender, 1)

    def upload(self) -> None:
        """Begin an upload and give it up, again and again."""
        with closing(self.service("file")) as file, file.cursor() as cursor:
            while not self._stopping.is_set():
                name = str(uuid4())
                cursor.execute(
                    "insert into file.files (file_id, uploader_id, state, blob_key, size)"
                    " values (%s, %s, 'uploading', %s, 0)",
                    (name, self.users[0], name),
                )
                cursor.execute("delete from file.files where file_id = %s", (name,))
                self.uploads += 1

    def stop(self) -> None:
        self._stopping.set()


def grows(count: Callable[[], int], by: int) -> Callable[[], bool]:
    """Whether a count has grown by so much since now."""
    target = count() + by
    return lambda: count() >= target


def test_the_first_schema_comes_to_the_newest_while_clients_send(tmp_path: Path) -> None:
    stack = Stack(tmp_path, "apart", instances=1)
    stack.start_engines()
    try:
        environment = stack.admin_environment
        settings = load(None, {key: value for key, value in environment.items() if "__" in key})
        passwords = {schema: getattr(settings, schema).database_password for schema in SCHEMAS}
        migrate(settings.database, passwords, dict.fromkeys(SCHEMAS, "0001"))
        clients = FirstVersion(environment)
        clients.fill()
        folder = tmp_path / "backup"
        stack.run_admin("backup", str(folder))
        _migrate_meanwhile(stack, clients)
        _go_on_with_this_version(stack, clients)
        _restore_the_first_schema(stack, folder, clients)
    finally:
        stack.stop()


def _migrate_meanwhile(stack: Stack, clients: FirstVersion) -> None:
    environment = stack.admin_environment
    admin = connect(environment, "postgres", environment["MESSENGER_DATABASE__ADMIN_PASSWORD"])
    admin.autocommit = False
    with ThreadPoolExecutor(SENDERS + 1) as threads:
        work = [threads.submit(clients.send, number) for number in range(SENDERS)]
        work.append(threads.submit(clients.upload))
        try:
            # A long report holds a lock that a migration needs: who waits for it must not stop all others.
            with admin.cursor() as cursor:
                cursor.execute("select count(*) from file.files")
                cursor.fetchall()
            migration = subprocess.Popen(
                [sys.executable, "-m", "messenger.admin.main", "migrate"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert migration.stderr is not None
            line = migration.stderr.readline()
            assert "a migration of schema file waits until nobody holds a lock that it needs" in line
            until(grows(lambda: clients.uploads, 200), 60)
            until(grows(lambda: len(clients.sent), 200), 60)
            assert migration.poll() is None
            admin.rollback()
            said, errors = migration.communicate(timeout=60)
            assert migration.returncode == 0, errors
            assert "file 0002" in said
            # And those of the version before go on with the new schema.
            until(grows(lambda: clients.uploads, 50), 60)
            until(grows(lambda: len(clients.sent), 50), 60)
        finally:
            clients.stop()
            admin.close()
        for one in work:
            one.result()
    assert sorted(clients.sent) == list(range(1, len(clients.sent) + 1))
    status = stack.run_admin("status")
    assert status.count("up to date") == len(SCHEMAS)


def _go_on_with_this_version(stack: Stack, clients: FirstVersion) -> None:
    for name, process in stack.processes.items():
        if name != "engines":
            process.start()
    stack.wait_ready()
    body = {"username": "first-1", "password": PASSWORD, "device_id": clients.devices[1]}
    answer = httpx.post(f"{stack.url}/api/v1/auth/login", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    person = Person(stack.url, session=answer.json())
    assert person.send(clients.conversation)["seq"] == len(clients.sent) + 1
    page = person.ok("GET", f"/conversations/{clients.conversation}/messages?after=0&limit=200")
    assert [one["seq"] for one in page["items"]] == list(range(1, 201))
    _list_in_place_of_an_account_key(stack, person, clients)
    until(lambda: "WRONG" not in stack.run_admin("check"), 30)
    wanted = {schema: newest(schema) for schema in SCHEMAS}
    assert httpx.get(f"{stack.url}/health").json()["schema"] == wanted
    assert httpx.get(f"{stack.url}/api/v1/info").json()["schema"] == wanted
    for service in SCHEMAS:
        url = stack.service_url(service)
        assert httpx.get(f"{url}/health").json()["schema"] == {service: wanted[service]}
        line = f'schema="{service}",version="{wanted[service]}",wanted="{wanted[service]}"'
        assert line in httpx.get(f"{url}/metrics").text


def _list_in_place_of_an_account_key(stack: Stack, person: Person, clients: FirstVersion) -> None:
    """Nothing of an account key is carried over: all devices are published until there is a list."""
    for user, device in zip(clients.users, clients.devices, strict=True):
        found = person.ok("GET", f"/keys/identity/{user}")
        assert found["device_list"] is None
        assert [one["device_id"] for one in found["items"]] == [device]
    (pending,) = person.ok("GET", f"/keys/identity/{person.user_id}")["pending"]
    assert pending["device_id"] == clients.devices[1]
    given = device_list(SigningKey.generate(), 1, person.user_id)
    person.ok("PUT", "/keys/device-list", 204, json=given)
    found = person.ok("GET", f"/keys/identity/{person.user_id}")
    assert (found["device_list"], found["items"]) == (given, [])
    # What is left of the version before goes with its user.
    body = {"username": "first-2", "password": PASSWORD, "device_id": clients.devices[2]}
    session = httpx.post(f"{stack.url}/api/v1/auth/login", json=body, timeout=30).json()
    Person(stack.url, session=session).ok("DELETE", "/auth/me", 204, json={"password": PASSWORD})
    left = "select 1 from key.accounts where user_id = %s"
    assert query(stack, left, clients.users[3])
    until(lambda: not query(stack, left, clients.users[2]), 10)


def _restore_the_first_schema(stack: Stack, folder: Path, clients: FirstVersion) -> None:
    """A backup of the first schema, into a database that is at the newest: it goes through all migrations."""
    environment = stack.admin_environment
    admin = connect(environment, "postgres", environment["MESSENGER_DATABASE__ADMIN_PASSWORD"])
    with admin.cursor() as cursor:
        cursor.execute("create database again")
    admin.close()
    environment |= {"MESSENGER_DATABASE__NAME": "again", "MESSENGER_S3__BUCKET": "again"}
    stack.run_admin("migrate")
    stack.run_admin("restore", str(folder))
    assert stack.run_admin("status").count("up to date") == len(SCHEMAS)
    assert "restore" in stack.run_admin("audit")
    rows = query(stack, "select count(*), max(seq) from message.messages")
    assert rows == [(OLD_MESSAGES, OLD_MESSAGES)]
    assert "first-3" in stack.run_admin("users", "list")
    assert clients.sent


def test_instances_are_restarted_one_after_the_other_and_nobody_minds(tmp_path: Path) -> None:
    """Each stays down until all clients are synced again, by the other: none depends on its return."""
    order = ["message-1", "gateway-1", "message-2", "gateway-2", "auth-1", "key-1"]
    plan = [[Fault("restart", whom)] for whom in order]
    with running(Stack(tmp_path, "apart", SETTINGS)) as stack:
        trial = Trial(stack, os.getpid(), Size(messages=600, every=1.0), plan=plan)
        violations = trial.run()
        print(trial.summary())
        if violations:
            trial.history.save(tmp_path / "history.jsonl")
        assert not violations, violations[:10]
    closed = [event for event in trial.history.events if event["what"] == "close"]
    assert [event for event in closed if event["code"] == 1001], "no socket was sent away"
    # 1000 and 1005 are clients that left by themselves, now and then.
    assert {event["code"] for event in closed} <= {1000, 1001, 1005}
