"""Which of several servers of NATS to be at.

A lost connection is made again at once, to another server than the one that was lost; those of the
configuration come before those that servers told of, since these may be named in ways that only servers know.
Each gets CONNECT_SECONDS at first; where all have failed it is twice as long for each round, for a network
that is slow.
"""

import random
from collections.abc import Sequence
from typing import Any

from messenger.core.lean import without

with without("aiohttp"):  # for NATS over WebSocket; 8 MB where it happens to be installed
    import nats.errors
    from nats.aio.client import Client, Server

GONE = (nats.errors.Error, OSError, RuntimeError)
"""Errors of nats-py where the connection has just gone; RuntimeError is uvloop's."""
CONNECT_SECONDS = 1.0
LONGEST_CONNECT_SECONDS = 5.0
MOST_DOUBLINGS = 8
ROUND_SECONDS = 0.25  # between rounds


class Servers:
    """Chooses for `client` among its servers; `urls` are those of the configuration, in any order."""

    def __init__(self, client: Client, urls: Sequence[str]) -> None:
        self._client = client
        self._configured = {url.rpartition("@")[2].rpartition("/")[2] for url in urls}
        self._left = ""
        self._wanted = ""
        self._failed_before: dict[str, int] = {}

    @property
    def several(self) -> bool:
        """Whether there is another one to go to."""
        return len({name_of(server) for server in self._client.server_pool}) > 1

    def want(self, wanted: str) -> None:
        """Where to go first, if that is known."""
        self._wanted = wanted

    def leave(self, left: str) -> None:
        """The connection to the server `left` is gone."""
        self._left = left
        self._failed_before = {name_of(one): one.reconnects for one in self._client.server_pool}

    def arrive(self) -> None:
        """There is a connection."""
        self._wanted = ""

    def others(self, here: str) -> list[Server]:
        """The servers but the one named `here`, those of the configuration first."""
        found = [one for one in self._client.server_pool if name_of(one) != here]
        random.shuffle(found)
        return sorted(found, key=lambda one: name_of(one) not in self._configured)

    def choose(self, pool: list[Server], _info: dict[str, Any]) -> tuple[Server | None, float]:
        """The next server to try, and how many seconds to wait before; nats-py asks before each attempt."""
        if not pool:
            return None, ROUND_SECONDS
        random.shuffle(pool)
        chosen = min(pool, key=self._order)
        rounds = self._tries(chosen)
        # Bounded, or the float overflows after minutes; nats-py asks an error's place again without a pause.
        doubled = 2 ** min(rounds, MOST_DOUBLINGS)
        self._client.options["connect_timeout"] = min(LONGEST_CONNECT_SECONDS, CONNECT_SECONDS * doubled)
        return chosen, ROUND_SECONDS if rounds else 0.0

    def _order(self, server: Server) -> tuple[int, bool, bool, bool]:
        name = name_of(server)
        tries = self._tries(server)
        return tries, name != self._wanted, name == self._left, name not in self._configured

    def _tries(self, server: Server) -> int:
        return max(0, server.reconnects - self._failed_before.get(name_of(server), 0))


def name_of(server: Server) -> str:
    """A server's host and port, without what it is logged in to with."""
    return str(server.uri.netloc).rpartition("@")[2]


def here(client: Client) -> str:
    """The host and port of the server that `client` is connected to; empty where to none."""
    url = client.connected_url
    return "" if url is None else str(url.netloc).rpartition("@")[2]


async def hang_up(client: Client) -> None:
    """Drop the connection without a farewell, for which one that is cut off would be waited for."""
    writer = getattr(client._transport, "_io_writer", None)  # nats-py has no word for it
    if writer is not None:
        writer.transport.abort()
    await client.force_reconnect()  # also where nobody reads any more, who would notice


def deaf(client: Client) -> bool:
    """Whether nobody reads what the server says: nats-py stops that for what it did not foresee, goes on
    writing, and takes each of its questions for answered."""
    reading = client._reading_task
    return client.is_connected and reading is not None and reading.done()
