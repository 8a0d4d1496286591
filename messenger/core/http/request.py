"""One request and its answer, on twisted.web's Request.

The application gets a request as soon as its head is complete: at once where there is no body, and before
the first byte of the body where there is one. It answers by `respond` (whole), by `start`, `write` and
`finish` (bit by bit, to be paused by `registerProducer`), by `refuse` (a problem), or not at all where the
client has left.

An answer may be given before the body is through. A small rest of the body is then read and forgotten and the
connection lives on; a large or unbounded one, or one that waits for `100 Continue`, ends the connection.
"""

# mypy: allow-untyped-calls
# What is overridden here is not annotated in Twisted.

import re
from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http_headers import Headers

from messenger.core.http.answers import has_body, head, problem_parts
from messenger.core.http.content import BodyLost, Content
from messenger.core.http.trace import NO_TRACE, Trace
from messenger.core.http.writing import write_now
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.core.http.channel import Channel

DRAINED_BYTES = 65536  # a rest of a body up to this is read, so that the connection can be used again
CLIENT_LEFT = 499  # the log's status for a client that did not wait for its answer
UNMATCHED = "unmatched"
REFUSALS = frozenset({401, 429})  # after these a connection rests (Site)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id_of(headers: Headers) -> str:
    """The id that a request bears, where it bears a good one; else one of our own making."""
    given = headers.getRawHeaders(b"X-Request-ID")
    if given and len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return given[0].decode("ascii")
    return token_hex(16)


