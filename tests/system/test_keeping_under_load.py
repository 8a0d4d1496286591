"""Backups while everybody works: each one is consistent, whatever was written and deleted meanwhile."""

import hashlib
import secrets
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest

from messenger.admin.backup.folder import Folder
from tests.system.people import PASSWORD, Person
from tests.system.stack import Stack, running
from tests.system.test_instances import query
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.long]

OCTETS = {"Content-Type": "application/octet-stream"}
STANDING = 300  # files that are there from the start
WORKERS = 4


class Work:
    """Clients that send messages, and store and delete files, until they are told to stop."""

    def __init__(self, stack: Stack) -> None:
        self.people = [Person(stack.url) for _ in range(WORKERS)]
        self.group = self.people[0].group(*self.people[1:])
        self.deleted = 0
        self.sent = 0
        self._files: list[list[str]] = [[] for _ in self.people]
        self._stopping = threading.Event()
        with ThreadPoolExecutor(WORKERS) as threads:
            list(threads.map(self._fill, range(WORKERS)))

    def _store(self, number: int) -> None:
        blob = secrets.token_bytes(secrets.randbelow(40_000))
        headers = {**OCTETS, "X-Conversation-ID": self.group}
        stored = self.people[number].ok("POST", "/files", 201, content=blob, headers=headers)
        self._files[number].append(stored["file_id"])

    def _fill(self, number: int) -> None:
        for _ in range(STANDING // WORKERS):
            self._store(number)

    def run(self, number: int) -> None:
        person = self.people[number]
        while not self._stopping.is_set():
            person.send(self.group)
            self.sent += 1
            self._store(number)
            # Any of them: what was there when a backup began goes before it gets there.
            gone = self._files[number].pop(secrets.randbelow(len(self._files[number])))
            person.ok("DELETE", f"/files/{gone}", 204)
            self.deleted += 1

    def stop(self) -> None:
        self._stopping.set()


def test_a_backup_under_load_is_consistent(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with running(Stack(tmp_path / "source", "apart", instances=1)) as source:
        work = Work(source)
        with ThreadPoolExecutor(WORKERS) as threads:
            tasks = [threads.submit(work.run, number) for number in range(WORKERS)]
            try:
                for _ in range(3):
                    before = work.deleted, work.sent
                    source.run_admin("backup", "--keep", "2", str(folder))
                    assert work.deleted > before[0], "nobody deleted anything meanwhile"
                    assert work.sent > before[1]
            finally:
                work.stop()
            for task in tasks:
                task.result()
        assert "WRONG" not in source.run_admin("check")
        names = Folder(folder, make=False).names()
        assert len(names) == 2
        secret = source.admin_environment["MESSENGER_AUTH__SIGNING_SECRET"]
    opened = Folder(folder, make=False)
    gone = [list(opened.gone(folder / "sets" / name)) for name in names]
    assert any(gone), "no file went between the snapshot and its copy: the test is too gentle"
    _restore_and_compare(tmp_path / "target", folder, work, secret)


def _restore_and_compare(place: Path, folder: Path, work: Work, secret: str) -> None:
    stack = Stack(place, "apart", instances=1)
    stack.start_engines()
    try:
        stack.admin_environment["MESSENGER_AUTH__SIGNING_SECRET"] = secret
        stack.processes["auth-1"].environment["MESSENGER_AUTH__SIGNING_SECRET"] = secret
        _break_off(stack, folder)
        assert "nothing was touched" in _refusal(stack, "restore", str(folder))
        stack.run_admin("restore", "--continue", str(folder))
        for name, process in stack.processes.items():
            if name != "engines":
                process.start()
        stack.wait_ready()
        body = {
            "username": work.people[0].username,
            "password": PASSWORD,
            "device_id": work.people[0].device_id,
        }
        answer = httpx.post(f"{stack.url}/api/v1/auth/login", json=body, timeout=30)
        person = Person(stack.url, session=answer.json())
        rows = query(stack, "select file_id, sha256, size from file.files where state = 'stored'")
        assert len(rows) > STANDING // 2
        for file_id, sha256, size in rows:
            blob = person.http.get(f"/files/{file_id}").content
            assert (len(blob), hashlib.sha256(blob).digest()) == (size, bytes(sha256))
        assert "WRONG" not in stack.run_admin("check")
        last = person.ok("GET", f"/conversations/{work.group}")["last_seq"]
        assert 0 < last <= work.sent
        assert person.send(work.group)["seq"] == last + 1
    finally:
        stack.stop()


def _break_off(stack: Stack, folder: Path) -> None:
    """Kill a restore while it brings blobs: the database stays empty."""
    child = _admin(stack, "restore", str(folder))
    until(lambda: _objects(stack) > 0, 60, 0.01)
    child.kill()
    child.communicate()
    assert query(stack, "select to_regclass('auth.users')") in ([(None,)],) or not query(
        stack, "select 1 from auth.users"
    )


def _objects(stack: Stack) -> int:
    """How many blobs the bucket has, at least."""
    import minio

    found = stack.admin_environment
    client = minio.Minio(
        found["MESSENGER_S3__ENDPOINT"].partition("://")[2],
        access_key=found["MESSENGER_S3__ACCESS_KEY"],
        secret_key=found["MESSENGER_S3__SECRET_KEY"],
        secure=False,
        region=found["MESSENGER_S3__REGION"],
    )
    if not client.bucket_exists(stack.bucket):
        return 0
    return sum(1 for _, _ in zip(client.list_objects(stack.bucket), range(5), strict=False))


def _admin(stack: Stack, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "messenger.admin.main", *arguments]
    return subprocess.Popen(command, env=stack.admin_environment, stderr=subprocess.PIPE, text=True)


def _refusal(stack: Stack, *arguments: str) -> str:
    child = _admin(stack, *arguments)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    return errors.strip().splitlines()[-1]


# An administrator who is no superuser, on PostgreSQL 16.


def test_an_administrator_needs_no_superuser(tmp_path: Path) -> None:
    pgserver = pytest.importorskip("pgserver")
    server = pgserver.get_server(tmp_path / "sixteen", cleanup_mode="stop")
    stack = Stack(tmp_path / "stack", "apart", instances=1)
    stack.start_engines()
    try:
        settings = _sixteen(server)
        for name in ("one", "two"):
            server.psql(f"create database {name} owner keeper;")
        stack.admin_environment |= settings
        environment: dict[str, Any] = stack.admin_environment
        environment["MESSENGER_DATABASE__NAME"] = "one"
        stack.run_admin("migrate")
        connection = psycopg2.connect(
            host=settings["MESSENGER_DATABASE__HOST"],
            port=settings["MESSENGER_DATABASE__PORT"],
            dbname="one",
            user="keeper",
            password="kept",
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "insert into auth.users (user_id, username) values (gen_random_uuid(), 'somebody')"
            )
        connection.close()
        stack.run_admin("backup", str(tmp_path / "backup"))
        done = subprocess.run(
            [sys.executable, "-m", "messenger.admin.main", "check", "--repair"],
            env=stack.admin_environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
        assert [line.partition(";")[0] for line in wrong] == [
            "WRONG signing keys: no key signs access tokens"
        ]
        environment["MESSENGER_DATABASE__NAME"] = "two"
        stack.run_admin("restore", str(tmp_path / "backup"))
        assert "somebody" in stack.run_admin("users", "list")
    finally:
        stack.stop()
        server.cleanup()


def _sixteen(server: Any) -> dict[str, str]:
    from urllib.parse import parse_qs, urlsplit

    server.psql("create role keeper login createrole password 'kept';")
    url = urlsplit(server.get_uri())
    host = parse_qs(url.query)["host"][0] if url.query else str(url.hostname)
    return {
        "MESSENGER_DATABASE__HOST": host,
        "MESSENGER_DATABASE__PORT": str(url.port or 5432),
        "MESSENGER_DATABASE__SSLMODE": "disable",
        "MESSENGER_DATABASE__ADMIN_USER": "keeper",
        "MESSENGER_DATABASE__ADMIN_PASSWORD": "kept",
    }
