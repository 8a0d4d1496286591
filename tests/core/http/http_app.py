"""Endpoints for the tests of the HTTP layer."""

from msgspec import Struct
from twisted.internet.defer import Deferred

from messenger.core.http.answers import Answer, StreamedAnswer
from messenger.core.http.call import Call
from messenger.core.http.router import Router
from messenger.core.http.routing import route
from messenger.core.identity import Identity
from messenger.wire.errors import Code, Problem
from messenger.wire.events import SessionEnded
from messenger.wire.paging import PageQuery

ALICE = Identity("alice-id", "device", "session", 0, 0)
UUID = "01900000-0000-7000-8000-00000000ABCD"


class Sum(Struct):
    a: int
    b: int = 0


class Total(Struct):
    total: int


class Authenticator:
    """Knows one token; `pending` holds the answer back."""

    def __init__(self):
        self.pending = None
        self.ended = False
        self.listeners = []

    def end(self):
        """End the one session that there is."""
        self.ended = True
        event = SessionEnded(session_id=ALICE.session_id, user_id=ALICE.user_id, device_id=ALICE.device_id)
        for listener in self.listeners:
            listener(event)

    def has_ended(self, session_id):
        return self.ended

    def on_ended(self, listener):
        self.listeners.append(listener)

    async def identify(self, token):
        if self.pending is not None:
            await self.pending
        if token == "expired":
            raise Problem(Code.token_expired)
        if token != "good":
            raise Problem(Code.unauthorized)
        return ALICE


class Endpoints:
    """One of each kind."""

    def __init__(self):
        self.calls = []
        self.waiting = []
        self.chunks = []
        self.lost = []
        self.download = None
        self.fault = None

    @route("GET", "/me", answer=Total)
    async def me(self, call: Call) -> Total:
        """Who asks."""
        self.calls.append(call.identity.user_id)
        return Total(1)

    @route("POST", "/sum", body=Sum, answer=Total, status=201, open=True)
    async def sum(self, call: Call, body: Sum) -> Total:
        """Adds."""
        return Total(body.a + body.b)

    @route("POST", "/private", body=Sum, answer=Total)
    async def private(self, call: Call, body: Sum) -> Total:
        """Adds for those who may."""
        self.calls.append(body)
        return Total(body.a)

    @route("GET", "/page", query=PageQuery, answer=Total, open=True)
    async def page(self, call: Call, query: PageQuery) -> Total:
        """A list."""
        return Total(query.limit)

    @route("GET", "/things/{thing_id}/parts/{seq}", answer=Total, open=True)
    async def part(self, call: Call) -> Total:
        """A part of a thing."""
        self.calls.append(call.params)
        return Total(int(call.params["seq"]))

    @route("DELETE", "/things/{thing_id}", open=True)
    async def delete(self, call: Call) -> None:
        """Away with it."""

    @route("GET", "/slow", answer=Total, open=True)
    async def slow(self, call: Call) -> Total:
        """Waits to be told."""
        waiting: Deferred[int] = Deferred()
        self.waiting.append(waiting)
        return Total(await waiting)

    @route("GET", "/broken", answer=Total, open=True)
    async def broken(self, call: Call) -> Total:
        """Raises what nobody expects."""
        raise RuntimeError("inner detail")

    @route("GET", "/fault", answer=Total, open=True)
    async def faulty(self, call: Call) -> Total:
        """Has a store that fails."""
        raise self.fault

    @route("GET", "/own", answer=Total, open=True)
    async def own(self, call: Call) -> Answer:
        """Its own headers."""
        return Answer(
            203, b"plain", {"Cache-Control": "max-age=1", "X-Own": call.address}, content_type="text/plain"
        )

    @route("GET", "/injected", answer=Total, open=True)
    async def injected(self, call: Call) -> Answer:
        """A header value with a line break in it."""
        return Answer(200, b"", {"X-Own": "a\r\nSet-Cookie: b"})

    @route("GET", "/identity", answer=Total, open=True)
    async def identity(self, call: Call) -> Total:
        """Asks who asks where nobody was asked."""
        return Total(len(call.identity.user_id))

    @route("POST", "/upload", streamed=True, answer=Total, open=True, body_limit=1_000_000)
    async def upload(self, call: Call) -> Total:
        """Takes a stream, as slowly as told."""
        total = 0
        try:
            async for chunk in call.content:
                self.chunks.append(chunk)
                total += len(chunk)
                if self.waiting:
                    await self.waiting[0]
        except Exception as error:
            self.lost.append(error)
            raise
        return Total(total)

    @route("POST", "/own-upload", streamed=True, answer=Total)
    async def own_upload(self, call: Call) -> Total:
        """The same, of somebody."""
        return await self.upload(call)

    @route("POST", "/ignore", streamed=True, answer=Total, open=True, body_limit=1_000_000_000)
    async def ignore(self, call: Call) -> Total:
        """Answers without looking at the body."""
        return Total(0)

    @route("GET", "/download", answer=bytes, open=True)
    async def get(self, call: Call) -> StreamedAnswer:
        """Ten pieces of 10 bytes, with back-pressure."""

        async def write(out):
            self.download = out
            try:
                for number in range(10):
                    self.chunks.append(number)
                    await out.send(b"%d" % number * 10)
            except BaseException as error:
                self.lost.append(error)
                raise

        length = None if call.header("X-Chunked") else 100
        return StreamedAnswer(write, headers={"ETag": '"x"'}, length=length)

    @route("GET", "/own-download", answer=bytes)
    async def own_download(self, call: Call) -> StreamedAnswer:
        """The same, of somebody."""
        return await self.get(call)


def router(endpoints, **arguments):
    return Router([endpoints], authenticator=Authenticator(), **arguments)
