"""Requests to S3 by presigned URLs, and what becomes of them: answers, or Problem `unavailable`.

S3 away, out of order or silent (see core/streams.py) is `unavailable` with Retry-After, and one line in the
log that bears neither URL nor key: presigned URLs are secrets. Requests without a body that change nothing
twice are tried once more when a kept connection turns out to be dead.
"""

# mypy: allow-untyped-calls

import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web._newclient import HTTP11ClientProtocol, RequestNotSent
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

from messenger.core.http.writing import flow_in_pieces
from messenger.core.room import Room
from messenger.core.streams import Receiving, Sending, StreamBroken
from messenger.core.waits import within
from messenger.wire.errors import Problem, unavailable

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
READ_SECONDS = 60.0  # for the body of an answer that is not a blob
KEPT_CONNECTIONS = 16
KEPT_SECONDS = 15
ERROR_BYTES = 65_536
INSUFFICIENT_STORAGE = 507

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
_FULL = frozenset({"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded"})
_ERROR_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")

log = Logger()

Sign = Callable[[str, str, Mapping[str, str]], str]


class S3Requests:
    """Requests for keys of one bucket. `sign(method, key, query)` gives the URL for one; `room` hears where
    S3 has none, and `doubt` is called where S3 did not store something and does not say why."""

    def __init__(self, reactor: Any, sign: Sign, room: Room, doubt: Callable[[], object]) -> None:
        self._reactor = reactor
        self._doubt = doubt
        self._sign = sign
        self.room = room
        self._pool = _Pool(reactor, persistent=True)
        self._pool.retryAutomatically = False
        self._pool.maxPersistentPerHost = KEPT_CONNECTIONS
        self._pool.cachedConnectionTimeout = KEPT_SECONDS
        self.agent: Any = Agent(reactor, connectTimeout=CONNECT_SECONDS, pool=self._pool)

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._pool.closeCachedConnections()

    async def send(
        self,
        method: str,
        key: str,
        chunks: AsyncIterator[bytes],
        length: int,
        query: Mapping[str, str] | None = None,
    ) -> IResponse:
        """A request with a body of `length` bytes; what `chunks` raise comes through. The answer's body has
        to be read, by `read` or `settle`."""
        sending = _Upload(self._reactor, chunks, length)
        try:
            return await self._request(method, key, query, body=sending)
        finally:
            sending.stop()

    async def ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> IResponse:
        """A request without a body, within ANSWER_SECONDS. The answer's body has to be taken or closed."""
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
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: "_Upload | None" = None,
    ) -> IResponse:
        url = self._sign(method, key, query or {})
        raw_headers = Headers({name: [value] for name, value in (headers or {}).items()})
        request = self.agent.request(method.encode("ascii"), url.encode("ascii"), raw_headers, body)
        request.addErrback(_as_cancelled)
        try:
            if body is None:
                answer: IResponse = await within(self._reactor, ANSWER_SECONDS, request)
                return answer
            body.request = request
            answer = await request
            return answer
        except RequestGenerationFailed:
            if body is not None and body.error is not None:
                raise body.error from None
            raise away("S3 does not take data") from None
        except (RequestTransmissionFailed, ResponseFailed) as error:
            if any(why.check(CancelledError) for why in error.reasons):
                raise away("S3 does not answer") from None
            raise _StaleConnection(type(error).__name__) from None
        except _AWAY as error:
            raise away(type(error).__name__) from None
        except CancelledError:
            if body is not None and body.is_stalled:
                raise away("S3 has fallen silent") from None
            raise

    def body(self, response: IResponse) -> Receiving:
        """The answer's body, to be taken or closed."""
        return Receiving(self._reactor, response)

    async def read(self, body: Receiving) -> bytes:
        """A short body: its first ERROR_BYTES at most."""
        try:
            return await within(self._reactor, READ_SECONDS, body.read(ERROR_BYTES))
        except _AWAY as error:
            raise away(type(error).__name__) from None

    async def settle(self, response: IResponse, *fine: int, storing: bool = False) -> None:
        """Read an answer that says nothing but its status; Problem unless that is 2xx or one of `fine`.
        `storing`: what was asked for needs room."""
        body = self.body(response)
        if response.code // 100 != 2 and response.code not in fine:
            raise await self.refusal(response, body, storing=storing)
        await self.read(body)

    async def refusal(self, response: IResponse, body: Receiving, *, storing: bool = False) -> Problem:
        """The exception for an answer with an unwanted status."""
        raw = await self.read(body)
        code = code_in(raw)
        if response.code == INSUFFICIENT_STORAGE or code in _FULL:
            return self.room.lost(f"S3 answered {response.code} {code}")
        if storing and response.code == 500:
            # What SeaweedFS says without room, and what it says of a passing fault: `doubt` finds out.
            if self.room.full:
                return self.room.lost(f"S3 answered {response.code} {code}", sure=False)
            self._doubt()
            return StoresNothing(f"S3 answered {response.code} {code}")
        return away(f"S3 answered {response.code} {code}")


class _Connection(HTTP11ClientProtocol):
    def makeConnection(self, transport: Any) -> None:
        flow_in_pieces(transport)
        super().makeConnection(transport)

    def _giveUp(self, reason: Failure) -> None:
        # Where what comes is no HTTP and the request is still on its way, Twisted (26.10) forgets the request
        # without failing it: whoever waits would wait until the body ends, and the loss of the connection
        # raise AttributeError.
        finished, request, answer = self._finishedRequest, self._currentRequest, self._responseDeferred
        if self._state != "TRANSMITTING" or finished is None or request is None or answer is None:
            super()._giveUp(reason)
            return
        self._state = "GENERATION_FAILED"
        answer.addErrback(lambda _: None)
        super()._giveUp(reason)
        request.stopWriting()
        finished.errback(Failure(RequestTransmissionFailed([reason])))


class _QuietFactory(_HTTP11ClientFactory):
    noisy = False  # no two log lines for each connection

    def buildProtocol(self, addr: object) -> _Connection:
        return _Connection(self._quiescentCallback)


class _Pool(HTTPConnectionPool):
    _factory = _QuietFactory


class _Away(Problem):
    """A problem of `away`'s that can be told from others."""

    def __init__(self, reason: str) -> None:
        problem = away(reason)
        super().__init__(problem.code, problem.detail, retry_after=problem.retry_after)
        self.reason = reason


class _StaleConnection(_Away):
    """A connection ended before the answer came."""


class StoresNothing(_Away):
    """S3 did not store something, and does not say why."""


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


def _as_cancelled(why: Failure) -> Failure:
    """Have who is cancelled while we connect hear what who is cancelled later does."""
    return Failure(CancelledError()) if why.check(ConnectingCancelledError) else why


def away(reason: str) -> Problem:
    """S3 does not do its part: `reason`, without URL and key, goes to the log and not to the client."""
    log.warn("blobs: {reason}", reason=reason)
    return unavailable("The blob store is not available.", retry_after=5)


def code_in(raw: bytes) -> str:
    """The code in an error document of S3's; empty where there is none."""
    match = _ERROR_CODE.search(raw)
    return match[1].decode("ascii") if match else ""
