"""Connections to addresses that strangers name: public ones only, by TLS, and only to what was checked.

A name is looked up once for each request. All of its addresses have to be permitted (one that is not, among
public ones, is an attack or a mistake), and the connection goes to one of these very addresses: a name that
means another one a moment later (DNS rebinding) gains nothing. The certificate has to be the name's.
Redirects are not followed, and treq is given an Agent that goes to the checked addresses whatever a URL says.
What the other side answers is bounded, in bytes and in time.

`getaddrinfo` blocks, so it runs in a few threads of its own, with a bounded queue.
"""

# mypy: allow-untyped-calls
# What is used of Twisted here is mostly not annotated.

import socket
from collections.abc import Callable, Mapping
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from messenger.core.threads import Threads
from messenger.core.waits import within
from messenger.messages.domain.push import PushServer

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 10.0
ANSWER_BYTES = 65_536
ADDRESSES = 4  # so many of a name's addresses are tried

Resolve = Callable[[str, int], list[str]]


class NotPermitted(Exception):
    """The name has an address that nobody may have us connect to."""


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, by the system; blocking. OSError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class _Bounded(ProtocolWrapper):
    """Lets the other side say ANSWER_BYTES and no more: headers without end would fill the memory."""

    _heard = 0

    def dataReceived(self, data: bytes) -> None:
        self._heard += len(data)
        if self._heard > ANSWER_BYTES:
            transport: Any = self.transport
            transport.abortConnection()
        else:
            super().dataReceived(data)


class _BoundedFactory(WrappingFactory):
    protocol = _Bounded
    noisy = False


@implementer(IStreamClientEndpoint)
class _Checked:
    """Connects to the first of these addresses that takes it."""

    def __init__(self, reactor: Any, addresses: list[str], port: int, tls: Any) -> None:
        self._reactor = reactor
        self._addresses = addresses
        self._port = port
        self._tls = tls

    def connect(self, factory: Any) -> Any:
        """See IStreamClientEndpoint."""
        return ensureDeferred(self._connect(_BoundedFactory(factory)))

    async def _connect(self, factory: Any) -> Any:
        last: Exception = ConnectError(string="no address")
        for address in self._addresses[:ADDRESSES]:
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            plain = kind(self._reactor, address, self._port, timeout=CONNECT_SECONDS)
            try:
                connected: Any = await wrapClientTLS(self._tls, plain).connect(factory)
                return connected.wrappedProtocol
            except ConnectError as error:
                last = error
        raise last


@implementer(IAgentEndpointFactory)
class _Always:
    """Has the Agent use this endpoint."""

    def __init__(self, endpoint: _Checked) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: object) -> _Checked:
        """See IAgentEndpointFactory."""
        return self._endpoint


class _Unread(Protocol):
    """An answer's body, which says nothing that is needed."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class OutboundClient:
    """Sends requests. `permitted` judges addresses, `trust` says who vouches for certificates (None: whom the
    system trusts), `threads` look names up by `resolve`."""

    def __init__(
        self,
        reactor: Any,
        threads: Threads,
        permitted: Callable[[str], bool],
        trust: Any = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._reactor = reactor
        self._threads = threads
        self._permitted = permitted
        self._trust = {} if trust is None else {"trustRoot": trust}
        self._resolve = resolve

    async def post(
        self, url: str, server: PushServer, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str]]:
        """The status and headers (lower case; the last of each) of the answer to a POST to `url`, which names
        `place`.

        NotPermitted; OSError, Problem `unavailable`, TimeoutError and Twisted's and OpenSSL's own exceptions
        where there is no answer.
        """
        try:
            return await within(self._reactor, REQUEST_SECONDS, self._post(url, server, headers, body))
        except ConnectingCancelledError:
            raise TimeoutError("no connection in time") from None

    async def _post(
        self, url: str, server: PushServer, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str]]:
        addresses = await self._threads.run(self._resolve, server.host, server.port)
        refused = [address for address in addresses if not self._permitted(address)]
        if refused or not addresses:
            raise NotPermitted(f"{server.host} is at {refused[0] if refused else 'no address'}")
        tls = optionsForClientTLS(server.host, acceptableProtocols=[b"http/1.1"], **self._trust)
        endpoint = _Checked(self._reactor, addresses, server.port, tls)
        agent = Agent.usingEndpointFactory(self._reactor, _Always(endpoint))
        raw = Headers({name: [value] for name, value in headers.items()})
        response = await HTTPClient(agent).post(
            url, headers=raw, data=body, allow_redirects=False, unbuffered=True
        )
        found = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in response.headers.getAllRawHeaders()
        }
        response.deliverBody(_Unread())
        return int(response.code), found
