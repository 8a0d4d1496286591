"""Holds a history against the contract (docs/api.md) and names each violation.

What is judged, by the word that a violation bears:

    lost         a message or a membership change was answered for and is not in the history, or stands at
                 another number
    two seqs     one client_id was answered with two numbers, or stands twice in the history
    hole         the history's numbers, or those of the changes, are not 1, 2, 3 ... to the head
    unsent       a message that nobody sent
    altered      a content that is not what was sent
    out of sight a device was shown a message from before its user's joining or after its leaving
    disorder     numbers on one socket did not rise
    gap          a socket went on past a message that its device should have had first
    missing      a device never got a message
    late         a socket stayed open and had no message within 15 s of its commit, or of a fault's end
    again        an acknowledged message was sent again on a later socket
    slow         with no fault about, deliveries took long: the bus is not doing its work
    outbox       events stay in an outbox
    unanswered   a message was neither answered for nor refused, though the system was whole again
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.system.checker.history import Event
from tests.system.checker.observed import Conversation, Message, Socket, Stint, Violation, clock

LIVE_SECONDS = 15.0
IN_FORCE_SECONDS = 1.5  # the contract says 1 s; half a second for a busy machine's timers
QUIET_BEFORE, QUIET_AFTER = 10.0, 3.0
SLOW_SECONDS = 2.5
SLOW_SAMPLES = 20

Place = tuple[str, str]  # conversation and device


class Judge:
    """Reads a history; `violations` gives what is wrong with it."""

    def __init__(self, events: list[Event]) -> None:
        self.users: dict[str, str] = {}
        self.sends: dict[tuple[str, str, str], Event] = {}
        self.sockets: dict[int, Socket] = {}
        self.answers: list[Event] = []
        self.received: list[Event] = []
        self.unanswered: list[Event] = []
        self.outbox: list[Event] = []
        self.member_answers: Counter[tuple[str, str, str]] = Counter()
        self.acks: dict[Place, list[Event]] = defaultdict(list)
        self.faults: list[tuple[float, float]] = []
        self.conversations: dict[str, Conversation] = {}
        final = False
        for event in events:
            match event["what"]:
                case "device":
                    self.users[event["device"]] = event["user"]
                case "open":
                    self.sockets[event["socket"]] = Socket(
                        event["socket"], event["device"], event["at"], final
                    )
                case "synced":
                    self.sockets[event["socket"]].synced = event["at"]
                case "close":
                    self.sockets[event["socket"]].closed = event["at"]
                case "send":
                    self.sends[_key(event)] = event
                case "sent":
                    self.answers.append(event)
                case "unanswered":
                    self.unanswered.append(event)
                case "received":
                    self.received.append(event)
                    here = self.sockets[event["socket"]]
                    here.messages[event["conversation"]].append((event["at"], event["seq"]))
                case "change":
                    here = self.sockets[event["socket"]]
                    here.changes[event["conversation"]].append((event["at"], event["change"]))
                case "member":
                    self.member_answers[(event["conversation"], event["event"], event["user"])] += 1
                case "ack":
                    self.acks[(event["conversation"], event["device"])].append(event)
                case "fault":
                    self.faults.append((event["begin"], event["end"]))
                case "truth":
                    self.conversations[event["conversation"]] = _conversation(event)
                case "final":
                    final = True
                case "outbox":
                    self.outbox.append(event)
        self.faults.sort()
        self._date_messages()

    def _date_messages(self) -> None:
        # Whoever hears of a message first, its sender or a receiver, shows that it was committed by then.
        for event in [*self.answers, *self.received]:
            truth = self.conversations.get(event["conversation"])
            message = truth.messages.get(event["seq"]) if truth else None
            if message is not None:
                message.at = min(message.at or event["at"], event["at"])

    def violations(self) -> list[Violation]:
        """Everything that is wrong, the gravest kinds first."""
        return [
            *self._history(),
            *self._answers(),
            *self._receipts(),
            *self._sockets(),
            *self._missing(),
            *self._late(),
            *self._again(),
            *self._slow(),
            *self._left(),
        ]

    # what the server has

    def _history(self) -> Iterator[Violation]:
        for name, truth in self.conversations.items():
            if sorted(truth.messages) != list(range(1, truth.last_seq + 1)):
                holes = sorted(set(range(1, truth.last_seq + 1)) ^ set(truth.messages))
                yield Violation("hole", f"numbers {holes[:10]} of 1 to {truth.last_seq}", name)
            changes = [one["change"] for one in truth.events]
            if changes != list(range(1, truth.last_change + 1)):
                yield Violation("hole", f"the changes are {changes} of {truth.last_change}", name)
            known: dict[tuple[str, str], int] = {}
            for seq, message in truth.messages.items():
                where = {"conversation": name, "seq": seq, "device": message.device}
                sent = self.sends.get((name, message.device, message.client_id))
                if sent is None:
                    yield Violation("unsent", f"nobody sent client_id {message.client_id}", **where)
                elif message.content is not None and message.content != sent["content"]:
                    yield Violation("altered", "the history's content", **where, times=(sent["at"],))
                first = known.setdefault((message.device, message.client_id), seq)
                if first != seq:
                    yield Violation("two seqs", f"also stands at {first}", **where)

    def _answers(self) -> Iterator[Violation]:
        figures: dict[tuple[str, str, str], Event] = {}
        for event in self.answers:
            name, seq, device = event["conversation"], event["seq"], event["device"]
            where = {"conversation": name, "seq": seq, "device": device, "times": (event["at"],)}
            first = figures.setdefault(_key(event), event)
            if (first["seq"], first["created_at"]) != (seq, event["created_at"]):
                yield Violation("two seqs", f"was answered with {first['seq']} before", **where)
            message = self.conversations[name].messages.get(seq)
            if message is None or (message.device, message.client_id) != (device, event["client_id"]):
                yield Violation("lost", f"client_id {event['client_id']} was answered for", **where)

        happened = Counter(
            (name, one["event"], one["user_id"])
            for name, truth in self.conversations.items()
            for one in truth.events
        )
        for (name, event_name, user), count in self.member_answers.items():
            # Adding who is a member already is answered for too, and changes nothing.
            added = event_name == "member_added"
            found = happened[(name, event_name, user)]
            if found < (0 if user in self.conversations[name].founders else 1) if added else found < count:
                yield Violation("lost", f"{event_name} {user}: {count} answers, {found} changes", name)

    # what devices got

    def _receipts(self) -> Iterator[Violation]:
        for event in self.received:
            name, seq, device = event["conversation"], event["seq"], event["device"]
            where = {"conversation": name, "seq": seq, "device": device, "times": (event["at"],)}
            truth = self.conversations[name]
            message = truth.messages.get(seq)
            if message is None or (message.device, message.client_id) != (
                event["sender"],
                event["client_id"],
            ):
                yield Violation("unsent", f"client_id {event['client_id']} is not in the history", **where)
                continue
            sent = self.sends.get((name, message.device, message.client_id))
            if sent is not None and event["content"] != _content_for(sent, device):
                yield Violation("altered", "the content that a device got", **where)
            if truth.stint(self.users[device], seq) is None:
                yield Violation("out of sight", "its user was no member then", **where)
            if message.device == device:
                yield Violation("again", "its own message", **where)

    def _sockets(self) -> Iterator[Violation]:
        for socket in self.sockets.values():
            for name, items in socket.messages.items():
                yield from self._stretch(socket, name, items)
            for name, items in socket.changes.items():
                numbers = [number for _, number in items]
                if numbers != list(range(numbers[0], numbers[0] + len(numbers))) and not self._rejoined(
                    name, socket.device
                ):
                    yield Violation(
                        "disorder", f"changes {numbers[:50]}", name, 0, socket.device, (socket.opened,)
                    )

    def _rejoined(self, name: str, device: str) -> bool:
        return len(self.conversations[name].stints.get(self.users[device], ())) > 1

    def _stretch(self, socket: Socket, name: str, items: list[tuple[float, int]]) -> Iterator[Violation]:
        truth, user = self.conversations[name], self.users[socket.device]
        acks = self.acks.get((name, socket.device), [])
        place = max((ack["seq"] for ack in acks if ack["at"] <= socket.opened), default=0)
        before, known = socket.opened, place
        fresh = True
        for at, seq in items:
            where = {"conversation": name, "seq": seq, "device": socket.device, "times": (before, at)}
            if not fresh and seq <= known:
                yield Violation("disorder", f"came after {known} on socket {socket.number}", **where)
            stint = truth.stint(user, seq)
            if stint is not None:
                for number in range(max(known + 1, stint.first), seq):
                    message = truth.messages.get(number)
                    if message is not None and message.device != socket.device:
                        yield Violation("gap", f"{number} had not come on socket {socket.number}", **where)
                        break
            before, known, fresh = at, max(known, seq) if not fresh else seq, False

    def owed(self, name: str, device: str) -> Iterator[Message]:
        """What a device must have been sent: all but its own, of its user's last membership.

        What a user had not acknowledged when it left is out of sight once it has joined again.
        """
        truth = self.conversations[name]
        stints = truth.stints.get(self.users[device])
        if stints:
            for seq in range(stints[-1].first, min(stints[-1].last, truth.last_seq) + 1):
                message = truth.messages.get(seq)
                if message is not None and message.device != device:
                    yield message

    def _missing(self) -> Iterator[Violation]:
        got: dict[Place, set[int]] = defaultdict(set)
        for event in self.received:
            got[(event["conversation"], event["device"])].add(event["seq"])
        for name in self.conversations:
            for device in self.users:
                here = got[(name, device)]
                for message in self.owed(name, device):
                    if message.seq not in here:
                        yield Violation("missing", "it never came", name, message.seq, device, (message.at,))

    def deadline(self, at: float) -> float:
        """By when what was committed then must be with live devices: 15 s after faults have ended."""
        for begin, end in self.faults:
            if begin <= at + LIVE_SECONDS and end > at:
                at = end
        return at + LIVE_SECONDS

    def _late(self) -> Iterator[Violation]:
        ends = {
            (name, seq): self.deadline(message.at)
            for name, truth in self.conversations.items()
            for seq, message in truth.messages.items()
        }
        for device in self.users:
            mine = [one for one in self.sockets.values() if one.device == device and not one.final]
            for name in self.conversations:
                arrivals = [{seq: at for at, seq in one.messages.get(name, ())} for one in mine]
                for message in self.owed(name, device):
                    end = ends[(name, message.seq)]
                    for socket, arrived in zip(mine, arrivals, strict=True):
                        lived = socket.synced < message.at and socket.closed > end
                        if lived and arrived.get(message.seq, float("inf")) > end:
                            came = arrived.get(message.seq)
                            yield Violation(
                                "late",
                                f"socket {socket.number} was open since {clock(socket.opened)};"
                                f" it was due at {clock(end)} and "
                                + (f"came at {clock(came)}" if came else "never came"),
                                name,
                                message.seq,
                                device,
                                (message.at,),
                            )

    def _again(self) -> Iterator[Violation]:
        for socket in self.sockets.values():
            for name, items in socket.messages.items():
                at, seq = items[0]
                for ack in self.acks.get((name, socket.device), ()):
                    in_force = ack["at"] + IN_FORCE_SECONDS <= socket.opened
                    if in_force and ack["seq"] >= seq and not self._disturbed(ack["at"], socket.opened):
                        times = (ack["at"], socket.opened, at)
                        detail = f"{ack['seq']} was acknowledged"
                        yield Violation("again", detail, name, seq, socket.device, times)
                        break

    def _disturbed(self, since: float, until: float) -> bool:
        return any(begin <= until and end >= since for begin, end in self.faults)

    def latencies(self) -> list[float]:
        """Seconds from commit to live delivery while no fault was about, sorted."""
        quiet = {
            (name, seq)
            for name, truth in self.conversations.items()
            for seq, message in truth.messages.items()
            if not self._disturbed(message.at - QUIET_BEFORE, message.at + QUIET_AFTER)
        }
        found = []
        for event in self.received:
            socket = self.sockets[event["socket"]]
            place = event["conversation"], event["seq"]
            if place in quiet and not socket.final:
                message = self.conversations[event["conversation"]].messages[event["seq"]]
                if socket.synced < message.at:
                    found.append(event["at"] - message.at)
        return sorted(found)

    def _slow(self) -> Iterator[Violation]:
        found = self.latencies()
        if len(found) >= SLOW_SAMPLES:
            most = found[len(found) * 9 // 10]
            if most > SLOW_SECONDS:
                yield Violation("slow", f"a tenth of {len(found)} quiet deliveries took over {most:.1f} s")

    def _left(self) -> Iterator[Violation]:
        for event in self.outbox:
            if event["rows"]:
                yield Violation("outbox", f"{event['rows']} events stay in {event['schema']}.outbox")
        for event in self.unanswered:
            yield Violation(
                "unanswered",
                f"client_id {event['client_id']}",
                event["conversation"],
                0,
                event["device"],
                (event["since"],),
            )


def judge(events: list[Event]) -> list[Violation]:
    """What is wrong with a history."""
    return Judge(events).violations()


def _key(event: Event) -> tuple[str, str, str]:
    return event["conversation"], event["device"], event["client_id"]


def _content_for(sent: Event, device: str) -> str:
    """What a device should have read: its own envelope, or what is the same for all."""
    return f"{sent['content']} for {device}" if sent["sealed"] else sent["content"]


def _conversation(event: Event) -> Conversation:
    stints: dict[str, list[Stint]] = {user: [] for user in event["members"]}
    open_since: dict[str, tuple[int, int]] = dict.fromkeys(event["members"], (1, 1))
    for change in event["changes"]:
        user, at_seq, number = change["user_id"], change["at_seq"], change["change"]
        if change["event"] == "member_added":
            open_since[user] = (at_seq + 1, number)
        elif change["event"] == "member_removed":
            first, first_change = open_since.pop(user)
            stints.setdefault(user, []).append(Stint(first, at_seq, first_change, number))
    for user, (first, first_change) in open_since.items():
        stints.setdefault(user, []).append(
            Stint(first, event["last_seq"], first_change, event["last_change"])
        )
    return Conversation(
        event["conversation"],
        {one["seq"]: Message(**one) for one in event["messages"]},
        stints,
        event["changes"],
        event["members"],
        event["last_seq"],
        event["last_change"],
    )
