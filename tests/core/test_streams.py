"""Bodies through an Agent: back-pressure, ends, faults and silences."""

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed

from messenger.core.streams import STALL_SECONDS, Pieces, Receiving, Sending, StreamBroken


class Consumer:
    """Takes bytes, and pauses its producer as a test says."""

    def __init__(self) -> None:
        self.data = b""
        self.producer: Any = None
        self.pause_after: int | None = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.data += data
        if self.pause_after is not None and len(self.data) >= self.pause_after and self.producer is not None:
            self.producer.pauseProducing()


class Faucet:
    """Chunks that come when the test says so."""

    def __init__(self) -> None:
        self.waiting: Deferred[bytes | None] | None = None

    def __aiter__(self) -> "Faucet":
        return self

    async def __anext__(self) -> bytes:
        self.waiting = Deferred()
        chunk = await self.waiting
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def give(self, chunk: bytes | None) -> None:
        assert self.waiting is not None
        self.waiting.callback(chunk)


class Response:
    """A response whose body the test brings."""

    def __init__(self, early: bytes = b"", ended: bool = False) -> None:
        self.early = early
        self.ended = ended
        self.protocol: Any = None
        self.flow: list[str] = []

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self)
        if self.early:
            protocol.dataReceived(self.early)
        if self.ended:
            self.end()
        self.flow.append("resume")

    def end(self, error: Exception | None = None) -> None:
        self.protocol.connectionLost(Failure(error or ResponseDone()))

    def pauseProducing(self) -> None:
        self.flow.append("pause")

    def resumeProducing(self) -> None:
        self.flow.append("resume")

    def loseConnection(self) -> None:
        self.flow.append("close")


class SendingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.consumer = Consumer()
        self.stalls = 0

    def send(self, chunks: AsyncIterator[bytes], length: int = 6) -> tuple[Sending, Deferred[None]]:
        def stalled() -> None:
            self.stalls += 1

        sending = Sending(self.clock, chunks, length, stalled)
        self.consumer.producer = sending
        return sending, sending.startProducing(self.consumer)  # type: ignore[arg-type]

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.5] * int(seconds * 2))

    def test_sends_all_chunks(self) -> None:
        sending, done = self.send(Pieces([b"abc", bytearray(b"def")]))
        self.successResultOf(done)
        assert self.consumer.data == b"abcdef"
        sending.stop()
        assert self.clock.getDelayedCalls() == []

    def test_asks_for_no_chunk_while_paused(self) -> None:
        self.consumer.pause_after = 3
        sending, done = self.send(Pieces([b"abc", b"def"]))
        assert self.consumer.data == b"abc"
        self.assertNoResult(done)
        self.consumer.pause_after = None
        sending.resumeProducing()
        self.successResultOf(done)

    def test_a_peer_that_takes_nothing_is_noticed(self) -> None:
        self.consumer.pause_after = 3
        self.send(Pieces([b"abc", b"def"]))
        self.wait(STALL_SECONDS - 1)
        assert self.stalls == 0
        self.wait(2)
        assert self.stalls == 1

    def test_a_peer_that_does_not_answer_is_noticed(self) -> None:
        _, done = self.send(Pieces([b"abcdef"]))
        self.successResultOf(done)
        self.wait(STALL_SECONDS + 1)
        assert self.stalls == 1

    def test_a_slow_client_of_ours_is_not_the_peers_fault(self) -> None:
        faucet = Faucet()
        sending, done = self.send(faucet)
        for chunk in (b"abc", b"def", None):
            self.wait(STALL_SECONDS * 3)
            faucet.give(chunk)
        self.successResultOf(done)
        assert self.stalls == 0
        sending.stop()

    def test_what_ends_the_chunks_ends_the_body(self) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"abc"
            raise KeyError("gone")

        sending, done = self.send(broken())
        self.failureResultOf(done, KeyError)
        assert isinstance(sending.error, KeyError)

    def test_stopped_it_reports_nothing_and_takes_nothing(self) -> None:
        faucet = Faucet()
        sending, done = self.send(faucet)
        sending.stopProducing()
        self.assertNoResult(done)
        assert self.clock.getDelayedCalls() == []
        assert self.consumer.data == b""

    def test_cancelled_it_stops(self) -> None:
        _, done = self.send(Faucet())
        done.cancel()
        self.failureResultOf(done, CancelledError)
        assert self.clock.getDelayedCalls() == []


class ReceivingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.consumer = Consumer()

    def receive(self, response: Response) -> tuple[Receiving, Deferred[None]]:
        receiving = Receiving(self.clock, response)  # type: ignore[arg-type]
        return receiving, ensureDeferred(receiving.write_to(self.consumer))

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.5] * int(seconds * 2))

    def test_writes_all_that_comes(self) -> None:
        response = Response(b"ab")
        _, done = self.receive(response)
        response.protocol.dataReceived(b"cd")
        response.end()
        self.successResultOf(done)
        assert self.consumer.data == b"abcd"
        assert self.consumer.producer is None
        assert self.clock.getDelayedCalls() == []

    def test_a_body_that_is_there_already(self) -> None:
        _, done = self.receive(Response(b"abcd", ended=True))
        self.successResultOf(done)
        assert self.consumer.data == b"abcd"
        assert self.clock.getDelayedCalls() == []

    def test_a_pause_holds_even_while_the_delivery_begins(self) -> None:
        self.consumer.pause_after = 1
        response = Response(b"ab")
        receiving, _ = self.receive(response)
        assert response.flow[-1] == "pause"
        receiving.resumeProducing()
        assert response.flow[-1] == "resume"

    def test_a_silent_peer_is_cut_off(self) -> None:
        response = Response(b"ab")
        _, done = self.receive(response)
        self.wait(STALL_SECONDS + 1)
        assert response.flow[-1] == "close"
        response.end(ResponseFailed([]))
        self.failureResultOf(done, StreamBroken)

    def test_a_consumer_that_pauses_may_take_its_time(self) -> None:
        self.consumer.pause_after = 1
        response = Response(b"ab")
        receiving, done = self.receive(response)
        self.wait(STALL_SECONDS * 3)
        assert "close" not in response.flow
        self.consumer.pause_after = None
        receiving.resumeProducing()
        response.protocol.dataReceived(b"cd")
        response.end()
        self.successResultOf(done)

    def test_a_body_that_breaks_off_is_an_error(self) -> None:
        response = Response(b"ab")
        _, done = self.receive(response)
        response.end(ResponseFailed([]))
        self.failureResultOf(done, StreamBroken)

    def test_a_consumer_that_leaves_closes_the_connection(self) -> None:
        response = Response(b"ab")
        _, done = self.receive(response)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        assert "close" in response.flow
        response.end(ResponseFailed([]))
        assert self.clock.getDelayedCalls() == []

    def test_reads_up_to_a_limit(self) -> None:
        response = Response(b"abcdef", ended=True)
        receiving = Receiving(self.clock, response)  # type: ignore[arg-type]
        assert self.successResultOf(ensureDeferred(receiving.read(4))) == b"abcd"

    def test_closed_untaken_it_lets_go_of_the_connection(self) -> None:
        response = Response(b"ab")
        receiving = Receiving(self.clock, response)  # type: ignore[arg-type]
        receiving.close()
        assert "close" in response.flow
        response.end(ResponseFailed([]))
        assert self.clock.getDelayedCalls() == []
