"""Connections to the instances of one service: pooled, bounded, and with a deadline for each step.

An instance is an address. A request goes to the one with the fewest requests in flight among those that are
not resting; one that can't be reached rests, for a second at first and for up to 30 s as it goes on failing.
Idle connections are kept for `KEEP_SECONDS`, which is less than the services keep theirs, so that a request
hardly ever meets a connection that is being closed. Names are resolved anew for each new connection.

Deadlines: 5 s to connect, `first_byte_seconds` from the complete request to the answer's first byte, and
`idle_seconds` between any two signs of life while a body is under way, not counting the time in which the
client holds us back.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from messenger.gateway.connection import Connection, UpstreamError, Why

CONNECT_SECONDS = 5.0
FIRST_BYTE_SECONDS = 30.0
IDLE_SECONDS = 60.0
KEEP_SECONDS = 50.0
MAX_CONNECTIONS = 1_024  # to one address
MAX_IDLE = 64  # kept for one address
REST_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_SWEEP_SECONDS = 1.0
_ATTEMPT_SECONDS = 0.05
_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", re.ASCII)

log = Logger(namespace="messenger.gateway")


class Address:
    """One instance of a service."""

    def __init__(self, text: str) -> None:
        match = _ADDRESS.fullmatch(text.strip())
        if match is None or not 0 < int(match[2]) < 65_536:
            raise ValueError(f"an upstream is HOST:PORT, not {text!r}")
        self.host = match[1].strip("[]")
        self.port = int(match[2])
        self.connections: set[Connection] = set()
        self.connecting = 0
        self.idle: list[Connection] = []
        self.rests_until = 0.0
        self.failures = 0

    @property
    def in_flight(self) -> int:
        """Requests under way, and connections being made for some."""
        return len(self.connections) - len(self.idle) + self.connecting

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Upstream:
    """All instances of the service `name`, at `addresses` of the form HOST:PORT.

    `endpoint` makes what connects to a host and port, where that is not plain TCP.
    """

    def __init__(
        self,
        reactor: Any,
        name: str,
        addresses: Sequence[str],
        *,
        first_byte_seconds: float = FIRST_BYTE_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        max_connections: int = MAX_CONNECTIONS,
        endpoint: Callable[[str, int], IStreamClientEndpoint] | None = None,
    ) -> None:
        if not addresses:
            raise ValueError(f"the service {name} has no address")
        self.name = name
        self.addresses = [Address(text) for text in addresses]
        self.seconds = reactor.seconds
        self.first_byte_seconds = first_byte_seconds
        self.idle_seconds = idle_seconds
        self._max_connections = max_connections
        self._reactor = reactor
        self._sweep: Any = None
        self._closed = False
        self._endpoint = endpoint or self._tcp

    def _tcp(self, host: str, port: int) -> IStreamClientEndpoint:
        if isIPAddress(host):
            return TCP4ClientEndpoint(self._reactor, host, port, timeout=CONNECT_SECONDS)
        if isIPv6Address(host):
            return TCP6ClientEndpoint(self._reactor, host, port, timeout=CONNECT_SECONDS)
        # The delay is that of happy eyeballs, and what a refused connection costs.
        return HostnameEndpoint(
            self._reactor, host, port, timeout=CONNECT_SECONDS, attemptDelay=_ATTEMPT_SECONDS
        )

    async def connection(self, *, fresh: bool = False, only: Address | None = None) -> Connection:
        """A connection that is ready for a request; UpstreamError where there is none to be had.

        With `fresh` it is a new one. Each address that can't be reached is tried once.
        """
        tried: list[Address] = []
        while True:
            address = only if only is not None and not tried else self._choose(tried)
            if address is None:
                raise UpstreamError(Why.unreachable, f"{self.name} can't be reached")
            while address.idle and not fresh:
                connection = address.idle.pop()
                if connection.usable:
                    connection.deadline = None
                    return connection
                connection.abort()
            if len(address.connections) + address.connecting >= self._max_connections:
                raise UpstreamError(Why.busy, f"{address} has too many requests")
            try:
                return await self._connect(address)
            except Exception as error:
                self._rest(address, error)
                tried.append(address)
                if only is not None:
                    raise UpstreamError(Why.unreachable, f"{address} can't be reached") from None

    def _choose(self, tried: list[Address]) -> Address | None:
        left = [address for address in self.addresses if address not in tried]
        if not left:
            return None
        now = self.seconds()
        awake = [address for address in left if address.rests_until <= now]
        # With all of them resting, ask the one that has rested longest rather than nobody.
        return min(awake or left, key=lambda one: one.in_flight if awake else one.rests_until)

    async def _connect(self, address: Address) -> Connection:
        factory = Factory.forProtocol(lambda: Connection(self, address))
        factory.noisy = False
        address.connecting += 1
        try:
            attempt: Deferred[Any] = self._endpoint(address.host, address.port).connect(factory)
            connection: Connection = await attempt.addTimeout(CONNECT_SECONDS, self._reactor)
        finally:
            address.connecting -= 1
        if self._closed:
            connection.abort()
            raise ConnectionError("stopping")
        address.connections.add(connection)
        address.failures = 0
        address.rests_until = 0.0
        if self._sweep is None:
            self._sweep = self._reactor.callLater(_SWEEP_SECONDS, self._sweep_deadlines)
        return connection

    def _rest(self, address: Address, error: Exception) -> None:
        seconds = REST_SECONDS[min(address.failures, len(REST_SECONDS) - 1)]
        address.failures += 1
        address.rests_until = self.seconds() + seconds
        log.warn(
            "{upstream} at {address} can't be reached: {why}",
            event="upstream_unreachable",
            upstream=self.name,
            address=str(address),
            why=type(error).__name__,
        )

    def release(self, connection: Connection) -> None:
        """A request is through: keep its connection where that is of use."""
        address = connection.address
        if connection.usable and len(address.idle) < MAX_IDLE and not self._closed:
            connection.deadline = self.seconds() + KEEP_SECONDS
            address.idle.append(connection)
        else:
            connection.transport.loseConnection()

    def forget(self, connection: Connection) -> None:
        """A connection is gone, or is no longer ours."""
        address = connection.address
        address.connections.discard(connection)
        if connection in address.idle:
            address.idle.remove(connection)

    def _sweep_deadlines(self) -> None:
        self._sweep = None
        now = self.seconds()
        left = False
        for address in self.addresses:
            for connection in [one for one in address.connections if one.deadline is not None]:
                if connection.deadline is not None and connection.deadline <= now:
                    connection.expire()
            left = left or bool(address.connections)
        if left and not self._closed:
            self._sweep = self._reactor.callLater(_SWEEP_SECONDS, self._sweep_deadlines)

    @property
    def in_flight(self) -> int:
        """Requests under way at all instances."""
        return sum(address.in_flight for address in self.addresses)

    @property
    def resting(self) -> int:
        """How many instances are left alone for now."""
        now = self.seconds()
        return sum(address.rests_until > now for address in self.addresses)

    def close(self) -> None:
        """Break off all connections."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for address in self.addresses:
            for connection in list(address.connections):
                connection.abort()
