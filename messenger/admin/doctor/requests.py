"""Asks processes over HTTP, by treq: `http://`, `https://` and, for one that listens on a Unix socket,
`unix:PATH`."""

# mypy: allow-untyped-calls

from collections.abc import Awaitable, Callable
from typing import Any

from OpenSSL.SSL import Connection
from treq import collect
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.ssl import CertificateOptions
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, ResponseFailed
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from messenger.core.certificates import trust_root
from messenger.core.settings import Settings
from messenger.core.waits import within

SECONDS = 4.0
MOST = 4 << 20  # bytes of an answer that are looked at

Ask = Callable[[str, str, bool], Awaitable[tuple[int, bytes]]]
"""Takes where a process is, a path, and whether it is known to be on this machine, so that its certificate
need not be of that address; gives status and body, or raises NoAnswer."""


class NoAnswer(Exception):
    """A process did not answer; the text says why in a few words."""


class HttpAsker:
    """Asks processes, as an `Ask`."""

    def __init__(self, reactor: Any, settings: Settings) -> None:
        self._reactor = reactor
        root = trust_root(settings.gateway.upstream_ca, "[gateway] upstream_ca")
        self._policy = BrowserLikePolicyForHTTPS() if root is None else BrowserLikePolicyForHTTPS(root)

    async def __call__(self, url: str, path: str, known: bool) -> tuple[int, bytes]:
        client, base = self._client(url, known=known)
        try:
            return await within(self._reactor, SECONDS, self._get(client, base + path))
        except (TimeoutError, CancelledError):
            raise NoAnswer(f"nothing within {SECONDS:g} s") from None
        except (ConnectError, ConnectionClosed, DNSLookupError) as error:
            why = getattr(error, "osError", None) or str(error)
            raise NoAnswer(getattr(why, "strerror", None) or str(why)) from None
        except ResponseFailed as error:
            raise NoAnswer(error.reasons[0].getErrorMessage()) from None
        except ValueError as error:
            raise NoAnswer(f"{url} is no address: {error}") from None

    def _client(self, url: str, *, known: bool) -> tuple[HTTPClient, str]:
        if url.startswith("unix:"):
            endpoint = UNIXClientEndpoint(self._reactor, url.removeprefix("unix:"), timeout=SECONDS)
            return HTTPClient(
                Agent.usingEndpointFactory(self._reactor, _Always(endpoint))
            ), "http://localhost"
        policy = _AnyCertificate() if known else self._policy
        return HTTPClient(Agent(self._reactor, policy, connectTimeout=SECONDS)), url

    async def _get(self, client: HTTPClient, url: str) -> tuple[int, bytes]:
        answer = await client.get(url, allow_redirects=False, unbuffered=True)
        body = bytearray()
        await collect(answer, lambda data: body.extend(data[: MOST - len(body)]))
        return answer.code, bytes(body)


@implementer(IAgentEndpointFactory)
class _Always:
    """Has the Agent use this endpoint."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: object) -> IStreamClientEndpoint:
        """See IAgentEndpointFactory."""
        return self._endpoint


@implementer(IPolicyForHTTPS)
class _AnyCertificate:
    """For a process of this machine, which says by its instance who it is."""

    def creatorForNetloc(self, hostname: bytes, port: int) -> "_AnyConnection":
        """See IPolicyForHTTPS."""
        return _AnyConnection()


@implementer(IOpenSSLClientConnectionCreator)
class _AnyConnection:
    def clientConnectionForTLS(self, tlsProtocol: Any) -> Connection:
        """See IOpenSSLClientConnectionCreator."""
        return Connection(CertificateOptions().getContext(), None)
