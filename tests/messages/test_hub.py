"""The directory of sockets: one broken socket harms nobody else, and a device has one."""

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.messages.live_world import Channel, Instance, Store


class HubTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.instance = Instance(self.clock, Store())

    def test_a_broken_socket_does_not_keep_others_from_theirs(self) -> None:
        broken, _ = self.instance.attach("ann-phone", Channel(broken=True))
        connection, good = self.instance.attach("ann-laptop")
        broken.send(b"{}")
        connection.send(b"{}")
        self.clock.advance(0)
        self.assertEqual(good.sent, [b"{}"])
        self.assertTrue(broken.closed)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_frames_of_one_turn_share_a_message(self) -> None:
        connection, channel = self.instance.attach("ann-phone")
        for number in range(3):
            connection.send(b"%d" % number)
        self.clock.advance(0)
        self.assertEqual(channel.sent, [b"[0,1,2]"])

    def test_a_newer_socket_takes_over(self) -> None:
        _, older = self.instance.attach("ann-phone")
        self.instance.attach("ann-phone")
        self.assertEqual(older.closed, (4409, "a newer socket of this device has taken over"))
        self.assertEqual(self.instance.hub.sockets, 1)

    def test_another_history_forgets_all_at_once_and_closes_over_some_seconds(self) -> None:
        hub = self.instance.hub
        attached = [self.instance.attach(f"device{number}") for number in range(20)]
        hub.send_away(10.0)
        self.assertEqual((hub.sockets, hub.feeds), (0, {}))
        attached[0][0].send(b"{}")
        self.clock.advance(5)
        self.assertEqual(attached[0][1].sent, [])
        early = sum(channel.closed is not None for _, channel in attached)
        self.assertTrue(0 < early < 20)
        self.clock.advance(5)
        self.assertEqual({channel.closed[0] for _, channel in attached if channel.closed}, {1001})
        self.assertEqual(hub.closed[1001], 20)

    def test_a_stop_closes_those_that_are_about_to_be_sent_away(self) -> None:
        _, channel = self.instance.attach("device")
        self.instance.hub.send_away(10.0)
        self.successResultOf(ensureDeferred(self.instance.hub.stop()))
        self.assertEqual(channel.closed and channel.closed[0], 1001)
        self.clock.advance(10)
        self.assertEqual(self.instance.hub.closed[1001], 1)
