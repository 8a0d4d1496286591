"""Changes of a group's roster: its first version, others' changes, and one's own, done again where others
came before."""

from collections.abc import Sequence

from messenger.client import events
from messenger.client.e2e import AccountKey, RosterChange
from messenger.client.e2e.bodies import Role
from messenger.client.e2e.errors import EncryptionError, NotInAudience, RosterRefused
from messenger.client.e2e.roster import MAX_MEMBERS, Entry, Roster
from messenger.client.e2e.rosters import Intent, Rosters
from messenger.client.engine import order
from messenger.client.engine.batch import Batch
from messenger.client.engine.queueing import queue
from messenger.client.engine.rosters import current, of, vouched
from messenger.client.engine.telling import tell_differences, tell_made, warn, warn_of
from messenger.client.engine.vault import Shelf
from messenger.client.errors import ContactConflict, MembershipRefused
from messenger.client.store.conversations import Row
from messenger.client.store.outbox import Queued
from messenger.wire.codec import uuid_text
from messenger.wire.conversations import Message

# beginnings


def check_known(shelf: Shelf, user_ids: Sequence[str]) -> None:
    """MembershipRefused for a user without an account key, whom nobody could vouch for, or too many."""
    if len({shelf.user_id, *user_ids}) > MAX_MEMBERS:
        raise MembershipRefused(f"A group has at most {MAX_MEMBERS} members.")
    try:
        for user_id in user_ids:
            entry_of(shelf, user_id, "member")
    except NotInAudience as error:
        raise MembershipRefused(str(error)) from None


def make_first(shelf: Shelf, conversation_id: str, user_ids: Sequence[str]) -> None:
    """The creator's roster of a new group, with these others as members, who were checked. ContactConflict
    where the server answers with a group that has a roster, or with what is known as no group."""
    row = shelf.conversations.get(conversation_id)
    if of(shelf, conversation_id).current is not None or (row is not None and row.type != "group"):
        raise ContactConflict("The server answers with another conversation than a new group.")
    rosters = Rosters(conversation_id)
    entries = [entry_of(shelf, user_id, "member") for user_id in user_ids if user_id != shelf.user_id]
    rosters.begin(Roster.of(conversation_id, 1, [entry_of(shelf, shelf.user_id, "owner"), *entries]), 0)
    shelf.states.save(conversation_id, rosters)


def entry_of(shelf: Shelf, user_id: str, role: str) -> Entry:
    """A user under the account key that is known. NotInAudience where none is."""
    key = shelf.known(user_id).account_key
    if user_id == shelf.user_id:
        own = shelf.states.get(AccountKey, "own")
        key = None if own is None else own.public
    if key is None or shelf.known(user_id).refused:
        name = shelf.conversations.name(user_id)
        raise NotInAudience(f"{name} has no account key that could be vouched for.")
    return Entry(user_id, key, role)  # type: ignore[arg-type]


def freeze_legacy(shelf: Shelf) -> None:
    """Keep, for each group from before rosters, the members that this device knows now as version 0."""
    for row in shelf.conversations.legacy():
        entries = [
            Entry(one.user_id, shelf.known(one.user_id).account_key or b"", _role(one.role))
            for one in shelf.conversations.members(row.conversation_id)
            if uuid_text(one.user_id) == one.user_id
        ]
        rosters = Rosters(row.conversation_id)
        rosters.begin(Roster.of(row.conversation_id, 0, entries), 0)
        shelf.states.save(row.conversation_id, rosters)
        shelf.conversations.set(row.conversation_id, legacy=0)


def _role(said: str) -> Role:
    """A role by the server's word, which may be any."""
    return said if said in ("owner", "admin") else "member"  # type: ignore[return-value]


def to_take_over(shelf: Shelf) -> list[tuple[str, list[str]]]:
    """The groups from before rosters that are this user's, with their members, whose keys are wanted."""
    found = []
    for conversation_id in shelf.states.keys(Rosters):
        standing = current(shelf, conversation_id)
        row = shelf.conversations.get(conversation_id)
        if standing is None or standing.version or row is None or row.ended:
            continue
        if standing.role_of(shelf.user_id) == "owner":
            found.append((conversation_id, [one.user_id for one in standing.members]))
    return found


