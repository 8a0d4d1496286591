"""Connections to S3 come back, or end: whatever S3, those who ask and time do, at each wait."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent

from messenger.core.blobs import Blobs
from messenger.core.part_buffers import PART_BUFFERS, PART_WAIT_SECONDS
from messenger.core.s3_requests import ANSWER_SECONDS, KEPT_CONNECTIONS, READ_SECONDS
from messenger.core.settings import S3
from messenger.core.streams import STALL_SECONDS
from messenger.core.threads import Threads
from messenger.wire.errors import Problem

STEPS = (
    "put",
    "parts",
    "get",
    "size",
    "remove",
    "begin",
    "answer",
    "half",
    "rest",
    "refuse",
    "garbage",
    "close",
    "chunk",
    "gone",
    "cancel",
    "down",
    "hang",
    "up",
    "second",
    "long",
)


class Pipe(StringTransport):
    """A transport that ends as TCP's do: in the event loop's next turn."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.ended = False
        self.protocol: Any = None

    def loseConnection(self) -> None:
        self.clock.callLater(0, self.end)

    def abortConnection(self) -> None:
        self.clock.callLater(0, self.end)

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.protocol.connectionLost(Failure(ConnectionDone()))

    def bring(self, data: bytes) -> None:
        if not self.ended:
            self.protocol.dataReceived(data)


class Body:
    """A client's body, which brings chunks when the test says so."""

    def __init__(self) -> None:
        self.wanted: Deferred[bytes] | None = None
        self.left = 4

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        if not self.left:
            raise StopAsyncIteration
        self.wanted = Deferred()
        try:
            return await self.wanted
        finally:
            self.left -= 1
            self.wanted = None


