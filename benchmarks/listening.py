"""What an instance pays to hear of what concerns nobody here: its handlers' CPU for a message or receipt.

Without NATS and without nats-py's part, which is one for each event however much is in it. Messages are of
512 bytes, as one commit published them; the instance has sockets in other conversations.
"""

import time
from typing import Any

from twisted.internet.task import Clock

from benchmarks.report import Row
from messenger.core.ids import new_id
from messenger.messages.live.receipts import Receipts
from messenger.messages.model import Draft, Outcome, Risen
from messenger.wire import events
from tests.messages.live_world import Bus, Conversation, Instance, Store

MANY = 20_000  # messages or receipts in each round
ROUNDS = 5
CONVERSATIONS = 1_000  # with sockets here


class _Instance:
    """Live delivery with nothing around it."""

    def __init__(self) -> None:
        store = Store()
        self.bus = Bus()
        bus: Any = self.bus
        instance = Instance(Clock(), store, bus=bus)
        self.events = instance.events
        self.receipts = Receipts(instance.hub, instance.audience, bus, 32)
        for _ in range(CONVERSATIONS):
            name = new_id()
            store.conversations[name] = Conversation(name)
            store.conversations[name].add("ann")
        instance.open("ann-phone")
        instance.settle()


def run() -> list[Row]:
    """The figures."""
    there, here = _Instance(), _Instance()
    rows = []
    for many in (1, 10, 200):
        there.events.committed("event", [_message() for _ in range(many)])
        cost = _cost(here, events.BATCH, there.bus.told.pop()[1], many)
        rows.append(Row(f"a message, {many} to a commit", cost, "µs"))
    for many in (1, 200):
        there.receipts.risen([Risen(new_id(), new_id(), new_id(), 7, 2) for _ in range(many)], [])
        cost = _cost(here, events.RECEIPTS, there.bus.told.pop()[1], many)
        rows.append(Row(f"a receipt, {many} to a flush", cost, "µs"))
    return rows


def _message() -> tuple[Draft, Outcome]:
    draft = Draft(
        conversation_id=new_id(),
        user_id=new_id(),
        device_id=new_id(),
        client_id=new_id(),
        kind="text",
        content=bytes(512),
        envelopes=None,
    )
    return draft, Outcome(outcome="stored", seq=1, change=0, created=0, expires=None)


def _cost(here: _Instance, subject: str, payload: bytes, many: int) -> float:
    hear, times = dict(here.bus.listeners)[subject], MANY // many
    found = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(times):
            hear(subject, payload)
        found.append((time.process_time() - begin) / (times * many) * 1e6)
    return min(found)