def take_over(shelf: Shelf, batch: Batch, conversation_id: str) -> None:
    """Make the first roster of an own group from before rosters, out of the members that were known, and hand
    it to them. Who has no account key that is accepted is left out, and nobody else is its owner. With more
    members than a roster has room for it stays as it is."""
    rosters = of(shelf, conversation_id)
    before = rosters.current
    if before is None or before.version:
        return
    entries = []
    for one in before.members:
        known, own = shelf.known(one.user_id), one.user_id == shelf.user_id
        if own or (known.account_key is not None and not known.refused and vouched(shelf, one)):
            role = "owner" if own else "admin" if one.role == "owner" else one.role
            entries.append(entry_of(shelf, one.user_id, role))
    if len(entries) > MAX_MEMBERS:
        return
    made = Roster.of(conversation_id, 1, entries)
    rosters.begin(made, 0)
    shelf.states.save(conversation_id, rosters)
    tell_made(shelf, made, shelf.user_id)
    queue(shelf, batch, conversation_id, made.body(), [])


# changes


def take_change(
    shelf: Shelf, batch: Batch, row: Row, change: RosterChange, author: str, message: Message, seq: int
) -> None:
    """Take a change at its place. What does not count is told (RosterDiffers)."""
    rosters = of(shelf, row.conversation_id)
    try:
        found = rosters.take_change(change, author, seq)
    except EncryptionError as error:
        standing = rosters.current
        if standing is not None and change.version > standing.version + 1:
            return  # changes in between are missing here; the mark of the next message has them asked for
        warn(shelf, message, events.RosterDiffers, "change_refused", str(error))
        return
    shelf.states.save(row.conversation_id, rosters)
    if found is None:
        return
    tell_differences(shelf, found.before, found.after, author)
    if found.after.member(shelf.user_id) is None:
        order.go_away(shelf, row.conversation_id)
    if found.replaced:
        _try_again(shelf, batch, row.conversation_id, rosters, rosters.undone(change.version))


def propose(
    shelf: Shelf, batch: Batch, conversation_id: str, put: Sequence[Entry], remove: Sequence[str]
) -> str | None:
    """Queue a change of the roster: the message's client_id; None where there is nothing to change.

    RosterRefused where this user may not do it, or this device has no roster.
    """
    rosters = of(shelf, conversation_id)
    standing = rosters.current
    if standing is None or standing.version == 0:
        raise RosterRefused("This device has no roster of the group yet.")
    intent = Intent(list(put), list(remove))
    change = rosters.again(intent)
    if change is None:
        return None
    standing.changed(change, shelf.user_id)
    client_id = queue(shelf, batch, conversation_id, change)
    rosters.intend(client_id, intent)
    shelf.states.save(conversation_id, rosters)
    return client_id


def settle_change(shelf: Shelf, batch: Batch, queued: Queued, change: RosterChange, seq: int) -> None:
    """An own change has its place. If another one came before it, it is done again."""
    rosters = of(shelf, queued.conversation_id)
    intent = rosters.intended(queued.client_id)
    shelf.states.save(queued.conversation_id, rosters)
    try:
        found = rosters.take_change(change, shelf.user_id, seq)
    except EncryptionError:
        found = None  # others have changed it meanwhile, by more than one version
    if found is None:
        _try_again(shelf, batch, queued.conversation_id, rosters, intent)
        return
    rosters.done(change.version, intent)
    if found.after.member(shelf.user_id) is None:
        order.go_away(shelf, queued.conversation_id)
    tell_differences(shelf, found.before, found.after, shelf.user_id)


def forget_change(shelf: Shelf, queued: Queued) -> None:
    """The server will not take what may have been an own change."""
    rosters = of(shelf, queued.conversation_id)
    if rosters.intended(queued.client_id) is not None:
        shelf.states.save(queued.conversation_id, rosters)


def _try_again(
    shelf: Shelf, batch: Batch, conversation_id: str, rosters: Rosters, intent: Intent | None
) -> None:
    try:
        standing = rosters.current
        change = None if intent is None else rosters.again(intent)
        if intent is None or change is None or standing is None:
            return
        standing.changed(change, shelf.user_id)
        client_id = queue(shelf, batch, conversation_id, change)
        rosters.intend(client_id, Intent(intent.put, intent.remove, intent.tries + 1))
        shelf.states.save(conversation_id, rosters)
    except RosterRefused as error:
        warn_of(
            shelf,
            events.RosterDiffers,
            "change_given_up",
            f"A change of the group's members was given up: {error}",
            conversation_id=conversation_id,
            user_id=shelf.user_id,
            device_id=shelf.device_id,
            seq=None,
        )
