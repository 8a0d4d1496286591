"""The roster of a group: who is in it by the word of its members, taken, compared, asked for, handed on."""

from collections.abc import Sequence

import msgspec
from msgspec import field

from messenger.client import events
from messenger.client.e2e import KnownDevice, Payload, ResendRequests, RosterBody, RosterRequest
from messenger.client.e2e.bodies import encode_body
from messenger.client.e2e.errors import NotInAudience, RosterRefused
from messenger.client.e2e.payload import RosterMark
from messenger.client.e2e.primitives import same
from messenger.client.e2e.roster import Entry, Roster
from messenger.client.e2e.rosters import Rosters
from messenger.client.e2e.state import Stored
from messenger.client.engine import order
from messenger.client.engine.batch import Batch
from messenger.client.engine.queueing import queue
from messenger.client.engine.telling import tell_differences, tell_made, warn
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import Row
from messenger.wire.conversations import Message

ASK_EVERY = 3_600.0  # seconds between two questions for one roster
MOST_ASKED = 20  # devices
MOST_HANDED = 100  # devices that one message hands the roster
HANDED_BYTES = 500_000  # of all rosters in one message, with room below the server's 1 MiB a frame
MOST_PARKED = 100  # messages of a group that wait for its roster


class Parked(Stored):
    """Messages that came before the roster by which they are judged, as the server gave them."""

    messages: list[bytes] = field(default_factory=list)


def of(store: Store, conversation_id: str) -> Rosters:
    """The rosters of a conversation; to be changed, and stored by who changes them."""
    return store.states.get(Rosters, conversation_id) or Rosters(conversation_id)


def current(store: Store, conversation_id: str) -> Roster | None:
    """The roster that stands; None where this device has none."""
    return of(store, conversation_id).current


def mark(store: Store, row: Row) -> RosterMark | None:
    """What a payload says of the roster."""
    return of(store, row.conversation_id).mark if row.type == "group" else None


# who may read and write


def vouched(store: Store, entry: Entry) -> bool:
    """Whether a member is the user that is known here: under the account key that the roster names."""
    if entry.user_id == store.user_id:
        return True
    known = store.known(entry.user_id)
    if not entry.account_key:
        return True
    return known.account_key is not None and not known.refused and same(known.account_key, entry.account_key)


def readers(store: Store, conversation_id: str) -> frozenset[str]:
    """The users who may read in a group: those of the roster, each under the account key that it names."""
    standing = current(store, conversation_id)
    members = () if standing is None else standing.members
    return frozenset(one.user_id for one in members if vouched(store, one))


def check_speaker(store: Store, row: Row, user_id: str, seq: int) -> None:
    """NotInAudience for who was not in the roster at a place, or is there under another account key."""
    standing = of(store, row.conversation_id).at(seq)
    entry = None if standing is None else standing.member(user_id)
    if entry is None:
        raise NotInAudience("Somebody who is not in the group's roster writes in it.")
    if not vouched(store, entry):
        raise NotInAudience("A member whose new account key nobody has confirmed writes in the group.")


def leads(store: Store, row: Row, user_id: str, seq: int) -> bool:
    """Whether a user was owner or admin at a place."""
    standing = of(store, row.conversation_id).at(seq)
    return standing is not None and standing.leads(user_id)


# what comes


def take_whole(store: Store, batch: Batch, row: Row, payload: Payload, body: RosterBody, seq: int) -> bool:
    """Take a roster that a member hands over; whether it is news. RosterRefused, told as such."""
    rosters = of(store, row.conversation_id)
    roster = Roster.of_body(row.conversation_id, body)
    sender = roster.member(payload.sender_id)
    own = payload.sender_id == store.user_id
    if not own and (sender is None or not vouched(store, sender)):
        raise RosterRefused("A roster comes from somebody whom it does not name under the key known here.")
    standing = rosters.current
    away = standing is not None and standing.member(store.user_id) is None
    before = rosters.take_whole(roster, seq, payload.sender_id, own=own, away=away)
    if before == roster:
        return False
    rejoined = before is not None and away
    if rejoined:
        rosters = Rosters(row.conversation_id)
        rosters.begin(roster, seq)
    elif roster.member(store.user_id) is None:
        order.go_away(store, row.conversation_id)
    store.states.save(row.conversation_id, rosters)
    if before is None or rejoined or before.version == 0:
        tell_made(store, roster, payload.sender_id)
    else:
        tell_differences(store, before, roster, payload.sender_id)
    batch.wake.add(row.conversation_id)
    return True


def check_mark(store: Store, batch: Batch, row: Row, payload: Payload, message: Message) -> None:
    """Compare the roster that a sender has with the one here: a newer one is asked for, another one told."""
    said = payload.roster
    rosters = of(store, row.conversation_id)
    if said is None or rosters.current is None:
        return  # without a roster it is on its way, or asked for by what waits for it
    verdict = rosters.judge(said)
    if verdict == "differs" and rosters.first_time(f"{payload.sender_device_id}/{said.version}"):
        detail = f"The sender has another version {said.version} of the group's roster than this device."
        warn(store, message, events.RosterDiffers, "another_roster", detail)
        store.states.save(row.conversation_id, rosters)
    elif verdict == "newer":
        device = store.known(payload.sender_id).listed(payload.sender_device_id)
        ask(store, batch, row, [] if device is None else [device])
        rosters = of(store, row.conversation_id)
        if rosters.unanswered and rosters.first_time(f"newer/{payload.sender_device_id}/{said.version}"):
            detail = f"The sender has version {said.version} of the group's roster, which nobody hands over."
            warn(store, message, events.RosterDiffers, "newer_roster", detail)
            store.states.save(row.conversation_id, rosters)