class Request(http.Request):
    """See the module's docstring."""

    channel: "Channel"
    body: Content
    expects_continue = False
    request_id = ""
    trace: Trace = NO_TRACE
    route = UNMATCHED
    user_id: str | None = None
    began = 0.0
    sent_bytes = 0
    closing = False
    added: tuple[tuple[str, str], ...] = ()  # headers that the answer bears besides its own

    _answered = False
    _left = False
    _logged = False
    _chunked = False
    _draining = False
    _rested = False
    _bodyless = False
    _unsent_head = b""
    _on_lost: Callable[[], object] | None = None

    # What the channel calls.

    def begin(self, method: bytes, target: bytes, version: bytes) -> None:
        """The head is complete and was found good."""
        self.method, self.uri, self.clientproto = method, target, version
        path, _, query = target.partition(b"?")
        self.path, self.query = path, query
        self.request_id = request_id_of(self.requestHeaders)
        self.site = self.channel.site
        self.trace = self.site.trace_of(self.requestHeaders)
        self.body = Content(self.channel, self.channel.length)
        self.began = self.site.timer()

    def gotLength(self, length: int | None) -> None:
        if length != 0:
            self.site.dispatch(self)

    def parseCookies(self) -> None:
        """Cookies mean nothing here."""

    def handleContentChunk(self, data: bytes) -> None:
        self.body.feed(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if self.body.length == 0:
            self.site.dispatch(self)
            return
        self.body.end()
        if self._draining:
            self._draining = False
            self._end()

    def connectionLost(self, reason: Any) -> None:
        self.abandon(reason)

    def abandon(self, reason: Failure) -> None:
        """There is nobody left to answer."""
        if self._left or self.finished:
            return
        self._left = self._disconnected = True
        self._log_once(CLIENT_LEFT if not self.startedWriting else self.code)
        if self.request_id:
            self.body.fail(BodyLost("the client left"))
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        lost, self._on_lost = self._on_lost, None
        if lost is not None:
            lost()
        notifications, self.notifications = self.notifications, []
        for waiting in notifications:
            waiting.errback(reason)
        self.channel = None  # type: ignore[assignment]

    # What an application calls.

    @property
    def peer(self) -> str:
        """The IP address of whoever connected (IPv4 in its own form); empty on a Unix socket."""
        return str(getattr(self.client, "host", "")).removeprefix("::ffff:")

    @property
    def address(self) -> str:
        """The client's IP address, as far as trusted proxies vouch for it; empty on a Unix socket."""
        forwarded = self.requestHeaders.getRawHeaders(b"X-Forwarded-For", [])
        return self.site.proxies.client(self.peer, forwarded)

    @property
    def left(self) -> bool:
        """Whether the client has gone away."""
        return self._left

    def one_header(self, name: bytes) -> str | None:
        """The value of a header; None where it is missing, the last one where it is repeated."""
        values = self.requestHeaders.getRawHeaders(name)
        return values[-1].decode("latin-1") if values else None

    def on_lost(self, call: Callable[[], object] | None) -> None:
        """Have `call` called, once, if the client leaves before its answer is complete."""
        self._on_lost = call

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"", *, caches: bool = False
    ) -> None:
        """Answer in one piece. A client that has left is not told."""
        if self._left:
            return
        self._unsent_head = self._open(status, headers, len(body), caches)
        self.write(body)
        self.finish()

    def refuse(self, problem: Problem, status: int | None = None) -> None:
        """Answer with a problem; where another answer is partly sent, cut the connection."""
        if self._left:
            return
        if self.startedWriting and not self._unsent_head:
            self.channel.transport.abortConnection()
            return
        self._unsent_head = b""
        actual, headers, body = problem_parts(problem, self.request_id, status)
        self.respond(actual, headers, body)

    def start(
        self, status: int, headers: Iterable[tuple[str, str]], length: int | None, *, caches: bool = False
    ) -> None:
        """Begin an answer of `length` bytes (None: chunked) that `write` and `finish` complete.

        Nothing is sent before the first of those: a head and a short body then travel together.
        """
        if not self._left:
            self._unsent_head = self._open(status, headers, length, caches)

    def write(self, data: bytes) -> None:
        if self._left or self._bodyless or not data:
            return
        self.sent_bytes += len(data)
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._unsent_head:
            data, self._unsent_head = self._unsent_head + data, b""
        write_now(self.channel.transport, data)

    def finish(self) -> None:
        if self._left or self._answered:
            return
        self._answered = True
        last = b"0\r\n\r\n" if self._chunked and not self._bodyless else b""
        if self._unsent_head or last:
            last, self._unsent_head = self._unsent_head + last, b""
            write_now(self.channel.transport, last)
        self._on_lost = None
        self._log_once(self.code)
        body = self.body
        if body.complete or self.closing:
            self._end()
        else:
            # The rest of the body is small (see _open): it is read before the next request.
            self._draining = True
            body.discard()

    def cut(self) -> None:
        """End the connection at once: the answer can't be completed."""
        if not self._left:
            self.channel.transport.abortConnection()

    def _open(
        self, status: int, headers: Iterable[tuple[str, str]], length: int | None, caches: bool
    ) -> bytes:
        channel = self.channel
        chunked = False
        lines = [*headers, *self.added]
        if has_body(status):
            if length is not None:
                lines.append(("Content-Length", str(length)))
            elif self.clientproto == b"HTTP/1.1":
                lines.append(("Transfer-Encoding", "chunked"))
                chunked = True
            else:
                channel.persistent = False
        if not self.body.complete and not self._drainable():
            self.closing = True
            channel.persistent = False
        if not channel.persistent:
            lines.append(("Connection", "close"))
        raw = head(status, self.request_id, lines, caches=caches).encode("latin-1")
        self.startedWriting = 1
        self.code = status
        self._chunked = chunked
        self._bodyless = self.method == b"HEAD" or not has_body(status)
        return raw

    def _drainable(self) -> bool:
        body = self.body
        return not self.expects_continue and body.length is not None and body.length <= DRAINED_BYTES

    def _end(self) -> None:
        if self._left:
            return
        if not self._rested and self.code in REFUSALS and self._rests():
            self._rested = True
            self.site.later(self.site.refused_seconds, self._end)
            return
        self.finished = 1
        if self.producer:
            self.unregisterProducer()
        channel = self.channel
        self.channel = None  # type: ignore[assignment]
        notifications, self.notifications = self.notifications, []
        channel.requestDone(self)
        for waiting in notifications:
            waiting.callback(None)

    def _rests(self) -> bool:
        # A proxy's connection is many people's.
        site = self.site
        return (
            site.refused_seconds > 0 and bool(self.channel.persistent) and not site.proxies.trusts(self.peer)
        )

    def _log_once(self, status: int) -> None:
        if not self._logged:
            self._logged = True
            if self.request_id:
                self.site.finished(self, status)

    def handed_over(self, status: int) -> None:
        """The connection speaks another protocol from now on: this request ends here."""
        self._left = True
        self._on_lost = None
        self._log_once(status)
        self.finished = 1
        self.channel = None  # type: ignore[assignment]
