"""The streams of JetStream that the bus goes through: made, looked at, and made anew.

A stream that once found no room takes nothing any more, not even when there is room again, until NATS starts
anew or the stream is made anew (NATS 2.10 to 2.15): it just does not answer who publishes. So a probe is
published to see whether it stores, and where it does not the stream is deleted, to be made again.
"""

import asyncio

from twisted.logger import Logger

from messenger.core.lean import without

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats.errors
    import nats.js.errors
    from nats.js.api import DiscardPolicy, StorageType, StreamConfig
    from nats.js.client import JetStreamContext

NEWS = "messenger.news"
WORK = "messenger.work"
NEWS_STREAM = "MESSENGER_NEWS"
WORK_STREAM = "MESSENGER_WORK"
PROBE_BYTES = 65_536
PROBE_ANSWER_SECONDS = 2.0
SMALLEST_STREAM = 4 << 20
_LATELY = 3_000_000_000  # nanoseconds; a leader hears from those that follow it once a second

_STREAMS = {NEWS_STREAM: NEWS, WORK_STREAM: WORK}
_PROBE = "room"
# JSInsufficientResourcesErr, JSStorageResourcesExceededErr, JSMemoryResourcesExceededErr
_NO_ROOM = frozenset({10023, 10047, 10028})
_OTHERWISE = 10058  # JSStreamNameExistErr: it is there, with another configuration
_TOO_FEW = 10005  # JSClusterNoPeersErr: fewer servers are there than it wants copies

log = Logger()


class Streams:
    """The streams of one NATS, each on `replicas` of its servers."""

    def __init__(self, jetstream: JetStreamContext, replicas: int) -> None:
        self._jetstream = jetstream
        self._replicas = replicas
        self.short = False
        """Whether there were too few servers for all copies: to be made again once there are more."""

    async def make(self) -> None:
        """Make all that are not there, and bring the others up to date. nats.errors, nats.js.errors."""
        self.short = False
        await self._make(self._config(NEWS_STREAM, NEWS, age=3600.0, most=256 << 20))
        await self._make(self._config(WORK_STREAM, WORK, age=7 * 86_400.0, most=64 << 20))

    async def _make(self, config: StreamConfig) -> None:
        """Make the stream, or bring it up to date; smaller where NATS can't promise room for all of it, and
        with fewer copies where too few of its servers are there."""
        while True:
            try:
                try:
                    await self._jetstream.add_stream(config)
                except nats.js.errors.BadRequestError as error:
                    if error.err_code != _OTHERWISE:
                        raise
                    await self._jetstream.update_stream(config)
                return
            except nats.js.errors.APIError as error:
                copies, size = config.num_replicas or 1, config.max_bytes or 0
                if error.err_code == _TOO_FEW and copies > 1:
                    config.num_replicas = copies - 1
                    self.short = True
                elif error.err_code in _NO_ROOM and size >= 2 * SMALLEST_STREAM:
                    config.max_bytes = size // 2
                else:
                    raise

    async def ask(self, seconds: float) -> None:
        """Return once the leader of the stream of news has answered; nats.errors, nats.js.errors, and
        TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            await self._jetstream.stream_info(NEWS_STREAM)

    def _config(self, name: str, prefix: str, age: float, most: int) -> StreamConfig:
        return StreamConfig(
            name=name,
            subjects=[f"{prefix}.>"],
            max_age=age,
            max_bytes=most,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            num_replicas=self._replicas,
            duplicate_window=120.0,
        )

    async def take_all(self) -> bool:
        """Whether all streams store what they are given."""
        return all([await self._takes(prefix) for prefix in _STREAMS.values()])

    async def _takes(self, prefix: str) -> bool:
        try:
            await self._jetstream.publish(
                f"{prefix}.{_PROBE}", bytes(PROBE_BYTES), timeout=PROBE_ANSWER_SECONDS
            )
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            log.debug("NATS does not store: {error}", error=str(error) or type(error).__name__)
            return False
        return True

    async def full(self) -> list[str]:
        """Those that store nothing though a leader is there all the time: what none leads only waits for one.

        One that did not store may have had no leader then, and have one by now, so it is tried again.
        """
        unstored = [name for name, prefix in _STREAMS.items() if not await self._takes(prefix)]
        return [name for name in unstored if await self._is_full(name)]

    async def _is_full(self, name: str) -> bool:
        leader = await self._leader(name)
        if leader is None or await self._takes(_STREAMS[name]):
            return False
        return await self._leader(name) == leader

    async def _leader(self, name: str) -> str | None:
        """Who leads a stream, and hears from a majority; None where nobody does."""
        try:
            cluster = (await self._jetstream.stream_info(name)).cluster
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
            return None
        if cluster is None:
            return ""  # a server by itself
        others = cluster.replicas or []
        heard = [one for one in others if one.current and not one.offline and (one.active or 0) < _LATELY]
        return cluster.leader if cluster.leader and 2 * (1 + len(heard)) > 1 + len(others) else None

    async def delete_full(self) -> None:
        """Delete those that are full, to be made again: other instances may have done so before."""
        for name in await self.full():
            await self._jetstream.delete_stream(name)
