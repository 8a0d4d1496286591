"""Nothing newer than PostgreSQL 16 slips in: migrations and the statements of every store, on 16 and on 18.

The stack's own PostgreSQL is 18. Here each service's store meets both: the migrations run twice, and a
message goes through the function that commits it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg2
import pytest

from tests.system.stack import Stack, running

pytestmark = pytest.mark.system

pgserver = pytest.importorskip("pgserver")


@pytest.fixture(scope="module")
def sixteen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A PostgreSQL 16 with the schemas, as settings."""
    server = pgserver.get_server(tmp_path_factory.mktemp("sixteen"), cleanup_mode="stop")
    try:
        url = urlsplit(server.get_uri())
        host = parse_qs(url.query)["host"][0] if url.query else str(url.hostname)
        server.psql("create database messenger;")
        yield {
            "MESSENGER_DATABASE__HOST": host,
            "MESSENGER_DATABASE__PORT": str(url.port or 5432),
            "MESSENGER_DATABASE__SSLMODE": "disable",
            "MESSENGER_DATABASE__ADMIN_USER": str(url.username),
            **{f"MESSENGER_{name}__DATABASE_PASSWORD": "x" for name in ("AUTH", "KEY", "MESSAGE", "FILE")},
        }
    finally:
        server.cleanup()


def admin(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MESSENGER_")}
    return subprocess.run(
        [sys.executable, "-m", "messenger.admin.main", *arguments],
        env={**clean, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_migrations_on_16(sixteen: dict[str, str]) -> None:
    assert admin(sixteen, "status").returncode == 1
    first = admin(sixteen, "migrate")
    assert first.returncode == 0, first.stderr
    assert "message 0001" in first.stdout
    again = admin(sixteen, "migrate")
    assert again.stdout.strip() == "everything is up to date"
    status = admin(sixteen, "status")
    assert status.returncode == 0, status.stdout


def test_a_commit_reads_no_whole_table(sixteen: dict[str, str]) -> None:
    """Also when its plan was made while the tables were empty; the numbers of sequential scans tell."""
    assert admin(sixteen, "migrate").returncode == 0
    connection = _connect(sixteen)
    conversation, user = str(uuid4()), str(uuid4())
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into message.conversations"
            " (conversation_id, type, created_by, created_at, updated_at, member_count)"
            " values (%s, 'group', %s, now(), now(), 1)",
            (conversation, user),
        )
        cursor.execute(
            "insert into message.members (conversation_id, user_id, role, joined_at, first_seq, first_change,"
            " delivered_seq, read_seq) values (%s, %s, 'owner', now(), 1, 1, 0, 0)",
            (conversation, user),
        )
        commit = (
            "select outcome from message.commit_drafts(%s, false, array[%s]::uuid[], array[%s]::uuid[],"
            " array[%s]::uuid[], array[%s]::uuid[], array['text'], array['x'::bytea], '{}', '{}', '{}')"
        )

        def stored() -> None:
            cursor.execute(commit, (str(uuid4()), conversation, user, str(uuid4()), str(uuid4())))
            assert cursor.fetchall() == [("stored",)]

        for _ in range(10):
            stored()
        cursor.execute(
            "select relname, seq_scan from pg_stat_xact_user_tables where schemaname = 'message'"
            " and relname in ('conversations', 'members', 'messages') order by 1"
        )
        assert cursor.fetchall() == [("conversations", 0), ("members", 0), ("messages", 0)]
    connection.rollback()
    connection.close()


def _connect(settings: dict[str, str]) -> psycopg2.extensions.connection:
    return psycopg2.connect(
        host=settings["MESSENGER_DATABASE__HOST"],
        port=settings["MESSENGER_DATABASE__PORT"],
        dbname="messenger",
        user=settings["MESSENGER_DATABASE__ADMIN_USER"],
    )


def test_the_whole_system_on_16(sixteen: dict[str, str], tmp_path: Path) -> None:
    """The suite of conversations, once more, with the services on PostgreSQL 16."""
    from tests.system.people import Person

    stack = Stack(tmp_path, "apart", instances=1)
    original = stack.start_engines

    def start_engines() -> None:
        original()
        for process in [*stack.processes.values()]:
            process.environment |= {k: v for k, v in sixteen.items() if "__DATABASE_PASSWORD" not in k}
        stack.admin_environment |= {k: v for k, v in sixteen.items() if "__DATABASE_PASSWORD" not in k}

    stack.start_engines = start_engines  # type: ignore[method-assign]
    with running(stack):
        connection = _connect(sixteen)
        with connection.cursor() as cursor:
            cursor.execute("show server_version_num")
            version = cursor.fetchone()
        connection.close()
        assert version is not None
        assert version[0].startswith("16")
        ann, ben = Person(stack.url), Person(stack.url)
        ann.publish()
        ben.publish()
        assert ann.ok("POST", "/keys/claim", json={"user_id": ben.user_id})["items"][0]["one_time_prekey"]
        conversation_id = ann.direct(ben)
        with ann.socket() as one, ben.socket() as other:
            one.until("synced")
            other.until("synced")
            for number in range(1, 6):
                assert one.send(conversation_id)["seq"] == number
                assert other.until("message")["seq"] == number
            other.say(type="ack", conversation_id=conversation_id, seq=5, change=1)
            assert one.until("receipt")["seq"] == 5
        blob = {"content": b"x" * 100_000, "headers": {"Content-Type": "application/octet-stream"}}
        stored = ann.ok("POST", "/files", 201, **blob)
        assert ann.http.get(f"/files/{stored['file_id']}").content == blob["content"]
        ann.ok("DELETE", f"/files/{stored['file_id']}", 204)
        assert json.loads(ben.http.get("/auth/me").text)["username"] == ben.username
