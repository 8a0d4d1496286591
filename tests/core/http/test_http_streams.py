"""Bodies and answers as streams: back-pressure both ways, limits, early refusals, clients that leave."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface.verify import verifyObject

from messenger.core.http.answers import StreamedAnswer
from messenger.core.http.channel import LINGER_SECONDS
from messenger.core.http.content import BodyLost, Content
from messenger.core.http.router import Router
from messenger.core.http.routing import route
from messenger.wire.errors import Code, Problem
from tests.core.http.http_app import Endpoints, router
from tests.core.http.http_transport import Connection, Logged, site

UPLOAD = "/api/v1/upload"
JSON = "Content-Type: application/json"


class UploadCase(SynchronousTestCase):
    def setUp(self):
        self.endpoints = Endpoints()
        self.logged = Logged(self)
        self.site = site(router(self.endpoints, body_limit=1000))
        self.client = Connection(self.site)

    def test_known_length(self):
        self.client.request("POST", UPLOAD, "Content-Length: 6")
        self.client.send(b"abc")
        assert self.endpoints.chunks == [b"abc"]
        self.client.send(b"def")
        assert self.client.reply().json == {"total": 6}

    def test_chunked(self):
        self.client.request("POST", UPLOAD, "Transfer-Encoding: chunked")
        self.client.send(b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n")
        assert self.client.reply().json == {"total": 7}
        self.client.request("GET", "/api/v1/page")
        assert self.client.reply().status == 200

    def test_no_body_is_an_empty_stream(self):
        self.client.request("POST", UPLOAD)
        assert self.client.reply().json == {"total": 0}

    def test_a_slow_reader_stops_the_client(self):
        waiting = Deferred()
        self.endpoints.waiting.append(waiting)
        self.client.request("POST", UPLOAD, "Content-Length: 9")
        self.client.send(b"abc")
        assert self.client.transport.producerState == "producing"
        self.client.send(b"def")
        assert self.client.transport.producerState == "paused"
        self.endpoints.waiting.clear()
        waiting.callback(None)
        assert self.client.transport.producerState == "producing"
        self.client.send(b"ghi")
        assert self.client.reply().json == {"total": 9}
        assert self.endpoints.chunks == [b"abc", b"def", b"ghi"]

    def test_time_in_which_we_do_not_read_is_not_the_client_s(self):
        waiting = Deferred()
        self.endpoints.waiting.append(waiting)
        self.client.request("POST", UPLOAD, "Content-Length: 9")
        self.client.send(b"abc")
        self.client.send(b"def")
        for _ in range(300):
            self.site.clock.advance(1)
        assert not self.client.closed
        self.endpoints.waiting.clear()
        waiting.callback(None)
        self.site.clock.advance(20)
        self.client.send(b"ghi")
        assert self.client.reply().json == {"total": 9}

    def test_a_client_that_leaves(self):
        self.client.request("POST", UPLOAD, "Content-Length: 9")
        self.client.send(b"abc")
        self.client.leave()
        [error] = self.endpoints.lost
        assert isinstance(error, BodyLost)
        assert self.logged.requests()[0]["status"] == 499

    def test_a_client_that_leaves_while_its_bytes_are_worked_on(self):
        waiting = Deferred()
        self.endpoints.waiting.append(waiting)
        self.client.request("POST", UPLOAD, "Content-Length: 9")
        self.client.send(b"abc")
        self.client.leave()
        assert self.endpoints.lost == []
        waiting.callback(None)
        assert isinstance(self.endpoints.lost[0], BodyLost)

    def test_broken_chunks_reach_the_reader_and_the_client(self):
        self.client.request("POST", UPLOAD, "Transfer-Encoding: chunked")
        self.client.send(b"3\r\nabc\r\nnonsense\r\n")
        reply = self.client.reply()
        assert (reply.status, reply.code) == (400, "bad_request")
        assert self.client.closed
        assert isinstance(self.endpoints.lost[0], Problem)
        assert len(self.logged.requests()) == 1

    def test_announced_too_large(self):
        self.client.request("POST", UPLOAD, "Content-Length: 1000001")
        reply = self.client.reply()
        assert (reply.status, reply.code) == (413, "too_large")
        assert reply.headers["connection"] == "close"
        assert self.client.closed
        self.client.send(b"x" * 100_000)
        assert self.client.replies() == []

    def test_chunked_too_large(self):
        self.client.request("POST", UPLOAD, "Transfer-Encoding: chunked")
        for _ in range(12):
            self.client.send(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
        reply = self.client.reply()
        assert (reply.status, reply.code) == (413, "too_large")
        assert self.client.closed
        assert sum(map(len, self.endpoints.chunks)) == 1000000

    def test_a_reader_that_goes_on_after_an_early_answer_does_not_put_the_end_off(self):
        waiting = Deferred()
        self.endpoints.waiting.append(waiting)
        self.client.request("POST", UPLOAD, "Transfer-Encoding: chunked")
        self.client.send(b"3\r\nabc\r\n")
        self.client.send(b"3\r\ndef\r\n")  # one waits unread: the body is paused
        self.client.channel.requests[-1].refuse(Problem(Code.too_large))
        assert self.client.reply().status == 413
        self.endpoints.waiting.clear()
        waiting.callback(None)
        self.site.clock.pump([1.0] * int(2 * LINGER_SECONDS + 2))  # closing, then cutting
        assert self.client.transport.disconnected

    def test_json_too_large_chunked(self):
        self.client.request("POST", "/api/v1/sum", JSON, "Transfer-Encoding: chunked")
        self.client.send(b"3e9\r\n" + b" " * 1001)
        assert self.client.reply().code == "too_large"
        assert self.client.closed

    def test_json_of_the_largest_size(self):
        body = b'{"a":1}'.ljust(1000)
        self.client.request("POST", "/api/v1/sum", JSON, body=body)
        assert self.client.reply().status == 201
        self.client.request("POST", "/api/v1/sum", JSON, body=body + b" ")
        assert self.client.reply().status == 413

    def test_json_in_many_pieces(self):
        self.client.request("POST", "/api/v1/sum", JSON, "Content-Length: 15")
        for byte in b'{"a": 1, "b":2}':
            self.client.send(bytes([byte]))
        assert self.client.reply().json == {"total": 3}

    def test_a_small_unwanted_body_does_not_cost_the_connection(self):
        self.client.request("POST", "/api/v1/private", "Content-Length: 100")
        assert self.client.reply().status == 401
        self.client.send(b"x" * 60)
        assert not self.client.closed
        self.client.send(b"x" * 40)
        self.client.request("GET", "/api/v1/page")
        assert self.client.reply().status == 200

    def test_a_large_unwanted_body_does(self):
        self.client.request("POST", "/api/v1/ignore", "Content-Length: 100000000")
        reply = self.client.reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert self.client.closed

    def test_a_body_where_none_is_asked_for(self):
        self.client.request("GET", "/api/v1/page", body=b"hello")
        assert self.client.reply().status == 200
        self.client.request("GET", "/api/v1/page", "Content-Length: 5000000")
        assert self.client.reply().status == 413

    def test_continue_after_authentication_only(self):
        self.client.request("POST", "/api/v1/private", JSON, "Expect: 100-continue", "Content-Length: 7")
        reply = self.client.reply()
        assert (reply.status, reply.headers["connection"]) == (401, "close")
        self.client = Connection(self.site)
        good = "Authorization: Bearer good"
        self.client.request(
            "POST", "/api/v1/private", JSON, good, "Expect: 100-continue", "Content-Length: 7"
        )
        assert [reply.status for reply in self.client.replies()] == [100]
        self.client.send(b'{"a":5}')
        assert self.client.reply().json == {"total": 5}

    def test_no_continue_for_a_body_that_is_refused(self):
        self.client.request("POST", UPLOAD, "Expect: 100-continue", "Content-Length: 99999999")
        assert self.client.reply().status == 413

    def test_no_continue_when_the_body_has_come(self):
        self.client.send(
            b"POST /api/v1/upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"
        )
        assert [reply.status for reply in self.client.replies()][-1] == 200


class DownloadCase(SynchronousTestCase):
    def setUp(self):
        self.endpoints = Endpoints()
        self.logged = Logged(self)
        self.client = Connection(site(router(self.endpoints)))
        self.whole = b"".join(b"%d" % number * 10 for number in range(10))

    def test_known_length(self):
        self.client.request("GET", "/api/v1/download")
        reply = self.client.reply()
        assert (reply.body, reply.headers["content-length"]) == (self.whole, "100")
        assert "transfer-encoding" not in reply.headers
        assert self.logged.requests()[0]["bytes_out"] == 100

    def test_unknown_length_is_chunked(self):
        self.client.request("GET", "/api/v1/download", "X-Chunked: 1")
        assert self.client.reply().body == self.whole
        self.client.request("GET", "/api/v1/page")
        assert self.client.reply().status == 200

    def test_unknown_length_for_an_old_client_ends_with_the_connection(self):
        self.client.send(b"GET /api/v1/download HTTP/1.0\r\nX-Chunked: 1\r\n\r\n")
        assert self.client.transport.value().endswith(b"\r\n\r\n" + self.whole)
        assert b"chunked" not in self.client.transport.value()
        assert self.client.closed

    def test_head(self):
        self.client.request("HEAD", "/api/v1/download")
        reply = self.client.reply()
        assert (reply.body, reply.headers["content-length"]) == (b"", "100")
        assert self.endpoints.chunks == []

    def test_a_slow_client_stops_the_writer(self):
        self.client.channel.pauseProducing()  # as a transport with a full buffer does
        self.client.request("GET", "/api/v1/download")
        first = len(self.endpoints.chunks)
        assert first < 10
        self.client.channel.resumeProducing()
        assert len(self.endpoints.chunks) == 10
        assert self.client.reply().body == self.whole

    def test_a_client_that_leaves_cancels_the_writer(self):
        self.client.channel.pauseProducing()
        self.client.request("GET", "/api/v1/download")
        self.client.leave()
        [error] = self.endpoints.lost
        assert isinstance(error, CancelledError)
        assert self.logged.requests()[0]["bytes_out"] == 10

    def test_too_little_written_cuts_the_connection(self):
        class Short:
            @route("GET", "/short", answer=bytes, open=True)
            async def short(self, call):
                """Less than announced."""

                async def write(out):
                    await out.send(b"abc")

                return StreamedAnswer(write, length=5)

        client = Connection(site(Router([Short()])))
        client.request("GET", "/api/v1/short")
        assert client.transport.disconnected
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    def test_a_writer_that_fails_before_its_first_byte_is_a_problem(self):
        class Failing:
            @route("GET", "/failing", answer=bytes, open=True)
            async def failing(self, call):
                """Fails in time."""

                async def write(out):
                    raise Problem(Code.unavailable, retry_after=1)

                return StreamedAnswer(write, headers={"ETag": "x"}, length=5)

        client = Connection(site(Router([Failing()])))
        client.request("GET", "/api/v1/failing")
        reply = client.reply()
        assert (reply.status, reply.code) == (503, "unavailable")
        assert "etag" not in reply.headers
        assert not client.closed


class Recorder:
    """A source that notes what a content asks of it; a consumer too."""

    def __init__(self):
        self.asked = []
        self.written = []

    def pause_body(self):
        self.asked.append("pause")

    def resume_body(self):
        self.asked.append("resume")

    def continue_body(self):
        self.asked.append("continue")

    def write(self, data):
        self.written.append(data)


class ContentCase(SynchronousTestCase):
    def setUp(self):
        self.source = Recorder()
        self.content = Content(self.source, None)

    def test_as_a_body_producer(self):
        producer = self.content.producer()
        verifyObject(IBodyProducer, producer)
        assert producer.length is UNKNOWN_LENGTH
        assert Content(self.source, 7).producer().length == 7
        self.content.feed(b"early")
        done = producer.startProducing(self.source)
        assert self.source.asked == ["pause", "continue", "resume"]
        producer.pauseProducing()
        producer.pauseProducing()
        producer.resumeProducing()
        self.content.feed(b"late")
        self.assertNoResult(done)
        self.content.end()
        assert self.successResultOf(done) is None
        assert self.source.written == [b"early", b"late"]
        assert self.source.asked[3:] == ["pause", "resume"]

    def test_a_body_producer_fails_when_the_client_leaves(self):
        done = self.content.producer().startProducing(self.source)
        self.content.fail(BodyLost())
        self.failureResultOf(done, BodyLost)

    def test_a_body_producer_fails_beyond_the_limit(self):
        self.content.limit = 3
        done = self.content.producer().startProducing(self.source)
        self.content.feed(b"abcd")
        assert self.failureResultOf(done, Problem).value.code == Code.too_large
        assert self.source.written == []

    def test_stop_producing_discards(self):
        producer = self.content.producer()
        done = producer.startProducing(self.source)
        producer.stopProducing()
        self.content.feed(b"x" * 1000)
        self.content.end()
        assert self.source.written == []
        self.failureResultOf(done, BodyLost)

    def test_failure_after_the_end_is_none(self):
        self.content.feed(b"all")
        self.content.end()
        self.content.fail(BodyLost())
        reading = Deferred.fromCoroutine(self.content.read(100))
        assert self.successResultOf(reading) == b"all"

    def test_read_is_cancelled(self):
        reading = Deferred.fromCoroutine(self.content.read(100))
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.content.feed(b"x")
        self.content.end()
