"""NATS, S3 and Redis: each is used once as the services use it."""

from collections.abc import Awaitable, Callable
from secrets import token_bytes, token_hex
from typing import Any

from msgspec.structs import replace

from messenger.admin.doctor.findings import Findings
from messenger.admin.doctor.redundancy import look_at_nats
from messenger.core.blobs import Blobs
from messenger.core.bus.connection import MAX_PAYLOAD, Bus, BusAway
from messenger.core.cache import Cache
from messenger.core.lifecycle import StartError
from messenger.core.limits.stores import CacheAway
from messenger.core.room import DISK, DiskFull
from messenger.core.s3_requests import StoresNothing
from messenger.core.settings import Settings
from messenger.core.streams import Pieces
from messenger.core.threads import Threads
from messenger.wire.errors import Problem

WAIT_SECONDS = 3.0
PROBE_BYTES = 4_096
NATS_HEADERS = 4_096  # bytes


async def look_at_engines(reactor: Any, settings: Settings, findings: Findings) -> None:
    """All three."""
    await _nats(reactor, settings, findings)
    await _s3(reactor, settings, findings)
    await _redis(reactor, settings, findings)


async def _nats(reactor: Any, settings: Settings, findings: Findings) -> None:
    bus = Bus(reactor, replace(settings.nats, wait=WAIT_SECONDS), "messenger-doctor")
    try:
        await bus.start()
    except StartError as error:
        findings.bad(
            "NATS", str(error), "is it up, with `-js` for JetStream, and are url, user and password right?"
        )
        return
    try:
        server = await bus.describe()
        if not await bus.stores():
            findings.bad(
                "NATS stores nothing",
                "its streams take no events. Its disk is full, most likely, or was: messages go on, slower",
                "make room there, or make it larger; a running message service puts the streams right then",
            )
            return
    except BusAway as error:
        findings.bad("NATS", f"does not answer ({error})", "is JetStream on (`-js`), with room on its disk?")
        return
    finally:
        await bus.stop()
    look_at_nats(settings, findings)
    findings.ok("NATS", f"is version {server.version}, JetStream has its streams")
    findings.judge(
        server.max_payload >= MAX_PAYLOAD + NATS_HEADERS,
        "NATS max_payload",
        f"is {server.max_payload} bytes",
        f"at least {MAX_PAYLOAD + NATS_HEADERS} are needed: 1 MiB is its default",
    )


async def _s3(reactor: Any, settings: Settings, findings: Findings) -> None:
    threads = Threads(reactor, "s3", 1, 8)
    await threads.start()
    try:
        blobs = Blobs(reactor, replace(settings.s3, wait=WAIT_SECONDS), threads)
        try:
            await blobs.start()
            await _probe(blobs, findings)
        finally:
            await blobs.stop()
    except StartError as error:
        findings.bad("S3", str(error), "files can't be stored")
    finally:
        await threads.stop()


async def _probe(blobs: Blobs, findings: Findings) -> None:
    """Put, read, list and delete a blob of a few bytes."""
    key, content = f"doctor-{token_hex(8)}", token_bytes(PROBE_BYTES)

    async def put() -> None:
        await blobs.put(key, Pieces([content]), len(content), _no_parts)

    async def get() -> None:
        chunks = await blobs.chunks(key, 0, len(content))
        if chunks is None or b"".join([chunk async for chunk in chunks]) != content:
            raise _Other("what came back was not what was put")

    async def listed() -> None:
        if all(stored.key != key for stored in await blobs.listed(key[:-1])):
            raise _Other("it is not in the listing")

    async def delete() -> None:
        await blobs.remove(key)
        if await blobs.size(key) is not None:
            raise _Other("it was still there")

    steps: dict[str, Callable[[], Awaitable[None]]] = {
        "put": put,
        "get": get,
        "list": listed,
        "delete": delete,
    }
    for name, step in steps.items():
        try:
            await step()
        except (Problem, _Other) as error:
            if isinstance(error, DiskFull | StoresNothing):
                sure = isinstance(error, DiskFull) and error.state == DISK
                findings.bad(
                    "S3's disk is full" if sure else "S3's disk is full, or it fails otherwise",
                    f"{name} failed ({error.detail})",
                    "make room there, or make it larger; its own log knows why it stores nothing",
                )
                return
            reason = error.detail if isinstance(error, Problem) else str(error)
            advice = "the key pair needs the rights to put, get, list and delete objects of the bucket"
            findings.bad(f"S3 {name}", f"failed ({reason})", advice)
            return
    findings.ok("S3", "a blob was put, read, listed and deleted")


class _Other(Exception):
    """S3 answered well and did something else."""


async def _no_parts(_upload_id: str) -> None:
    """A blob of known size has no parts."""


async def _redis(reactor: Any, settings: Settings, findings: Findings) -> None:
    if not settings.redis.url:
        findings.ok("Redis", "none is set: each process counts limits for itself")
        return
    try:
        cache = Cache(reactor, settings.redis)
        await cache.start()
    except StartError as error:
        findings.bad("Redis", str(error), "put [redis] right, or leave it out")
        return
    try:
        found = await cache.describe()
    except CacheAway:
        findings.bad(
            "Redis",
            "does not answer",
            "is it up, and are url and password right? Until then each process counts limits for itself",
        )
        return
    finally:
        await cache.stop()
    findings.ok("Redis", f"is version {found.version}")
    if found.max_memory == 0:
        findings.warn("Redis maxmemory", "is not set", "set one, with `maxmemory-policy volatile-ttl`")
    elif found.policy != "volatile-ttl":
        findings.warn(
            "Redis maxmemory-policy", f"is {found.policy}", "`volatile-ttl` forgets what ends soonest"
        )
    if not found.persistent:
        findings.warn("Redis appendonly", "is off", "a restart forgets limits: set `appendonly yes`")
