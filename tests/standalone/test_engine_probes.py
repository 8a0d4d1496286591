"""What counts as an answer of an engine that serves."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from messenger.standalone.engines import probes

GOOD = {
    "postgres": (probes.postgres(1, "postgres"), b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
    "nats": (probes.nats(1, "user", "word"), b'INFO {"jetstream":true,"port":1} \r\nPONG\r\n'),
    "valkey": (probes.valkey(1, "word"), b"+OK\r\n+PONG\r\n"),
    "http": (probes.http(1, "/x", rb'"Max":[1-9]'), b'HTTP/1.0 200 OK\r\n\r\n{"Max":7}'),
}

BAD = {
    "postgres": [b"E\0\0\0\x40SFATAL\0C57P03\0"],
    "nats": [
        b"INFO {}\r\n-ERR 'Authorization Violation'\r\n",
        b'INFO {"jetstream":false}\r\nPONG\r\n',
        b'INFO {"port":1}\r\nPONG\r\n',
    ],
    "valkey": [b"-WRONGPASS invalid\r\n", b"+OK\r\n-LOADING Valkey is loading\r\n"],
    "http": [b'HTTP/1.0 503 Unavailable\r\n\r\n{"Max":7}', b"SSH-2.0\r\n\r\n"],
}


class JudgeTests(SynchronousTestCase):
    def test_the_right_answer_is_a_yes_once_it_is_whole(self) -> None:
        for name, (probe, answer) in GOOD.items():
            assert probe.judge(answer) is True, name

    def test_no_part_of_the_right_answer_is_a_no(self) -> None:
        for name, (probe, answer) in GOOD.items():
            for length in range(len(answer)):
                assert probe.judge(answer[:length]) is not False, (name, length)

    def test_a_wrong_answer_is_a_no(self) -> None:
        for name, answers in BAD.items():
            for answer in answers:
                assert GOOD[name][0].judge(answer) is False, answer

    def test_a_body_without_the_pattern_is_not_a_yes(self) -> None:
        assert GOOD["http"][0].judge(b'HTTP/1.0 200 OK\r\n\r\n{"Max":0}') is None

    def test_postgresql_is_greeted_by_its_protocol(self) -> None:
        request = probes.postgres(1, "postgres").request
        length, version = struct.unpack("!II", request[:8])
        assert (length, version) == (len(request), 196608)
        assert request[8:] == b"user\x00postgres\x00database\x00postgres\x00\x00"

    def test_a_password_is_not_shown(self) -> None:
        assert "word" not in repr(GOOD["valkey"][0]) + repr(GOOD["nats"][0])


@given(st.binary(max_size=200))
def test_no_answer_at_all_breaks_a_judge(answer: bytes) -> None:
    for probe, _ in GOOD.values():
        assert probe.judge(answer) in (True, False, None)


class AskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.asked = ensureDeferred(probes.ask(self.reactor, probes.valkey(4711, "word")))
        host, port, self.factory, _, _ = self.reactor.tcpClients[0]
        assert (host, port) == ("127.0.0.1", 4711)

    def connect(self) -> StringTransport:
        self.protocol = self.factory.buildProtocol(None)
        transport = StringTransport()
        self.protocol.makeConnection(transport)
        return transport

    def test_an_answer_in_pieces(self) -> None:
        transport = self.connect()
        assert b"word" in transport.value()
        for byte in b"+OK\r\n+PONG\r\n":
            self.protocol.dataReceived(bytes([byte]))
        assert self.successResultOf(self.asked)
        assert transport.disconnecting

    def test_silence_is_a_no(self) -> None:
        transport = self.connect()
        self.reactor.advance(probes.PATIENCE + 0.1)
        assert not self.successResultOf(self.asked)
        assert transport.disconnecting

    def test_endless_talk_is_a_no(self) -> None:
        self.factory, self.reactor = None, MemoryReactorClock()
        self.asked = ensureDeferred(probes.ask(self.reactor, probes.http(1, "/", rb"never")))
        self.factory = self.reactor.tcpClients[0][2]
        self.connect()
        self.protocol.dataReceived(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * probes.MOST)
        assert not self.successResultOf(self.asked)

    def test_a_refused_connection_is_a_no(self) -> None:
        from twisted.internet.error import ConnectionRefusedError
        from twisted.python.failure import Failure

        self.factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        assert not self.successResultOf(self.asked)

    def test_a_connection_that_is_cut_is_a_no(self) -> None:
        from twisted.internet.error import ConnectionLost
        from twisted.python.failure import Failure

        self.connect()
        self.protocol.connectionLost(Failure(ConnectionLost()))
        assert not self.successResultOf(self.asked)
