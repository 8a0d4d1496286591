"""5,000 sockets at rest: memory for each in the gateway and in the message service, and CPU.

Once of users without a conversation, and once of users with 30 conversations each that nobody writes in. What
those cost more is what a followed conversation costs.
"""

import asyncio
import resource
import time
from typing import Any

import uvloop

from benchmarks.client import Client, connect
from benchmarks.cpu import memory_bytes
from benchmarks.generator import generator
from benchmarks.report import Row
from benchmarks.system import people, processes, system
from tests.system.people import Person
from tests.system.stack import Stack

SOCKETS = 5_000
CONVERSATIONS = 30
REST_SECONDS = 30.0
SETTLE_SECONDS = 15.0

# Straight into the tables: what is measured is the rest. User n talks to the next ones, in a ring.
FILL = """
with users as (
    select user_id, n from unnest(%(users)s::uuid[]) with ordinality as u(user_id, n)
), pairs as (
    select gen_random_uuid() as conversation_id, one.user_id as one, other.user_id as other
    from users one, generate_series(1, %(each)s) step
    join users other on true
    where other.n = (one.n + step - 1) %% %(count)s + 1
), made as (
    insert into message.conversations
        (conversation_id, type, pair, created_by, created_at, updated_at, last_change, member_count)
    select conversation_id, 'direct', least(one, other) || ' ' || greatest(one, other), one,
        now(), now(), 1, 2
    from pairs
), joined as (
    insert into message.members
        (conversation_id, user_id, role, joined_at, first_seq, first_change, delivered_seq, read_seq)
    select conversation_id, m.user_id, 'owner', now() - interval '1 day', 1, 2, 0, 0
    from pairs, lateral (values (one), (other)) m(user_id)
)
insert into message.changes (conversation_id, change, at_seq, created_at, actor_id, event, details)
select conversation_id, 1, 0, now(), one, 'created', '{}' from pairs
"""


async def _generate(url: str, tokens: list[str], pipe: Any) -> None:
    def heard(_client: Client, _frame: dict[str, Any]) -> None:
        return

    clients = []
    for start in range(0, len(tokens), 100):
        batch = tokens[start : start + 100]
        clients += await asyncio.gather(*(connect(url, token, heard) for token in batch))
    pipe.send(len(clients))
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)


def _generator(*arguments: Any) -> None:
    allow_files()
    uvloop.run(_generate(*arguments))


def allow_files() -> None:
    """Let this process, and those that it starts, open as many sockets as they may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def fill(stack: Stack, users: list[Person]) -> None:
    """Let each of the users have CONVERSATIONS direct conversations."""
    connection = stack.database()
    with connection.cursor() as cursor:
        names = {"users": [one.user_id for one in users], "count": len(users), "each": CONVERSATIONS // 2}
        cursor.execute(FILL, names)
    connection.close()


def settle(stack: Stack) -> None:
    """Have PostgreSQL do now what it would do at some time after so much was written."""
    connection = stack.database()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("vacuum (analyze)")
        cursor.execute("checkpoint")
    connection.close()
    time.sleep(SETTLE_SECONDS)


def measure(stack: Stack, tokens: list[str], kind: str) -> list[Row]:
    """The rows of all sockets at rest."""
    pids = {name: stack.processes[f"{name}-1"].pid for name in ("gateway", "message")}
    before = {name: memory_bytes(pid) for name, pid in pids.items()}
    with generator(_generator, stack.url, tokens) as (pipe, _):
        assert pipe.recv() == SOCKETS
        settle(stack)
        after = {name: memory_bytes(pid) for name, pid in pids.items()}
        resting = processes(stack)
        time.sleep(REST_SECONDS)
        rested = processes(stack)
        pipe.send("end")
    each = {name: (after[name] - before[name]) / SOCKETS / 1024 for name in pids}
    return [
        Row(f"an idle socket{kind}: memory, gateway", each["gateway"], "KB"),
        Row(f"an idle socket{kind}: memory, message", each["message"], "KB"),
        Row(f"an idle socket{kind}: memory, both", sum(each.values()), "KB"),
        *(
            Row(
                f"{SOCKETS} idle sockets{kind}: CPU, {name}",
                (rested[name] - resting[name]) / REST_SECONDS * 100,
                "%",
            )
            for name in ("gateway", "message", "postgres", "nats")
        ),
    ]


def run() -> list[Row]:
    """All rows."""
    allow_files()
    with system() as stack:
        users = people(stack, SOCKETS)
        tokens = [one.token for one in users]
        rows = measure(stack, tokens, "")
        for name in ("gateway-1", "message-1"):  # memory that was used once is not given back
            stack.processes[name].terminate()
            stack.processes[name].ended()
        fill(stack, users)
        for name in ("message-1", "gateway-1"):
            stack.restart(name)
        stack.wait_ready()
        return rows + measure(stack, tokens, f" of a user with {CONVERSATIONS} conversations")
