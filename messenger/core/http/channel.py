"""One HTTP/1.1 connection (RFC 9112): twisted.web's parser, made strict and given deadlines.

What Twisted lets through and this server does not is in strict.py, and folded header lines and absurd chunk
sizes. Each is answered with a problem document and the connection is closed, as is whatever Twisted refuses
by itself.

Deadlines: `header_seconds` for a request's head from its first byte on, or from the connection's beginning,
however slowly bytes drip; `idle_seconds` between requests; for a body `body_idle_seconds` between two reads
and an average of `BODY_RATE` bytes a second, not counting the time in which we don't read; `stall_seconds`
for a client that does not take its answer. The site sweeps over its connections once a second, so a deadline
costs a request nothing but an assignment.

A head or a body that comes in crumbs is read now and then, see `ReadPace`.

A connection is closed in two steps (RFC 9112 section 9.6): the answer goes out, what still comes is read and
thrown away for up to `LINGER_SECONDS`, then it is cut. Otherwise the reset that unread bytes provoke could
take the answer with it.
"""

# mypy: allow-untyped-calls
# What is overridden here is not annotated in Twisted.

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import ISSLTransport
from twisted.protocols.basic import LineReceiver
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers

from messenger.core.http.chunked import ChunkedDecoder
from messenger.core.http.request import request_id_of
from messenger.core.http.strict import Refusal, check_framing, check_head, closes, is_other_version
from messenger.core.read_pace import SECONDS, ReadPace
from messenger.wire.errors import Code, Problem

if TYPE_CHECKING:
    from messenger.core.http.request import Request
    from messenger.core.http.site import Site

LINGER_SECONDS = 2.0
FIRST_SECONDS = 1.0  # for the first byte on a connection that came just before the server stopped listening
BODY_RATE = 500
BODY_GRACE = 30.0

_BARE_LF = Refusal(400, "A line of the head ends in CR LF.")


