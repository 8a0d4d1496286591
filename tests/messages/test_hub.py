"""The hub: one broken socket harms nobody else."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.identity import Identity
from messenger.messages.live.hub import Hub


class Bus:
    """Takes what is said."""

    connected = True

    def on(self, subject: str, listener: object) -> None:
        """Nothing is heard."""

    def on_gap(self, listener: object) -> None:
        """No gap comes."""

    def tell(self, subject: str, payload: bytes) -> None:
        """Nobody else is there."""


class Channel:
    """Notes what is sent, or breaks."""

    def __init__(self, broken: bool = False) -> None:
        self.sent: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self._broken = broken

    def send(self, message: bytes) -> None:
        if self._broken:
            raise OSError("broken")
        self.sent.append(message)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class HubTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        nothing: Any = None
        bus: Any = Bus()
        self.hub = Hub(self.clock, nothing, nothing, bus, nothing, unread_bytes=10_000, receipt_members=32)

    def attach(self, device: str, broken: bool = False) -> Channel:
        channel = Channel(broken)
        self.connection = self.hub.attach(channel, Identity("user", device, "session", 0, 0))
        return channel

    def test_a_broken_socket_does_not_keep_others_from_theirs(self) -> None:
        self.attach("one", broken=True)
        broken = self.connection
        good = self.attach("two")
        broken.send(b"{}")
        self.connection.send(b"{}")
        self.clock.advance(0)
        self.assertEqual(good.sent, [b"{}"])
        self.assertTrue(broken.closed)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_frames_of_one_turn_share_a_message(self) -> None:
        channel = self.attach("one")
        for number in range(3):
            self.connection.send(b"%d" % number)
        self.clock.advance(0)
        self.assertEqual(channel.sent, [b"[0,1,2]"])

    def test_a_newer_socket_takes_over(self) -> None:
        older = self.attach("one")
        self.attach("one")
        self.assertEqual(older.closed, (4409, "a newer socket of this device has taken over"))
        self.assertEqual(self.hub.sockets, 1)
