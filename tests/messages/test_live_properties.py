"""Whatever happens, and in whatever order it is heard: each socket gets each conversation in rising order,
each message and change once, nothing that its user may not see, and nothing is missing once all is quiet.
"""

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies import booleans, data, integers, sampled_from
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from messenger.core.bus.origins import SILENCE_SECONDS, Origin, Origins
from messenger.messages.live import backlog, delivery
from messenger.messages.model import Head, StoredMessage
from tests.messages.live_checks import Socket, check
from tests.messages.live_world import Conversation, Instance, Store, until, user_of

DEVICES = ("ann-phone", "ann-laptop", "ben-phone", "cat-phone")
USERS = ("ann", "ben", "cat")
NAMES = ("one", "two")
SUBJECT = "news"


@dataclass
class News:
    """What an instance tells of something that was committed."""

    head: Head
    conversation_id: str
    stored: StoredMessage | None = None
    joined: str | None = None
    header: str | None = None  # of who tells it, where that is another instance


class LiveDelivery(RuleBasedStateMachine):
    """One instance, and another one that commits and is heard as it may be."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = [
            patch.object(backlog, "MIN_ROWS", 1),
            patch.object(backlog, "MAX_ROWS", 3),
            patch.object(backlog, "CONVERSATIONS", 1),
            patch.object(delivery, "PAGE", 2),
        ]
        for one in self.patches:
            one.start()
        self.clock, self.store = Clock(), Store()
        self.instance = Instance(self.clock, self.store, unread_bytes=3_000)
        self.sockets: list[Socket] = []
        self.bus: list[News] = []
        self.origins = Origins("me", (SUBJECT,))
        self.other = self.born()

    @initialize()
    def begin(self) -> None:
        for name in NAMES:
            conversation = self.store.conversations[name] = Conversation(name)
            for user_id in USERS:
                conversation.add(user_id)
        for device_id in DEVICES:
            self.open(device_id)

    # what is committed

    @rule(device=sampled_from(DEVICES), name=sampled_from(NAMES), here=booleans())
    def write(self, device: str, name: str, here: bool) -> None:
        conversation = self.store.conversations[name]
        if conversation.member(user_of(device)):
            stored = conversation.write(device)
            news = News(conversation.head, name, stored, header=self.header(here))
            if here:
                self.instance.delivery.offer(stored, news.head.change)
            self.bus.append(news)

    @rule(name=sampled_from(NAMES), here=booleans())
    def change(self, name: str, here: bool) -> None:
        self.store.conversations[name].note("updated")
        self.tell(name, here)

    @rule(name=sampled_from(NAMES), user=sampled_from(USERS), here=booleans())
    def leave(self, name: str, user: str, here: bool) -> None:
        if self.store.conversations[name].member(user):
            self.store.conversations[name].remove(user)
            self.tell(name, here)

    @rule(name=sampled_from(NAMES), user=sampled_from(USERS), here=booleans())
    def join(self, name: str, user: str, here: bool) -> None:
        if not self.store.conversations[name].member(user):
            self.store.conversations[name].add(user)
            self.tell(name, here, user)

    def tell(self, name: str, here: bool, joined: str | None = None) -> None:
        head = self.store.conversations[name].head
        news = News(head, name, joined=joined, header=self.header(here))
        if here:
            self.hear(news)
        self.bus.append(news)

    # what is heard of it

    def header(self, here: bool) -> str | None:
        return None if here else self.other.next(SUBJECT)

    def hear(self, news: News) -> None:
        self.origins.heard(news.header, SUBJECT, self.clock.seconds())
        if news.stored is None:
            self.instance.delivery.reach(news.conversation_id, news.head)
            if news.joined is not None:
                self.instance.joining.join(news.joined, news.conversation_id)
        elif self.instance.delivery.wants(news.conversation_id, news.head.seq):
            self.instance.delivery.offer(news.stored, news.head.change)

    @precondition(lambda self: self.bus)
    @rule(choice=data(), again=booleans())
    def arrive(self, choice: Any, again: bool) -> None:
        """Any of what is under way, and perhaps not for the last time."""
        position = choice.draw(integers(0, len(self.bus) - 1))
        news = self.bus[position] if again else self.bus.pop(position)
        self.hear(news)

    @precondition(lambda self: self.bus)
    @rule(choice=data())
    def lose(self, choice: Any) -> None:
        self.bus.pop(choice.draw(integers(0, len(self.bus) - 1)))

    @rule()
    def gap(self) -> None:
        self.instance.healing.gap()

    def born(self) -> Origin:
        origin = Origin()
        self.origins.announced(origin.announcement(), self.clock.seconds())
        return origin

    @rule()
    def die(self) -> None:
        """The other instance comes back under a new name."""
        self.other = self.born()

    # what sockets do

    @rule(device=sampled_from(DEVICES))
    def open(self, device: str) -> None:
        began = {name: one.place(device) for name, one in self.store.conversations.items()}
        connection, channel = self.instance.open(device)
        self.sockets.append(Socket(device, connection, channel, began))

    @precondition(lambda self: self.sockets)
    @rule(choice=data())
    def close(self, choice: Any) -> None:
        choice.draw(sampled_from(self.sockets)).connection.gone()

    @precondition(lambda self: self.sockets)
    @rule(choice=data(), name=sampled_from(NAMES), after=integers(0, 5))
    def resend(self, choice: Any, name: str, after: int) -> None:
        socket = choice.draw(sampled_from(self.sockets))
        if not socket.connection.closed:
            socket.resent[name] = socket.resent.get(name, 0) + 1
            ensureDeferred(self.instance.joining.resend(socket.connection, name, after))

    @precondition(lambda self: self.sockets)
    @rule(choice=data(), name=sampled_from(NAMES))
    def acknowledge(self, choice: Any, name: str) -> None:
        """All that it has got."""
        socket = choice.draw(sampled_from(self.sockets))
        if socket.connection.closed:
            return
        place = self.store.conversations[name].place(socket.device_id)
        shown = [
            (one["type"], one.get("seq"), one.get("change"))
            for one in socket.channel.frames()
            if one.get("conversation_id") == name
        ]
        seqs = [seq for kind, seq, _ in shown if kind == "message"]
        changes = [change for kind, _, change in shown if kind == "change"]
        self.store.conversations[name].places[socket.device_id] = Head(
            max(place.seq, *seqs, 0), max(place.change, *changes, 0)
        )

    @precondition(lambda self: self.sockets)
    @rule(choice=data())
    def stop_reading(self, choice: Any) -> None:
        choice.draw(sampled_from(self.sockets)).connection.pause()

    @precondition(lambda self: self.sockets)
    @rule(choice=data())
    def read_on(self, choice: Any) -> None:
        choice.draw(sampled_from(self.sockets)).connection.resume()

    # what PostgreSQL and the clock do

    @rule(held=booleans())
    def hold(self, held: bool) -> None:
        self.store.held = held

    @precondition(lambda self: self.store.waiting)
    @rule(choice=data(), fails=booleans())
    def answer(self, choice: Any, fails: bool) -> None:
        position = choice.draw(integers(0, len(self.store.waiting) - 1))
        (self.store.fail if fails else self.store.let_through)(position)

    @rule(seconds=sampled_from((0.0, 0.2, 1.0)))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # what must hold

    def teardown(self) -> None:
        try:
            if self.store.conversations:
                self.come_to_rest()
                for socket in self.sockets:
                    for name in NAMES:
                        check(socket, self.store.conversations[name])
        finally:
            for one in self.patches:
                one.stop()

    def come_to_rest(self) -> None:
        """All read on, and what was lost on the bus is missed."""
        for socket in self.sockets:
            if not socket.connection.closed:
                socket.connection.resume()
        now = self.clock.seconds()
        self.origins.announced(self.other.announcement(), now)
        if self.origins.missed(now + SILENCE_SECONDS):
            self.instance.healing.gap()
        until(self.clock, self.store, self.instance.idle)


LiveDelivery.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestLiveDelivery = LiveDelivery.TestCase
