"""Presence: a device that comes back, on this instance or another, and a database that is away."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.identity import Identity
from messenger.messages.live.connection import Connection
from messenger.messages.model import Seen
from messenger.messages.presence import FLUSH_SECONDS, GRACE_SECONDS, PACE_SECONDS, RETRY_SECONDS, Presence
from messenger.wire.errors import unavailable


class Store:
    """Notes who is seen, unless it is away."""

    def __init__(self) -> None:
        self.noted: list[list[str]] = []
        self.away = False

    async def renew(self, instance_id: str, seconds: float) -> bool:
        return True

    async def bury(self) -> list[str]:
        return []

    async def note(self, instance_id: str, seen: list[Seen], gone: list[str]) -> None:
        if self.away:
            raise unavailable("The database is away.")
        self.noted.append([*(one.status for one in seen), *("gone" for _ in gone)])

    async def seen_by(self, user_ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        return {user_id: [] for user_id in user_ids}

    async def audience(self, user_ids: list[str]) -> dict[str, list[str]]:
        return {}


class Hub:
    """Knows each device's socket."""

    def __init__(self) -> None:
        self.sockets: dict[str, Connection] = {}

    def socket_of(self, device_id: str) -> Connection | None:
        return self.sockets.get(device_id)


class Bus:
    """Hears nothing."""

    def on(self, subject: str, listener: Any, *, own: bool = False) -> None:
        """Nobody speaks."""


class PresenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.store, self.hub = Clock(), Store(), Hub()
        parts: list[Any] = [self.clock, self.store, self.hub, Bus()]
        self.presence = Presence(*parts)
        self.successResultOf(ensureDeferred(self.presence.start()))

    def open(self) -> Connection:
        nothing: Any = None
        connection = Connection(nothing, nothing, Identity("user", "phone", "session", 0, 0), 1)
        self.hub.sockets["phone"] = connection
        self.presence.opened(connection)
        self.clock.advance(FLUSH_SECONDS)
        return connection

    def close(self, connection: Connection) -> None:
        if self.hub.sockets.get("phone") is connection:
            del self.hub.sockets["phone"]
        self.presence.closed(connection)

    def test_a_device_whose_socket_is_closed_is_gone_after_a_moment(self) -> None:
        self.close(self.open())
        self.clock.advance(GRACE_SECONDS)
        self.clock.advance(FLUSH_SECONDS)
        self.assertEqual(self.store.noted, [["online"], ["gone"]])

    def test_the_end_of_an_older_socket_takes_nobody_away(self) -> None:
        older = self.open()
        self.open()
        self.close(older)  # it has answered the close frame only now
        self.clock.advance(GRACE_SECONDS)
        self.clock.advance(FLUSH_SECONDS)
        self.assertNotIn(["gone"], self.store.noted)

    def test_who_comes_back_is_noted_again(self) -> None:
        # It may have been on another instance in between, which now sees it go.
        self.close(self.open())
        self.open()
        self.clock.advance(PACE_SECONDS)
        self.assertEqual(self.store.noted, [["online"], ["online"]])

    def test_who_changes_all_the_time_is_noted_once_in_a_while(self) -> None:
        connection = self.open()
        for _ in range(50):
            for status in ("away", "online"):
                self.presence.set(connection, status)
                self.clock.advance(PACE_SECONDS / 50)
        self.clock.advance(PACE_SECONDS)
        self.assertLessEqual(len(self.store.noted), 1 + 3)
        self.assertEqual(self.store.noted[-1], ["online"])

    def test_what_could_not_be_written_is_written_later(self) -> None:
        self.close(self.open())
        self.store.away = True
        self.clock.advance(GRACE_SECONDS)
        self.clock.advance(FLUSH_SECONDS)
        self.assertEqual(self.store.noted, [["online"]])
        self.store.away = False
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.store.noted, [["online"], ["gone"]])
