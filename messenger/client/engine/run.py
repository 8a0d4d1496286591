"""Some durable frames as one piece of work: stored by one transaction, once all is known by which they are
judged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from messenger.client.engine import approval, receiving, rosters, settling
from messenger.client.engine.batch import Batch
from messenger.client.engine.changes import take_change
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import Row
from messenger.wire import frames
from messenger.wire.conversations import Change, Message

Durable = frames.SentFrame | frames.MessageFrame | frames.ChangeFrame | Message


@dataclass(slots=True)
class Asked:
    """What was asked of the server for a run, and is not asked again: what is lacking by then stays so."""

    conversations: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    senders: set[tuple[str, str]] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    filled: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Lacks:
    """What has to be asked of the server before a run can be judged."""

    conversations: list[str]
    users: list[str]
    senders: list[tuple[str, str]]
    holes: dict[str, list[int]]


@dataclass(slots=True)
class Taken:
    """What was stored: the frames, and how far the changes of each conversation have come. `rest` is judged
    anew: in between this device was approved."""

    frames: list[Durable]
    changes: dict[str, int]
    rest: list[Durable]


def attempt(store: Store, batch: Batch, run: list[Durable], asked: Asked) -> Lacks | Taken:
    """Take a run in, if nothing lacks that was not asked for. Conversations that are gone for this user, or
    were refused, are passed over. Behind."""
    rows = {one: store.conversations.get(one) for one in dict.fromkeys(one.conversation_id for one in run)}
    unknown = [one for one, row in rows.items() if row is None and one not in asked.conversations]
    if unknown:
        return Lacks(unknown, [], [], {})
    run = [one for one in run if rows[one.conversation_id] is not None]
    messages = [one for one in run if isinstance(one, Message)]
    own = store.device_id
    senders = {
        (one.sender_id, one.sender_device_id): None
        for one in messages
        if one.sender_id and one.sender_device_id != own
    }
    users = [user for user, _ in senders] + _users(one for one in run if isinstance(one, Change))
    nameless = [one for one in store.conversations.nameless(users) if one not in asked.names]
    waiting = not approval.judges_own(store)
    strange = [
        (user, device)
        for user, device in senders
        if (user, device) not in asked.senders
        and (device not in store.known(user).devices or (waiting and user == store.user_id))
    ]
    holes = {}
    for conversation_id, seqs in _seqs(store, run).items():
        row = rows[conversation_id]
        if conversation_id not in asked.filled and row is not None:
            found = _holes(store, row, seqs)
            if found:
                holes[conversation_id] = found
    if nameless or strange or holes:
        return Lacks([], nameless, strange, holes)
    return _store(store, batch, run)


def _store(store: Store, batch: Batch, run: Sequence[Durable]) -> Taken:
    told: dict[str, int] = {}
    # Answers first: an own message's place is no hole for what comes after it.
    ordered = sorted(run, key=lambda one: not isinstance(one, frames.SentFrame))
    for position, one in enumerate(ordered):
        if batch.approved:
            return Taken(ordered[:position], told, ordered[position:])
        if isinstance(one, Message):
            receiving.take_message(store, batch, one)
        elif isinstance(one, frames.ChangeFrame):
            take_change(store, one.conversation_id, one)
            told[one.conversation_id] = max(one.change, told.get(one.conversation_id, 0))
        else:
            queued = store.outbox.get(one.ref)
            if queued is not None and queued.conversation_id == one.conversation_id and queued.attempts:
                settling.settle(store, batch, queued, one.seq, one.created_at)
    return Taken(ordered, told, [])


def _seqs(store: Store, run: Sequence[Durable]) -> dict[str, list[int]]:
    """The places that come, by conversation; below them nothing may be missing. An own change of a roster has
    to know what came before it, too."""
    found: dict[str, list[int]] = {}
    for one in run:
        if isinstance(one, Message) or (isinstance(one, frames.SentFrame) and _changes_roster(store, one)):
            found.setdefault(one.conversation_id, []).append(one.seq)
    for one in run:
        if isinstance(one, frames.SentFrame) and one.conversation_id in found:
            seqs = found[one.conversation_id]
            if one.seq < max(seqs):
                seqs.append(one.seq)
    return found


def _changes_roster(store: Store, answer: frames.SentFrame) -> bool:
    return answer.ref in rosters.of(store, answer.conversation_id).under_way


def _holes(store: Store, row: Row, seqs: list[int]) -> list[int]:
    if row.place is None:
        return []
    here = {seq for seq in seqs if seq > row.place}
    if not here or len(here) == max(here) - row.place:
        return []
    return [
        seq for seq in store.conversations.holes(row.conversation_id, row.place, max(seqs)) if seq not in here
    ]


def _users(changes: Iterable[Change]) -> list[str]:
    found = []
    for one in changes:
        found += [user for user in (one.actor_id, one.user_id) if isinstance(user, str)]
    return found
