"""How this device comes to be trusted, and vouches for the next: the account key, device codes and grants."""

from messenger.client import events
from messenger.client.e2e import (
    AccountGrant,
    AccountKey,
    DeviceCode,
    KnownUser,
    Payload,
    Progress,
    accept_grant,
)
from messenger.client.engine.batch import Batch
from messenger.client.engine.vault import Store
from messenger.wire.keys import DeviceList


def approved(store: Store) -> bool:
    """Whether this device has its user's account key."""
    return store.states.get(AccountKey, "own") is not None


def judges_own(store: Store) -> bool:
    """Whether this device can tell which devices are its user's: it has the account key, and the server names
    no other one, which another device of the user's may have made."""
    return approved(store) and not store.known(store.user_id).refused


def adopt(store: Store, account: AccountKey) -> None:
    """Go on under this account key."""
    store.states.save("own", account)
    known = store.known(store.user_id)
    known.pin(account.public)
    store.states.save(store.user_id, known)


def take_grant(store: Store, batch: Batch, payload: Payload, body: AccountGrant) -> None:
    """The account key that this device asked for by its code. GrantRefused, CodeExpired."""
    code = store.states.get(DeviceCode, "own")
    if code is None or payload.sender_id != store.user_id:
        return  # this device asks for nothing
    account = accept_grant(code, store.keys(), body, batch.now)
    adopt(store, account)
    store.states.drop(DeviceCode, "own")
    for name in store.states.keys(Progress):
        store.states.drop(Progress, name)  # others tell this device anew where their numbers stand
    store.tell(events.DeviceApproved())
    batch.approved = True


def next_list(
    store: Store,
    account: AccountKey,
    above: int,
    *,
    add: dict[str, bytes],
    remove: frozenset[str] = frozenset(),
) -> DeviceList:
    """The own device list with a version above the one known, and above `above`: what is known, with `add`
    (identity keys by device_id) and without `remove`."""
    known = store.known(store.user_id)
    devices = {one.device_id: one.identity_key for one in known.current_devices()} | add
    named = {one: key for one, key in devices.items() if one not in remove}
    return account.sign_list(store.user_id, max(known.list_version, above) + 1, named)


def provisional(store: Store, user_id: str) -> KnownUser | None:
    """Before this device has the account key, or where that is out of date, it can judge its own user's
    devices by the server's word only.

    It believes that word for one thing: to read a grant, whose proof the server can't make.
    """
    if user_id != store.user_id or judges_own(store):
        return None
    raw = store.account.raw("provisional")
    return None if raw is None else KnownUser.from_bytes(raw)
