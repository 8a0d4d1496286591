"""Sockets that are forgotten already and not closed yet: spread over some seconds, so that their clients do
not all come back at once."""

from collections.abc import Callable
from random import random
from typing import Any

from messenger.messages.live.connection import Channel
from messenger.wire import frames

REASON = "the database has another history: connect again"


class Leaving:
    """Closes channels with 1001, each at a random time. `closing(code)` hears of each."""

    def __init__(self, reactor: Any, closing: Callable[[int], object]) -> None:
        self._reactor = reactor
        self._closing = closing
        self._channels: dict[Channel, None] = {}

    def close_within(self, spread: float, channel: Channel) -> None:
        """Close the channel within `spread` seconds."""
        self._channels[channel] = None
        self._reactor.callLater(random() * spread, self._close, channel)  # noqa: S311

    def close_now(self) -> None:
        """Close all that are left."""
        for channel in list(self._channels):
            self._close(channel)

    def _close(self, channel: Channel) -> None:
        if channel in self._channels:
            del self._channels[channel]
            self._closing(frames.GOING_AWAY)
            channel.close(frames.GOING_AWAY, REASON)
