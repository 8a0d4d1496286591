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
from messenger.client.engine.vault import Shelf
from messenger.wire.keys import DeviceList


def approved(shelf: Shelf) -> bool:
    """Whether this device has its user's account key."""
    return shelf.states.get(AccountKey, "own") is not None


def judges_own(shelf: Shelf) -> bool:
    """Whether this device can tell which devices are its user's: it has the account key, and the server names
    no other one, which another device of the user's may have made."""
    return approved(shelf) and not shelf.known(shelf.user_id).refused


def adopt(shelf: Shelf, account: AccountKey) -> None:
    """Go on under this account key."""
    shelf.states.save("own", account)
    known = shelf.known(shelf.user_id)
    known.pin(account.public)
    shelf.states.save(shelf.user_id, known)


def take_grant(shelf: Shelf, batch: Batch, payload: Payload, body: AccountGrant) -> None:
    """The account key that this device asked for by its code. GrantRefused, CodeExpired."""
    code = shelf.states.get(DeviceCode, "own")
    if code is None or payload.sender_id != shelf.user_id:
        return  # this device asks for nothing
    account = accept_grant(code, shelf.keys(), body, batch.now)
    adopt(shelf, account)
    shelf.states.drop(DeviceCode, "own")
    for name in shelf.states.keys(Progress):
        shelf.states.drop(Progress, name)  # others tell this device anew where their numbers stand
    shelf.tell(events.DeviceApproved())
    batch.approved = True


def next_list(
    shelf: Shelf,
    account: AccountKey,
    above: int,
    *,
    add: dict[str, bytes],
    remove: frozenset[str] = frozenset(),
) -> DeviceList:
    """The own device list with a version above the one known, and above `above`: what is known, with `add`
    (identity keys by device_id) and without `remove`."""
    known = shelf.known(shelf.user_id)
    devices = {one.device_id: one.identity_key for one in known.current_devices()} | add
    named = {one: key for one, key in devices.items() if one not in remove}
    return account.sign_list(shelf.user_id, max(known.list_version, above) + 1, named)


def provisional(shelf: Shelf, user_id: str) -> KnownUser | None:
    """Before this device has the account key, or where that is out of date, it can judge its own user's
    devices by the server's word only.

    It believes that word for one thing: to read a grant, whose proof the server can't make.
    """
    if user_id != shelf.user_id or judges_own(shelf):
        return None
    raw = shelf.account.raw("provisional")
    return None if raw is None else KnownUser.from_bytes(raw)
