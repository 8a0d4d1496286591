"""Message instances hear what concerns their own users, on the real bus, and miss nothing of that."""

import asyncio
from collections.abc import Callable
from typing import Any

import nats
import pytest

from messenger.core.bus.streams import NEWS
from messenger.messages.live.interest import LINGER_SECONDS
from messenger.wire import events
from tests.system.people import Person
from tests.system.stack import Stack
from tests.system.waiting import until

pytestmark = pytest.mark.system

MESSAGES = 20
YOUTH_SECONDS = 20.0  # by then each has heard of the other, and what is told goes by that


def heard(stack: Stack, act: Callable[[], None]) -> list[str]:
    """The subjects of what instances publish of messages while `act` is done in a thread."""

    async def run() -> list[str]:
        found: list[str] = []

        async def hear(message: Any) -> None:
            found.append(message.subject)

        client = await nats.connect(stack.engines["nats_url"], allow_reconnect=False, connect_timeout=5)
        try:
            await client.subscribe(f"{NEWS}.>", cb=hear)
            await client.flush(timeout=5)
            await asyncio.to_thread(act)
            await client.flush(timeout=5)
        finally:
            await client.close()
        return [subject for subject in found if subject.startswith(events.BATCH)]

    return asyncio.run(run())


class Pair:
    """Two people who talk, wherever their sockets are."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.alice, self.bob = Person(stack.urls[0]), Person(stack.urls[0])
        self.conversation = self.alice.direct(self.bob)

    def talk(self, writer: int, reader: int) -> list[str]:
        """What is told of it where they have their sockets at these instances."""
        urls = [f"http://127.0.0.1:{self.stack.ports[f'message-{number}']}" for number in (writer, reader)]
        with self.alice.socket(urls[0]) as mine, self.bob.socket(urls[1]) as other:
            mine.until("synced")
            other.until("synced")

            def act() -> None:
                for _ in range(MESSAGES):
                    mine.send(self.conversation)
                    other.until("message")

            return heard(self.stack, act)


def test_what_concerns_another_instance_goes_to_that_one_alone(apart: Stack) -> None:
    pair = Pair(apart)
    until(lambda: set(pair.talk(1, 2)).isdisjoint({events.BATCH}), YOUTH_SECONDS)
    subjects = pair.talk(1, 2)
    assert len(subjects) == MESSAGES
    assert len(set(subjects)) == 1
    assert subjects[0].startswith(f"{events.BATCH}.")


@pytest.mark.long
def test_what_concerns_no_other_instance_is_not_told(apart: Stack) -> None:
    pair = Pair(apart)
    until(lambda: set(pair.talk(1, 2)).isdisjoint({events.BATCH}), YOUTH_SECONDS)
    subjects = pair.talk(1, 2)
    # A minute after the last socket there, the other wants to hear nothing of them any more.
    until(lambda: not pair.talk(2, 2), LINGER_SECONDS + YOUTH_SECONDS, 1.0)
    # And at once when there is one again.
    assert set(pair.talk(2, 1)).isdisjoint({events.BATCH, *subjects})
