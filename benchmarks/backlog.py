"""What waits and what lies far back: 10,000 waiting messages to one device, and a page of a long history."""

import time
from typing import Any

import uvloop

from benchmarks.client import Client, connect
from benchmarks.report import Row
from benchmarks.system import people, processes, system
from tests.system.people import Person
from tests.system.stack import Stack

WAITING = 10_000
SHORT, LONG = 10_000, 5_000_000
PAGES = 200

# Straight into the tables: what is measured is the reading.
FILL = """
insert into message.messages
    (conversation_id, seq, sender_id, sender_device_id, client_id, kind, content, created_at)
select %(id)s, n, %(sender)s, %(device)s, gen_random_uuid(), 'text', decode(repeat('5a', 512), 'hex'), now()
from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""


def fill(stack: Stack, conversation_id: str, sender: Person, count: int) -> None:
    """Let the conversation hold `count` messages of 512 bytes."""
    connection = stack.database()
    with connection.cursor() as cursor:
        for first in range(1, count + 1, 500_000):
            last = min(first + 499_999, count)
            cursor.execute(
                FILL,
                {
                    "id": conversation_id,
                    "sender": sender.user_id,
                    "device": sender.device_id,
                    "first": first,
                    "last": last,
                },
            )
        cursor.execute(
            "update message.conversations set last_seq = %s where conversation_id = %s",
            (count, conversation_id),
        )
        cursor.execute("analyze message.messages")
    connection.close()


async def _drain(url: str, token: str, wanted: int) -> float:
    received = 0

    def heard(_client: Client, frame: dict[str, Any]) -> None:
        nonlocal received
        received += frame["type"] == "message"

    began = time.perf_counter()
    await connect(url, token, heard)
    seconds = time.perf_counter() - began
    assert received == wanted, received
    return seconds


def waiting(stack: Stack) -> list[Row]:
    """10,000 messages wait for one device."""
    sender, receiver = people(stack, 2)
    conversation_id = sender.direct(receiver)
    fill(stack, conversation_id, sender, WAITING)
    before = processes(stack)
    seconds = uvloop.run(_drain(stack.url, receiver.token, WAITING))
    after = processes(stack)
    total = sum(after.values()) - sum(before.values())
    return [
        Row("10,000 waiting messages: a second", WAITING / seconds, "1/s"),
        Row("10,000 waiting messages: CPU each, all our processes and engines", total * 1e6 / WAITING, "µs"),
    ]


def page(stack: Stack, count: int) -> float:
    """Milliseconds of our CPU for a page of 50 messages amid a history of `count`."""
    sender, reader = people(stack, 2)
    conversation_id = sender.direct(reader)
    fill(stack, conversation_id, sender, count)
    path = f"/conversations/{conversation_id}/messages"
    reader.ok("GET", path, params={"before": count // 2})
    before = processes(stack)
    for number in range(PAGES):
        reader.ok("GET", path, params={"before": count // 2 + number})
    after = processes(stack)
    names = ("gateway", "message", "postgres")
    return sum(after[name] - before[name] for name in names) * 1000 / PAGES


def run() -> list[Row]:
    """All rows."""
    with system() as stack:
        rows = waiting(stack)
        short, long = page(stack, SHORT), page(stack, LONG)
    return [
        *rows,
        Row("a page of 50 with 10,000 messages stored: CPU", short, "ms"),
        Row("a page of 50 with 5,000,000 messages stored: CPU", long, "ms"),
        Row("the second against the first", long / short, "times"),
    ]
