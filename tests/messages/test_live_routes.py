"""Instances that each hear only what concerns their users: whatever the bus loses, repeats and reorders, and
whichever instances come, go, die or are cut off, each socket gets all of its conversations, in order.

The bus is made up; what counts events, says what is wanted and finds what was missed is the real thing.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies import booleans, data, frozensets, integers, lists, sampled_from
from msgspec.structs import replace
from twisted.internet.task import Clock

from messenger.core.bus.numbering import KNOWN_SECONDS
from messenger.core.bus.origins import SILENCE_SECONDS
from messenger.core.bus.routes import YOUTH_SECONDS
from messenger.core.ids import new_id
from messenger.messages.live.healing import GATHER_SECONDS
from messenger.messages.live.interest import LINGER_SECONDS
from messenger.messages.model import Draft, Head, Outcome
from messenger.wire import events
from messenger.wire.codec import encode
from tests.messages.live_checks import Socket, check
from tests.messages.live_network import Network, Node
from tests.messages.live_world import Conversation, Store, user_of

DEVICES = ("ann-phone", "ben-phone", "cat-phone", "dan-phone", "ann-laptop")
USERS = ("ann", "ben", "cat", "dan")
MEMBERS = {"".join(pair): pair for pair in combinations(USERS, 2)} | {"all": USERS}
NAMES = tuple(MEMBERS)
INSTANCES = 5
FAULTS = ("born", "end", "cut off", "lose", "old")
SETTLE_SECONDS = 0.1


class Routing(RuleBasedStateMachine):
    """Instances come and go, users on them too."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.store, self.network = Clock(), Store(), Network()
        self.sockets: list[tuple[Node, Socket]] = []
        self.faults: frozenset[str] = frozenset()

    @initialize(faults=frozensets(sampled_from(FAULTS), max_size=2))
    def begin(self, faults: frozenset[str] = frozenset(FAULTS)) -> None:
        """Few kinds of faults in each run: what makes one of them look may hide what another one costs."""
        self.faults = faults
        for name in NAMES:
            conversation = self.store.conversations[name] = Conversation(name)
            for user_id in MEMBERS[name]:
                conversation.add(user_id)
        for _ in range(4):
            self.born()
        self.wait(int(YOUTH_SECONDS) + 1)
        for number, device_id in enumerate(DEVICES[:4]):
            self.open(device_id, number)
        self.wait(1)
        for number in range(4):  # all are to know who the members are
            self.write("ann-phone", NAMES, number)
            self.write("dan-phone", NAMES, number)
            self.write("ben-phone", ["bencat"], number)
        self.wait(1)

    @property
    def nodes(self) -> list[Node]:
        return self.network.nodes

    def node(self, number: int) -> Node:
        return self.nodes[number % len(self.nodes)]

    # instances

    @precondition(lambda self: "born" in self.faults and len(self.nodes) < INSTANCES)
    @rule()
    def born(self) -> None:
        Node(self.clock, self.store, self.network)

    @precondition(lambda self: "old" in self.faults and len(self.nodes) < INSTANCES)
    @rule()
    def born_old(self) -> None:
        Node(self.clock, self.store, self.network, old=True)

    @precondition(lambda self: "end" in self.faults and len(self.nodes) > 1)
    @rule(which=integers(0, INSTANCES), says_so=booleans())
    def end(self, which: int, says_so: bool) -> None:
        """One that nobody has heard of can't be missed; that it is heard of is a matter of seconds."""
        node = self.node(which)
        others = [one for one in self.nodes if one is not node]
        if not all(node.name in one.heard for one in others):
            return
        for at, socket in self.sockets:
            if at is node:
                socket.connection.gone()
        if says_so and node.up:
            said = node.numbering.routes.announcement(last=True)
            if node.old:
                said = replace(said, shards=None)
            self.network.publish(node.name, events.ANNOUNCED, encode(said), {})
        self.nodes.remove(node)

    @precondition(lambda self: "cut off" in self.faults)
    @rule(which=integers(0, INSTANCES))
    def cut_off(self, which: int) -> None:
        self.node(which).up = False

    @precondition(lambda self: "cut off" in self.faults)
    @rule(which=integers(0, INSTANCES))
    def come_back(self, which: int) -> None:
        node = self.node(which)
        if not node.up:
            node.up = True
            node.numbering.soon()
            node.turn()
            self.clock.callLater(SETTLE_SECONDS, node.gap)

    # what is committed, on any instance

    @rule(
        device=sampled_from(DEVICES),
        names=lists(sampled_from(NAMES), min_size=1, max_size=2, unique=True),
        which=integers(0, INSTANCES),
    )
    def write(self, device: str, names: Sequence[str], which: int) -> None:
        stored = []
        for name in names:
            conversation = self.store.conversations[name]
            if conversation.member(user_of(device)):
                one = conversation.write(device)
                draft = Draft(name, one.sender_id or "", device, one.client_id, one.kind, one.content, None)
                stored.append((draft, Outcome("stored", one.seq, conversation.head.change, 0, None)))
        if stored:
            self.note([draft.conversation_id for draft, _ in stored])
            self.node(which).live.events.committed(new_id(), stored)

    @rule(name=sampled_from(NAMES), user=sampled_from(USERS), which=integers(0, INSTANCES), quiet=booleans())
    def change_members(self, name: str, user: str, which: int, quiet: bool) -> None:
        conversation = self.store.conversations[name]
        joins = not conversation.member(user)
        (conversation.add if joins else conversation.remove)(user)
        heads = self.note([name], [user] if joins else [])
        self.node(which).live.events.changed(new_id(), heads)
        self.rest(quiet)

    def rest(self, quiet: bool) -> None:
        """Time goes by in which nothing arrives: what an instance does about a thing by itself is done."""
        if quiet:
            self.clock.pump([GATHER_SECONDS] * 2)

    def note(self, names: Sequence[str], users: Sequence[str] = ()) -> events.Heads:
        """The outbox's row, which the transaction writes."""
        heads = [
            events.ConversationHead(conversation_id=name, seq=head.seq, change=head.change)
            for name in names
            for head in [self.store.conversations[name].head]
        ]
        event = events.Heads(heads=heads, users=list(users))
        self.network.outbox.append((events.HEADS, encode(event)))
        return event

    # what is heard of it

    @precondition(lambda self: self.network.packets)
    @rule(choice=data(), again=booleans())
    def arrive(self, choice: Any, again: bool) -> None:
        position = choice.draw(integers(0, len(self.network.packets) - 1))
        packets = self.network.packets
        self.network.deliver(packets[position] if again else packets.pop(position))

    @precondition(lambda self: "lose" in self.faults and self.network.packets)
    @rule(choice=data(), many=integers(1, 5))
    def lose(self, choice: Any, many: int) -> None:
        for _ in range(min(many, len(self.network.packets))):
            self.network.packets.pop(choice.draw(integers(0, len(self.network.packets) - 1)))

    @rule()
    def arrive_all(self) -> None:
        while self.network.packets:
            self.network.deliver(self.network.packets.pop(0))

    # sockets

    @rule(device=sampled_from(DEVICES), which=integers(0, INSTANCES), quiet=booleans())
    def open(self, device: str, which: int, quiet: bool = False) -> None:
        began = {
            name: one.place(device) if user_of(device) in one.periods else Head(0, 0)
            for name, one in self.store.conversations.items()
        }
        node = self.node(which)
        connection, channel = node.live.open(device)
        self.sockets.append((node, Socket(device, connection, channel, began)))
        self.rest(quiet)

    @precondition(lambda self: self.sockets)
    @rule(choice=data())
    def close(self, choice: Any) -> None:
        choice.draw(sampled_from(self.sockets))[1].connection.gone()

    # PostgreSQL and the clock

    @rule(held=booleans())
    def hold(self, held: bool) -> None:
        self.store.held = held

    @precondition(lambda self: self.store.waiting)
    @rule(choice=data())
    def answer(self, choice: Any) -> None:
        self.store.let_through(choice.draw(integers(0, len(self.store.waiting) - 1)))

    @rule(seconds=sampled_from((0.02, SETTLE_SECONDS, KNOWN_SECONDS)))
    def pause(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=sampled_from((1, 1, 4, int(SILENCE_SECONDS) + 2, int(LINGER_SECONDS) + 1)))
    def wait(self, seconds: int) -> None:
        """Each second all that is on its way arrives, and what is left in the outbox is relayed."""
        for _ in range(seconds):
            self.arrive_all()
            self.clock.advance(1)
            for node in self.nodes:
                node.turn()
            self.relay()
        self.arrive_all()

    def relay(self) -> None:
        for node in self.nodes:
            while node.up and self.network.outbox:
                node.say(*self.network.outbox.pop())

    def teardown(self) -> None:
        if not self.store.conversations:
            return
        for number in range(len(self.nodes)):
            self.come_back(number)
        self.store.held = False
        for _ in range(int(SILENCE_SECONDS) + 10):
            while self.store.waiting:
                self.store.let_through()
            self.wait(1)
            self.clock.pump([0.05] * 4)
        while self.store.waiting or any(not one.live.idle() for one in self.nodes):
            while self.store.waiting:
                self.store.let_through()
            self.wait(1)
        for node, socket in self.sockets:
            if node in self.nodes:
                for conversation in self.store.conversations.values():
                    if user_of(socket.device_id) in conversation.periods:
                        check(socket, conversation)


Routing.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestRouting = Routing.TestCase


def quiet_world() -> Routing:
    """Four instances that know each other, each with one of the users."""
    world = Routing()
    world.begin(frozenset())
    return world


def test_what_is_told_before_its_hearer_is_known_is_not_lost() -> None:
    world = quiet_world()
    world.open("ann-laptop", 3, quiet=True)  # and what that instance says of it is on its way
    world.write("ben-phone", ["annben"], 1)
    world.teardown()


def test_what_is_told_while_a_hearer_is_not_waited_for_any_more_is_not_lost() -> None:
    world = quiet_world()
    world.open("ann-laptop", 3, quiet=False)
    world.pause(KNOWN_SECONDS)
    world.rest(True)
    world.write("ben-phone", ["annben"], 1)
    world.teardown()


def test_a_message_goes_by_the_members_at_its_change_whoever_has_heard_of_that() -> None:
    world = quiet_world()
    world.change_members("annben", "dan", 0, quiet=False)
    for packet in list(world.network.packets):
        if packet.to is world.nodes[3]:  # where Dan is; the others have not heard of it
            world.network.packets.remove(packet)
            world.network.deliver(packet)
    world.rest(True)
    world.write("ann-phone", ["annben"], 1)
    world.teardown()
