"""Blobs in any S3 (MinIO, SeaweedFS, a cloud's): the only module that knows minio.

The SDK makes the bucket (in threads, since it blocks) and signs: every other request is a URL that the SDK
has presigned (AWS Signature Version 4, query form) and that Twisted's Agent carries out (s3_requests.py), so
that bodies stream through with back-pressure and nothing is ever held whole. Signing asks nobody, as the
region is given: it is 40 microseconds of computation and needs no thread.

A body of known length is one PUT, which S3 makes visible whole or not at all. One of unknown length goes up
as a multipart upload (multipart.py) in parts of 5 MiB (S3 wants that much of all but the last) that are
gathered in memory first (part_buffers.py).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from secrets import token_hex
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import urllib3
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from messenger.core.chunks import Chunks
from messenger.core.config import require
from messenger.core.lean import without
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.multipart import Multipart
from messenger.core.part_buffers import PART_BUFFERS, PartBuffer
from messenger.core.room import Floor, Room
from messenger.core.s3_requests import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    S3Requests,
    StoresNothing,
    away,
)
from messenger.core.settings import S3
from messenger.core.streams import Pieces, Receiving
from messenger.core.threads import Threads
from messenger.core.turns import Turns
from messenger.core.waits import pause
from messenger.wire.errors import Problem

with without("minio.minioadmin", MinioAdmin=None):  # for MinIO's administrators; 2 MB of cryptography
    from minio import Minio
    from minio.error import MinioException, S3Error

SINGLE_PUT = 5 << 30  # S3's bound on one PUT
SIGNED_FOR = timedelta(minutes=15)
LISTED = 1_000  # what S3 lists at a time
PROBE_BYTES = 65_536

_REFUSALS = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_OWNED = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})

log = Logger()


class Stored(NamedTuple):
    """A blob as a listing shows it; the size in bytes."""

    key: str
    size: int
    modified: datetime


class Blobs:
    """The blobs of one bucket. `threads` are for the SDK's blocking calls.

    Keys are up to 1,024 of `A-Za-z0-9/-`. `floor` is that of S3's disk, where that is this machine's. Raises
    StartError where the endpoint's form is wrong.
    """

    def __init__(self, reactor: Any, settings: S3, threads: Threads, floor: Floor | None = None) -> None:
        self._reactor = reactor
        self._settings = settings
        self._threads = threads
        self.room = Room(reactor.seconds, "S3", floor)
        self._requests = S3Requests(reactor, self._sign, self.room, self._doubt)
        self.multipart = Multipart(self._requests, self.room)
        self._trying = False
        self._buffers = Turns(reactor, PART_BUFFERS)
        self._sdk = self._make_sdk()

    def _make_sdk(self) -> Minio:
        settings = self._settings
        parts = urlsplit(settings.endpoint)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
            raise StartError(
                f"[s3] endpoint {settings.endpoint!r} is not of the form http://HOST:PORT", EX_CONFIG
            )
        http = urllib3.PoolManager(
            maxsize=1, retries=False, timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
        )
        try:
            return Minio(
                parts.netloc,
                access_key=require(settings.access_key, "s3", "access_key"),
                secret_key=require(settings.secret_key, "s3", "secret_key"),
                secure=parts.scheme == "https",
                region=settings.region,
                http_client=http,
            )
        except ValueError as error:
            raise StartError(f"[s3] endpoint {settings.endpoint!r}: {error}", EX_CONFIG) from None

    def _sign(self, method: str, key: str, query: Mapping[str, str]) -> str:
        return self._sdk.get_presigned_url(
            method, self._settings.bucket, key, expires=SIGNED_FOR, extra_query_params=dict(query)
        )

    # start and stop

    async def start(self) -> None:
        """Make the bucket unless it is there; StartError when S3 says no, or nothing for `wait` seconds."""
        deadline = self._reactor.seconds() + self._settings.wait
        where = f"S3 at {self._settings.endpoint}"
        while True:
            try:
                await self._threads.run(self._make_bucket)
                return
            except S3Error as error:
                if error.code in _REFUSALS:
                    raise StartError(
                        f"{where} refuses: {error.code}; see [s3] access_key and secret_key"
                    ) from None
                reason = str(error.code)
            except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                reason = type(error).__name__
            if self._reactor.seconds() >= deadline:
                raise StartError(f"{where} does not answer properly: {reason}; see [s3] endpoint")
            await pause(self._reactor, 0.5)

    def _make_bucket(self) -> None:
        if self._sdk.bucket_exists(self._settings.bucket):
            return
        try:
            self._sdk.make_bucket(self._settings.bucket)
        except S3Error as error:
            if error.code not in _OWNED:  # another instance was faster
                raise

    async def stop(self) -> None:
        await self._requests.close()

    async def check(self) -> None:
        """Raise unless S3 answers and takes our signature; DiskFull while it has no room."""
        await self.size("ready")
        if self.room.due and not self._trying:
            await self._try_room()
        if self.room.full:
            raise self.room.problem()

    def _doubt(self) -> None:
        if not self._trying:
            ensureDeferred(self._try_room())

    async def _try_room(self) -> None:
        """Store something and remove it, to see whether there is room."""
        key = f"room-{token_hex(8)}"
        self._trying = True
        try:
            await self.put(key, Pieces([bytes(PROBE_BYTES)]), PROBE_BYTES, _no_parts)
            self.room.found()
            await self.remove(key)
        except StoresNothing as problem:
            self.room.lost(problem.reason, sure=False)
        except Problem as problem:
            log.debug("it could not be found out whether S3 has room again: {detail}", detail=problem.detail)
        except Exception:
            log.failure("it could not be found out whether S3 has room again; that is tried again")
        finally:
            self._trying = False

    # whole blobs

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        length: int | None,
        begun: Callable[[str], Awaitable[None]],
    ) -> None:
        """Store what `chunks` give, which is exactly `length` bytes unless that is None.

        `begun` is awaited with the id of a multipart upload before its first part, for `remove` to know of
        it. What `chunks` raise comes through; then, and after any other failure (Problem `DiskFull` where S3
        has no room), the caller calls `remove`.
        """
        self.room.check()
        if length is not None and length <= SINGLE_PUT:
            await self._requests.settle(await self._requests.send("PUT", key, chunks, length), storing=True)
            return
        async with PartBuffer(self._reactor, self._buffers) as buffer:
            await buffer.fill(chunks)
            if buffer.ended:
                whole = Pieces(buffer.pieces)
                sent = await self._requests.send("PUT", key, whole, buffer.size)
                await self._requests.settle(sent, storing=True)
                return
            upload_id = await self.multipart.begin(key)
            await begun(upload_id)
            etags: list[str] = []
            while buffer.size:
                part = Pieces(buffer.pieces)
                etags.append(await self.multipart.put(key, upload_id, len(etags) + 1, part, buffer.size))
                buffer.release()
                if not buffer.ended:
                    await buffer.fill(chunks)
        await self.multipart.complete(key, upload_id, etags)

    async def get(self, key: str, start: int, length: int) -> Receiving | None:
        """`length` (at least 1) bytes of the blob from `start` on; None where there is no such blob.

        Whoever gets it takes it or closes it.
        """
        headers = {"Range": f"bytes={start}-{start + length - 1}"}
        response = await self._requests.ask("GET", key, headers=headers)
        body = self._requests.body(response)
        if response.code == 404:
            await self._requests.read(body)
            return None
        if response.code == 206 and response.length == length:
            return body
        if response.code == 200 and response.length == length and start == 0:
            return body
        raise await self._requests.refusal(response, body)

    async def chunks(self, key: str, start: int, length: int) -> Chunks | None:
        """As `get`, to be taken chunk by chunk; what S3 breaks off is Problem `unavailable`."""
        body = await self.get(key, start, length)
        return None if body is None else Chunks(body, lambda: away("a blob broke off"))

    async def size(self, key: str) -> int | None:
        """The blob's size in bytes, None where there is none."""
        response = await self._requests.ask("HEAD", key)
        if response.code == 404:
            return None
        if response.code != 200:
            raise await self._requests.refusal(response, self._requests.body(response))
        # As bytes: what is no UTF-8 can't be had as text.
        (found, *_) = response.headers.getRawHeaders(b"Content-Length", [b""])
        if not (found.isdigit() and len(found) < 20):
            raise away("S3 told no length")
        return int(found)

    async def remove(self, key: str, upload_id: str | None = None) -> None:
        """Delete the blob, and what a multipart upload towards it has left; nothing there is fine."""
        if upload_id is not None:
            await self._requests.settle(await self._requests.ask("DELETE", key, {"uploadId": upload_id}), 404)
        await self._requests.settle(await self._requests.ask("DELETE", key), 404)

    async def listed(self, after: str) -> list[Stored]:
        """The first LISTED blobs with keys beyond `after`, by rising key; none at the end."""
        try:
            return await self._threads.run(self._list, after)
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise away(type(error).__name__) from None

    def _list(self, after: str) -> list[Stored]:
        found = self._sdk.list_objects(self._settings.bucket, recursive=True, start_after=after or None)
        return [Stored(one.object_name, one.size, one.last_modified) for one in islice(found, LISTED)]


async def _no_parts(_upload_id: str) -> None:
    """A blob of known length has no parts."""
