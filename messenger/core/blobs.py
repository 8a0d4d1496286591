"""Blobs in any S3 (MinIO, SeaweedFS, a cloud's): the only module that knows minio.

The SDK makes the bucket (in threads, since it blocks) and signs: every other request is a URL that the SDK
has presigned (AWS Signature Version 4, query form) and that Twisted's Agent carries out, so that bodies
stream through with back-pressure and nothing is ever held whole. Signing asks nobody, as the region is given:
it is a fraction of a millisecond of computation and needs no thread. Presigned URLs are secrets: they are
never logged, nor are keys.

A body of known length is one PUT, which S3 makes visible whole or not at all. One of unknown length goes up
as a multipart upload in parts of `PART` bytes (S3 wants 5 MiB or more of all but the last) that are gathered
in memory first; at most `PART_BUFFERS` such parts are held in a process, and who finds no room waits, without
reading from its client.

S3 away, out of order or silent (see core/streams.py) is Problem `unavailable` with Retry-After. Requests
without a body that change nothing twice are tried once more when a kept connection turns out to be dead.
"""

# mypy: allow-untyped-calls

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, unescape

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.logger import Logger
from twisted.web._newclient import RequestNotSent
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    _HTTP11ClientFactory,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from messenger.core.config import require
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.settings import S3
from messenger.core.streams import Pieces, Receiving, Sending, StreamBroken
from messenger.core.threads import Threads
from messenger.core.waits import pause, within
from messenger.wire.errors import Problem, unavailable

PART = 5 << 20
PART_BUFFERS = 2
PART_WAITERS = 64
PART_WAIT_SECONDS = 30.0
PART_FILL_SECONDS = 15.0  # how long one may take over a part while others wait
PIECE = 1 << 16
SINGLE_PUT = 5 << 30  # S3's bound on one PUT
ANSWER_SECONDS = 10.0
COMPLETE_SECONDS = 60.0
CONNECT_SECONDS = 3.0
KEPT_CONNECTIONS = 16
KEPT_SECONDS = 15
SIGNED_FOR = timedelta(minutes=15)
ERROR_BYTES = 65_536

_REFUSALS = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_OWNED = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_AWAY = (
    RequestNotSent,
    ConnectError,
    ConnectTimeout,
    ConnectionClosed,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
    StreamBroken,
    TimeoutError,
)
_UPLOAD_ID = re.compile(rb"<UploadId>([^<]{1,2048})</UploadId>")
_ERROR_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")

log = Logger()