def ask(store: Store, batch: Batch, row: Row, devices: Sequence[KnownDevice]) -> None:
    """Ask these devices, one's own others, and who leads the group by the roster here; once an hour."""
    rosters = of(store, row.conversation_id)
    standing = rosters.current
    lead = (
        [] if standing is None else [one.user_id for one in standing.members if standing.leads(one.user_id)]
    )
    others = [one for user in [store.user_id, *lead] for one in store.known(user).current_devices()]
    found = {one.device_id: one for one in [*devices, *others] if one.device_id != store.device_id}
    targets = dict(list(found.items())[:MOST_ASKED])
    if not targets or not rosters.may_ask(batch.now, ASK_EVERY):
        return
    store.states.save(row.conversation_id, rosters)
    body = RosterRequest(version=0 if standing is None else standing.version)
    queue(store, batch, row.conversation_id, body, list(targets.values()))


def leaders(store: Store, row: Row) -> list[KnownDevice]:
    """The devices of who leads a group as the server says: whom to ask for the roster where there is none."""
    return [
        device
        for user_id in store.conversations.leaders(row.conversation_id)
        for device in store.known(user_id).current_devices()
    ]


def answer(store: Store, batch: Batch, row: Row, payload: Payload, body: RosterRequest) -> None:
    """Hand the roster to a device of a member that asks, where it has none or an older one, and would take it
    from this user."""
    standing = current(store, row.conversation_id)
    if standing is None or standing.version <= body.version:
        return
    if payload.sender_id != store.user_id and not standing.leads(store.user_id):
        return
    device = store.known(payload.sender_id).listed(payload.sender_device_id)
    if device is not None and payload.sender_id in readers(store, row.conversation_id):
        queue(store, batch, row.conversation_id, standing.body(), [device])


def lacking(store: Store, row: Row, devices: Sequence[KnownDevice]) -> list[KnownDevice]:
    """Those of these devices that this one has to hand the roster: all, where this user leads the group, else
    only one's own others."""
    found = of(store, row.conversation_id)
    standing = found.current
    if standing is None or standing.version == 0:
        return []
    leader = standing.leads(store.user_id)
    mine = [one for one in devices if leader or one.user_id == store.user_id]
    without = set(found.lacking(one.device_id for one in mine))
    return [one for one in mine if one.device_id in without]


def hand_over(store: Store, batch: Batch, row: Row, devices: Sequence[KnownDevice]) -> bool:
    """Queue the roster for those of these devices that have to be handed it; False where none has."""
    without = lacking(store, row, devices)
    standing = current(store, row.conversation_id)
    if not without or standing is None:
        return False
    body = standing.body()
    room = min(MOST_HANDED, max(1, HANDED_BYTES // len(encode_body(body))))
    for start in range(0, len(without), room):
        queue(store, batch, row.conversation_id, body, without[start : start + room])
    return True


def devices_of(store: Store, conversation_id: str) -> list[KnownDevice]:
    """All devices that the group's readers are known to have, but this one."""
    known = [store.known(one) for one in readers(store, conversation_id) | {store.user_id}]
    return [one for user in known for one in user.current_devices() if one.device_id != store.device_id]


def given(store: Store, conversation_id: str, device_ids: Sequence[str]) -> None:
    """These devices have been handed the roster."""
    found = of(store, conversation_id)
    found.give((one, store.sessions("", one).user_id) for one in device_ids)
    store.states.save(conversation_id, found)


# messages that wait for the roster


def park(store: Store, message: Message) -> bool:
    """Put a message aside until the roster is here; False where too many wait."""
    parked = store.states.get(Parked, message.conversation_id) or Parked()
    if len(parked.messages) >= MOST_PARKED:
        return False
    parked.messages.append(msgspec.json.encode(message))
    store.states.save(message.conversation_id, parked)
    return True


def writer_awaited(store: Store, message: Message) -> bool:
    """Whether it can't be judged yet who wrote a message: its sender is in no roster here, and what is asked
    for again may be the change that adds it."""
    if not change_awaited(store, message.conversation_id, message.seq):
        return False
    standing = of(store, message.conversation_id).at(message.seq)
    return standing is not None and standing.member(message.sender_id or "") is None


def change_awaited(store: Store, conversation_id: str, seq: int = 2**53) -> bool:
    """Whether a message below this place is asked for again, which may be a change of the roster."""
    requests = store.states.get(ResendRequests, "own")
    return requests is not None and requests.open_below(conversation_id, seq)


def lacked(store: Store) -> list[str]:
    """The conversations in which messages wait because there is no roster."""
    return [one for one in parked(store) if current(store, one) is None]


def parked(store: Store) -> list[str]:
    """The conversations in which messages wait."""
    return store.states.keys(Parked)


def unpark(store: Store, conversation_id: str) -> list[Message]:
    """The messages that have waited."""
    parked = store.states.get(Parked, conversation_id)
    if parked is None:
        return []
    store.states.drop(Parked, conversation_id)
    return [msgspec.json.decode(one, type=Message) for one in parked.messages]
