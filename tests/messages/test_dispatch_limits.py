"""A client that sends too fast on its WebSocket."""

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.identity import Identity
from messenger.core.limits.limits import Limits
from messenger.core.limits.stores import LocalCounts
from messenger.core.settings import Limits as LimitSettings
from messenger.messages.charging import FREE_BYTES, REFUSALS, Charges
from messenger.messages.dispatch import SLICE, FrameDispatcher, Parts
from messenger.messages.model import Ack
from messenger.wire import frames
from messenger.wire.codec import encode
from messenger.wire.conversations import Sent
from messenger.wire.errors import Code, Problem

CONVERSATION = "01900000-0000-7000-8000-00000000abcd"


class Connection:
    """What a session says goes into a list."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.said: list[dict[str, Any]] = []
        self.closed = False
        self.code = 0

    def say(self, frame: object) -> None:
        self.said.append(json.loads(encode(frame)))

    def close(self, code: int, reason: str) -> None:
        self.closed, self.code = True, code


class Hub:
    """Lets everybody in; what is to be sent again is looked up when the test says so."""

    def __init__(self) -> None:
        self.resends: list[tuple[str, int]] = []
        self.looking: list[Deferred[None]] = []

    def attach(self, channel: object, identity: Identity) -> Connection:
        return Connection(identity)

    async def resend(self, _connection: object, conversation_id: str, after: int) -> None:
        self.resends.append((conversation_id, after))
        self.looking.append(Deferred())
        await self.looking[-1]


class Progress:
    """Notes acknowledgements."""

    def __init__(self) -> None:
        self.acks: list[Ack] = []

    def ack(self, ack: Ack) -> None:
        self.acks.append(ack)


class Reading:
    """A channel that notes whether it is read."""

    def __init__(self) -> None:
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Messages:
    """Stores nothing; every message is a repeat."""

    def __init__(self) -> None:
        self.admitted = 0

    async def admit(self, *_: object) -> Sent:
        self.admitted += 1
        return Sent(seq=self.admitted, created_at="2026-01-31T09:30:00.123Z")


class Authenticator:
    """Knows of no session that has ended."""

    def has_ended(self, session_id: str) -> bool:
        return False


class Presence:
    """Takes what it is told."""

    def opened(self, connection: object) -> None:
        """A socket is open."""

    def closed(self, connection: object) -> None:
        """A socket is closed."""


class SessionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.build("3/s")

    def build(self, send: str, frame: str = "off") -> None:
        self.clock = Clock()
        self.messages = Messages()
        limits = Limits(LimitSettings(send=send, frame=frame), self.clock.seconds)
        nothing: Any = None
        self.hub: Any = Hub()
        self.progress: Any = Progress()
        self.parts = Parts(
            self.clock,
            self.hub,
            self.hub,
            nothing,
            self.messages,  # type: ignore[arg-type]
            self.progress,
            Presence(),  # type: ignore[arg-type]
            Authenticator(),  # type: ignore[arg-type]
            45,
            Charges(limits.of("send"), limits.of("frame"), LocalCounts(self.clock.seconds)),
        )

    def dispatcher(self, user: str = "alice", device: str = "phone") -> FrameDispatcher:
        self.channel: Any = Reading()
        return FrameDispatcher(self.parts, self.channel, Identity(user, device, "session", 0, 10**10))

    def turn(self, frames_: int) -> None:
        """Let the event loop turn as often as it takes to judge so many."""
        self.clock.pump([0] * (frames_ // SLICE + 1))

    def send(self, dispatcher: FrameDispatcher, count: int = 1) -> list[str]:
        """Send so many messages in one frame; what was said."""
        connection: Any = dispatcher.connection
        frame = {
            "type": "send",
            "ref": "r",
            "conversation_id": CONVERSATION,
            "client_id": CONVERSATION,
            "kind": "text",
            "content": "YQ==",
        }
        for start in range(0, count, frames.MAX_FRAMES):
            part = min(frames.MAX_FRAMES, count - start)
            dispatcher.receive(json.dumps([frame] * part).encode())
            self.turn(part)
        said, connection.said = connection.said, []
        return [one.get("code", one["type"]) for one in said]

    def test_a_ping_is_answered_at_once(self) -> None:
        dispatcher = self.dispatcher()
        dispatcher.receive(b'{"type":"ping","ref":"r"}')
        connection: Any = dispatcher.connection
        assert connection.said == [{"type": "pong", "ref": "r"}]

    def test_one_too_many_is_refused_and_not_stored(self) -> None:
        dispatcher = self.dispatcher()
        assert self.send(dispatcher, 5) == ["sent"] * 3 + ["rate_limited"] * 2
        assert self.messages.admitted == 3
        self.clock.advance(1)
        assert self.send(dispatcher) == ["sent"]

    def test_others_have_their_turn_between_many_frames(self) -> None:
        self.build("off")
        dispatcher = self.dispatcher()
        connection: Any = dispatcher.connection
        others: list[int] = []
        self.clock.callLater(0, lambda: others.append(len(connection.said)))
        dispatcher.receive(json.dumps([{"type": "ping", "ref": "r"}] * (2 * SLICE + 1)).encode())
        self.clock.callLater(0, lambda: others.append(len(connection.said)))
        assert (len(connection.said), self.channel.paused) == (SLICE, True)
        dispatcher.receive(b'{"type":"ping","ref":"last"}')
        self.clock.advance(0)
        assert others == [SLICE, 2 * SLICE]
        assert [one["ref"] for one in connection.said[2 * SLICE :]] == ["r", "last"]
        assert not self.channel.paused

    def test_what_is_closed_in_between_is_judged_no_further(self) -> None:
        self.build("off")
        dispatcher = self.dispatcher()
        connection: Any = dispatcher.connection
        dispatcher.receive(json.dumps([{"type": "ping", "ref": "r"}] * (SLICE + 1)).encode())
        connection.closed = True
        self.clock.advance(0)
        assert len(connection.said) == SLICE
        assert self.clock.getDelayedCalls() == []

    def test_a_refusal_says_when_to_come_again(self) -> None:
        dispatcher = self.dispatcher()
        self.send(dispatcher, 3)
        connection: Any = dispatcher.connection
        dispatcher.receive(
            b'{"type":"send","ref":"x","conversation_id":"%b","client_id":"%b","kind":"a","content":"YQ=="}'
            % (CONVERSATION.encode(), CONVERSATION.encode())
        )
        [refused] = connection.said
        assert (refused["ref"], refused["code"], refused["retry_after"]) == ("x", "rate_limited", 1)

    def test_all_sockets_of_a_user_count_together(self) -> None:
        assert self.send(self.dispatcher(), 2) == ["sent"] * 2
        assert self.send(self.dispatcher(device="laptop"), 2) == ["sent", "rate_limited"]
        assert self.send(self.dispatcher("bob", "other"), 1) == ["sent"]

    def test_who_goes_on_regardless_is_cut_off(self) -> None:
        dispatcher = self.dispatcher()
        connection: Any = dispatcher.connection
        assert len(self.send(dispatcher, 3 + REFUSALS.count)) == 3 + REFUSALS.count
        assert not connection.closed
        assert self.send(dispatcher, 50) == []
        assert connection.code == frames.TOO_FAST
        # A new socket does not start afresh.
        again = self.dispatcher()
        self.send(again, 1)
        assert again.connection.closed
        self.clock.advance(REFUSALS.period)
        later = self.dispatcher()
        assert self.send(later, 4) == ["sent"] * 3 + ["rate_limited"]

    def say(self, dispatcher: FrameDispatcher, *several: dict[str, Any]) -> list[str]:
        """Send these frames in one array; what was said."""
        connection: Any = dispatcher.connection
        dispatcher.receive(json.dumps([*several]).encode())
        self.turn(len(several))
        said, connection.said = connection.said, []
        return [one.get("code", one["type"]) for one in said]

    def test_other_frames_count_by_themselves(self) -> None:
        self.build("3/s", "2/s")
        dispatcher = self.dispatcher()
        assert self.send(dispatcher, 4) == ["sent"] * 3 + ["rate_limited"]
        ping = {"type": "ping", "ref": "r"}
        assert self.say(dispatcher, {"type": "nonsense"}, ping, ping) == [
            "bad_request",
            "pong",
            "rate_limited",
        ]
        assert self.say(self.dispatcher(device="laptop"), ping) == ["rate_limited"]
        assert self.say(self.dispatcher("bob", "other"), ping) == ["pong"]

    def test_a_message_that_is_no_frame_counts(self) -> None:
        self.build("off", "4/s")
        dispatcher = self.dispatcher()
        nonsense = {"type": "nonsense", "text": "x" * 2 * FREE_BYTES}
        assert self.say(dispatcher, nonsense) == ["bad_request"]
        assert self.say(dispatcher, nonsense) == ["rate_limited"]

    def test_repeats_in_one_array_count_once(self) -> None:
        self.build("off", "4/s")
        dispatcher = self.dispatcher()
        mine, other = CONVERSATION, CONVERSATION.replace("a", "b")
        acks = [{"type": "ack", "conversation_id": mine, "seq": seq} for seq in (1, 7, 3)]
        acks.append({"type": "ack", "conversation_id": mine, "change": 2})
        resends = [{"type": "resend", "conversation_id": mine, "after": after} for after in range(9_000)]
        resends.append({"type": "resend", "conversation_id": other, "after": 0})
        assert self.say(dispatcher, *acks, *resends) == []
        self.hub.looking[0].callback(None)
        assert self.hub.resends == [(mine, 8_999), (other, 0)]
        [ack] = self.progress.acks
        assert (ack.seq, ack.change) == (7, 2)
        self.hub.looking[1].callback(None)
        ping = {"type": "ping", "ref": "r"}
        assert self.say(dispatcher, ping, ping) == ["pong", "rate_limited"]

    def test_one_thing_at_a_time_is_asked_and_the_socket_not_read_meanwhile(self) -> None:
        dispatcher = self.dispatcher()
        for after in (5, 6, 7):
            dispatcher.receive(
                json.dumps({"type": "resend", "conversation_id": CONVERSATION, "after": after}).encode()
            )
        assert self.hub.resends == [(CONVERSATION, 5)]
        assert self.channel.paused
        self.hub.looking[0].callback(None)
        self.hub.looking[1].callback(None)
        assert [after for _, after in self.hub.resends] == [5, 6, 7]
        self.hub.looking[2].callback(None)
        assert not self.channel.paused

    def test_a_socket_rests_after_a_large_message(self) -> None:
        dispatcher = self.dispatcher()
        resends = [{"type": "resend", "conversation_id": CONVERSATION, "after": 0}] * 9_000
        self.say(dispatcher, *resends)
        self.hub.looking[0].callback(None)
        assert self.channel.paused
        self.clock.advance(0.1)
        assert self.channel.paused
        self.clock.advance(0.3)
        assert not self.channel.paused

    def test_who_was_cut_off_is_not_even_listened_to(self) -> None:
        self.build("off", "1/s")
        ping = {"type": "ping", "ref": "r"}
        dispatcher = self.dispatcher()
        assert self.say(dispatcher, *[ping] * 200) == ["pong"] + ["rate_limited"] * REFUSALS.count
        assert dispatcher.connection.closed
        again = self.dispatcher()
        self.patch(frames, "split", lambda _: self.fail("it was read"))
        again.receive(b"[]")
        connection: Any = again.connection
        assert connection.code == frames.TOO_FAST

    def test_no_socket_is_opened_for_who_was_cut_off_until_half_is_forgotten(self) -> None:
        self.parts.charges.open("phone")
        self.send(self.dispatcher(), 4 + REFUSALS.count)
        refused = self.assertRaises(Problem, self.parts.charges.open, "phone")
        self.assertEqual((refused.code, refused.retry_after), (Code.rate_limited, REFUSALS.period // 2))
        self.parts.charges.open("laptop")
        self.clock.advance(REFUSALS.period / 2)
        self.parts.charges.open("phone")

    def test_off(self) -> None:
        self.build("off")
        assert self.send(self.dispatcher(), 2_000) == ["sent"] * 2_000
