"""A request as an endpoint sees it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from messenger.core.http.content import Content
from messenger.core.http.routing import Route
from messenger.core.identity import Identity
from messenger.core.turns import Shares

if TYPE_CHECKING:
    from messenger.core.http.request import Request


class NotIdentified(Exception):
    """An endpoint of an open route asks who its caller is."""


class Call:
    """One call of an endpoint.

    `params` are the path's parameters by name, ids in lower case. `raw` is the body's bytes where the route
    takes a body that is not streamed, else empty. `answer_headers` are added to the answer, whatever it is.
    """

    __slots__ = ("_identity", "answer_headers", "params", "raw", "request", "route", "turn")

    def __init__(self, request: "Request", route: Route, params: dict[str, str]) -> None:
        self.request = request
        self.route = route
        self.params = params
        self.raw = b""
        self.answer_headers: dict[str, str] = {}
        self.turn: tuple[Shares, str] | None = None  # fairness.py
        self._identity: Identity | None = None

    @property
    def request_id(self) -> str:
        """Names this request in every log line and on every hop."""
        return self.request.request_id

    @property
    def method(self) -> str:
        """The method as it was sent (`HEAD` where the endpoint is a GET's)."""
        return self.request.method.decode("ascii")

    @property
    def path(self) -> str:
        """The path as it was sent, without the query."""
        return self.request.path.decode("ascii")

    @property
    def identity(self) -> Identity:
        """The verified bearer; NotIdentified, a fault of ours, on an open route."""
        if self._identity is None:
            raise NotIdentified(f"{self.route.method} {self.route.path} is open: nobody was identified")
        return self._identity

    @property
    def identified(self) -> bool:
        """Whether a bearer was identified."""
        return self._identity is not None

    @property
    def address(self) -> str:
        """The client's IP address, as far as trusted proxies vouch for it; empty on a Unix socket."""
        return self.request.address

    @property
    def content(self) -> Content:
        """The body as a stream, on a streamed route."""
        return self.request.body

    def header(self, name: str) -> str | None:
        """A header's value; None where it is missing, the last one where it is repeated."""
        return self.request.one_header(name.encode("ascii"))

    def identify(self, identity: Identity) -> None:
        """Note who is asking, for the endpoint and for the log."""
        self._identity = identity
        self.request.user_id = identity.user_id

    def on_lost(self, call: Callable[[], object] | None) -> None:
        """Have `call` called if the client leaves before its answer is complete."""
        self.request.on_lost(call)


Admission = Callable[[Call], Awaitable[None]]
"""Judges a call before its body is read: raises Problem (`rate_limited`), or adds to `answer_headers`."""
