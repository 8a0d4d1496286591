"""The directory of contacts: who has which name, account key and devices, as far as it holds.

A contact is pinned as a whole at first use: another user for a known name, another name for a known user and
two users with one name are refused and told, and never written over what is pinned.
"""

import time

from messenger.client import events
from messenger.client.e2e import (
    AccountKeyHasChanged,
    AccountKeyPinned,
    DeviceAdded,
    DeviceRefused,
    DeviceRemoved,
    ListRefused,
    Policy,
    TrustEvent,
)
from messenger.client.e2e.errors import EncryptionError
from messenger.client.engine import rosters
from messenger.client.engine.naming import reason_of
from messenger.client.engine.telling import tell_member
from messenger.client.engine.vault import Store
from messenger.client.errors import IdentityRefused
from messenger.wire.keys import Bundle, Identities

MOST_WAITING = 10  # as many as a user has devices; a hostile server may name any number


def learn(store: Store, user_id: str, said: Identities, policy: Policy) -> None:
    """Take in a user's account key and devices. For oneself only the own account key vouches."""
    known = store.known(user_id)
    if user_id == store.user_id:
        if known.account_key is None:
            return  # not approved yet: nothing to judge by
        policy = Policy.REFUSE
    first = not known.devices
    found = known.learn(said, policy)
    known.stamp_removed(time.time())
    store.states.save(user_id, known)
    tell(store, found, quiet=first)
    if user_id == store.user_id:
        _tell_waiting(store, said)


def _tell_waiting(store: Store, said: Identities) -> None:
    """Tell of own devices that ask to be approved, each once for as long as it waits."""
    pending = said.pending if isinstance(said.pending, list) else []
    waiting = [one.device_id for one in pending if one.device_id != store.device_id][:MOST_WAITING]
    told = (store.account.get("waiting") or "").split()
    for device_id in waiting:
        if device_id not in told:
            store.tell(events.DeviceWaiting(device_id=device_id))
    if waiting != told:
        store.account.set("waiting", " ".join(waiting))


def name_user(store: Store, user_id: str, username: str) -> bool:
    """Pin a user's name as the server says it; False, and told, where it goes against what is pinned."""
    known, holder = store.conversations.named(user_id), store.conversations.user_named(username)
    if known == username:
        return True
    if known is None and holder is None:
        store.conversations.put_person(user_id, username)
        return True
    if known is not None:
        detail = f"The server calls {known} {username} now. {known} stays, and {username} is not believed."
    else:
        detail = f"The server gives the name {username} to another user than before. It is not believed."
    told = f"contact/{user_id}/{username}"
    if store.account.get(told) is None:
        store.account.set(told, "told")
        reason = "renamed" if known is not None else "another_user"
        store.tell(
            events.ContactRefused(user_id=user_id, username=known or username, reason=reason, detail=detail)
        )
    return False


def begin_sessions(store: Store, bundles: list[Bundle]) -> None:
    """Begin a session by each bundle. IdentityRefused where one does not hold, which is told too."""
    keys = store.keys()
    for bundle in bundles:
        try:
            store.known(bundle.user_id).check_bundle(bundle)
            sessions = store.sessions(bundle.user_id, bundle.device_id)
            sessions.start(keys, bundle, now=time.time())
        except EncryptionError as error:
            raise Refusal(bundle.user_id, bundle.device_id, error) from None
        store.states.save(bundle.device_id, sessions)


class Refusal(IdentityRefused):
    """A bundle or device that does not hold."""

    def __init__(self, user_id: str, device_id: str, error: EncryptionError) -> None:
        super().__init__(str(error), code=reason_of(error))
        self.user_id = user_id
        self.device_id = device_id


def tell_refusal(store: Store, refusal: Refusal) -> None:
    """Have the application know that keys of the server's do not hold."""
    store.tell(
        events.KeysRefused(
            user_id=refusal.user_id,
            username=store.conversations.name(refusal.user_id),
            device_id=refusal.device_id,
            reason=refusal.code,
            detail=str(refusal),
        )
    )


def tell(store: Store, found: list[TrustEvent], *, quiet: bool) -> None:
    """Write the events. `quiet`: the user was not known before, so that its devices are no news."""
    for event in found:
        name = store.conversations.name(event.user_id)
        if isinstance(event, AccountKeyHasChanged):
            store.tell(
                events.IdentityChanged(
                    user_id=event.user_id,
                    username=name,
                    was_verified=event.was_verified,
                    accepted=event.accepted,
                )
            )
            _tell_unconfirmed(store, event)
        elif isinstance(event, DeviceRefused):
            if _repeated(store, event):
                continue
            store.tell(
                events.DeviceRefused(
                    user_id=event.user_id,
                    username=name,
                    device_id=event.device_id,
                    reason=reason_of(event.error),
                    detail=str(event.error),
                )
            )
        elif isinstance(event, ListRefused):
            _tell_list(store, event, name)
        elif isinstance(event, DeviceAdded | DeviceRemoved):
            if not quiet:
                store.tell(
                    events.DeviceListChanged(
                        user_id=event.user_id,
                        username=name,
                        device_id=event.device_id,
                        change="added" if isinstance(event, DeviceAdded) else "removed",
                    )
                )
        else:
            assert isinstance(event, AccountKeyPinned)


def _tell_unconfirmed(store: Store, event: AccountKeyHasChanged) -> None:
    """In each group whose roster names the old account key the user gets nothing until that is confirmed."""
    for conversation_id in store.conversations.with_member(event.user_id):
        standing = rosters.current(store, conversation_id)
        entry = None if standing is None else standing.member(event.user_id)
        if entry is not None and entry.account_key == event.old:
            tell_member(store, conversation_id, entry, "unconfirmed", None)


def _tell_list(store: Store, event: ListRefused, name: str) -> None:
    told, reason = f"list/{event.user_id}", f"{reason_of(event.error)}: {event.error}"
    if store.account.get(told) != reason:
        store.account.set(told, reason)
        store.tell(
            events.KeysRefused(
                user_id=event.user_id,
                username=name,
                reason=reason_of(event.error),
                detail=str(event.error),
            )
        )


def _repeated(store: Store, event: DeviceRefused) -> bool:
    """Whether this very refusal was told before: the server may list the device for as long as it likes."""
    name = f"refused/{event.device_id}"
    reason = reason_of(event.error)
    if store.account.get(name) == reason:
        return True
    store.account.set(name, reason)
    return False
