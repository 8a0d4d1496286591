"""What the checker has found: each of these lost a message, or showed one to the wrong eyes, once."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.system.people import Person, Socket, b64
from tests.system.stack import Stack, running

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


def test_a_newcomer_is_shown_nothing_from_before_where_another_was_removed(apart: Stack) -> None:
    """The instance's last member of the group is removed: what comes then is not for the next one there."""
    ann, ben, cat = (Person(apart.urls[0], name) for name in ("ann", "ben", "cat"))
    conversation_id = ann.group(ben)
    path = f"/conversations/{conversation_id}/members"
    # Which message instance serves a socket is the gateway's choice: sit on all of them.
    with many_sockets(apart, ben, 4) as own:
        ann.ok("DELETE", f"{path}/{ben.user_id}", 204)
        for one in own:
            one.until(lambda frame: frame.get("event") == "member_removed")
        ann.ok("PATCH", f"/conversations/{conversation_id}", 200, json={"metadata": b64(b"other")})
        ann.send(conversation_id)
        ann.ok("POST", path, 201, json={"user_id": cat.user_id})
        with many_sockets(apart, cat, 4) as others:
            ann.send(conversation_id)
            for other in others:
                assert other.until("message")["seq"] == 2


def test_a_resend_begins_no_lower_than_the_sight(stack: Stack) -> None:
    ann, ben, cat = (Person(stack.urls[0], name) for name in ("ann", "ben", "cat"))
    conversation_id = ann.group(ben)
    ann.send(conversation_id)
    ann.ok("POST", f"/conversations/{conversation_id}/members", 201, json={"user_id": cat.user_id})
    with cat.socket() as own:
        own.until("synced")
        ann.send(conversation_id)
        assert own.until("message")["seq"] == 2
        own.say(type="resend", conversation_id=conversation_id, after=0)
        assert own.until("message")["seq"] == 2


def test_who_reads_gets_large_messages_whatever_their_number(stack: Stack) -> None:
    """More than may be left unread, live in a burst, and in a backlog after many small ones."""
    ann, ben = Person(stack.url, "ann"), Person(stack.urls[-1], "ben")
    conversation_id, large = ann.direct(ben), b64(b"x" * 65_536)
    count = 60
    with ann.socket() as own, ben.socket() as other:
        for each in (own, other):
            each.until("synced")
        for number in range(1, 31):
            assert own.send(conversation_id)["seq"] == number
        draft = {"type": "send", "ref": "r", "conversation_id": conversation_id, "kind": "file"}
        burst = [json.dumps({**draft, "client_id": str(uuid4()), "content": large}) for _ in range(count)]
        sending = threading.Thread(target=lambda: [own.connection.send(one) for one in burst])
        sending.start()
        numbers = list(range(1, 31 + count))
        assert [other.until("message")["seq"] for _ in numbers] == numbers
        sending.join()
    with ben.socket() as other:
        frames = other.all_until("synced")
        assert [frame["seq"] for frame in frames if frame["type"] == "message"] == numbers


@contextmanager
def many_sockets(stack: Stack, person: Person, count: int) -> Iterator[list[Socket]]:
    """Synced sockets of as many devices, half of them at each gateway."""
    with ExitStack() as exits:
        devices = [person, *(person.another_device() for _ in range(count - 1))]
        sockets = [
            exits.enter_context(device.socket(stack.urls[number % len(stack.urls)]))
            for number, device in enumerate(devices)
        ]
        for socket in sockets:
            socket.until("synced")
        yield sockets


def test_what_the_bus_has_lost_is_missed_by_its_number(tmp_path: Path) -> None:
    """Every event is lost, and its publisher believes it went out: who hears of its number looks."""
    program = {"message": ["-m", "tests.system.checker.sabotage", "news-lost"]}
    with running(Stack(tmp_path, "apart", programs=program)) as stack:
        ann, ben = Person(stack.urls[0], "ann"), Person(stack.urls[0], "ben")
        conversation_id = ann.direct(ben)
        with many_sockets(stack, ben, 4) as others:
            for seq in (1, 2):
                ann.send(conversation_id)
                for other in others:
                    assert other.until("message", 30)["seq"] == seq
            group_id = ann.group(ben)
            for other in others:
                assert other.until("change", 30)["conversation_id"] == group_id
