"""Requests passed to a service and answers passed back, as streams, with back-pressure both ways.

Nothing is kept: a body goes on as it comes, and either side stops the other when it can't follow. A client
that leaves ends the upstream's request with its connection. A request is sent once, and again only where the
upstream surely saw nothing of it, or where a kept connection had died and the method is safe (RFC 9110
section 9.2.1) and has no body: so a claim of prekeys is never repeated by anybody but its client.

Failures before the answer's head become problems: 502 `bad_gateway` for an upstream that can't be reached or
answers in no HTTP, 504 `gateway_timeout` for one that is too slow, 503 `unavailable` for one with too many
requests. After the head the connection is cut, which is all that HTTP/1.1 offers.
"""

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from messenger.core.http.answers import INTERNAL
from messenger.core.http.request import Request
from messenger.gateway.connection import Connection, Exchange, UpstreamError, Why
from messenger.gateway.forwarding import answer_headers, length_of, request_head
from messenger.gateway.response import Head
from messenger.gateway.upstream import Upstream
from messenger.wire.errors import Code, Problem

_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_FLOWING_BYTES = 65_536  # answers beyond this are paused by a slow client

log = Logger(namespace="messenger.gateway")


def problem_of(error: UpstreamError) -> Problem:
    """Give the problem that a client is told where an upstream did not answer."""
    if error.why is Why.slow:
        return Problem(Code.gateway_timeout)
    if error.why is Why.busy:
        return Problem(Code.unavailable, retry_after=1)
    return Problem(Code.bad_gateway)


class Passage(Exchange):
    """One request on its way to a service, and the answer on its way back."""

    def __init__(self, upstream: Upstream, request: Request) -> None:
        self._upstream = upstream
        self._request = request
        self._connection: Connection | None = None
        self._retried = False
        self._body_sent = False
        self._flowing = False

    upgrade = False

    def start(self) -> None:
        """Send the request; the rest happens by itself."""
        self._request.on_lost(self._client_left)
        Deferred.fromCoroutine(self._send(fresh=False)).addErrback(self._unexpected)

    async def _send(self, *, fresh: bool) -> None:
        request = self._request
        try:
            connection = await self._connect(fresh)
        except UpstreamError as error:
            self._refuse(error)
            return
        if request.left:
            self._upstream.release(connection)
            return
        self._connection = connection
        connection.send(request.method, request_head(request, upgrade=self.upgrade), self)
        waits = request.expects_continue and not request.body.received
        if request.body.length != 0 and not waits:
            self.proceed()

    async def _connect(self, fresh: bool) -> Connection:
        return await self._upstream.connection(fresh=fresh)

    def _unexpected(self, failure: Failure) -> None:
        log.failure("a request to {upstream} failed", failure, upstream=self._upstream.name)
        if self._connection is not None:
            self._connection.abort()
        self._request.refuse(INTERNAL)

    def _client_left(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave()

    # What the connection calls.

    def proceed(self) -> None:
        if not self._body_sent and self._connection is not None and not self._request.left:
            self._body_sent = True
            self._connection.send_body(self._request.body)

    def head(self, head: Head) -> None:
        request = self._request
        headers, caches = answer_headers(head)
        length = length_of(head, headless=request.method == b"HEAD")
        request.start(head.status, headers, length, caches=caches)
        if not request.left and (head.length is None or head.length > _FLOWING_BYTES):
            self._flowing = True
            request.registerProducer(self, True)  # type: ignore[no-untyped-call]

    def data(self, data: bytes) -> None:
        self._request.write(data)

    def end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.done()
        self._request.finish()

    def switched(self, head: Head, rest: bytes) -> None:
        del head, rest
        self._give_up(UpstreamError(Why.broken, "an upgrade that nobody asked for"))

    def failed(self, error: UpstreamError) -> None:
        self._connection = None
        request = self._request
        if (
            error.stale
            and not self._retried
            and not request.left
            and request.method in _SAFE
            and request.body.length == 0
        ):
            self._retried = True
            Deferred.fromCoroutine(self._send(fresh=True)).addErrback(self._unexpected)
            return
        self._refuse(error)

    def body_failed(self, failure: Failure) -> None:
        self._connection = None
        if isinstance(failure.value, Problem):
            self._request.refuse(failure.value)
        else:
            self._request.cut()

    def _give_up(self, error: UpstreamError) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        self._refuse(error)

    def _refuse(self, error: UpstreamError) -> None:
        request = self._request
        if request.left:
            return
        log.warn(
            "{upstream} did not answer: {why}",
            event="upstream_failed",
            upstream=self._upstream.name,
            why=error.why.value,
            detail=str(error),
            request_id=request.request_id,
            trace_id=request.trace.trace_id,
            route=request.route,
        )
        request.refuse(problem_of(error))

    # What the client's transport calls, as its buffer fills and empties.

    def pauseProducing(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def resumeProducing(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    def stopProducing(self) -> None:
        self._client_left()
