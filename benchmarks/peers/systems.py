"""The servers that are compared: each is started on a stack's PostgreSQL, and its users sign up."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from secrets import token_hex
from types import ModuleType
from typing import NamedTuple, Protocol

from benchmarks.cpu import cpu_seconds, family, memory_bytes
from benchmarks.peers import daemon, ejabberd, prosody
from benchmarks.peers.daemon import Database
from benchmarks.peers.load import Kind, Ours, Pair, User, Xmpp, sign_up
from benchmarks.system import people, processes, scalar
from tests.system.stack import Stack, free_ports

PAIRS = 50


class System(Protocol):
    """A server that runs. CPU and memory are those of all its processes, PostgreSQL's left out."""

    kind: Kind
    users: list[User]
    pairs: list[Pair]

    def cpu(self) -> float:
        """Seconds so far."""

    def memory(self) -> int:
        """Bytes."""

    def stored(self) -> int:
        """Rows of messages in the database."""


class OurSystem:
    """Ours: the services apart, through the gateway; NATS, Valkey and SeaweedFS count as parts of it."""

    kind: Kind = Ours

    def __init__(self, stack: Stack, users: int) -> None:
        self._stack = stack
        persons = people(stack, users)
        self.users = [User(one.url, one.username, one.token) for one in persons]
        self.pairs = [
            Pair(self.users[number], self.users[number + 1], persons[number].direct(persons[number + 1]))
            for number in range(0, 2 * PAIRS, 2)
        ]
        for one in persons:
            one.http.close()

    def cpu(self) -> float:
        return sum(seconds for name, seconds in processes(self._stack).items() if name != "postgres")

    def memory(self) -> int:
        found = self._stack.processes.items()
        return sum(memory_bytes(process.pid) for name, process in found if name != "engines")

    def stored(self) -> int:
        return scalar(self._stack, "select count(*) from message.messages")


class XmppSystem:
    """ejabberd or Prosody: the process `pid` with its children, which serves `port` and fills `table`."""

    kind: Kind = Xmpp

    def __init__(self, pid: int, port: int, database: Database, table: str, users: int) -> None:
        self._pid = pid
        self._database = database
        self._table = table
        self.users = [User(str(port), f"user{number}", "secret") for number in range(users)]
        self.pairs = [
            Pair(self.users[number], self.users[number + 1], self.users[number + 1].name)
            for number in range(0, 2 * PAIRS, 2)
        ]
        asyncio.run(sign_up(self.users))

    def cpu(self) -> float:
        return cpu_seconds(self._pid, whole_family=True)

    def memory(self) -> int:
        return sum(memory_bytes(one) for one in family(self._pid))

    def stored(self) -> int:
        with closing(self._database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {self._table}")
            [count] = cursor.fetchone() or ()
            return int(count)


class Server(NamedTuple):
    """What is compared: its name, its rows for each message, and how it is started.

    `start` takes the stack whose PostgreSQL it uses, and how many users sign up.
    """

    name: str
    rows: int
    start: Callable[[Stack, int], AbstractContextManager[System]]


@contextmanager
def _ours(stack: Stack, users: int) -> Iterator[System]:
    stack.start_services()  # the stack's end is theirs
    yield OurSystem(stack, users)


@contextmanager
def _xmpp(module: ModuleType, stack: Stack, users: int) -> Iterator[System]:
    with _database(stack, module.NAME) as database:
        module.prepare(database)
        [port] = free_ports(1)
        with daemon.running(partial(module.plan, port=port, database=database), port) as pid:
            yield XmppSystem(pid, port, database, module.TABLE, users)


@contextmanager
def _database(stack: Stack, name: str) -> Iterator[Database]:
    """A database, and a role of the same name that owns it, until the end of the block."""
    database = Database(int(stack.engines["postgres_port"]), name, token_hex(16))
    with closing(stack.database()) as connection, connection.cursor() as cursor:
        cursor.execute(f"create role {name} login password '{database.password}'")
        cursor.execute(f"create database {name} owner {name}")
        try:
            yield database
        finally:
            cursor.execute(f"drop database {name} with (force)")


# Ours comes last: its tables stay until the end of the round. An XMPP archive is each user's own, so a
# message is in the sender's and in the receiver's (XEP-0313).
SERVERS = (
    Server("Prosody", 2, partial(_xmpp, prosody)),
    Server("ejabberd", 2, partial(_xmpp, ejabberd)),
    Server("ours", 1, _ours),
)
