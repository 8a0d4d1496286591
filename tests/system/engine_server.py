"""The embedded engines as a process of their own, and clients of each."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import nats
import psycopg2
import redis
from minio import Minio

ROOT = Path(__file__).parents[2]
NAMES = ("postgres", "nats", "valkey", "seaweedfs")


class Server:
    """A run of `python -m messenger.standalone.engines` on `data`."""

    def __init__(self, data: Path, *arguments: str, python: str = sys.executable, **options: Any) -> None:
        self.data = data
        self.popen = subprocess.Popen(
            [python, "-m", "messenger.standalone.engines", "--data", str(data), *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.addresses: dict[str, Any] = {}
        self.pids: dict[str, int] = {}

    def ready(self) -> "Server":
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, f"no start: {self.ended()}"
        told = json.loads(line)
        self.addresses, self.pids = told["addresses"], told["pids"]
        return self

    def ended(self, seconds: float = 20.0) -> tuple[int, str]:
        """Exit status and standard error of a process that ends by itself."""
        assert self.popen.stderr is not None
        self.popen.wait(seconds)  # its standard input stays open: the end of that would end it too
        return self.popen.returncode, self.popen.stderr.read()

    def stop(self) -> tuple[int, str]:
        self.popen.terminate()
        return self.ended(8.0)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.communicate()

    @property
    def secrets(self) -> dict[str, Any]:
        return dict(json.loads((self.data / "secrets.json").read_text()))

    def pid(self, name: str) -> int:
        return int(json.loads((self.data / "run" / f"{name}.pid").read_text())["pid"])

    def sql(self, statement: str, password: str | None = None) -> Any:
        connection = psycopg2.connect(
            host=self.addresses["postgres_host"],
            port=self.addresses["postgres_port"],
            dbname=self.addresses["postgres_database"],
            user=self.addresses["postgres_superuser"],
            password=password or self.secrets["postgres_password"],
            connect_timeout=5,
        )
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def redis(self, url: str | None = None) -> redis.Redis:
        return redis.Redis.from_url(url or self.addresses["redis_url"], socket_timeout=5)

    def s3(self, secret: str | None = None) -> Minio:
        return Minio(
            self.addresses["s3_endpoint"].removeprefix("http://"),
            self.addresses["s3_access_key"],
            secret or self.addresses["s3_secret_key"],
            secure=False,
            region=self.addresses["s3_region"],
        )

    def jetstream(self, work: Callable[[Any], Any], url: str | None = None) -> Any:
        async def run() -> Any:
            client = await nats.connect(
                url or self.addresses["nats_url"], allow_reconnect=False, connect_timeout=5
            )
            try:
                return await work(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())

    def fill(self) -> None:
        """Put something into every engine."""
        self.sql("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('postgres')")
        assert self.redis().set("kept", "valkey")
        self.s3().make_bucket("kept")
        self.s3().put_object("kept", "word", BytesIO(b"seaweedfs" * 1_000_000), 9_000_000)

        async def work(stream: Any) -> None:
            await stream.add_stream(name="kept", subjects=["kept"])
            await stream.publish("kept", b"nats")

        self.jetstream(work)

    def check(self) -> None:
        """Find it again."""
        assert self.sql("SELECT word FROM kept") == [("postgres",)]
        assert self.redis().get("kept") == b"valkey"
        answer = self.s3().get_object("kept", "word")
        assert answer.read() == b"seaweedfs" * 1_000_000
        answer.close()

        async def work(stream: Any) -> bytes:
            return bytes((await stream.get_last_msg("kept", "kept")).data)

        assert self.jetstream(work) == b"nats"
