"""The gateway's own endpoints: a page about it, its health, whether all services are ready, and what
clients may expect."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime, ISSLTransport

from messenger import __version__
from messenger.core.http.answers import Answer
from messenger.core.http.call import Call
from messenger.core.http.routing import route
from messenger.core.http.system import Check, readiness
from messenger.gateway import page
from messenger.gateway.routes import API
from messenger.wire.system import Health, Info, Readiness

REMEMBER_SECONDS = 1.0  # so that asking us often does not ask the services often


class GatewayEndpoints:
    """`checks` are the services' own, by name; `info` and `openapi` (JSON) are answered as they are. `web`
    says whether the web client is served.

    Once `draining` is set `/ready` says no, so that load balancers send nobody any more.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        checks: Mapping[str, Check],
        info: Info,
        openapi: bytes,
        *,
        web: bool = False,
    ) -> None:
        self.draining = False
        self._reactor = reactor
        self.checks = checks
        self._info = info
        self._openapi = openapi
        self._web = web
        self._known: tuple[float, Readiness] | None = None
        self._asking: list[Deferred[Readiness]] = []

    @property
    def schema(self) -> dict[str, str]:
        """The versions of the schemas that this code was written for."""
        return self._info.schema

    @route("GET", "/about", answer=bytes, open=True, media="text/html")
    async def about(self, call: Call) -> Answer:
        """A page that says what this is and how to go on."""
        scheme = "https" if ISSLTransport.providedBy(call.request.channel.transport) else "http"
        base = f"{scheme}://{call.header('Host') or 'localhost'}"
        body = page.page(__version__, base, web=self._web)
        return Answer(200, body, page.HEADERS, "text/html; charset=utf-8")

    @route("GET", "/health", answer=Health, open=True, class_="free")
    async def health(self, _call: Call) -> Health:
        """The gateway is up."""
        return Health(version=__version__, schema=self.schema)

    @route("GET", "/ready", answer=Readiness, open=True, class_="free", also=(503,))
    async def ready(self, _call: Call) -> Any:
        """Whether every service is ready, and the state of each."""
        found = await self._found()
        if self.draining:
            found = Readiness(ready=False, checks={**found.checks, "gateway": "stopping"})
        return found if found.ready else Answer(503, found, {"Retry-After": "1"})

    async def _found(self) -> Readiness:
        """Ask the services whether they are ready. Who asks while they are asked waits for the same
        answer."""
        if self._known is not None and self._reactor.seconds() - self._known[0] < REMEMBER_SECONDS:
            return self._known[1]
        waiting: Deferred[Readiness] = Deferred()
        self._asking.append(waiting)
        if len(self._asking) == 1:
            ensureDeferred(self._ask())
        return await waiting

    async def _ask(self) -> None:
        found = await readiness(self._reactor, self.checks)
        self._known = (self._reactor.seconds(), found)
        asking, self._asking = self._asking, []
        for waiting in asking:
            waiting.callback(found)

    @route("GET", f"{API}/info", answer=Info, open=True)
    async def info(self, _call: Call) -> Info:
        """The server's version, protocols and limits."""
        return self._info

    @route("GET", f"{API}/openapi.json", answer=dict[str, Any], open=True)
    async def openapi(self, _call: Call) -> Answer:
        """The OpenAPI 3.1 description of all of this."""
        return Answer(200, self._openapi, content_type="application/json")
