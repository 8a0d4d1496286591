"""From a request to an endpoint and back: routes, authentication, bodies, answers and errors, once for all.

The order is: path (404), method (405 with Allow), access token (401), admission (429), content type (415),
announced length (413), then the body, the caller's turn, and only then the endpoint. So nobody who may not
ask makes the server read, and nothing is buffered beyond its limit. Problems raised anywhere below become
problem documents; any other exception is an `internal` one, and goes to the log with the request's id.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from messenger.core.http.answers import INTERNAL, JSON_TYPE, Answer, StreamedAnswer
from messenger.core.http.call import Admission, Call
from messenger.core.http.content import BodyLost
from messenger.core.http.download import Download
from messenger.core.http.fairness import Fairness
from messenger.core.http.parameters import bearer_token, parse_query
from messenger.core.http.request import Request
from messenger.core.http.routing import Route, Table, routes_of
from messenger.core.http.transfers import Transfers, session_ended
from messenger.core.http.upgrade import NoUpgrade, check_upgrade, serve_websocket
from messenger.core.http.writing import flow_in_pieces
from messenger.core.identity import Authenticator
from messenger.wire.codec import Decoder, convert, encode
from messenger.wire.errors import Code, Problem, not_found

BODY_LIMIT = 1 << 20
STREAM_LIMIT = 100 << 20
SOCKET_COST = 5  # what opening a WebSocket counts for: what its device missed is read, and who is there

_JSON = re.compile(rb"application/json[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL)

log = Logger(namespace="messenger.http")

Accept = Callable[[Call, Any], Awaitable[None]]


@dataclass(slots=True)
class _Endpoint:
    """A route and what was made of its types once."""

    route: Route
    decoder: Decoder[Any] | None
    limit: int


@dataclass(slots=True)
class _Socket:
    """A path that is a WebSocket."""

    route: Route
    factory: Any
    accept: Accept | None


class Router:
    """Dispatches requests to endpoints.

    `endpoints` are objects with methods marked by `route`; `prefix` stands before their paths.
    `authenticator` turns access tokens into identities; without one only open routes can be served.
    `body_limit` and `stream_limit` are in bytes: for bodies that are decoded, and for those that are
    streamed. `admission` judges each call before its body is read, `fairness` says when it is worked on.
    """

    def __init__(
        self,
        endpoints: Sequence[object],
        *,
        authenticator: Authenticator | None = None,
        prefix: str = "/api/v1",
        body_limit: int = BODY_LIMIT,
        stream_limit: int = STREAM_LIMIT,
        admission: Admission | None = None,
        fairness: Fairness | None = None,
    ) -> None:
        self._table = Table()
        self._authenticator = authenticator
        self._prefix = prefix
        self._admission = admission
        self._fairness = fairness
        self._body_limit = body_limit
        self._stream_limit = stream_limit
        self._transfers = Transfers()
        if authenticator is not None:
            authenticator.on_ended(self._transfers.end)
        self.routes: list[Route] = []
        self._sockets: list[_Socket] = []
        for one in endpoints:
            for route in routes_of(one):
                self.add(route)

    def add(self, route: Route) -> None:
        """Serve a route, which bears its own handler; ValueError where it can't be, or where its path is
        taken."""
        if not route.open and self._authenticator is None:
            raise ValueError(f"{route.method} {route.path} wants an authenticator")
        decoder = Decoder[Any](route.body) if route.body is not None else None
        limit = route.body_limit or (self._stream_limit if route.streamed else self._body_limit)
        self._table.add(route.method, self._path(route), _Endpoint(route, decoder, limit))
        self.routes.append(route)

    def _path(self, route: Route) -> str:
        return route.path if route.at_root else self._prefix + route.path

    def websocket(self, path: str, factory: IProtocolFactory, accept: Accept | None = None) -> None:
        """Serve WebSockets at `path` (without the prefix) by `factory`, an Autobahn WebSocketServerFactory.

        The handshake's form is checked here. `accept` is then awaited with the call and the protocol that
        `factory` built, before anything is answered: it may set the protocol up, or raise Problem to refuse.
        """
        route = Route(
            method="GET",
            path=path,
            handler=None,
            name="websocket",
            summary="WebSocket",
            open=True,
            cost=SOCKET_COST,
        )
        self._table.add("GET", path, _Socket(route, factory, accept))

    def dispatch(self, request: Request) -> None:
        """Answer a request, now or later."""
        Deferred.fromCoroutine(self._serve(request)).addErrback(self._lost, request)

    @staticmethod
    def _lost(failure: Failure, request: Request) -> None:
        log.failure(
            "no answer could be given",
            failure,
            event="failure",
            request_id=request.request_id,
            trace_id=request.trace.trace_id,
        )
        request.cut()

    async def _serve(self, request: Request) -> None:
        call: Call | None = None
        try:
            found = self._table.find(request.path.decode("ascii"))
            if found is None:
                raise not_found("There is nothing at this path.")
            target, params = found
            request.route = target.template
            method = request.method
            endpoint = target.methods.get(method)
            if endpoint is None and method == b"HEAD":
                endpoint = target.methods.get(b"GET")
            if endpoint is None:
                raise Problem(Code.method_not_allowed, headers={"Allow": target.allow})
            call = Call(request, endpoint.route, params)
            if isinstance(endpoint, _Socket):
                await self._upgrade(call, endpoint)
                return
            result = await self._result(call, endpoint)
            await self._answer(call, endpoint.route, result)
        except Problem as problem:
            self._refuse(request, call, problem)
        except NoUpgrade as refusal:
            request.refuse(refusal.problem, refusal.status)
        except (BodyLost, CancelledError):
            # The client has left, or its body never came: nobody waits for an answer.
            request.cut()
        except Exception:
            log.failure(
                "{method} {route} failed",
                event="failure",
                request_id=request.request_id,
                trace_id=request.trace.trace_id,
                method=request.method.decode("ascii"),
                route=request.route,
            )
            self._refuse(request, call, INTERNAL)
        finally:
            if call is not None:
                if self._fairness is not None:
                    self._fairness.give_back(call)
                if call.identified:
                    self._transfers.remove(call.identity.session_id, request)

    def _refuse(self, request: Request, call: Call | None, problem: Problem) -> None:
        if call is not None and call.answer_headers:
            problem.headers = {**call.answer_headers, **problem.headers}
        request.refuse(problem)

    async def _result(self, call: Call, endpoint: _Endpoint) -> Any:
        route = endpoint.route
        content = call.request.body
        if not route.open:
            await self._authenticate(call)
        if self._admission is not None:
            await self._admission(call)
        if content.length is not None and content.length > endpoint.limit:
            raise Problem(Code.too_large, f"The body may have at most {endpoint.limit} bytes.")
        if endpoint.decoder is not None:
            self._check_type(call)
            await self._read(call, endpoint.limit)
            if not call.raw:
                raise Problem(Code.bad_request, "A JSON body is wanted.")
        elif route.streamed:
            content.limit = endpoint.limit
            self._follow(call)
        elif not content.complete:
            # Nobody asked for a body: it is small, or the answer ends the connection.
            await self._read(call, endpoint.limit)
        if self._fairness is not None:
            await self._fairness.take(call)
            self._confirm(call)
        arguments: list[Any] = []
        if endpoint.decoder is not None:
            arguments.append(endpoint.decoder.decode(call.raw))
        if route.query is not None:
            arguments.append(convert(parse_query(call.request.query), route.query))
        assert route.handler is not None
        return await route.handler(call, *arguments)

    async def _read(self, call: Call, limit: int) -> None:
        awaited = not call.content.complete
        call.raw = await call.content.read(limit)
        if awaited:
            self._confirm(call)

    def _confirm(self, call: Call) -> None:
        """Problem `unauthorized` where the session has ended while something was waited for."""
        if self._authenticator is None or not call.identified:
            return
        if self._authenticator.has_ended(call.identity.session_id):
            raise session_ended()

    def _follow(self, call: Call) -> None:
        """A long body comes or goes: it ends with its session, and holds little in memory."""
        flow_in_pieces(call.request.channel.transport)
        if call.identified:
            self._transfers.add(call.identity.session_id, call.request)

    async def _authenticate(self, call: Call) -> None:
        assert self._authenticator is not None
        call.identify(await self._authenticator.identify(bearer_token(call.request)))

    @staticmethod
    def _check_type(call: Call) -> None:
        values = call.request.requestHeaders.getRawHeaders(b"Content-Type")
        if call.request.body.length == 0 and not values:
            raise Problem(Code.bad_request, "A JSON body is wanted.")
        if not values or len(values) > 1 or not _JSON.fullmatch(values[0]):
            raise Problem(Code.unsupported_media_type, "The body's type is application/json.")

    async def _upgrade(self, call: Call, socket: _Socket) -> None:
        request = call.request
        check_upgrade(request)
        protocol: IProtocol | None = socket.factory.buildProtocol(request.client)
        if protocol is None:
            raise Problem(Code.unavailable, "There are too many sockets.", retry_after=5)
        if socket.accept is not None:
            await socket.accept(call, protocol)
            self._confirm(call)
        if not request.left:
            serve_websocket(request, socket.factory, protocol)

    async def _answer(self, call: Call, route: Route, result: Any) -> None:
        request = call.request
        if isinstance(result, StreamedAnswer):
            await self._stream(call, result)
            return
        status, headers, body = route.status, list(call.answer_headers.items()), result
        caches = False
        if isinstance(result, Answer):
            status, body = result.status, result.body
            headers += result.headers.items()
            caches = _says_caching(result.headers)
            if result.content_type is not None:
                headers.append(("Content-Type", result.content_type))
            elif body is not None:
                headers.append(("Content-Type", JSON_TYPE))
        elif body is not None:
            headers.append(("Content-Type", JSON_TYPE))
        raw = b"" if body is None else body if type(body) is bytes else encode(body)
        request.respond(status, headers, raw, caches=caches)

    async def _stream(self, call: Call, answer: StreamedAnswer) -> None:
        request = call.request
        if request.left:
            return
        headers = [*call.answer_headers.items(), *answer.headers.items()]
        if self._fairness is not None:
            self._fairness.give_back(call)
        request.start(answer.status, headers, answer.length, caches=_says_caching(answer.headers))
        if request.method == b"HEAD":
            request.finish()
            return
        self._follow(call)
        download = Download(request)
        writing = Deferred.fromCoroutine(_await(answer.write(download)))
        request.on_lost(writing.cancel)
        await writing
        if answer.length is not None and request.sent_bytes != answer.length and not request.left:
            raise RuntimeError(f"announced {answer.length} bytes and wrote {request.sent_bytes}")
        request.finish()


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable


def _says_caching(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "cache-control" for name in headers)