class Blobs:
    """The blobs of one bucket. `threads` are for the SDK's blocking calls.

    Keys are up to 1,024 of `A-Za-z0-9/-`. Raises StartError where the endpoint's form is wrong.
    """

    def __init__(self, reactor: Any, settings: S3, threads: Threads) -> None:
        self._reactor = reactor
        self._settings = settings
        self._threads = threads
        self._pool = _Pool(reactor, persistent=True)
        self._pool.retryAutomatically = False
        self._pool.maxPersistentPerHost = KEPT_CONNECTIONS
        self._pool.cachedConnectionTimeout = KEPT_SECONDS
        self._agent = Agent(reactor, connectTimeout=CONNECT_SECONDS, pool=self._pool)
        self._buffers = DeferredSemaphore(PART_BUFFERS)
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
        await self._pool.closeCachedConnections()

    async def check(self) -> None:
        """Raise unless S3 answers and takes our signature."""
        await self.size("ready")

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
        it. What `chunks` raise comes through; then, and after any other failure, the caller calls `remove`.
        """
        if length is not None and length <= SINGLE_PUT:
            await self._send("PUT", key, chunks, length)
            return
        async with _Buffer(self._reactor, self._buffers) as buffer:
            await buffer.fill(chunks)
            if buffer.ended:
                await self._send("PUT", key, Pieces(buffer.pieces), buffer.size)
                return
            upload_id = await self.begin_parts(key)
            await begun(upload_id)
            etags: list[str] = []
            while buffer.size:
                part = Pieces(buffer.pieces)
                etags.append(await self.put_part(key, upload_id, len(etags) + 1, part, buffer.size))
                buffer.release()
                if not buffer.ended:
                    await buffer.fill(chunks)
        await self.complete_parts(key, upload_id, etags)

    async def get(self, key: str, start: int, length: int) -> Receiving | None:
        """`length` (at least 1) bytes of the blob from `start` on; None where there is no such blob.

        Whoever gets it takes it or closes it.
        """
        headers = {"Range": f"bytes={start}-{start + length - 1}"}
        response = await self._ask("GET", key, headers=headers)
        body = Receiving(self._reactor, response)
        if response.code == 404:
            await self._read(body)
            return None
        if response.code == 206 and response.length == length:
            return body
        if response.code == 200 and response.length == length and start == 0:
            return body
        raise await self._refusal(response, body)

    async def size(self, key: str) -> int | None:
        """The blob's size in bytes, None where there is none."""
        response = await self._ask("HEAD", key)
        if response.code == 404:
            return None
        if response.code != 200:
            raise await self._refusal(response, Receiving(self._reactor, response))
        found = response.headers.getRawHeaders("Content-Length", ["0"])
        return int(found[0])

    async def remove(self, key: str, upload_id: str | None = None) -> None:
        """Delete the blob, and what a multipart upload towards it has left; nothing there is fine."""
        if upload_id is not None:
            await self._settle(await self._ask("DELETE", key, {"uploadId": upload_id}), 404)
        await self._settle(await self._ask("DELETE", key), 404)

    # multipart uploads (S3's API reference: CreateMultipartUpload, UploadPart, CompleteMultipartUpload)

    async def begin_parts(self, key: str) -> str:
        """The id of a new multipart upload. The blob appears when its parts are completed."""
        response = await self._ask("POST", key, {"uploads": ""})
        body = Receiving(self._reactor, response)
        if response.code != 200:
            raise await self._refusal(response, body)
        match = _UPLOAD_ID.search(await self._read(body))
        if match is None:
            raise _away("S3 gave no upload id")
        return unescape(match[1].decode("utf-8", "replace"))

    async def put_part(
        self, key: str, upload_id: str, number: int, chunks: AsyncIterator[bytes], length: int
    ) -> str:
        """Store part `number` (from 1 on), of `length` bytes; gives its ETag."""
        query = {"partNumber": str(number), "uploadId": upload_id}
        response = await self._send("PUT", key, chunks, length, query)
        etags = response.headers.getRawHeaders("ETag")
        if not etags:
            raise _away("S3 gave no ETag for a part")
        return str(etags[0])

    async def complete_parts(self, key: str, upload_id: str, etags: Sequence[str]) -> None:
        """Make the blob of its parts, whose ETags are in order."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, etag in enumerate(etags, 1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        sending = _Upload(self._reactor, Pieces([document]), len(document))
        response = await self._request("POST", key, {"uploadId": upload_id}, body=sending)
        sending.stop()
        body = Receiving(self._reactor, response)
        if response.code != 200:
            raise await self._refusal(response, body)
        # S3 may answer 200 first and find an error later: the body has the truth.
        raw = await self._read(body)
        if b"<CompleteMultipartUploadResult" not in raw:
            raise _away(f"S3 did not complete an upload: {_code_in(raw)}")

    # requests

    async def _send(
        self,
        method: str,
        key: str,
        chunks: AsyncIterator[bytes],
        length: int,
        query: dict[str, str] | None = None,
    ) -> IResponse:
        sending = _Upload(self._reactor, chunks, length)
        try:
            response = await self._request(method, key, query, body=sending)
        finally:
            sending.stop()
        await self._settle(response)
        return response

    async def _ask(
        self,
        method: str,
        key: str,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> IResponse:
        """A request without a body."""
        try:
            return await self._request(method, key, query, headers)
        except _StaleConnection:
            if method == "POST":
                raise
            return await self._request(method, key, query, headers)

    async def _request(
        self,
        method: str,
        key: str,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: "_Upload | None" = None,
    ) -> IResponse:
        url = self._sdk.get_presigned_url(
            method, self._settings.bucket, key, expires=SIGNED_FOR, extra_query_params=dict(query or {})
        )
        raw_headers = Headers({name: [value] for name, value in (headers or {}).items()})
        request = self._agent.request(method.encode("ascii"), url.encode("ascii"), raw_headers, body)
        try:
            if body is None:
                return await within(self._reactor, ANSWER_SECONDS, request)
            body.request = request
            return await request
        except RequestGenerationFailed:
            if body is not None and body.error is not None:
                raise body.error from None
            raise _away("S3 does not take data") from None
        except (RequestTransmissionFailed, ResponseFailed) as error:
            if any(why.check(CancelledError) for why in error.reasons):
                raise _away("S3 does not answer") from None
            raise _StaleConnection(type(error).__name__) from None
        except _AWAY as error:
            raise _away(type(error).__name__) from None
        except CancelledError:
            if body is not None and body.is_stalled:
                raise _away("S3 has fallen silent") from None
            raise

    async def _read(self, body: Receiving) -> bytes:
        try:
            return await within(self._reactor, COMPLETE_SECONDS, body.read(ERROR_BYTES))
        except _AWAY as error:
            raise _away(type(error).__name__) from None

    async def _settle(self, response: IResponse, *fine: int) -> None:
        body = Receiving(self._reactor, response)
        if response.code // 100 != 2 and response.code not in fine:
            raise await self._refusal(response, body)
        await self._read(body)

    async def _refusal(self, response: IResponse, body: Receiving) -> Problem:
        raw = await self._read(body)
        return _away(f"S3 answered {response.code} {_code_in(raw)}")


class _QuietFactory(_HTTP11ClientFactory):
    noisy = False  # no two log lines for each connection


class _Pool(HTTPConnectionPool):
    _factory = _QuietFactory


class _StaleConnection(Problem):
    """A connection ended before the answer came."""

    def __init__(self, reason: str) -> None:
        problem = _away(reason)
        super().__init__(problem.code, problem.detail, retry_after=problem.retry_after)


class _Upload(Sending):
    """A body that cuts its own request when S3 does not take it."""

    def __init__(self, reactor: Any, chunks: AsyncIterator[bytes], length: int) -> None:
        super().__init__(reactor, chunks, length, self._stall)
        self.request: Deferred[IResponse] | None = None
        self.is_stalled = False

    def _stall(self) -> None:
        self.is_stalled = True
        if self.request is not None:
            self.request.cancel()


class _Buffer:
    """One part on its way from a client to S3; has a place among the process's buffers while it has bytes."""

    def __init__(self, reactor: Any, places: DeferredSemaphore) -> None:
        self._reactor = reactor
        self._places = places
        self._held_since: float | None = None
        self.pieces: list[bytearray] = []
        self.size = 0
        self.ended = False

    async def __aenter__(self) -> "_Buffer":
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.release()

    async def fill(self, chunks: AsyncIterator[bytes]) -> None:
        """Take chunks until there are PART bytes or there are no more."""
        async for chunk in chunks:
            if self._held_since is None:
                await self._acquire()
            elif self._places.waiting and self._reactor.seconds() - self._held_since > PART_FILL_SECONDS:
                raise unavailable("This upload is slow and others are waiting.", retry_after=30)
            # Neither one large array, which is copied as it grows, nor as many objects as a client likes.
            if not self.pieces or len(self.pieces[-1]) >= PIECE:
                self.pieces.append(bytearray())
            self.pieces[-1] += chunk
            self.size += len(chunk)
            if self.size >= PART:
                return
        self.ended = True

    async def _acquire(self) -> None:
        busy = unavailable("Too many uploads of unknown length are under way.", retry_after=5)
        if len(self._places.waiting) >= PART_WAITERS:
            raise busy
        try:
            await within(self._reactor, PART_WAIT_SECONDS, self._places.acquire())
        except TimeoutError:
            raise busy from None
        self._held_since = self._reactor.seconds()

    def release(self) -> None:
        """The part is stored, or not wanted any more."""
        self.pieces = []
        self.size = 0
        if self._held_since is not None:
            self._held_since = None
            self._places.release()


def _away(reason: str) -> Problem:
    log.warn("blobs: {reason}", reason=reason)
    return unavailable("The blob store is not available.", retry_after=5)


def _code_in(raw: bytes) -> str:
    match = _ERROR_CODE.search(raw)
    return match[1].decode("ascii") if match else ""
