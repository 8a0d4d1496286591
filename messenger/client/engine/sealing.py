"""From what is to be said to the ciphertext that goes to the server.

The ratchets' new states, the draft and what is remembered for a resend are committed together, before the
draft goes out: so no key encrypts two things, and after a crash the same draft goes out again. Only one draft
of a conversation is on its way at a time; so the sender's numbers rise with the server's.
"""

import hashlib
from typing import cast
from uuid import UUID

from msgspec import Struct

from messenger.client.e2e import (
    RESEND_KEPT,
    RESEND_MESSAGES,
    Known,
    KnownDevice,
    Payload,
    ResendRequest,
    Resent,
    RosterRequest,
    SendingChain,
    SentMessage,
    Start,
    new_payload,
)
from messenger.client.e2e.bodies import decode_body
from messenger.client.e2e.errors import NotInAudience
from messenger.client.e2e.primitives import same
from messenger.client.engine import order, rosters, starting
from messenger.client.engine.audience import Audience, audience_of, tell_strangers
from messenger.client.engine.batch import Batch
from messenger.client.engine.queueing import queue
from messenger.client.engine.vault import Settled, Store
from messenger.client.errors import IdentityRefused, NoDevices, StoreCorrupt
from messenger.client.store.conversations import Row
from messenger.client.store.outbox import Queued, Target
from messenger.wire.codec import Binary, Uuid, encode
from messenger.wire.conversations import Draft, Envelope

MAX_TARGETS = 100  # devices of one message for some: with room below the server's 1 MiB a frame


class DeviceView(Struct, frozen=True, kw_only=True):
    """The published devices of a conversation's members, with their users, own ones included."""

    users: dict[str, str]

    @property
    def digest(self) -> bytes:
        """SHA-256 over the sorted ids, 16 raw bytes each: our own sum, not the server's."""
        return hashlib.sha256(b"".join(sorted(UUID(one).bytes for one in self.users))).digest()


class Needs(Exception):
    """Something has to be asked for first: users' keys, or bundles of devices."""

    def __init__(self, users: list[str], devices: list[str]) -> None:
        super().__init__()
        self.users = users
        self.devices = devices


class Waits(Exception):
    """Nothing goes out here before the group's roster has come."""


class Sealed(Struct, frozen=True):
    """A draft that is ready; None: control messages were queued that go first."""

    draft: bytes | None


def seal(store: Store, batch: Batch, client_id: str, view: DeviceView) -> Sealed:
    """Make a queued message's draft. `batch.asked` are the users whose keys were asked for just now.

    Raises Needs, Waits, IdentityRefused, NoDevices, NotInAudience, PayloadTooLarge.
    """
    queued = store.outbox.get(client_id)
    if queued is None:
        return Sealed(None)  # an answer that was thought lost has come
    if queued.draft is not None:
        return Sealed(queued.draft)
    row = store.conversations.get(queued.conversation_id)
    if row is None:
        raise StoreCorrupt("A message waits for a conversation that is not known.")
    if row.type == "group" and queued.targets is None:
        _check_roster(store, row)
    found = _audience(store, batch, row, view)
    others = {one: device for one, device in found.devices.items() if one != store.device_id}
    if queued.targets is not None:
        return _seal_some(store, batch, queued, row, view, others)
    if row.type == "direct":
        if not any(one.user_id == row.peer_id for one in others.values()):
            raise NoDevices(f"{store.conversations.name(row.peer_id)} has no device to encrypt to.")
        new = starting.not_started(store, row.conversation_id, others)
        if new and row.next_number > 1:
            body = Start(number=row.next_number)
            queue(store, batch, row.conversation_id, body, [others[one] for one in new])
            return Sealed(None)
        return _seal_pairwise(store, batch, queued, row, others, partial=bool(found.strangers))
    return _seal_group(store, batch, queued, row, view, others)


def _check_roster(store: Store, row: Row) -> None:
    """Waits where this device has no roster; NotInAudience where this user is not in it."""
    standing = rosters.current(store, row.conversation_id)
    if standing is None:
        raise Waits()
    if standing.member(store.user_id) is None:
        raise NotInAudience("You are not in the group's roster any more.")


def _audience(store: Store, batch: Batch, row: Row, view: DeviceView) -> Audience:
    """Who may read. Needs, where keys or a change of the roster may be news; IdentityRefused, where an
    identity has changed."""
    found = audience_of(store, row, view.users)
    if row.type == "group" and rosters.current(store, row.conversation_id) is None:
        return found  # nobody can be told from a stranger yet
    asked = [
        user
        for user in found.strangers.values()
        if (user in found.users or row.type == "group") and user not in batch.asked
    ]
    asked += sorted(found.behind - batch.asked)
    if asked:
        raise Needs(list(dict.fromkeys(asked)), [])
    tell_strangers(store, row, found)
    for user_id in sorted(found.users) if row.type == "direct" else ():
        if store.known(user_id).refused:
            name = store.conversations.name(user_id)
            raise IdentityRefused(
                f"The identity of {name} has changed; nothing is sent until you accept it.",
                code="account_key_changed",
            )
        if user_id in found.behind:
            name = store.conversations.name(user_id)
            raise IdentityRefused(
                f"The server holds back the newest list of {name}'s devices; nothing goes by an older one.",
                code="old_device_list",
            )
    return found


