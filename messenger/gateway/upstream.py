"""Connections to the instances of one service: pooled, bounded, and with a deadline for each step.

An instance is an address (addresses.py). A request goes to the one with the fewest requests in flight, a
WebSocket to the one that its user's shard prefers (preference.py), else to the one with the fewest sockets,
among those that are not resting. One that can't be reached,
that breaks off or that is silent for too long rests, for a second at first and for up to 30 s as it goes on
failing; an answer ends that. Idle connections are kept for `KEEP_SECONDS`, which is less than the services
keep theirs, so that a request hardly ever meets a connection that is being closed.

Deadlines: 5 s to connect, `first_byte_seconds` from the complete request to the answer's first byte, and
`idle_seconds` between any two signs of life while a body is under way, not counting the time in which the
client holds us back.
"""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferTimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger

from messenger.gateway.addresses import Address, Addresses, Resolve, system_resolver
from messenger.gateway.connection import Connection, UpstreamError, Why
from messenger.gateway.preference import preferred

CONNECT_SECONDS = 5.0
FIRST_BYTE_SECONDS = 30.0
IDLE_SECONDS = 60.0
KEEP_SECONDS = 50.0
MAX_CONNECTIONS = 1_024  # to one address, for requests
MAX_OPENING = 4_096  # sockets being opened at one address: more than a service has wait at its door
MAX_IDLE = 64  # kept for one address
DECLINE_SECONDS = 10.0
REST_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_SWEEP_SECONDS = 1.0

log = Logger(namespace="messenger.gateway")


def _too_late(_result: object, seconds: float) -> Any:
    raise TimeoutError(f"no connection within {seconds:g} s")


