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
from messenger.client.engine.vault import Store
from messenger.client.errors import ContactConflict, MembershipRefused
from messenger.client.store.conversations import Row
from messenger.client.store.outbox import Queued
from messenger.wire.codec import uuid_text
from messenger.wire.conversations import Message

# beginnings


def check_known(store: Store, user_ids: Sequence[str]) -> None:
    """MembershipRefused for a user without an account key, whom nobody could vouch for, or too many."""
    if len({store.user_id, *user_ids}) > MAX_MEMBERS:
        raise MembershipRefused(f"A group has at most {MAX_MEMBERS} members.")
    try:
        for user_id in user_ids:
            entry_of(store, user_id, "member")
    except NotInAudience as error:
        raise MembershipRefused(str(error)) from None


def make_first(store: Store, conversation_id: str, user_ids: Sequence[str]) -> None:
    """The creator's roster of a new group, with these others as members, who were checked. ContactConflict
    where the server answers with a group that has a roster, or with what is known as no group."""
    row = store.conversations.get(conversation_id)
    if of(store, conversation_id).current is not None or (row is not None and row.type != "group"):
        raise ContactConflict("The server answers with another conversation than a new group.")
    rosters = Rosters(conversation_id)
    entries = [entry_of(store, user_id, "member") for user_id in user_ids if user_id != store.user_id]
    rosters.begin(Roster.of(conversation_id, 1, [entry_of(store, store.user_id, "owner"), *entries]), 0)
    store.states.save(conversation_id, rosters)


def entry_of(store: Store, user_id: str, role: str) -> Entry:
    """A user under the account key that is known. NotInAudience where none is."""
    key = store.known(user_id).account_key
    if user_id == store.user_id:
        own = store.states.get(AccountKey, "own")
        key = None if own is None else own.public
    if key is None or store.known(user_id).refused:
        name = store.conversations.name(user_id)
        raise NotInAudience(f"{name} has no account key that could be vouched for.")
    return Entry(user_id, key, role)  # type: ignore[arg-type]


def freeze_legacy(store: Store) -> None:
    """Keep, for each group from before rosters, the members that this device knows now as version 0."""
    for row in store.conversations.legacy():
        entries = [
            Entry(one.user_id, store.known(one.user_id).account_key or b"", _role(one.role))
            for one in store.conversations.members(row.conversation_id)
            if uuid_text(one.user_id) == one.user_id
        ]
        rosters = Rosters(row.conversation_id)
        rosters.begin(Roster.of(row.conversation_id, 0, entries), 0)
        store.states.save(row.conversation_id, rosters)
        store.conversations.set(row.conversation_id, legacy=0)


def _role(said: str) -> Role:
    """A role by the server's word, which may be any."""
    return said if said in ("owner", "admin") else "member"  # type: ignore[return-value]


def to_take_over(store: Store) -> list[tuple[str, list[str]]]:
    """The groups from before rosters that are this user's, with their members, whose keys are wanted."""
    found = []
    for conversation_id in store.states.keys(Rosters):
        standing = current(store, conversation_id)
        row = store.conversations.get(conversation_id)
        if standing is None or standing.version or row is None or row.ended:
            continue
        if standing.role_of(store.user_id) == "owner":
            found.append((conversation_id, [one.user_id for one in standing.members]))
    return found


def take_over(store: Store, batch: Batch, conversation_id: str) -> None:
    """Make the first roster of an own group from before rosters, out of the members that were known, and hand
    it to them. Who has no account key that is accepted is left out, and nobody else is its owner. With more
    members than a roster has room for it stays as it is."""
    rosters = of(store, conversation_id)
    before = rosters.current
    if before is None or before.version:
        return
    entries = []
    for one in before.members:
        known, own = store.known(one.user_id), one.user_id == store.user_id
        if own or (known.account_key is not None and not known.refused and vouched(store, one)):
            role = "owner" if own else "admin" if one.role == "owner" else one.role
            entries.append(entry_of(store, one.user_id, role))
    if len(entries) > MAX_MEMBERS:
        return
    made = Roster.of(conversation_id, 1, entries)
    rosters.begin(made, 0)
    store.states.save(conversation_id, rosters)
    tell_made(store, made, store.user_id)
    queue(store, batch, conversation_id, made.body(), [])


# changes


def take_change(
    store: Store, batch: Batch, row: Row, change: RosterChange, author: str, message: Message, seq: int
) -> None:
    """Take a change at its place. What does not count is told (RosterDiffers)."""
    rosters = of(store, row.conversation_id)
    try:
        found = rosters.take_change(change, author, seq)
    except EncryptionError as error:
        standing = rosters.current
        if standing is not None and change.version > standing.version + 1:
            return  # changes in between are missing here; the mark of the next message has them asked for
        warn(store, message, events.RosterDiffers, "change_refused", str(error))
        return
    store.states.save(row.conversation_id, rosters)
    if found is None:
        return
    tell_differences(store, found.before, found.after, author)
    if found.after.member(store.user_id) is None:
        order.go_away(store, row.conversation_id)
    if found.replaced:
        _try_again(store, batch, row.conversation_id, rosters, rosters.undone(change.version))


def propose(
    store: Store, batch: Batch, conversation_id: str, put: Sequence[Entry], remove: Sequence[str]
) -> str | None:
    """Queue a change of the roster: the message's client_id; None where there is nothing to change.

    RosterRefused where this user may not do it, or this device has no roster.
    """
    rosters = of(store, conversation_id)
    standing = rosters.current
    if standing is None or standing.version == 0:
        raise RosterRefused("This device has no roster of the group yet.")
    intent = Intent(list(put), list(remove))
    change = rosters.again(intent)
    if change is None:
        return None
    standing.changed(change, store.user_id)
    client_id = queue(store, batch, conversation_id, change)
    rosters.intend(client_id, intent)
    store.states.save(conversation_id, rosters)
    return client_id


def settle_change(store: Store, batch: Batch, queued: Queued, change: RosterChange, seq: int) -> None:
    """An own change has its place. If another one came before it, it is done again."""
    rosters = of(store, queued.conversation_id)
    intent = rosters.intended(queued.client_id)
    store.states.save(queued.conversation_id, rosters)
    try:
        found = rosters.take_change(change, store.user_id, seq)
    except EncryptionError:
        found = None  # others have changed it meanwhile, by more than one version
    if found is None:
        _try_again(store, batch, queued.conversation_id, rosters, intent)
        return
    rosters.done(change.version, intent)
    if found.after.member(store.user_id) is None:
        order.go_away(store, queued.conversation_id)
    tell_differences(store, found.before, found.after, store.user_id)


def forget_change(store: Store, queued: Queued) -> None:
    """The server will not take what may have been an own change."""
    rosters = of(store, queued.conversation_id)
    if rosters.intended(queued.client_id) is not None:
        store.states.save(queued.conversation_id, rosters)


def _try_again(
    store: Store, batch: Batch, conversation_id: str, rosters: Rosters, intent: Intent | None
) -> None:
    try:
        standing = rosters.current
        change = None if intent is None else rosters.again(intent)
        if intent is None or change is None or standing is None:
            return
        standing.changed(change, store.user_id)
        client_id = queue(store, batch, conversation_id, change)
        rosters.intend(client_id, Intent(intent.put, intent.remove, intent.tries + 1))
        store.states.save(conversation_id, rosters)
    except RosterRefused as error:
        warn_of(
            store,
            events.RosterDiffers,
            "change_given_up",
            f"A change of the group's members was given up: {error}",
            conversation_id=conversation_id,
            user_id=store.user_id,
            device_id=store.device_id,
            seq=None,
        )
