"""One read may hold ten thousand frames: others have turns in between, each is charged, none is lost."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from websockets.frames import Frame, Opcode

from messenger.core.identity import Identity
from messenger.core.limits.limits import Limits
from messenger.core.limits.stores import LocalCounts
from messenger.core.settings import Limits as LimitSettings
from messenger.messages.charging import Charges
from messenger.messages.dispatch import Parts
from messenger.messages.fast_text import FRAMES, PIECE
from messenger.messages.socket import Socket, SocketFactory
from tests.messages.test_dispatch_limits import Authenticator, Connection, Presence

HANDSHAKE = b"GET /ws HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
PING = b'{"type":"ping","ref":"r"}'
FRAMES_OF_A_TURN = FRAMES + PIECE // 6  # the smallest frame has six bytes


class Transport(StringTransport):
    """Knows whether it is read, and how often it was written to; gives no more than its client wrote."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As a TCP transport."""

    def abortConnection(self) -> None:
        self.loseConnection()


class Hub:
    """Lets everybody in."""

    def attach(self, channel: Any, identity: Identity) -> Connection:
        made = Connection(identity)
        made.channel = channel  # type: ignore[attr-defined]
        made.close = lambda code, reason: _close(made, channel, code, reason)  # type: ignore[method-assign]
        return made

    def open(self, connection: object) -> None:
        """Nothing waits."""


def _close(connection: Connection, channel: Any, code: int, reason: str) -> None:
    if not connection.closed:
        connection.closed, connection.code = True, code
        channel.close(code, reason)


class Progress:
    """Has nothing to write."""

    async def flush(self) -> None:
        """Done."""


def open_socket(clock: Clock, frame: str, early: bytes = b"") -> tuple[Socket, Transport, Any]:
    limits = Limits(LimitSettings(frame=frame), clock.seconds)
    hub: Any = Hub()
    nothing: Any = None
    parts: list[Any] = [clock, hub, hub, nothing, nothing, Progress(), Presence(), Authenticator(), 45]
    charges = Charges(limits.of("send"), limits.of("frame"), LocalCounts(clock.seconds))
    factory = SocketFactory(Parts(*parts, charges), 10)
    socket, transport = factory.buildProtocol(None), Transport()
    assert socket is not None
    socket.identity = Identity("alice", "phone", "session", 0, 10**10)
    socket.makeConnection(transport)
    socket.dataReceived(HANDSHAKE + early)
    return socket, transport, socket.dispatcher.connection


def masked(payload: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


def pongs(transport: Transport) -> int:
    return transport.value().count(b"\x8a")


def run(clock: Clock, transport: Transport) -> None:
    """Let the event loop turn until the transport is read again, or the socket is closed."""
    for _ in range(1_000):
        clock.advance(0.001)
        if transport.producerState == "producing":
            return
    raise AssertionError("it never goes on")


def test_of_many_texts_in_one_read_each_turn_takes_some() -> None:
    clock = Clock()
    socket, transport, connection = open_socket(clock, "off")
    answered = []

    def somebody_else() -> None:
        answered.append(len(connection.said))
        if len(answered) < 1_000 and answered[-1] <= 2_000:
            clock.callLater(0, somebody_else)

    somebody_else()
    socket.dataReceived(masked(PING) * 2_000)
    assert transport.producerState == "paused"
    run(clock, transport)
    assert answered[-1] == 2_001  # and hello
    assert max(after - before for before, after in pairwise(answered)) <= FRAMES


def test_of_many_control_frames_in_one_read_each_turn_takes_some() -> None:
    clock = Clock()
    socket, transport, _ = open_socket(clock, "off")
    socket.dataReceived(masked(b"", Opcode.PING) * 5_000)
    assert pongs(transport) <= FRAMES_OF_A_TURN
    run(clock, transport)
    assert pongs(transport) == 5_000


def test_what_comes_with_the_handshake_is_taken_in_turns_too() -> None:
    clock = Clock()
    _, transport, connection = open_socket(clock, "off", masked(PING) * 500)
    assert len(connection.said) <= FRAMES
    run(clock, transport)
    assert len([one for one in connection.said if one["type"] == "pong"]) == 500


def flood(frame: bytes) -> tuple[Any, Transport]:
    clock = Clock()
    socket, transport, connection = open_socket(clock, "200/s")
    while not socket.deaf and len(connection.said) < 1_000 and pongs(transport) < 1_000:
        socket.dataReceived(frame * 1_000)
        for _ in range(100):
            clock.advance(0)
    return connection, transport


def test_pings_are_charged() -> None:
    connection, transport = flood(masked(b"", Opcode.PING))
    assert connection.code == 4429
    assert pongs(transport) == 200


def test_pongs_are_charged() -> None:
    assert flood(masked(b"", Opcode.PONG))[0].code == 4429


def test_fragments_are_charged() -> None:
    clock = Clock()
    socket, _, connection = open_socket(clock, "200/s")
    socket.dataReceived(masked(b"", fin=False))
    for _ in range(10):
        socket.dataReceived(masked(b"", Opcode.CONT, fin=False) * 100)
        for _ in range(20):
            clock.advance(0)
    assert connection.code == 4429


TEXTS = st.sampled_from(
    [PING, '{"type":"ping","ref":"ä"}'.encode(), b'{"type":"ping","ref":"' + b"x" * 50 + b'"}']
)
STREAM = st.lists(st.tuples(TEXTS, st.sampled_from(["whole", "fragments", "ping before"])), max_size=200)


@given(STREAM, st.lists(st.integers(1, 3_000), min_size=1, max_size=20))
def test_however_it_arrives_every_frame_is_answered_in_its_order(
    said: list[tuple[bytes, str]], sizes: list[int]
) -> None:
    clock = Clock()
    socket, transport, connection = open_socket(clock, "off")
    stream, refs = b"", []
    for number, (text, form) in enumerate(said):
        text = text.replace(b'"ref":"', b'"ref":"%d-' % number)
        refs.append(text.decode()[22:-2])
        if form == "whole":
            stream += masked(text)
        elif form == "fragments":
            stream += masked(text[:9], fin=False) + masked(b"", Opcode.PING)
            stream += masked(text[9:], Opcode.CONT)
        else:
            stream += masked(b"", Opcode.PING) + masked(text)
    at = number = 0
    while at < len(stream):
        run(clock, transport)
        size = sizes[number % len(sizes)]
        socket.dataReceived(stream[at : at + size])
        at, number = at + size, number + 1
    run(clock, transport)
    assert [one["ref"] for one in connection.said if one["type"] == "pong"] == refs