class Upstream:
    """All instances of the service `name`, at `entries` of the form HOST:PORT or https://HOST:PORT.

    `trust` is who vouches for certificates (None: whom the system trusts). `endpoint` makes what connects to
    a host and port, and `resolve` the addresses of a name, where that is not the system's business.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        entries: Sequence[str],
        *,
        first_byte_seconds: float = FIRST_BYTE_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        max_connections: int = MAX_CONNECTIONS,
        trust: Any = None,
        endpoint: Callable[[str, int], IStreamClientEndpoint] | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        if not entries:
            raise ValueError(f"the service {name} has no address")
        self.name = name
        self.seconds = reactor.seconds
        self._leaving: list[Address] = []  # no longer the service's, with requests still under way
        self._addresses = Addresses(entries, self.seconds, resolve or system_resolver(reactor), self._retire)
        self._tls = {
            entry.host: optionsForClientTLS(entry.host, trust, acceptableProtocols=[b"http/1.1"])
            for entry in self._addresses.entries
            if entry.tls
        }
        self.first_byte_seconds = first_byte_seconds
        self.idle_seconds = idle_seconds
        self._max_connections = max_connections
        self._reactor = reactor
        self._sweep: Any = None
        self._closed = False
        self._endpoint = endpoint or self._tcp
        self._turns = count(1)

    def _tcp(self, host: str, port: int) -> IStreamClientEndpoint:
        kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
        return kind(self._reactor, host, port, timeout=CONNECT_SECONDS)

    def _endpoint_of(self, address: Address) -> IStreamClientEndpoint:
        endpoint = self._endpoint(address.host, address.port)
        return wrapClientTLS(self._tls[address.entry.host], endpoint) if address.entry.tls else endpoint

    @property
    def addresses(self) -> list[Address]:
        """The instances, as far as they are known."""
        return self._addresses.all

    async def resolve(self) -> None:
        """Have `addresses` be those of today; UpstreamError where there are none."""
        waiting = self._addresses.refresh()
        if waiting is not None:
            try:
                await waiting.addTimeout(CONNECT_SECONDS, self._reactor)
            except (TimeoutError, DeferTimeoutError):
                log.warn("{upstream} is not resolved in time", event="unresolved", upstream=self.name)
        if not self._addresses.all:
            raise UpstreamError(Why.unreachable, f"{self.name} has no address")

    async def connection(
        self,
        *,
        fresh: bool = False,
        socket: bool = False,
        shard: int | None = None,
        only: Address | None = None,
    ) -> Connection:
        """A connection that is ready for a request; UpstreamError where there is none to be had.

        With `fresh` it is a new one, for a `socket` a new one too, where its user's `shard` prefers it or the
        fewest sockets are. Each address that can't be reached is tried once.
        """
        await self.resolve()
        tried: list[Address] = []
        while True:
            address = only if only is not None else self._choose(tried, socket, shard)
            if address is None:
                raise UpstreamError(Why.unreachable, f"{self.name} can't be reached")
            while address.idle and not fresh and not socket:
                connection = address.idle.pop()
                if connection.usable:
                    connection.deadline = None
                    return connection
                connection.abort()
            # A crowd that waits for its sockets must not stand in the way of requests.
            if socket and address.opening >= MAX_OPENING:
                raise UpstreamError(Why.busy, f"{address} has too many sockets being opened")
            if not socket and address.requests >= self._max_connections:
                raise UpstreamError(Why.busy, f"{address} has too many requests")
            try:
                return await self._connect(address, socket)
            except CancelledError:
                raise
            except Exception as error:
                self._rest(address, type(error).__name__)
                tried.append(address)
                if only is not None:
                    raise UpstreamError(Why.unreachable, f"{address} can't be reached") from None

    def _choose(self, tried: list[Address], socket: bool, shard: int | None) -> Address | None:
        left = self._addresses.all
        if len(left) > 1 or tried:
            left = [address for address in left if address not in tried]
            now = self.seconds()
            awake = [address for address in left if address.rests_until <= now]
            if awake and socket:
                wanted = None if shard is None else preferred(shard, awake, now)
                left = [wanted or min(awake, key=lambda one: (one.sockets, one.in_flight, one.turn))]
            elif awake:
                left = [min(awake, key=lambda one: (one.in_flight, one.turn))]
            elif left:
                # With all of them resting, ask the one that has rested longest rather than nobody.
                left = [min(left, key=lambda one: one.rests_until)]
        if not left:
            return None
        left[0].turn = next(self._turns)
        if socket:
            left[0].asked.add(self.seconds())
        return left[0]

    async def _connect(self, address: Address, socket: bool) -> Connection:
        factory = Factory.forProtocol(lambda: Connection(self, address))
        factory.noisy = False
        address.connecting += 1
        address.opening += socket
        try:
            attempt: Deferred[Any] = self._endpoint_of(address).connect(factory)
            connection: Connection = await attempt.addTimeout(CONNECT_SECONDS, self._reactor, _too_late)
            connection.opens = socket
        except BaseException as error:
            address.opening -= socket
            if isinstance(error, ConnectingCancelledError):
                raise CancelledError from None  # whoever asked has left
            raise
        finally:
            address.connecting -= 1
        if self._closed:
            connection.abort()
            raise ConnectionError("stopping")
        address.connections.add(connection)
        if self._sweep is None:
            self._sweep = self._reactor.callLater(_SWEEP_SECONDS, self._sweep_deadlines)
        return connection

    def _rest(self, address: Address, why: str) -> None:
        seconds = REST_SECONDS[min(address.failures, len(REST_SECONDS) - 1)]
        address.failures += 1
        address.rests_until = self.seconds() + seconds
        log.warn(
            "{upstream} at {address} rests: {why}",
            event="upstream_rests",
            upstream=self.name,
            address=str(address),
            seconds=seconds,
            why=why,
        )

    def declined(self, address: Address) -> None:
        """It has no room for another socket: for a while nobody prefers it."""
        address.declines_until = self.seconds() + DECLINE_SECONDS

    def suspect(self, connection: Connection, error: UpstreamError) -> None:
        """There was no answer: others are asked for a while, if there are others."""
        self._rest(connection.address, error.why.value)

    def _retire(self, address: Address) -> None:
        for connection in list(address.idle):
            connection.transport.loseConnection()
        if address.connections or address.connecting:
            self._leaving.append(address)

    def release(self, connection: Connection) -> None:
        """A request is through: keep its connection where that is of use."""
        address = connection.address
        self._opened(connection)
        if connection.answered:
            address.failures = 0
            address.rests_until = 0.0
        if connection.usable and not address.gone and len(address.idle) < MAX_IDLE and not self._closed:
            connection.deadline = self.seconds() + KEEP_SECONDS
            address.idle.append(connection)
        else:
            connection.transport.loseConnection()

    def forget(self, connection: Connection) -> None:
        """A connection is gone, or is no longer ours."""
        address = connection.address
        self._opened(connection)
        address.connections.discard(connection)
        if connection in address.idle:
            address.idle.remove(connection)

    @staticmethod
    def _opened(connection: Connection) -> None:
        """It opens no socket any more, whatever came of that."""
        if connection.opens:
            connection.opens = False
            connection.address.opening -= 1

    def _sweep_deadlines(self) -> None:
        self._sweep = None
        now = self.seconds()
        left = False
        self._leaving = [address for address in self._leaving if address.connections or address.connecting]
        for address in [*self._addresses.all, *self._leaving]:
            for connection in [one for one in address.connections if one.deadline is not None]:
                if connection.deadline is not None and connection.deadline <= now:
                    connection.expire()
            left = left or bool(address.connections)
        if left and not self._closed:
            self._sweep = self._reactor.callLater(_SWEEP_SECONDS, self._sweep_deadlines)

    @property
    def in_flight(self) -> int:
        """Requests under way at all instances."""
        return sum(address.in_flight for address in [*self._addresses.all, *self._leaving])

    @property
    def resting(self) -> int:
        """How many instances are left alone for now."""
        now = self.seconds()
        return sum(address.rests_until > now for address in self._addresses.all)

    def close(self) -> None:
        """Break off all connections."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for address in [*self._addresses.all, *self._leaving]:
            for connection in list(address.connections):
                connection.abort()
