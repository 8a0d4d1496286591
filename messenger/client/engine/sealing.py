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
    KnownUser,
    Payload,
    ResendRequest,
    Resent,
    SendingChain,
    SentMessage,
    new_payload,
)
from messenger.client.e2e.bodies import decode_body
from messenger.client.e2e.errors import UncertifiedDevice, Untrusted
from messenger.client.engine import controls
from messenger.client.engine.controls import Waking
from messenger.client.engine.naming import reason_of
from messenger.client.engine.vault import Shelf
from messenger.client.errors import IdentityRefused, NoDevices, StoreCorrupt
from messenger.client.store.conversations import Row
from messenger.client.store.outbox import Queued
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


class Sealed(Struct, frozen=True):
    """A draft that is ready; None: control messages were queued that go first."""

    draft: bytes | None


def seal(
    shelf: Shelf, batch: Waking, client_id: str, view: DeviceView, learned: set[str], now: float
) -> Sealed:
    """Make a queued message's draft. `learned` are the users whose keys were asked for just now.

    Raises Needs, IdentityRefused, NoDevices, PayloadTooLarge.
    """
    queued = shelf.outbox.get(client_id)
    if queued is None:
        return Sealed(None)  # an answer that was thought lost has come
    if queued.draft is not None:
        return Sealed(queued.draft)
    row = shelf.conversations.get(queued.conversation_id)
    if row is None:
        raise StoreCorrupt("A message waits for a conversation that is not known.")
    others = {device: user for device, user in view.users.items() if device != shelf.device_id}
    if queued.targets is not None:
        return _seal_some(shelf, queued, row, others, learned, now)
    if row.type == "direct":
        if row.peer_id not in others.values():
            raise NoDevices(f"{shelf.conversations.name(row.peer_id)} has no device to encrypt to.")
        return _seal_pairwise(shelf, queued, row, others, learned, now, partial=False)
    return _seal_group(shelf, batch, queued, row, view, learned, now)


def _seal_some(
    shelf: Shelf, queued: Queued, row: Row, others: dict[str, str], learned: set[str], now: float
) -> Sealed:
    wanted = queued.targets or list(others)
    refused = _refused(shelf, row, others, learned)
    targets = {one: others[one] for one in wanted if one in others and one not in refused}
    if not targets:
        shelf.outbox.remove(queued.client_id)  # they are gone; what they missed they will ask for
        return Sealed(None)
    return _seal_pairwise(shelf, queued, row, targets, learned, now, partial=True)


def _seal_pairwise(
    shelf: Shelf,
    queued: Queued,
    row: Row,
    targets: dict[str, str],
    learned: set[str],
    now: float,
    *,
    partial: bool,
) -> Sealed:
    refused = _refused(shelf, row, targets, learned)
    if refused:
        device_id, error = next(iter(refused.items()))
        name = shelf.conversations.name(targets[device_id])
        raise IdentityRefused(f"Nothing is sent to {name}: {error}", code=reason_of(error))
    keys = shelf.keys()
    sessions = {one: shelf.sessions(user, one) for one, user in targets.items()}
    unready = [one for one, found in sessions.items() if queued.fresh or found.needs_bundle(now)]
    if unready:
        raise Needs([], unready)
    payload = _payload(shelf, queued, 0 if partial else row.next_number)
    envelopes = []
    for device_id, found in sessions.items():
        envelopes.append(Envelope(Uuid(device_id), Binary(found.seal(keys, payload))))
        shelf.states.save(device_id, found)
    draft = Draft(client_id=Uuid(queued.client_id), kind=queued.kind, envelopes=envelopes, partial=partial)
    return _keep(shelf, queued, payload, draft, list(targets))


def _seal_group(
    shelf: Shelf,
    batch: Waking,
    queued: Queued,
    row: Row,
    view: DeviceView,
    learned: set[str],
    now: float,
) -> Sealed:
    keys = shelf.keys()
    others = {device: user for device, user in view.users.items() if device != shelf.device_id}
    trusted = [one for one in others if one not in _refused(shelf, row, others, learned)]
    chain = shelf.states.get(SendingChain, row.conversation_id)
    if chain is None or chain.must_rotate(trusted, now):
        chain = SendingChain.create(keys, row.conversation_id, now=now)
    lacking = chain.lacking(trusted)
    shelf.states.save(row.conversation_id, chain)
    if lacking:
        for start in range(0, len(lacking), MAX_TARGETS):
            body = chain.distribution(row.next_number)
            controls.queue(shelf, batch, row.conversation_id, body, lacking[start : start + MAX_TARGETS])
        return Sealed(None)
    payload = _payload(shelf, queued, row.next_number)
    draft = Draft(
        client_id=Uuid(queued.client_id),
        kind=queued.kind,
        content=Binary(chain.seal(keys, payload)),
        devices_digest=Binary(view.digest),
    )
    return _keep(shelf, queued, payload, draft, trusted)


def _payload(shelf: Shelf, queued: Queued, number: int) -> Payload:
    return new_payload(
        shelf.keys(),
        conversation_id=queued.conversation_id,
        client_id=queued.client_id,
        kind=queued.kind,
        number=number,
        sent_at=queued.sent_at,
        body=cast(Known, decode_body(queued.body)),
    )


def _keep(shelf: Shelf, queued: Queued, payload: Payload, draft: Draft, devices: list[str]) -> Sealed:
    raw = encode(draft)
    shelf.outbox.sealed(queued.client_id, payload.number, raw, devices)
    if not isinstance(decode_body(queued.body), Resent | ResendRequest):
        shelf.states.save(queued.client_id, SentMessage.of(payload, devices))
    return Sealed(raw)


def _refused(shelf: Shelf, row: Row, devices: dict[str, str], learned: set[str]) -> dict[str, Untrusted]:
    """Devices that the server lists and nothing vouches for. Needs, where their users' keys may be news."""
    refused: dict[str, Untrusted] = {}
    asked: list[str] = []
    members = {one.user_id for one in shelf.conversations.members(row.conversation_id)}
    for device_id, user_id in devices.items():
        known: KnownUser = shelf.known(user_id)
        try:
            if user_id not in members:
                raise UncertifiedDevice(f"User {user_id} is listed, but is no member of the conversation.")
            known.device(device_id)
        except Untrusted as error:
            refused[device_id] = error
            if user_id not in learned:
                asked.append(user_id)
    if asked:
        raise Needs(list(dict.fromkeys(asked)), [])
    return refused


def forget_sent(shelf: Shelf, now: float) -> None:
    """Drop what is remembered for resends beyond its bounds of age and number."""
    shelf.database.run(
        """delete from states where kind = 'SentMessage' and key not in (
               select key from states where kind = 'SentMessage' order by rowid desc limit ?)""",
        RESEND_MESSAGES,
    )
    oldest = shelf.account.get("sent_since")
    if oldest is None or now - float(oldest) > RESEND_KEPT:
        # Twice in the time that they are kept, all but the last half are certain to be too old.
        shelf.account.set("sent_since", str(now))
        bound = shelf.account.get("sent_bound")
        if bound is not None:
            shelf.database.run("delete from states where kind = 'SentMessage' and rowid <= ?", int(bound))
        newest = shelf.database.one("select max(rowid) from states where kind = 'SentMessage'")
        shelf.account.set("sent_bound", str((newest or (0,))[0] or 0))
