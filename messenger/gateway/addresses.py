"""Where a service is: what the configuration names, and the addresses that its names have just now.

An entry is HOST:PORT, or https://HOST:PORT for TLS (the certificate must be of that host, RFC 9525). A host
that is a name stands for all its addresses, as the headless service of a cluster does; it is resolved when it
is first needed and then again every `RESOLVE_SECONDS`, in the background, as long as requests come. New
addresses join, addresses that are gone get no more requests, and a name that can't be resolved any more keeps
those it had.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostResolution, IResolutionReceiver
from twisted.logger import Logger
from zope.interface import implementer

if TYPE_CHECKING:
    from messenger.gateway.connection import Connection

RESOLVE_SECONDS = 5.0
AGAIN_SECONDS = 1.0  # after a name that had no address at all
MOST_ADDRESSES = 256  # of one name
HALF_SECONDS = 10.0
_ENTRY = re.compile(r"(https://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", re.ASCII)

log = Logger(namespace="messenger.gateway")


class Lately:
    """How often something happened lately: each time counts half after HALF_SECONDS."""

    def __init__(self) -> None:
        self._count = 0.0
        self._at = 0.0

    def count(self, now: float) -> float:
        """How often, at `now` in seconds."""
        return float(self._count * 0.5 ** ((now - self._at) / HALF_SECONDS))

    def add(self, now: float) -> None:
        """Once more."""
        self._count, self._at = self.count(now) + 1, now


class Address:
    """One instance of a service: an IP address and port, what is under way there, and how it has been."""

    def __init__(self, entry: "Entry", host: str) -> None:
        self.entry = entry
        self.host = host
        self.port = entry.port
        self.connections: set[Connection] = set()
        self.connecting = 0
        self.opening = 0  # sockets, of those connections
        self.idle: list[Connection] = []
        self.sockets = 0
        self.asked = Lately()  # for a socket
        self.declines_until = 0.0  # sockets: it has no room for more
        self.turn = 0  # when it was last chosen
        self.rests_until = 0.0
        self.failures = 0
        self.gone = False

    @property
    def in_flight(self) -> int:
        """Requests under way, and connections being made for some."""
        return len(self.connections) - len(self.idle) + self.connecting

    @property
    def requests(self) -> int:
        """Connections that are for requests."""
        return len(self.connections) + self.connecting - self.opening

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Resolve = Callable[[str], Deferred[list[str]]]


class Entry:
    """One entry of the configuration; ValueError where it is malformed."""

    def __init__(self, text: str) -> None:
        match = _ENTRY.fullmatch(text.strip())
        if match is None or not 0 < int(match[3]) < 65_536:
            raise ValueError(f"an upstream is HOST:PORT or https://HOST:PORT, not {text!r}")
        self.tls = match[1] is not None
        self.host = match[2].strip("[]")
        self.port = int(match[3])
        self.literal = isIPAddress(self.host) or isIPv6Address(self.host)
        self.addresses = [Address(self, self.host)] if self.literal else []


class Addresses:
    """All addresses of a service, from its `entries`. `retired` is told of each that is no longer one."""

    def __init__(
        self,
        entries: Sequence[str],
        seconds: Callable[[], float],
        resolve: Resolve,
        retired: Callable[[Address], object],
    ) -> None:
        self.entries = [Entry(text) for text in entries]
        self.all = [address for entry in self.entries for address in entry.addresses]
        self._names = [entry for entry in self.entries if not entry.literal]
        self._seconds = seconds
        self._resolve = resolve
        self._retired = retired
        self._due = 0.0
        self._waiting: list[Deferred[None]] | None = None  # None: nobody is resolving

    def refresh(self) -> Deferred[None] | None:
        """Resolve names where it is time to. A Deferred is to be waited for: there is no address yet."""
        if not self._names:
            return None
        if self._waiting is None and self._seconds() >= self._due:
            self._begin()
        if self.all or self._waiting is None:
            return None
        waiting: Deferred[None] = Deferred(self._forget)
        self._waiting.append(waiting)
        return waiting

    def _forget(self, waiting: Deferred[None]) -> None:
        if self._waiting and waiting in self._waiting:
            self._waiting.remove(waiting)

    def _begin(self) -> None:
        self._waiting = []
        left = len(self._names)

        def done(_result: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._end()

        for entry in self._names:
            self._resolve(entry.host).addCallbacks(
                self._found, self._lost, callbackArgs=(entry,), errbackArgs=(entry,)
            ).addBoth(done)

    def _found(self, hosts: list[str], entry: Entry) -> None:
        wanted = dict.fromkeys(hosts[:MOST_ADDRESSES])
        if not wanted:
            self._lost(None, entry)
            return
        known = {address.host: address for address in entry.addresses}
        if wanted.keys() != known.keys():
            log.info(
                "{name} is {addresses}",
                event="resolved",
                name=entry.host,
                addresses=", ".join(sorted(wanted)),
            )
        entry.addresses = [known.pop(host) if host in known else Address(entry, host) for host in wanted]
        self.all = [address for one in self.entries for address in one.addresses]
        for address in known.values():
            address.gone = True
            self._retired(address)

    def _lost(self, _failure: object, entry: Entry) -> None:
        log.warn("{name} has no address", event="unresolved", name=entry.host, kept=len(entry.addresses))

    def _end(self) -> None:
        self._due = self._seconds() + (RESOLVE_SECONDS if self.all else AGAIN_SECONDS)
        waiting, self._waiting = self._waiting or [], None
        for one in waiting:
            one.callback(None)


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects what the reactor's resolver finds."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.done: Deferred[list[str]] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Nothing to note."""

    def addressResolved(self, address: Any) -> None:
        self.hosts.append(address.host)

    def resolutionComplete(self) -> None:
        self.done.callback(self.hosts)


def system_resolver(reactor: Any) -> Resolve:
    """The system's resolver, asked in the reactor's threads; no addresses for a name that has none."""

    def resolve(host: str) -> Deferred[list[str]]:
        receiver = _Receiver()
        reactor.nameResolver.resolveHostName(receiver, host)
        return receiver.done

    return resolve
