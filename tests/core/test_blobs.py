"""Blobs on an S3 whose every answer the test gives: what is asked, in what order, and what faults become."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseNeverReceived
from twisted.web.http_headers import Headers

from messenger.core import part_buffers
from messenger.core.blobs import Blobs
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.core.part_buffers import PART, PART_BUFFERS, PART_FILL_SECONDS, PART_WAIT_SECONDS
from messenger.core.room import DiskFull
from messenger.core.settings import S3
from messenger.core.streams import Pieces
from messenger.core.threads import Threads
from messenger.wire.errors import Code, Problem

CREATED = b"<InitiateMultipartUploadResult><UploadId>up&amp;1</UploadId></InitiateMultipartUploadResult>"
COMPLETED = b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"
SETTINGS = S3(access_key="access", secret_key="secret")


class Response:
    """An answer of S3's."""

    def __init__(self, code: int = 200, body: bytes = b"", **headers: str) -> None:
        self.code = code
        self.body = body
        self.length = len(body)
        self.headers = Headers({name: [value] for name, value in headers.items()})

    def deliverBody(self, protocol: Any) -> None:
        protocol.makeConnection(self)
        if self.body:
            protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(ResponseDone()))

    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def loseConnection(self) -> None: ...


class Sink:
    """Counts what is sent."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data


Answer = Response | Exception | None


class Agent:
    """Notes requests; `answer(method, query)` is what S3 does: None for nothing at all."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Answer]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.urls: list[str] = []

    def request(self, method: bytes, url: bytes, headers: Headers, body: Any) -> Deferred[Any]:
        self.urls.append(url.decode())
        query = {name: values[0] for name, values in parse_qs(urlsplit(url.decode()).query, True).items()}
        query = {name: value for name, value in query.items() if not name.startswith("X-Amz-")}
        sink = Sink()
        produced = succeed(None) if body is None else body.startProducing(sink)

        def finish(_result: None) -> Deferred[Any]:
            self.asked.append((method.decode(), query, bytes(sink.data)))
            found = self.answer(method.decode(), query)
            if found is None:
                return Deferred()
            return fail(found) if isinstance(found, Exception) else succeed(found)

        return produced.addCallback(finish)


def s3(method: str, query: dict[str, str]) -> Answer:
    """An S3 at its best."""
    if "uploads" in query:
        return Response(200, CREATED)
    if method == "POST":
        return Response(200, COMPLETED)
    if method == "PUT":
        return Response(200, ETag='"tag' + query.get("partNumber", "") + '"')
    return Response(204)


class BlobTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.uploads: list[str] = []

    def blobs(self, answer: Callable[[str, dict[str, str]], Answer] = s3) -> tuple[Blobs, Agent]:
        blobs = Blobs(self.clock, SETTINGS, Threads(self.clock, "s3", 1, 1))
        agent = Agent(answer)
        blobs._requests.agent = agent
        return blobs, agent

    async def begun(self, upload_id: str) -> None:
        self.uploads.append(upload_id)

    def put(self, blobs: Blobs, chunks: list[bytes], length: int | None) -> Deferred[None]:
        return ensureDeferred(blobs.put("key", Pieces(chunks), length, self.begun))

    def refused(self, deferred: Deferred[Any]) -> Problem:
        problem = self.failureResultOf(deferred, Problem).value
        assert problem.code == Code.unavailable
        assert problem.retry_after is not None
        assert "key" not in problem.detail
        return problem

    def test_a_known_length_is_one_request(self) -> None:
        blobs, agent = self.blobs()
        self.successResultOf(self.put(blobs, [b"ab", b"cd"], 4))
        assert agent.asked == [("PUT", {}, b"abcd")]
        assert "X-Amz-Signature=" in agent.urls[0]

    def test_a_short_body_of_unknown_length_is_one_request(self) -> None:
        blobs, agent = self.blobs()
        self.successResultOf(self.put(blobs, [b"ab", b"cd"], None))
        assert agent.asked == [("PUT", {}, b"abcd")]
        assert self.uploads == []

    def test_a_long_one_goes_up_in_parts(self) -> None:
        blobs, agent = self.blobs()
        chunk = bytes(65_536)
        self.successResultOf(self.put(blobs, [chunk] * 200, None))
        parts = [len(body) for method, query, body in agent.asked if "partNumber" in query]
        assert parts == [PART, PART, 200 * 65536 - 2 * PART]
        assert self.uploads == ["up&1"]
        document = agent.asked[-1][2].decode()
        assert agent.asked[-1][:2] == ("POST", {"uploadId": "up&1"})
        assert '<PartNumber>2</PartNumber><ETag>"tag2"</ETag>' in document

    def test_a_body_that_is_parts_to_the_byte(self) -> None:
        blobs, agent = self.blobs()
        self.successResultOf(self.put(blobs, [bytes(65_536)] * (2 * PART // 65_536), None))
        assert len([query for _, query, _ in agent.asked if "partNumber" in query]) == 2

    def test_a_completion_that_fails_after_its_200_is_noticed(self) -> None:
        def late(method: str, query: dict[str, str]) -> Answer:
            if method == "POST" and "uploadId" in query:
                return Response(200, b"<Error><Code>InternalError</Code></Error>")
            return s3(method, query)

        blobs, _ = self.blobs(late)
        self.refused(self.put(blobs, [bytes(PART)] * 2, None))

    def drip(self, blobs: Blobs) -> tuple[Deferred[None], Deferred[bytes]]:
        """An upload that holds a buffer, and what brings its next chunk."""
        later: Deferred[bytes] = Deferred()

        async def chunks() -> Any:
            yield b"x"
            yield await later

        return ensureDeferred(blobs.put("key", chunks(), None, self.begun)), later

    def test_buffers_are_bounded(self) -> None:
        blobs, _ = self.blobs()
        held = [self.drip(blobs) for _ in range(PART_BUFFERS)]
        waiting = self.put(blobs, [b"small"], None)
        self.assertNoResult(waiting)
        self.clock.advance(PART_WAIT_SECONDS)
        self.refused(waiting)
        for one, later in held:
            later.callback(b"y")
            self.successResultOf(one)
        self.successResultOf(self.put(blobs, [b"small"], None))

    def test_who_is_slow_while_others_wait_loses_its_buffer(self) -> None:
        blobs, _ = self.blobs()
        held = [self.drip(blobs) for _ in range(PART_BUFFERS)]
        waiting = self.put(blobs, [b"small"], None)
        self.clock.advance(PART_FILL_SECONDS + 1)
        self.assertNoResult(waiting)
        held[0][1].callback(b"y")
        self.refused(held[0][0])
        self.clock.advance(0)
        self.successResultOf(waiting)
        held[1][1].callback(b"y")  # nobody waits any more
        self.successResultOf(held[1][0])

    def test_the_line_for_buffers_is_bounded(self) -> None:
        blobs, _ = self.blobs(lambda method, query: None)
        self.patch(part_buffers, "PART_WAITERS", 3)
        held = [self.put(blobs, [b"x"], None) for _ in range(PART_BUFFERS + 3)]
        self.refused(self.put(blobs, [b"x"], None))
        for one in held:
            self.assertNoResult(one)
            one.cancel()
            self.failureResultOf(one)

    def test_what_the_body_raises_comes_through(self) -> None:
        async def broken() -> Any:
            yield bytes(100)
            raise KeyError("left")

        for length in (200, None):
            blobs, _ = self.blobs()
            self.failureResultOf(ensureDeferred(blobs.put("key", broken(), length, self.begun)), KeyError)

    def test_faults_become_unavailable(self) -> None:
        for fault in (
            Response(500, b"<Error><Code>InternalError</Code></Error>"),
            Response(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"),
            Response(507),
            ConnectionRefusedError(),
            ResponseNeverReceived([Failure(ConnectionLost())]),
        ):
            blobs, _ = self.blobs(lambda method, query, fault=fault: fault)  # type: ignore[misc]
            self.refused(self.put(blobs, [b"abcd"], 4))
            self.refused(self.put(blobs, [bytes(PART)] * 2, None))
            self.refused(ensureDeferred(blobs.get("key", 0, 1)))
            self.refused(ensureDeferred(blobs.size("key")))
            self.refused(ensureDeferred(blobs.remove("key", "up")))
            self.refused(ensureDeferred(blobs.check()))

    def test_one_fault_in_storing_is_no_full_disk_and_a_second_may_be(self) -> None:
        fails = [True, False]

        def faulty(method: str, query: dict[str, str]) -> Answer:
            if method == "PUT" and fails.pop(0):
                return Response(500, b"<Error><Code>InternalError</Code></Error>")
            return s3(method, query)

        blobs, agent = self.blobs(faulty)
        self.refused(self.put(blobs, [b"abcd"], 4))
        self.assertFalse(blobs.room.full)
        self.assertEqual([method for method, _, _ in agent.asked], ["PUT", "PUT", "DELETE"])
        fails += [True, True]
        self.refused(self.put(blobs, [b"abcd"], 4))
        self.assertTrue(blobs.room.full)

    def test_an_s3_that_says_that_it_is_full_is(self) -> None:
        for answer in (Response(507), Response(500, b"<Error><Code>XMinioStorageFull</Code></Error>")):
            blobs, _ = self.blobs(lambda method, query, answer=answer: answer)  # type: ignore[misc]
            self.failureResultOf(self.put(blobs, [b"abcd"], 4), DiskFull)
            self.assertTrue(blobs.room.full)

    def test_a_dead_connection_is_tried_again_unless_there_was_a_body(self) -> None:
        def dead_once(method: str, query: dict[str, str]) -> Answer:
            return (
                ResponseNeverReceived([Failure(ConnectionLost())])
                if len(agent.asked) == 1
                else s3(method, query)
            )

        blobs, agent = self.blobs(dead_once)
        self.successResultOf(ensureDeferred(blobs.remove("key")))
        assert len(agent.asked) == 2
        blobs, agent = self.blobs(dead_once)
        self.refused(self.put(blobs, [b"abcd"], 4))
        assert len(agent.asked) == 1

    def test_silence_ends(self) -> None:
        blobs, agent = self.blobs(lambda method, query: None)
        asking = [ensureDeferred(blobs.get("key", 0, 1)), ensureDeferred(blobs.remove("key"))]
        putting = self.put(blobs, [b"abcd"], 4)
        self.clock.pump([1.0] * 30)
        for one in [*asking, putting]:
            self.refused(one)
        assert len(agent.asked) == 3
        assert self.clock.getDelayedCalls() == []

    def test_a_part_of_a_blob(self) -> None:
        blobs, _ = self.blobs(lambda method, query: Response(206, b"cd"))
        body = self.successResultOf(ensureDeferred(blobs.get("key", 2, 2)))
        assert self.successResultOf(ensureDeferred(body.read(10))) == b"cd"

    def test_a_blob_that_is_shorter_than_it_was_is_a_fault(self) -> None:
        blobs, _ = self.blobs(lambda method, query: Response(206, b"c"))
        self.refused(ensureDeferred(blobs.get("key", 2, 2)))

    def test_what_is_not_there(self) -> None:
        blobs, _ = self.blobs(lambda method, query: Response(404))
        assert self.successResultOf(ensureDeferred(blobs.get("key", 0, 1))) is None
        assert self.successResultOf(ensureDeferred(blobs.size("key"))) is None
        self.successResultOf(ensureDeferred(blobs.remove("key", "up")))

    def test_a_malformed_endpoint_is_one_clear_line(self) -> None:
        for endpoint in ("localhost:9000", "ftp://host", "http://", "http://host/path"):
            settings = S3(endpoint=endpoint, access_key="a", secret_key="b")
            with pytest.raises(StartError) as caught:
                Blobs(self.clock, settings, Threads(self.clock, "s3", 1, 1))
            assert caught.value.status == EX_CONFIG
            assert "[s3] endpoint" in str(caught.value)

    def test_missing_keys_are_named(self) -> None:
        with pytest.raises(StartError) as caught:
            Blobs(self.clock, S3(), Threads(self.clock, "s3", 1, 1))
        assert "[s3] access_key" in str(caught.value)
