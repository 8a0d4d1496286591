"""Connections go to addresses that were checked and to no other: mixed answers, rebinding, endless heads."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from messenger.messages.domain.push import push_server
from messenger.messages.push import outbound as module
from messenger.messages.push.addresses import Permitted
from messenger.messages.push.outbound import NotPermitted, OutboundClient

URL = "https://push.example:8443/x"


class Threads:
    """Runs at once."""

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)


class OutwardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.answers: list[list[str]] = []
        self.asked: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)

    def post(self, *answers: list[str], networks: tuple[str, ...] = ()) -> Deferred[Any]:
        self.answers += answers
        threads: Any = Threads()
        outbound = OutboundClient(self.reactor, threads, Permitted(networks), None, self.resolve)
        return ensureDeferred(outbound.post(URL, push_server(URL), {"TTL": "1"}, b"body"))

    def connected_to(self) -> list[tuple[str, int]]:
        return [(host, port) for host, port, *_ in self.reactor.tcpClients]

    def refused(self, *answers: list[str]) -> None:
        self.failureResultOf(self.post(*answers), NotPermitted)
        self.assertEqual(self.connected_to(), [])

    def test_the_connection_is_to_the_address_that_was_checked(self) -> None:
        waiting = self.post(["1.1.1.1"], ["127.0.0.1"])
        self.assertEqual(self.connected_to(), [("1.1.1.1", 8443)])
        self.assertEqual(self.asked, [("push.example", 8443)])  # nobody asks a second time
        self.assertNoResult(waiting)
        waiting.addErrback(lambda _: None)

    def test_a_name_that_means_another_address_the_next_time(self) -> None:
        self.post(["1.1.1.1"]).addErrback(lambda _: None)
        self.failureResultOf(self.post(["127.0.0.1"]), NotPermitted)
        self.assertEqual(self.connected_to(), [("1.1.1.1", 8443)])

    def test_one_private_address_among_public_ones_is_enough(self) -> None:
        self.refused(["1.1.1.1", "10.0.0.1"])
        self.refused(["2606:4700:4700::1111", "::ffff:169.254.169.254"])

    def test_private_addresses(self) -> None:
        for address in (
            "127.0.0.1",
            "::1",
            "169.254.169.254",
            "100.64.0.1",
            "64:ff9b::a00:1",
            "fe80::1%eth0",
        ):
            self.refused([address])

    def test_no_address_at_all(self) -> None:
        self.refused([])

    def test_networks_of_our_own_may_be_let_in(self) -> None:
        self.post(["10.0.0.1"], networks=("10.0.0.0/8",)).addErrback(lambda _: None)
        self.assertEqual(self.connected_to(), [("10.0.0.1", 8443)])

    def test_the_next_address_is_tried(self) -> None:
        waiting = self.post(["2606:4700:4700::1111", "1.1.1.1"])
        factory = self.reactor.tcpClients[0][2]
        factory.clientConnectionFailed(None, Failure(Refused()))
        self.assertEqual(self.connected_to(), [("2606:4700:4700::1111", 8443), ("1.1.1.1", 8443)])
        self.reactor.tcpClients[1][2].clientConnectionFailed(None, Failure(Refused()))
        self.failureResultOf(waiting, Refused)

    def test_who_never_answers_is_given_up(self) -> None:
        waiting = self.post(["1.1.1.1"])
        self.reactor.advance(module.REQUEST_SECONDS)
        self.failureResultOf(waiting, TimeoutError)

    def test_a_head_without_end_is_cut_off(self) -> None:
        heard: list[bytes] = []

        class Inner(Protocol):
            def dataReceived(self, data: bytes) -> None:
                heard.append(data)

        class Transport(StringTransport):
            aborted = False

            def abortConnection(self) -> None:
                self.aborted = True

        transport = Transport()
        bounded = module._BoundedFactory(Factory.forProtocol(Inner)).buildProtocol(None)
        bounded.makeConnection(transport)
        for _ in range(100):
            bounded.dataReceived(b"X-Filler: " + b"x" * 1_000 + b"\r\n")
        self.assertTrue(transport.aborted)
        self.assertLessEqual(sum(map(len, heard)), module.ANSWER_BYTES)
