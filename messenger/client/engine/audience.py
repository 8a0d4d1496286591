"""Who may read in a conversation: decided here, from what is pinned and signed.

The server's list of a conversation's devices only makes the audience smaller. A device that it lists and that
is not in the audience is never encrypted to; it is told once.

- direct: oneself and the peer;
- the own conversation: oneself;
- group: the users of its roster, each under the account key that the roster names.
"""

from msgspec import Struct

from messenger.client import events
from messenger.client.e2e import KnownDevice
from messenger.client.e2e.errors import NotInAudience
from messenger.client.engine import rosters
from messenger.client.engine.vault import Store
from messenger.client.store.conversations import Row


class Audience(Struct, frozen=True):
    """The users of a conversation, and of their devices those that the server lists, too, by device_id.

    `strangers` are the devices that only the server lists, with the users that it names for them. `behind`
    are users whose newest list the server holds back: none of their devices is among `devices`.
    """

    users: frozenset[str]
    devices: dict[str, KnownDevice]
    strangers: dict[str, str]
    behind: frozenset[str] = frozenset()


def users_of(store: Store, row: Row) -> frozenset[str]:
    """The users who may read in a conversation, oneself included."""
    own = store.user_id
    if row.type == "self":
        return frozenset((own,))
    if row.type == "direct":
        return frozenset((own,) if row.peer_id is None else (own, row.peer_id))
    return rosters.readers(store, row.conversation_id) | {own}


def audience_of(store: Store, row: Row, listed: dict[str, str]) -> Audience:
    """The audience among the devices that the server lists (with their users, as it says)."""
    users = users_of(store, row)
    found = [store.known(user) for user in users]
    behind = {one.user_id for one in found if one.behind}
    listed = {one: user for one, user in listed.items() if user not in behind}
    known = {one.device_id: one for user in found for one in user.current_devices()}
    devices = {one: known[one] for one, user in listed.items() if one in known and known[one].user_id == user}
    strangers = {one: user for one, user in listed.items() if one not in devices}
    return Audience(users, devices, strangers, frozenset(behind))


def check_writer(store: Store, row: Row, user_id: str) -> None:
    """NotInAudience where somebody writes in a conversation who is not in it."""
    if row.type in ("direct", "self") and user_id not in users_of(store, row):
        raise NotInAudience("Somebody who is not in this conversation writes in it.")


def tell_strangers(store: Store, row: Row, found: Audience) -> None:
    """Tell of the devices that only the server lists, each once; not of who was in the group before (the
    roster changes first, and the server when it is asked), nor while the change that adds them may be asked
    for again."""
    known = rosters.of(store, row.conversation_id)
    awaited = row.type == "group" and rosters.change_awaited(store, row.conversation_id)
    for device_id, user_id in found.strangers.items():
        if known.had(user_id) or (awaited and user_id not in found.users):
            continue
        told = f"stranger/{row.conversation_id}/{device_id}"
        if store.account.get(told) is not None:
            continue
        store.account.set(told, user_id)
        name = store.conversations.name(user_id)
        what = "a device of theirs" if user_id in found.users else "somebody who is not in this conversation"
        store.tell(
            events.AudienceRefused(
                conversation_id=row.conversation_id,
                user_id=user_id,
                username=name,
                device_id=device_id,
                reason="unlisted_device" if user_id in found.users else "not_in_audience",
                detail=f"The server lists {what} that nobody vouches for; nothing is sent there.",
            )
        )