class House:
    """Blobs on an S3 of the test's."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pipes: list[Pipe] = []
        self.down = self.hangs = False
        self.bodies: list[Body] = []
        self.calls: list[Deferred[Any]] = []
        self.ends = 0
        settings = S3(access_key="access", secret_key="secret")
        self.blobs = Blobs(self.clock, settings, Threads(self.clock, "s3", 1, 1))
        requests = self.blobs._requests
        requests.agent = Agent.usingEndpointFactory(  # type: ignore[no-untyped-call]
            self.clock, self, requests._pool
        )

    def endpointForURI(self, _uri: object) -> Any:
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        if self.down:
            return fail(ConnectionRefusedError())
        if self.hangs:
            return Deferred(lambda given_up: given_up.errback(ConnectingCancelledError(None)))
        pipe = Pipe(self.clock)
        self.pipes.append(pipe)
        pipe.protocol = factory.buildProtocol(None)
        pipe.protocol.makeConnection(pipe)
        return succeed(pipe.protocol)

    @property
    def open(self) -> list[Pipe]:
        return [pipe for pipe in self.pipes if not pipe.ended]

    def call(self, coroutine: Any) -> None:
        made = ensureDeferred(coroutine)
        self.calls.append(made)

        def ended(result: object) -> object:
            self.ends += 1
            return result

        made.addBoth(ended)

    async def download(self) -> None:
        """As a client that takes all of it, or leaves."""
        chunks = await self.blobs.chunks("key", 0, 6)
        if chunks is None:
            return
        try:
            async for _ in chunks:
                pass
        finally:
            chunks.close()

    def upload(self, length: int | None) -> None:
        body = Body()
        self.bodies.append(body)

        async def begun(_upload_id: str) -> None:
            """Nothing to note."""

        self.call(self.blobs.put("key", body, length, begun))


class ConnectionTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=50))
    def test_every_connection_comes_back_or_ends(self, steps: list[tuple[str, int]]) -> None:
        house = House()
        for step, number in steps:
            pipe = house.open[number % len(house.open)] if house.open else None
            wanting = [body.wanted for body in house.bodies if body.wanted is not None]
            waiting = [one for one in house.calls if not one.called]
            if step == "put":
                house.upload(4)
            elif step == "parts":
                house.upload(None)
            elif step == "get":
                house.call(house.download())
            elif step == "size":
                house.call(house.blobs.size("key"))
            elif step == "remove":
                house.call(house.blobs.remove("key", "up"))
            elif step == "begin":
                house.call(house.blobs.multipart.begin("key"))
            elif step == "answer" and pipe is not None:
                pipe.bring(b"HTTP/1.1 206 X\r\nContent-Length: 6\r\n\r\nabcdef")
            elif step == "half" and pipe is not None:
                pipe.bring(b"HTTP/1.1 200 X\r\nContent-Length: 6\r\n\r\nabc")
            elif step == "rest" and pipe is not None:
                pipe.bring(b"def")
            elif step == "refuse" and pipe is not None:
                pipe.bring(b"HTTP/1.1 507 X\r\nContent-Length: 0\r\n\r\n")
            elif step == "garbage" and pipe is not None:
                pipe.bring(b"220 ready\r\n\r\n")
            elif step == "close" and pipe is not None:
                pipe.end()
            elif step == "chunk" and wanting:
                wanting[number % len(wanting)].callback(b"x")
            elif step == "gone" and wanting:
                wanting[number % len(wanting)].errback(ConnectionError("the client has left"))
            elif step == "cancel" and waiting:
                waiting[number % len(waiting)].cancel()
            elif step in ("down", "hang", "up"):
                house.down, house.hangs = step == "down", step == "hang"
            elif step == "second":
                house.clock.advance(1)
            elif step == "long":
                house.clock.advance(STALL_SECONDS + 1)
            house.clock.advance(0)
        for body in house.bodies:  # clients that neither send nor leave have the HTTP server's deadline
            if body.wanted is not None:
                body.wanted.errback(ConnectionError("the client has left"))
        for _ in range(4):
            house.clock.pump([1.0] * int(ANSWER_SECONDS + READ_SECONDS + STALL_SECONDS + PART_WAIT_SECONDS))
            for body in house.bodies:
                if body.wanted is not None:
                    body.wanted.errback(ConnectionError("the client has left"))
        self.assertEqual(house.ends, len(house.calls))
        for call in house.calls:
            call.addErrback(lambda why: why.trap(Problem, CancelledError, ConnectionError))
        self.assertEqual(house.open, [])
        self.assertEqual(house.blobs._buffers.free, PART_BUFFERS)
        self.assertEqual(house.clock.getDelayedCalls(), [])
        self.flushLoggedErrors()

    def test_what_is_kept_is_bounded_and_used_again(self) -> None:
        house = House()
        for _ in range(3):
            for _ in range(2 * KEPT_CONNECTIONS):
                house.call(house.blobs.size("key"))
            for pipe in house.open:
                pipe.bring(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
            house.clock.advance(0)
            self.assertEqual(len(house.open), KEPT_CONNECTIONS)
        self.assertEqual(len(house.pipes), (2 + 1 + 1) * KEPT_CONNECTIONS)

    def test_who_answers_no_http_before_the_body_is_through_fails_the_request(self) -> None:
        house = House()
        house.upload(4)
        house.open[0].bring(b"220 ready\r\n\r\n")
        self.assertEqual(house.ends, 1)
        self.failureResultOf(house.calls[0].addErrback(lambda why: why), Problem)
        house.clock.advance(0)
        self.assertEqual((house.open, house.clock.getDelayedCalls()), ([], []))

    def test_a_length_that_is_none_fails_the_request_by_name(self) -> None:
        for length in (b"x", b"-1", "²".encode("latin-1")):
            house = House()
            house.call(house.blobs.size("key"))
            house.open[0].bring(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n")
            house.clock.pump([1.0] * int(ANSWER_SECONDS + 1))
            self.failureResultOf(house.calls[0].addErrback(lambda why: why), Problem)

    def test_who_leaves_while_we_connect_is_cancelled_like_any_other(self) -> None:
        house = House()
        house.hangs = True
        house.call(house.blobs.size("key"))
        house.call(house.blobs.size("key"))
        house.calls[0].cancel()
        self.failureResultOf(house.calls[0], CancelledError)
        house.clock.advance(ANSWER_SECONDS)
        self.failureResultOf(house.calls[1], Problem)
