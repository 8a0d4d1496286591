"""Instances of live delivery on a made-up NATS, which loses, repeats and reorders as it is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

from msgspec.structs import replace
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from messenger.core.bus.numbering import Numbering
from messenger.wire import events
from messenger.wire.codec import encode
from tests.messages.live_world import Instance, Store

T = TypeVar("T")


@dataclass
class Packet:
    """What is on its way to one instance."""

    to: "Node"
    origin: str
    message: Any


@dataclass
class Network:
    """NATS, and the outbox of PostgreSQL."""

    nodes: list["Node"] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    outbox: list[tuple[str, bytes]] = field(default_factory=list)
    published: list[tuple[str, str]] = field(default_factory=list)  # origin and subject

    def publish(self, origin: str, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        self.published.append((origin, subject))
        message = SimpleNamespace(subject=subject, data=payload, headers=headers or None)
        for node in self.nodes:
            if node.up and subject in node.listeners:
                self.packets.append(Packet(node, origin, message))

    def deliver(self, packet: Packet) -> None:
        if packet.to in self.nodes and packet.to.up:
            packet.to.hear(packet)


class Node:
    """A message instance: its bus, without NATS, and its live delivery. `old`: of the version before."""

    def __init__(self, clock: Clock, store: Store, network: Network, *, old: bool = False) -> None:
        self.clock, self.network, self.old = clock, network, old
        self.up = True
        self.client = self
        self.heard: set[str] = set()
        self.listeners: dict[str, Any] = {}
        self.numbering = Numbering(clock, self.gap)
        for subject in self.numbering.control:
            self.listeners[subject] = lambda _subject, _payload: None
        self.live = Instance(clock, store, unread_bytes=100_000, bus=self)
        network.nodes.append(self)
        self.turn()

    @property
    def name(self) -> str:
        return self.numbering.routes.own("").removeprefix(".")

    def turn(self) -> None:
        ensureDeferred(self.numbering.turn(self))  # type: ignore[arg-type]

    def gap(self) -> None:
        self.live.healing.gap()
        self.live.audience.forget()

    def hear(self, packet: Packet) -> None:
        self.heard.add(packet.origin)
        self.listeners[packet.message.subject](packet.message.subject, packet.message.data)
        self.numbering.heard(packet.message, self)  # type: ignore[arg-type]
        if self.numbering.routes.due:
            self.turn()

    # what Link gives

    async def publish(self, subject: str, payload: bytes) -> None:
        if self.old and subject == events.ANNOUNCED:
            said = self.numbering._origin.announcement()
            payload = encode(replace(said, shards=None))
        self.network.publish(self.name, subject, payload, self.numbering.headers(subject))

    def say(self, subject: str, payload: bytes) -> None:
        if self.up and not (self.old and subject.startswith(events.NOTED)):
            self.network.publish(self.name, subject, payload, self.numbering.headers(subject))

    # what Bus and Outbox give

    def on(self, subject: str, listener: Any, *, own: bool = False) -> None:
        for one in self.numbering.on(subject, own and not self.old):
            self.listeners[one] = listener

    def want(self, shards: int) -> int:
        return self.numbering.want(shards)

    async def known(self, version: int) -> None:
        if not self.old:
            if self.numbering.routes.due:
                self.turn()
            await self.numbering.known(self, version)  # type: ignore[arg-type]

    def split(
        self, subject: str, items: Sequence[T], concerns: Callable[[T], int | None]
    ) -> list[tuple[str, list[T]]]:
        if self.old:
            return [(subject, list(items))]
        return self.numbering.routes.split(subject, items, concerns)

    def tell(self, subject: str, payload: bytes) -> None:
        self.say(subject, payload)

    def send(self, event_id: str, subject: str, payload: bytes) -> None:
        self.send_parts(event_id, [(subject, payload)])

    def send_parts(self, event_id: str, parts: Sequence[tuple[str, bytes]]) -> None:
        if self.up:
            self.network.outbox.pop()
            for subject, payload in parts:
                self.say(subject, payload)
