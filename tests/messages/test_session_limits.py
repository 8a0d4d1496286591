"""A client that sends too fast on its WebSocket."""

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.identity import Identity
from messenger.core.limits import Limits, LocalCounts
from messenger.core.settings import Limits as LimitSettings
from messenger.messages.session import REFUSALS, Parts, Session
from messenger.wire import frames
from messenger.wire.codec import encode
from messenger.wire.conversations import Sent

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
    """Lets everybody in."""

    def attach(self, channel: object, identity: Identity) -> Connection:
        return Connection(identity)


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

    def build(self, send: str) -> None:
        self.clock = Clock()
        self.messages = Messages()
        limits = Limits(LimitSettings(send=send), self.clock.seconds)
        nothing: Any = None
        self.parts = Parts(
            self.clock,
            Hub(),  # type: ignore[arg-type]
            nothing,
            self.messages,  # type: ignore[arg-type]
            nothing,
            Presence(),  # type: ignore[arg-type]
            Authenticator(),  # type: ignore[arg-type]
            45,
            limits.of("send"),
            LocalCounts(self.clock.seconds),
        )

    def session(self, user: str = "alice", device: str = "phone") -> Session:
        nothing: Any = None
        return Session(self.parts, nothing, Identity(user, device, "session", 0, 10**10))

    def send(self, session: Session, count: int = 1) -> list[str]:
        """Send so many messages in one frame; what was said."""
        connection: Any = session.connection
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
            session.receive(json.dumps([frame] * part).encode())
        said, connection.said = connection.said, []
        return [one.get("code", one["type"]) for one in said]

    def test_one_too_many_is_refused_and_not_stored(self) -> None:
        session = self.session()
        assert self.send(session, 5) == ["sent"] * 3 + ["rate_limited"] * 2
        assert self.messages.admitted == 3
        self.clock.advance(1)
        assert self.send(session) == ["sent"]

    def test_a_refusal_says_when_to_come_again(self) -> None:
        session = self.session()
        self.send(session, 3)
        connection: Any = session.connection
        session.receive(
            b'{"type":"send","ref":"x","conversation_id":"%b","client_id":"%b","kind":"a","content":"YQ=="}'
            % (CONVERSATION.encode(), CONVERSATION.encode())
        )
        [refused] = connection.said
        assert (refused["ref"], refused["code"], refused["retry_after"]) == ("x", "rate_limited", 1)

    def test_all_sockets_of_a_user_count_together(self) -> None:
        assert self.send(self.session(), 2) == ["sent"] * 2
        assert self.send(self.session(device="laptop"), 2) == ["sent", "rate_limited"]
        assert self.send(self.session("bob", "other"), 1) == ["sent"]

    def test_who_goes_on_regardless_is_cut_off(self) -> None:
        session = self.session()
        connection: Any = session.connection
        assert len(self.send(session, 3 + REFUSALS.count)) == 3 + REFUSALS.count
        assert not connection.closed
        assert self.send(session, 50) == []
        assert connection.code == frames.TOO_FAST
        # A new socket does not start afresh.
        again = self.session()
        self.send(again, 1)
        assert again.connection.closed
        self.clock.advance(REFUSALS.period)
        later = self.session()
        assert self.send(later, 4) == ["sent"] * 3 + ["rate_limited"]

    def test_other_frames_do_not_count(self) -> None:
        session = self.session()
        assert self.send(session, 3) == ["sent"] * 3
        assert self.send(session) == ["rate_limited"]
        connection: Any = session.connection
        session.receive(b'{"type":"nonsense"}')
        assert connection.said[-1]["code"] == "bad_request"

    def test_off(self) -> None:
        self.build("off")
        assert self.send(self.session(), 2_000) == ["sent"] * 2_000
