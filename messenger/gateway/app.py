"""The gateway: the one entry, which judges a request by its path and its origin and hands it on.

Each service is either remote, behind an `Upstream`, or mounted: a Router in the same process, which gets the
request itself, without a hop. A client can't tell which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger

from messenger.core.http.call import Admission
from messenger.core.http.request import Request
from messenger.core.http.router import Router
from messenger.core.http.routing import Route, routes_of
from messenger.core.http.site import Application
from messenger.core.http.system import Check, NotReady, why_not
from messenger.core.http.upgrade import NoUpgrade, check_upgrade
from messenger.core.waits import within
from messenger.gateway.addresses import Address
from messenger.gateway.connection import Collected, UpstreamError
from messenger.gateway.cors import Origins, answer_headers, preflight_headers
from messenger.gateway.endpoints import GatewayEndpoints
from messenger.gateway.proxy import Passage
from messenger.gateway.relay import Relay
from messenger.gateway.routes import SERVICES, SOCKET_PATH, SOCKET_SERVICE, service_of
from messenger.gateway.upstream import Upstream
from messenger.wire.codec import Decoder
from messenger.wire.errors import Code, Problem
from messenger.wire.system import Info, Readiness

FAREWELL_SECONDS = 4.0  # for clients to answer a close frame

log = Logger(namespace="messenger.gateway")

_READINESS = Decoder[Readiness](Readiness)
_READY = b"GET /ready HTTP/1.1\r\nHost: %s\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Mount:
    """A service in this process: what answers its requests, and how to ask whether it is ready."""

    app: Application
    check: Check


class Gateway:
    """Dispatches to `services` by name (see routes.SERVICES).

    `origins` are those that may use us from browsers, beside our own. `info` and `openapi` (JSON) are
    answered as they are. `web` are the web client's routes, `/` among them; without any, `/` is the page at
    `/about`. `admission` judges what the gateway answers itself. `max_sockets` bounds the WebSockets that are
    relayed (a mounted service has its own bound).
    """

    def __init__(
        self,
        reactor: Any,
        services: Mapping[str, Upstream | Mount],
        *,
        info: Info,
        openapi: bytes = b"{}",
        web: Sequence[Route] = (),
        origins: Origins | None = None,
        admission: Admission | None = None,
        max_sockets: int = 20_000,
    ) -> None:
        missing = [name for name in SERVICES if name not in services]
        if missing:
            raise ValueError(f"the gateway lacks {', '.join(missing)}")
        self._reactor = reactor
        self._services = services
        self._origins = origins or Origins()
        checks: dict[str, Check] = {}
        for name, service in services.items():
            checks[name] = service.check if isinstance(service, Mount) else _check_of(service)
        self.endpoints = GatewayEndpoints(reactor, checks, info, openapi, web=bool(web))
        self._own = Router([self.endpoints], prefix="", admission=admission)
        about = next(one for one in routes_of(self.endpoints) if one.path == "/about")
        for route in web or [replace(about, path="/")]:
            self._own.add(route)
        socket = services[SOCKET_SERVICE]
        self.relay = Relay(reactor, socket, max_sockets) if isinstance(socket, Upstream) else None

    def dispatch(self, request: Request) -> None:
        """Answer a request, now or later."""
        path = request.path.decode("ascii")
        if path == SOCKET_PATH and not _is_preflight(request):
            self._socket(request)
            return
        if not self._judge_origin(request):
            return
        found = service_of(path)
        if found is None:
            self._own.dispatch(request)
            return
        name, request.route = found
        service = self._services[name]
        if isinstance(service, Mount):
            service.app.dispatch(request)
        else:
            Passage(service, request).start()

    def _judge_origin(self, request: Request) -> bool:
        """Mark the answer for an allowed origin; answer a preflight. False where that was the answer."""
        given = request.requestHeaders.getRawHeaders(b"Origin")
        if not given:
            if self._origins:
                request.added = (("Vary", "Origin"),)
            return True
        origin = given[0].decode("latin-1")
        host = request.one_header(b"Host") or ""
        allowed = len(given) == 1 and self._origins.allows(origin, host)
        if not _is_preflight(request):
            request.added = answer_headers(origin) if allowed else (("Vary", "Origin"),)
            return True
        request.route = "preflight"
        if allowed:
            asked = request.one_header(b"Access-Control-Request-Headers")
            request.respond(204, preflight_headers(origin, asked))
        else:
            request.refuse(Problem(Code.forbidden, "This origin is not allowed."))
        return False

    def _socket(self, request: Request) -> None:
        request.route = SOCKET_PATH
        try:
            check_upgrade(request)
        except NoUpgrade as refusal:
            request.refuse(refusal.problem, refusal.status)
            return
        given = request.requestHeaders.getRawHeaders(b"Origin", [])
        host = request.one_header(b"Host") or ""
        if any(not self._origins.allows(origin.decode("latin-1"), host) for origin in given):
            request.refuse(Problem(Code.forbidden, "This origin is not allowed."))
            return
        service = self._services[SOCKET_SERVICE]
        if isinstance(service, Mount):
            service.app.dispatch(request)
        elif self.relay is None or self.relay.full:
            request.refuse(Problem(Code.unavailable, "There are too many sockets.", retry_after=5))
        else:
            self.relay.start(request)

    def drain(self) -> None:
        """Say no at `/ready` from now on."""
        self.endpoints.draining = True

    async def start(self) -> None:
        """Nothing to wait for: services are asked as requests come."""

    async def stop(self) -> None:
        """End the sockets, with a word if they take it, and break off what is still open to the services."""
        if self.relay is not None:
            try:
                await within(self._reactor, FAREWELL_SECONDS, self.relay.go_away())
            except TimeoutError:
                log.info("{open} sockets are cut", event="cut", open=self.relay.open)
            finally:
                self.relay.close()
        for service in self._services.values():
            if isinstance(service, Upstream):
                service.close()


def _is_preflight(request: Request) -> bool:
    """Whether a browser asks if a page of another site may ask (Fetch standard, section 3.2.2)."""
    return request.method == b"OPTIONS" and request.requestHeaders.hasHeader(b"Access-Control-Request-Method")


def _check_of(upstream: Upstream) -> Check:
    """Whether at least one instance of the service says that it is ready; all are asked at once."""

    async def ask(address: Address) -> None:
        connection = await upstream.connection(only=address)
        answer = Collected(connection)
        connection.send(b"GET", _READY % str(address).encode("ascii"), answer)
        status, body = await answer.wait
        if status != 200:
            raise NotReady(why_not(_READINESS.decode(body)))

    async def check() -> None:
        try:
            await upstream.resolve()
        except UpstreamError as error:
            raise NotReady(error.why.value) from None
        asked = [Deferred.fromCoroutine(ask(address)) for address in upstream.addresses]
        found: Any = await DeferredList(asked, fireOnOneCallback=True, consumeErrors=True)
        if isinstance(found, tuple):
            for one in asked:
                one.cancel()
            return
        states = [failure.value for _, failure in found]
        for state in states:
            if isinstance(state, CancelledError):
                raise state
        told = [str(error) for error in states if isinstance(error, NotReady)]
        lost = [error.why.value for error in states if isinstance(error, UpstreamError)]
        raise NotReady((told or lost or ["not ready"])[0])

    return check
