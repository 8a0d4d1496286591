"""A short answer that nobody waits for any more."""

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from messenger.gateway.connection import Collected, UpstreamError, Why


class Connection:
    def __init__(self) -> None:
        self.left = 0

    def leave(self) -> None:
        self.left += 1

    def done(self) -> None:
        """The answer is through."""


class CollectedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.connection = Connection()
        self.collected = Collected(self.connection)  # type: ignore[arg-type]
        self.collected.wait.cancel()
        self.failureResultOf(self.collected.wait, CancelledError)
        self.assertEqual(self.connection.left, 1)

    def test_a_connection_that_is_lost_after_the_wait_was_given_up(self) -> None:
        """As the readiness of a service that is slow to answer: its question is given up after 2 s."""
        self.collected.failed(UpstreamError(Why.broken, "gone"))

    def test_an_answer_after_the_wait_was_given_up(self) -> None:
        self.collected.end()