def _seal_some(
    store: Store, batch: Batch, queued: Queued, row: Row, view: DeviceView, others: dict[str, KnownDevice]
) -> Sealed:
    targets = others
    if queued.targets:
        if isinstance(decode_body(queued.body), RosterRequest | ResendRequest):
            others = _asked(store, view)
        targets = {
            one.device_id: others[one.device_id]
            for one in queued.targets
            if one.device_id in others and _is(others[one.device_id], one)
        }
    if not targets:
        store.outbox.remove(queued.client_id)  # they are gone; what they missed they will ask for
        store.settled.append(Settled(queued.client_id))
        return Sealed(None)
    return _seal_pairwise(store, batch, queued, row, targets, partial=True, some=True)


def _asked(store: Store, view: DeviceView) -> dict[str, KnownDevice]:
    """The devices that may be asked a question, which says nothing: all that their users' lists name."""
    found = {}
    for device_id, user_id in view.users.items():
        device = store.known(user_id).listed(device_id)
        if device is not None and device_id != store.device_id:
            found[device_id] = device
    return found


def _is(device: KnownDevice, target: Target) -> bool:
    """Whether this is the device that was meant. One of an older client's row has only its id."""
    return not target.user_id or (
        device.user_id == target.user_id and same(device.identity_key, target.identity_key)
    )


def _seal_pairwise(
    store: Store,
    batch: Batch,
    queued: Queued,
    row: Row,
    targets: dict[str, KnownDevice],
    *,
    partial: bool,
    some: bool = False,
) -> Sealed:
    """One envelope for each device. `partial`: not for all that the server lists; `some`: nor for the whole
    audience, so that it bears no number."""
    keys = store.keys()
    sessions = {one: store.sessions(device.user_id, one) for one, device in targets.items()}
    unready = [one for one, found in sessions.items() if queued.fresh or found.needs_bundle(batch.now)]
    if unready:
        raise Needs([], unready)
    payload = _payload(store, queued, row, 0 if some else _number(queued, row))
    envelopes = []
    for device_id, found in sessions.items():
        envelopes.append(Envelope(Uuid(device_id), Binary(found.seal(keys, payload))))
        store.states.save(device_id, found)
    draft = Draft(client_id=Uuid(queued.client_id), kind=queued.kind, envelopes=envelopes, partial=partial)
    return _keep(store, queued, payload, draft, list(targets))


def _seal_group(
    store: Store,
    batch: Batch,
    queued: Queued,
    row: Row,
    view: DeviceView,
    others: dict[str, KnownDevice],
) -> Sealed:
    keys, now = store.keys(), batch.now
    trusted = list(others)
    without = row.type == "group" and rosters.hand_over(store, batch, row, list(others.values()))
    chain = store.states.get(SendingChain, row.conversation_id)
    if chain is None or chain.must_rotate(trusted, now):
        chain = SendingChain.create(keys, row.conversation_id, now=now)
    lacking = chain.lacking(trusted)
    store.states.save(row.conversation_id, chain)
    if lacking:
        for start in range(0, len(lacking), MAX_TARGETS):
            body = chain.distribution(row.next_number)
            targets = [others[one] for one in lacking[start : start + MAX_TARGETS]]
            queue(store, batch, row.conversation_id, body, targets)
    if lacking or without:
        return Sealed(None)
    payload = _payload(store, queued, row, _number(queued, row))
    draft = Draft(
        client_id=Uuid(queued.client_id),
        kind=queued.kind,
        content=Binary(chain.seal(keys, payload)),
        devices_digest=Binary(view.digest),
    )
    return _keep(store, queued, payload, draft, trusted)


def _number(queued: Queued, row: Row) -> int:
    """The message's own number: of one that was answered for before, the one that others have seen."""
    return queued.number if queued.again and queued.number else row.next_number


def _payload(store: Store, queued: Queued, row: Row, number: int) -> Payload:
    expires_in = None
    if queued.kind != "control":
        expires_in = store.messages.expires_in(row.conversation_id, store.device_id, queued.client_id)
    return new_payload(
        store.keys(),
        conversation_id=queued.conversation_id,
        client_id=queued.client_id,
        kind=queued.kind,
        number=number,
        sent_at=queued.sent_at,
        list_version=store.known(store.user_id).list_version,
        roster=rosters.mark(store, row),
        seen=order.seen(store, row),
        expires_in=expires_in,
        body=cast(Known, decode_body(queued.body)),
    )


def _keep(store: Store, queued: Queued, payload: Payload, draft: Draft, devices: list[str]) -> Sealed:
    raw = encode(draft)
    store.outbox.sealed(queued.client_id, payload.number, raw, devices)
    if not isinstance(decode_body(queued.body), Resent | ResendRequest):
        store.states.save(queued.client_id, SentMessage.of(payload, devices))
    return Sealed(raw)


def forget_sent(store: Store, now: float) -> None:
    """Drop what is remembered for resends beyond its bounds of age and number."""
    store.database.run(
        """delete from states where kind = 'SentMessage' and key not in (
               select key from states where kind = 'SentMessage' order by rowid desc limit ?)""",
        RESEND_MESSAGES,
    )
    oldest = store.account.get("sent_since")
    if oldest is None or now - float(oldest) > RESEND_KEPT:
        # Twice in the time that they are kept, all but the last half are certain to be too old.
        store.account.set("sent_since", str(now))
        bound = store.account.get("sent_bound")
        if bound is not None:
            store.database.run("delete from states where kind = 'SentMessage' and rowid <= ?", int(bound))
        newest = store.database.one("select max(rowid) from states where kind = 'SentMessage'")
        store.account.set("sent_bound", str((newest or (0,))[0] or 0))
