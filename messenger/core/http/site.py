"""All connections of one listener: their limits and deadlines, the log of requests and their metrics."""

# mypy: allow-untyped-calls
# What is overridden here is not annotated in Twisted.

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger, LogLevel
from twisted.web.http_headers import Headers
from zope.interface import implementer

from messenger.core.http.answers import INTERNAL, head, problem_parts
from messenger.core.http.channel import Channel
from messenger.core.http.metrics import HttpMetrics
from messenger.core.http.proxies import Proxies
from messenger.core.http.request import UNMATCHED, Request
from messenger.core.http.trace import Trace, trace_of
from messenger.core.limits.limits import network_of
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.core.spans import Spans

SWEEP_SECONDS = 1.0
_PROBES = frozenset({"/health", "/ready", "/metrics"})

log = Logger(namespace="messenger.http")


class Application(Protocol):
    """An application that answers requests: a Router, a Gateway."""

    def dispatch(self, request: Request) -> None:
        """Answer the request, now or later. Its head is complete, its body is not."""


@implementer(IProtocolNegotiationFactory)
class Site(ServerFactory):
    """Makes a `Channel` for each connection and hands its requests to `app`.

    `reactor` is the clock. Deadlines are in seconds (see `Channel`). More than `max_connections` at a time
    are closed as they come, and so are more than `max_by_address` of one client (an IPv6 one is its /64; 0:
    any number), which counts WebSockets too. `trusted_proxies` are those whose `X-Forwarded-For` is
    believed (see proxies.py) and whose connections are many people's: they are not counted by address.
    A connection that was answered 401 or 429 rests for `refused_seconds`; then its next request is looked at.
    `spans` exports the traces that are recorded; with `chooses_traces` it also says which, else the caller.
    `timer` times requests: uvloop's own clock stands still for as long as it runs callbacks.
    """

    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        app: Application,
        *,
        metrics: HttpMetrics | None = None,
        header_seconds: float = 30.0,
        idle_seconds: float = 75.0,
        body_idle_seconds: float = 30.0,
        stall_seconds: float = 60.0,
        refused_seconds: float = 0.0,
        max_connections: int = 20_000,
        max_by_address: int = 0,
        trusted_proxies: Sequence[str] = (),
        spans: "Spans | None" = None,
        chooses_traces: bool = False,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        self.app = app
        self.seconds = reactor.seconds
        self.timer = timer
        self.header_seconds = header_seconds
        self.idle_seconds = idle_seconds
        self.body_idle_seconds = body_idle_seconds
        self.stall_seconds = stall_seconds
        self.refused_seconds = refused_seconds
        self.later: Callable[..., object] = reactor.callLater
        self.parting = False  # every answer ends its connection
        self.stopping = False
        self.accepted = 0
        self.rejected = 0
        self._reactor = reactor
        self._metrics = metrics
        self._spans = spans
        self._chooses_traces = chooses_traces
        self._max_connections = max_connections
        self._max_by_address = max_by_address
        self._by_address: dict[str, int] = {}
        self.proxies = Proxies(trusted_proxies)
        self._channels: set[Channel] = set()
        self._sweep: Any = None
        self._empty: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Channel | None:
        self.accepted += 1
        if self.stopping or len(self._channels) >= self._max_connections:
            self.rejected += 1
            return None
        counted = self._counted_as(str(getattr(addr, "host", "")).removeprefix("::ffff:"))
        if counted is not None:
            open_now = self._by_address.get(counted, 0)
            if open_now >= self._max_by_address:
                self.rejected += 1
                return None
            self._by_address[counted] = open_now + 1
        channel = Channel()
        channel.counted_as = counted
        channel.site = self
        channel.factory = self
        channel.requestFactory = Request
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        # Without an answer to ALPN (RFC 7301) Twisted breaks off the handshake of clients that ask.
        return [b"http/1.1"]

    def _counted_as(self, host: str) -> str | None:
        if not self._max_by_address or not host or self.proxies.trusts(host):
            return None
        return network_of(host)

    # What channels and requests call.

    def opened(self, channel: Channel) -> None:
        """A connection is there."""
        self._channels.add(channel)
        if self._sweep is None:
            self._sweep = self._reactor.callLater(SWEEP_SECONDS, self._sweep_deadlines)

    def closed(self, channel: Channel) -> None:
        """A connection is gone, or is no longer ours."""
        self._channels.discard(channel)
        if not self._channels and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)

    def release(self, counted_as: str | None) -> None:
        """A connection that was counted so is gone."""
        if counted_as is None:
            return
        left = self._by_address[counted_as] - 1
        if left:
            self._by_address[counted_as] = left
        else:
            del self._by_address[counted_as]

    def dispatch(self, request: Request) -> None:
        """Have the application answer."""
        try:
            self.app.dispatch(request)
        except Exception:
            log.failure(
                "a request could not be dispatched",
                request_id=request.request_id,
                trace_id=request.trace.trace_id,
            )
            request.refuse(INTERNAL)

    def trace_of(self, headers: Headers) -> Trace:
        """The trace that a request with these headers belongs to, and whether it is recorded."""
        trace = trace_of(headers)
        if not self._chooses_traces:
            return trace
        return trace._replace(sampled=self._spans is not None and self._spans.chosen(trace.trace_id))

    def finished(self, request: Request, status: int) -> None:
        """A request was answered, or its client has left (status 499)."""
        seconds = self.timer() - request.began
        method = request.method.decode("ascii")
        # Probes and scrapes come every few seconds for ever; only what goes wrong with them is news.
        quiet = request.route in _PROBES and status < 400
        log.emit(
            LogLevel.debug if quiet else LogLevel.info,
            "{method} {route} {status}",
            event="request",
            request_id=request.request_id,
            trace_id=request.trace.trace_id,
            method=method,
            route=request.route,
            status=status,
            ms=round(seconds * 1000, 1),
            user_id=request.user_id,
            bytes_in=request.body.received if hasattr(request, "body") else 0,
            bytes_out=request.sent_bytes,
        )
        if self._metrics is not None:
            self._metrics.observe(request.route, method, status, seconds)
        if self._spans is not None and request.trace.sampled and not quiet:
            self._spans.answered(request.trace, request.request_id, method, request.route, status, seconds)

    def refused(self, channel: Channel, status: int, problem: Problem, request_id: str) -> None:
        """A request could not be parsed: say so on the wire, before the channel closes."""
        actual, headers, body = problem_parts(problem, request_id, status)
        headers += [("Content-Length", str(len(body))), ("Connection", "close")]
        channel.transport.write(head(actual, request_id, headers).encode("latin-1") + body)
        log.info(
            "refused {status}",
            event="request",
            request_id=request_id,
            method="other",
            route=UNMATCHED,
            status=actual,
            reason=problem.detail,
        )
        if self._metrics is not None:
            self._metrics.observe(UNMATCHED, "other", actual, 0.0)

    # The end.

    @property
    def connections(self) -> int:
        """How many connections are open and ours."""
        return len(self._channels)

    def part(self) -> None:
        """Have each connection end with its next answer."""
        self.parting = True

    def drain(self) -> None:
        """Accept no more, close what is idle, and have the others close after their answer."""
        self.parting = self.stopping = True
        for channel in list(self._channels):
            channel.close_when_idle()

    async def empty(self) -> None:
        """Return when no connection is left."""
        if self._channels:
            self._empty = Deferred(self._forget_empty)
            await self._empty

    def _forget_empty(self, _cancelled: object) -> None:
        self._empty = None

    def abort(self) -> None:
        """Cut what is left."""
        for channel in list(self._channels):
            channel.expire()
        if self._sweep is not None and self._sweep.active():
            self._sweep.cancel()
        self._sweep = None

    def _sweep_deadlines(self) -> None:
        self._sweep = None
        now = self.seconds()
        for channel in [channel for channel in self._channels if channel.overdue(now)]:
            channel.expire()
        if self._channels:
            self._sweep = self._reactor.callLater(SWEEP_SECONDS, self._sweep_deadlines)