class Channel(HTTPChannel):
    """See the module's docstring. Made by a `Site`."""

    MAX_LENGTH = 16384
    totalHeadersSize = 16384
    maxHeaders = 100
    timeOut = None

    site: "Site"
    requests: list["Request"]
    transport: Any
    _networkProducer: Any
    deadline: float | None = None
    taken_over = False
    counted_as: str | None = None

    _stalled_until: float | None = None
    _registered = True
    _refused = False
    _in_body = False
    _body_until = 0.0
    _paused_since: float | None = None
    _expired = False
    _head_begun = False
    _served = False
    _resting = False
    _line = b""

    # Time.

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.opened(self)
        self._pace = ReadPace()
        self.deadline = self.site.seconds() + self.site.header_seconds

    def overdue(self, now: float) -> bool:
        """Whether a deadline has passed."""
        return (self.deadline is not None and now >= self.deadline) or (
            self._stalled_until is not None and now >= self._stalled_until
        )

    def expire(self) -> None:
        """A deadline has passed: close the connection; cut it where closing would wait for the client."""
        transport = self.transport
        if transport is None:
            return
        if self._expired or self._stalled_until is not None:
            self.deadline = self._stalled_until = None
            transport.abortConnection()
            return
        self._expired = self._refused = True
        self.loseConnection()
        self.deadline = self.site.seconds() + LINGER_SECONDS

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return not self.requests

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_body:
            self._grant_body_time()
        elif not self._head_begun and not self._handlingRequest:
            self._head_begun = True
            self.deadline = self.site.seconds() + self.site.header_seconds
        LineReceiver.dataReceived(self, data)
        if self.line_mode and not self._busyReceiving and b"\n" in self._buffer:
            self.refuse(_BARE_LF)  # what waits there for CRLF has none: it would wait for ever
        unfinished = (self._in_body or self._head_begun) and not self._refused
        if unfinished and self._pace.too_fast(self.site.seconds(), len(data)) and not self._resting:
            self._resting = True
            self._networkProducer.pauseProducing()
            self.site.later(SECONDS, self._rested)

    def _rested(self) -> None:
        self._resting = False
        if not self._handlingRequest:  # else the answer's end reads on
            self._read_on()

    def _read_on(self) -> None:
        """Read, unless there is a reason not to."""
        held = self._resting or self._waitingForTransport or self._paused_since is not None
        if not held and self.transport is not None:
            self._networkProducer.resumeProducing()

    def _grant_body_time(self) -> None:
        content = self.requests[-1].body
        earned = self._body_until + content.received / BODY_RATE
        self.deadline = min(self.site.seconds() + self.site.body_idle_seconds, earned)

    # A request's head.

    def lineReceived(self, line: bytes) -> None:
        if self._refused:
            return
        if b"\n" in line:
            self.refuse(_BARE_LF)
            return
        if line[:1] in (b" ", b"\t"):
            self.refuse(Refusal(400, "A header line is folded, or has a space before its name."))
            return
        self._line = line
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        del line
        self.refuse(Refusal(431 if hasattr(self, "_command") else 414, "A line of the head is too long."))

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        try:
            check_framing(header, data, self._version)
        except Refusal as refusal:
            return self.refuse(refusal)
        if header == b"Transfer-Encoding" and self._transferDecoder is None:
            request = self.requests[-1]
            self.length = None
            self._transferDecoder = ChunkedDecoder(request.handleContentChunk, self._finishRequestBody)
            return True
        return bool(super()._maybeChooseTransferDecoder(header, data))

    def allHeadersReceived(self) -> None:
        if self._refused:
            return
        request = self.requests[-1]
        try:
            target, waits = check_head(self._command, self._path, self._version, request.requestHeaders)
        except Refusal as refusal:
            self.refuse(refusal)
            return
        self._served = True
        request.expects_continue = waits and self.length != 0
        request.begin(self._command, target, self._version)
        self.persistent = self.checkPersistence(request, self._version)
        if self.site.parting:
            self.persistent = False
        if self.length == 0:
            self.deadline = None
            request.gotLength(0)
            return
        self._in_body = True
        self._body_until = self.site.seconds() + BODY_GRACE
        self.deadline = self.site.seconds() + self.site.body_idle_seconds
        request.gotLength(self.length)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        if version != b"HTTP/1.1":
            return False
        values = request.requestHeaders.getRawHeaders(b"Connection")
        return not values or not closes(values)

    def allContentReceived(self) -> None:
        if self._refused:
            return
        self._in_body = False
        self._head_begun = False
        self.deadline = None
        super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        if not self._refused:
            super().rawDataReceived(data)

    # A body's flow. The channel's own reasons to stop reading (an unread answer) hold beside the body's.

    def pause_body(self) -> None:
        """Stop reading: the body's reader is behind."""
        if self._in_body and self._paused_since is None and not self._refused:
            self._paused_since = self.site.seconds()
            self.deadline = None
            self._networkProducer.pauseProducing()

    def resume_body(self) -> None:
        """Read on."""
        if self._paused_since is None:
            return
        now = self.site.seconds()
        self._body_until += now - self._paused_since
        self._paused_since = None
        if self._in_body and not self._refused:  # else the deadline is that of closing
            self.deadline = now + self.site.body_idle_seconds
        self._read_on()

    def continue_body(self) -> None:
        """Send `100 Continue` if the client waits for it."""
        if self.requests and self.requests[-1].expects_continue:
            self.requests[-1].expects_continue = False
            if self.requests[-1].body.received == 0 and self.transport is not None:
                self._send100Continue()

    def pauseProducing(self) -> None:
        self._stalled_until = self.site.seconds() + self.site.stall_seconds
        super().pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        if self._waitingForTransport and streaming:
            producer.pauseProducing()

    def resumeProducing(self) -> None:
        self._stalled_until = None
        if self._paused_since is None and not self._resting:
            super().resumeProducing()
            return
        self._waitingForTransport = False
        if self._requestProducer is not None:
            self._requestProducer.resumeProducing()

    # The end of a request, and of the connection.

    def requestDone(self, request: Any) -> None:
        if not self._in_body:
            self._paused_since = None
            self.deadline = self.site.seconds() + self.site.idle_seconds
            super().requestDone(request)
            return
        # The answer came before the body did: there is no telling where the next request would begin.
        self.requests.remove(request)
        self.linger()

    def close_when_idle(self) -> None:
        """Close now, or after the answer that is under way."""
        self.persistent = False
        if not self.idle or self._head_begun:
            return
        if self._served:
            self.loseConnection()
        else:
            # Its request may be on its way.
            self.deadline = self.site.seconds() + FIRST_SECONDS

    def loseConnection(self) -> None:
        self.deadline = self.site.seconds() + self.site.stall_seconds
        if self.transport is not None:
            self._unregister()
            self.transport.loseConnection()

    def _unregister(self) -> None:
        if self._registered:
            self._registered = False
            self._networkProducer.unregisterProducer()

    def linger(self) -> None:
        """Send what is to be sent, then read and forget for a moment, then close."""
        self._refused = True
        self._unregister()
        self._networkProducer.resumeProducing()
        self.deadline = self.site.seconds() + LINGER_SECONDS
        transport = self.transport
        if ISSLTransport.providedBy(transport) or not hasattr(transport, "loseWriteConnection"):
            self.loseConnection()
        else:
            transport.loseWriteConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        if not hasattr(self, "_command") and is_other_version(self._line):
            self.refuse(Refusal(505, "The version of HTTP is 1.1."))
        elif self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders:
            self.refuse(Refusal(431, "The head is too large."))
        else:
            self.refuse(Refusal(400, "The request is not HTTP/1.1 as RFC 9112 has it."))

    def refuse(self, refusal: Refusal) -> bool:
        """Answer a request that can't be parsed, or must not be, and close the connection. Returns False."""
        if self._refused or self.transport is None:
            return False
        self._refused = True
        code = {405: Code.method_not_allowed, 413: Code.too_large}.get(refusal.status, Code.bad_request)
        problem = Problem(code, refusal.detail, headers=refusal.headers)
        if self.requests and self.requests[-1].request_id:
            # Its body is what is wrong: whoever reads that will answer, and the connection ends with it.
            self.requests[-1].body.fail(problem)
            return False
        headers = self.requests[-1].requestHeaders if self.requests else Headers()
        self.requests.clear()
        self.site.refused(self, refusal.status, problem, request_id_of(headers))
        self.linger()
        return False

    def detach(self) -> None:
        """Let go of the transport: another protocol has it from now on, and `counted_as` with it."""
        self.taken_over = self._refused = True
        self.deadline = self._stalled_until = None
        self._unregister()
        self._requestProducer = None
        self.requests.clear()
        self.site.closed(self)
        if self._resting:
            self.transport.resumeProducing()
        self.transport = None

    def connectionLost(self, reason: Any = None) -> None:
        self.deadline = self._stalled_until = None
        self.site.closed(self)
        if not self.taken_over:
            self.site.release(self.counted_as)
            super().connectionLost(reason)
