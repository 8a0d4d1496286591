"""What the checker has found: each of these lost a message, or showed one to the wrong eyes, once."""

import pytest

from tests.system.people import Person
from tests.system.stack import Stack

pytestmark = pytest.mark.system


def test_acknowledging_changes_acknowledges_no_message(stack: Stack) -> None:
    ann, ben = Person(stack.url, "ann"), Person(stack.urls[-1], "ben")
    conversation_id = ann.direct(ben)
    for _ in range(3):
        ann.send(conversation_id)
    with ben.socket() as own:
        own.all_until("synced")
        own.say(type="ack", conversation_id=conversation_id, change=1)
    with ben.socket() as own:
        frames = own.all_until("synced")
        assert [frame["seq"] for frame in frames if frame["type"] == "message"] == [1, 2, 3]
        own.say(type="ack", conversation_id=conversation_id, seq=3)
    with ben.socket() as own:
        assert own.all_until("synced") == []


def test_acknowledging_messages_acknowledges_no_change(stack: Stack) -> None:
    ann, ben = Person(stack.url, "ann"), Person(stack.urls[-1], "ben")
    conversation_id = ann.group(ben)
    ann.send(conversation_id)
    with ben.socket() as own:
        own.all_until("synced")
        own.say(type="ack", conversation_id=conversation_id, seq=1)
    with ben.socket() as own:
        assert [frame["type"] for frame in own.all_until("synced")] == ["change"]
