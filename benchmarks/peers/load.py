"""The same load on every server: pairs, each with so many messages in flight, all clients in one process.

A message is in flight until it is done, and the next one of its pair goes out then. What "done" is depends on
what a server says:

- ours: the sender has been answered `sent`, which comes after the commit, and the receiver has the message.
  The receiver acknowledges each one besides;
- an XMPP server: the receiver has the message. None of its answers says "stored"; the run counts the
  archive's rows afterwards.
"""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4
from xml.etree.ElementTree import Element

import uvloop

from benchmarks import client as ours
from benchmarks.peers import xmpp

BYTES = 512
CONTENT = base64.b64encode(b"\x5a" * BYTES).decode()  # JSON carries bytes as base64
BODY = "Z" * BYTES  # XMPP carries text
LATE_SECONDS = 30.0
TOGETHER = 10  # connections that are opened at once


class User(NamedTuple):
    """Who connects: `address` is ours' URL or an XMPP server's port, `secret` a token or a password."""

    address: str
    name: str
    secret: str


class Pair(NamedTuple):
    """Who writes to whom; `to` is what a message is addressed to."""

    sender: User
    receiver: User
    to: str


@dataclass
class Figures:
    """What the generator has seen in the measured time, and in all; latencies in seconds."""

    done: int
    seconds: float
    median: float
    worst: float  # the 99th percentile
    done_in_all: int


Say = Callable[[str], None]


@dataclass(slots=True)
class _Message:
    """A message in flight: what has sent it, when, and how many of its confirmations are missing."""

    say: Say
    began: float
    missing: int


class Loop:
    """Keeps messages in flight; each is done when it has been confirmed `confirmations` times."""

    def __init__(self, confirmations: int) -> None:
        self._confirmations = confirmations
        self._running = True
        self._flying: dict[str, _Message] = {}
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.done = 0

    def send(self, say: Say) -> None:
        """Send one more by `say`, which is given the message's name."""
        name = str(uuid4())
        self._flying[name] = _Message(say, time.perf_counter(), self._confirmations)
        say(name)

    def delivered(self, name: str) -> None:
        """The receiver has it."""
        self.latencies.append(time.perf_counter() - self._flying[name].began)
        self.confirmed(name)

    def confirmed(self, name: str) -> None:
        """One of the confirmations has come; after the last one the next message is sent."""
        message = self._flying[name]
        message.missing -= 1
        if message.missing:
            return
        del self._flying[name]
        self.done += 1
        if self._running:
            self.send(message.say)
        elif not self._flying and not self._over.done():
            self._over.set_result(None)

    def fail(self, error: Exception) -> None:
        """Something that must not be has happened."""
        if not self._over.done():
            self._over.set_exception(error)

    async def pass_time(self, seconds: float) -> None:
        """Let it run, until it is over at most; what has failed is raised."""
        await asyncio.wait((self._over,), timeout=seconds)
        if self._over.done():
            self._over.result()

    async def end(self) -> None:
        """Send nothing more, and wait for what is in flight; TimeoutError once nothing more comes."""
        self._running = False
        while self._flying:
            before = self.done
            await self.pass_time(LATE_SECONDS)
            if self._flying and self.done == before:
                raise TimeoutError(f"{len(self._flying)} messages have not arrived, {before} have")


class Ours:
    """Sockets of our system's gateway."""

    confirmations = 2

    @staticmethod
    async def idle(user: User) -> Any:
        """A socket on which nothing happens."""
        return await ours.connect(user.address, user.secret, lambda _client, _frame: None)

    @staticmethod
    async def open(pair: Pair, loop: Loop) -> Say:
        """Connect both; gives what sends a message from one to the other."""

        def at_sender(_client: ours.Client, frame: dict[str, Any]) -> None:
            if frame["type"] == "sent":
                loop.confirmed(frame["ref"])
            elif frame["type"] == "error":
                loop.fail(RuntimeError(str(frame)))

        def at_receiver(client: ours.Client, frame: dict[str, Any]) -> None:
            if frame["type"] == "message":
                client.say(
                    b'{"type":"ack","conversation_id":"%s","seq":%d}' % (pair.to.encode(), frame["seq"])
                )
                loop.delivered(frame["client_id"])

        await ours.connect(pair.receiver.address, pair.receiver.secret, at_receiver)
        client = await ours.connect(pair.sender.address, pair.sender.secret, at_sender)

        def say(name: str) -> None:
            client.say(
                f'{{"type":"send","ref":"{name}","conversation_id":"{pair.to}",'
                f'"client_id":"{name}","kind":"text","content":"{CONTENT}"}}'.encode()
            )

        return say


class Xmpp:
    """Streams of an XMPP server."""

    confirmations = 1

    @staticmethod
    async def idle(user: User) -> Any:
        """A stream on which nothing happens."""
        return await xmpp.connect(int(user.address), user.name, user.secret, _ignore, _ignore)

    @staticmethod
    async def open(pair: Pair, loop: Loop) -> Say:
        """Connect both; gives what sends a message from one to the other."""

        def heard(stanza: Element) -> None:
            if stanza.tag != xmpp.MESSAGE or stanza.get("type") == "error":
                loop.fail(RuntimeError(xmpp.text(stanza)))
            else:
                loop.delivered(stanza.attrib["id"])

        receiver, sender = pair.receiver, pair.sender
        await xmpp.connect(int(receiver.address), receiver.name, receiver.secret, heard, loop.fail)
        client = await xmpp.connect(int(sender.address), sender.name, sender.secret, heard, loop.fail)
        return lambda name: client.say(xmpp.message(pair.to, name, BODY))


Kind = type[Ours] | type[Xmpp]


def _ignore(_what: object) -> None:
    return


async def sign_up(users: list[User]) -> None:
    """Make accounts on an XMPP server."""

    async def one(user: User) -> None:
        client = await xmpp.connect(int(user.address), user.name, user.secret, _ignore, _ignore, sign_up=True)
        client.close()

    for start in range(0, len(users), TOGETHER):
        await asyncio.gather(*(one(user) for user in users[start : start + TOGETHER]))


def idle(kind: Kind, users: list[User], pipe: Any) -> None:
    """Open a connection for each user, say so, and hold them until told to end. For a process of its own."""

    async def hold() -> None:
        clients = []
        for start in range(0, len(users), TOGETHER):
            clients += await asyncio.gather(*(kind.idle(user) for user in users[start : start + TOGETHER]))
        pipe.send(len(clients))
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    uvloop.run(hold())


def load(
    kind: Kind,
    pairs: list[Pair],
    in_flight: int,
    warmup: float,
    seconds: float,
    pipe: Any,
) -> None:
    """Send on behalf of all pairs; says "begin", "end", and then the Figures. For a process of its own."""

    async def generate() -> Figures:
        loop = Loop(kind.confirmations)
        said = [await kind.open(pair, loop) for pair in pairs]
        for say in said:
            for _ in range(in_flight):
                loop.send(say)
        await loop.pass_time(warmup)
        pipe.send("begin")
        loop.latencies.clear()
        before, began = loop.done, time.perf_counter()
        await loop.pass_time(seconds)
        done, passed = loop.done - before, time.perf_counter() - began
        latencies = sorted(loop.latencies)
        if not latencies:
            raise RuntimeError(f"nothing was delivered within {seconds:g} s")
        pipe.send("end")
        await loop.end()
        median, worst = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
        return Figures(done, passed, median, worst, loop.done)

    pipe.send(uvloop.run(generate()))
