"""A client that closes: what it said before that counts first."""

import json
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from messenger.core.identity import Identity
from messenger.core.limits.stores import LocalCounts
from messenger.messages.charging import Charges
from messenger.messages.dispatch import FrameDispatcher, Parts
from messenger.messages.model import Ack
from messenger.wire.conversations import Sent
from tests.messages.test_dispatch_limits import CONVERSATION, Hub, Presence


class Progress:
    """Gathers acknowledgements; a flush ends when the test says so."""

    def __init__(self) -> None:
        self.acks: list[Ack] = []
        self.flushes: list[Deferred[None]] = []

    def ack(self, ack: Ack) -> None:
        self.acks.append(ack)

    async def flush(self) -> None:
        self.flushes.append(Deferred())
        await self.flushes[-1]


class Messages:
    """Judges a draft when the test says so."""

    def __init__(self) -> None:
        self.admitting: list[Deferred[Sent]] = []

    async def admit(self, *_: object) -> Sent:
        self.admitting.append(Deferred())
        return await self.admitting[-1]


class Channel:
    """Notes when its reading is stopped."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def pause_reading(self) -> None:
        self._said.append("pause")

    def resume_reading(self) -> None:
        self._said.append("resume")


class FinishCase(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        self.progress: Any = Progress()
        self.messages: Any = Messages()
        nothing: Any = None
        hub: Any = Hub()
        presence: Any = Presence()
        charges = Charges(None, None, LocalCounts(clock.seconds))
        parts = Parts(clock, hub, hub, nothing, self.messages, self.progress, presence, nothing, 45, charges)
        self.said: list[str] = []
        self.dispatcher = FrameDispatcher(
            parts, Channel(self.said), Identity("alice", "phone", "session", 0, 10**10)
        )

    def receive(self, **frame: object) -> None:
        self.dispatcher.receive(json.dumps({**frame, "conversation_id": CONVERSATION}).encode())

    def send_and_acknowledge(self) -> None:
        self.receive(type="send", ref="r", client_id=CONVERSATION, kind="text", content="YQ==")
        self.receive(type="ack", seq=3)

    def test_it_waits_until_acknowledgements_are_written(self) -> None:
        self.receive(type="ack", seq=3)
        finished = ensureDeferred(self.dispatcher.finish())
        self.assertNoResult(finished)
        self.progress.flushes[0].callback(None)
        self.successResultOf(finished)

    def test_an_acknowledgement_behind_a_message_is_not_forgotten(self) -> None:
        self.send_and_acknowledge()
        finished = ensureDeferred(self.dispatcher.finish())
        assert self.progress.acks == []
        self.messages.admitting[0].callback(Sent(seq=1, created_at="2026-01-31T09:30:00.123Z"))
        assert [ack.seq for ack in self.progress.acks] == [3]
        self.progress.flushes[0].callback(None)
        self.successResultOf(finished)

    def test_what_waits_to_be_judged_stops_the_reading(self) -> None:
        for _ in range(3):
            self.receive(type="send", ref="r", client_id=CONVERSATION, kind="text", content="AAAA")
        assert self.said == ["pause"]
        for _ in range(3):
            self.messages.admitting[-1].callback(Sent(seq=1, created_at="2026-01-31T09:30:00.123Z"))
        assert self.said == ["pause", "resume"]

    def test_a_connection_that_is_lost_meanwhile_ends_the_wait(self) -> None:
        self.send_and_acknowledge()
        finished = ensureDeferred(self.dispatcher.finish())
        self.dispatcher.connection.gone = lambda: None  # type: ignore[method-assign]
        self.dispatcher.closed()
        for flush in self.progress.flushes:
            flush.callback(None)
        self.successResultOf(finished)
