"""Pieces of work that the bus hands to one instance each."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from messenger.core.bus.servers import GONE
from messenger.core.bus.streams import WORK_STREAM
from messenger.core.lean import without
from messenger.core.waits import from_asyncio

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats.js.errors
    from nats.aio.msg import Msg
    from nats.js.api import AckPolicy, ConsumerConfig
    from nats.js.client import JetStreamContext

TAKE_SECONDS = 9.0
ACK_SECONDS = 30.0

log = Logger()


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work that this instance has ACK_SECONDS to do. `tries` is 1 the first time it is given."""

    payload: bytes
    tries: int
    message: Msg

    async def done(self) -> None:
        """It is done: nobody gets it again. Never raises; where this is lost, it comes again all the same."""
        await self._answer(self.message.ack())

    async def again(self, delay: float) -> None:
        """It was not done: somebody gets it again after `delay` seconds. Never raises, either."""
        await self._answer(self.message.nak(delay=delay))

    async def _answer(self, answer: Coroutine[Any, Any, None]) -> None:
        try:
            await from_asyncio(answer)
        except GONE as error:
            log.debug("NATS did not hear how a piece of work went: {error}", error=str(error))


class Jobs:
    """Takes pieces out of the stream of work, by durable consumers."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream
        self._pulls: dict[str, JetStreamContext.PullSubscription] = {}

    def forget(self) -> None:
        """The stream was made anew: its consumers are gone."""
        self._pulls.clear()

    async def take(self, durable: str, subject: str) -> Job | None:
        """The next piece for all who ask by the name `durable`; None where there is none for TAKE_SECONDS.
        nats.errors, nats.js.errors."""
        pull = self._pulls.get(durable)
        if pull is None:
            await self._make_consumer(durable, subject)
            pull = await self._jetstream.pull_subscribe_bind(consumer=durable, stream=WORK_STREAM)
            self._pulls[durable] = pull
        try:
            (message,) = await pull.fetch(1, timeout=TAKE_SECONDS)
        except TimeoutError:
            # Nothing to do, or nobody to ask: a wiped NATS has lost the consumer.
            await self._keep_consumer(durable, subject)
            return None
        return Job(message.data, message.metadata.num_delivered, message)

    async def _keep_consumer(self, durable: str, subject: str) -> None:
        """Make the consumer where it is not there. NATS writes one down each time that it is told to make it,
        also where it has it."""
        try:
            await self._jetstream.consumer_info(WORK_STREAM, durable)
        except nats.js.errors.NotFoundError:
            await self._make_consumer(durable, subject)

    async def _make_consumer(self, durable: str, subject: str) -> None:
        config = ConsumerConfig(
            durable_name=durable,
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_SECONDS,
            max_ack_pending=100,
        )
        await self._jetstream.add_consumer(WORK_STREAM, config)
