"""The rules of identity keys, prekeys, claims and device lists.

Every key and signature is checked when it is published, so that whoever claims a bundle gets nothing that
breaks a handshake. An identity key is set once. Key ids rise, for each kind of prekey, and within one call
too: so no id ever names two keys of a device.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from messenger.core.clock import Clock
from messenger.core.identity import Identity
from messenger.core.outgoing import Outgoing, Publish
from messenger.keys.model import Change, ClaimRequest, CurrentList, DeviceKeys
from messenger.keys.points import ed25519_flaw, kem_flaw, x25519_flaw
from messenger.wire.errors import Code, Problem, not_found
from messenger.wire.keys import (
    Bundle,
    Claim,
    DeviceList,
    Identities,
    IdentityKey,
    KemPrekey,
    KemPrekeys,
    KeyStatus,
    OneTimePrekeys,
    SignedPrekey,
)
from messenger.wire.times import moment_text

if TYPE_CHECKING:
    from messenger.keys.store.claims import ClaimStore
    from messenger.keys.store.device_lists import DeviceListStore
    from messenger.keys.store.keys import KeyStore

LIST_CONTEXT = b"messenger-device-list-1\0"
FRESH_LOGIN = 300  # seconds that a login may be old to replace an account key


class Keys:
    """All that the key service does.

    `stored` is how many one-time prekeys of a kind a device may have, `low` where it is told to publish more;
    `by_asker` and `of_device` bound what is claimed of a device within an hour.
    """

    def __init__(
        self,
        keys: "KeyStore",
        lists: "DeviceListStore",
        claims: "ClaimStore",
        clock: Clock,
        publish: Publish,
        *,
        stored: int,
        low: int,
        by_asker: int,
        of_device: int,
    ) -> None:
        self._keys = keys
        self._lists = lists
        self._claims = claims
        self._clock = clock
        self._publish = publish
        self._stored = stored
        self._low = low
        self._by_asker = by_asker
        self._of_device = of_device

    # publishing

    async def set_identity(self, who: Identity, body: IdentityKey) -> None:
        """Publish the device's identity key, once."""
        given = bytes(body.identity_key)

        def rule(device: DeviceKeys) -> Change:
            if device.identity_key is None:
                _check("The identity key", ed25519_flaw(given))
                return _publishing(device, Change(identity_key=given))
            if device.identity_key != given:
                raise Problem(Code.identity_key_immutable)
            return Change()

        await self._alter(who, rule)

    async def set_signed_prekey(self, who: Identity, body: SignedPrekey) -> None:
        """Publish the device's signed prekey; it takes the place of the one before."""

        def rule(device: DeviceKeys) -> Change:
            _check("The prekey", x25519_flaw(body.public_key))
            _check_signature(device, body)
            _check_rising([body.key_id], device.signed_prekey_id)
            return _publishing(device, Change(signed_prekey=body))

        await self._alter(who, rule)

    async def add_one_time_prekeys(self, who: Identity, body: OneTimePrekeys) -> int:
        """Store one-time prekeys, all or none; how many the device has now."""
        count = 0

        def rule(device: DeviceKeys) -> Change:
            nonlocal count
            count = self._room(device.one_time_prekeys, body.prekeys)
            for one in body.prekeys:
                _check(f"Prekey {one.key_id}", x25519_flaw(one.public_key))
            _check_rising([one.key_id for one in body.prekeys], device.highest_one_time_id)
            return Change(one_time=body.prekeys)

        await self._alter(who, rule)
        return count

    async def add_kem_prekeys(self, who: Identity, body: KemPrekeys) -> int:
        """Store one-time KEM prekeys, all or none, and the last-resort one; how many the device has now."""
        if not body.prekeys and body.last_resort is None:
            raise Problem(Code.bad_request, "Neither prekeys nor a last-resort one are given.")
        count = 0

        def rule(device: DeviceKeys) -> Change:
            nonlocal count
            count = self._room(device.kem_prekeys, body.prekeys)
            last = [] if body.last_resort is None else [body.last_resort]
            for one in [*body.prekeys, *last]:
                _check(f"KEM prekey {one.key_id}", kem_flaw(one.public_key))
                _check_signature(device, one)
            ids = [one.key_id for one in body.prekeys]
            _check_rising(ids, device.highest_kem_id)
            if body.last_resort is not None:
                _check_rising([body.last_resort.key_id], device.highest_kem_id)
                if body.last_resort.key_id in ids:
                    raise _not_rising()
            return Change(kem=body.prekeys, last_resort=body.last_resort)

        await self._alter(who, rule)
        return count

    async def set_list(self, who: Identity, body: DeviceList) -> None:
        """Publish which devices are the user's, as its account key says.

        Problem `unprocessable` for a list that does not hold, `conflict` with `version` for one that is no
        newer than what stands, `forbidden` for another account key without a fresh login. The list may name
        devices that the service has not met: who is named is the user's word, and only those that exist are
        published.
        """
        _check("The account key", ed25519_flaw(body.account_key))
        ids = [one.device_id for one in body.devices]
        if len(set(ids)) != len(ids):
            raise Problem(Code.unprocessable, "The list names a device twice.")
        if not signature_holds(body.account_key, body.signature, list_bytes(who.user_id, body)):
            raise Problem(Code.unprocessable, "The signature does not hold.")
        for one in body.devices:
            _check(f"The identity key of {one.device_id}", ed25519_flaw(one.identity_key))

        def rule(standing: CurrentList) -> None:
            if body.version <= standing.version:
                raise Problem(
                    Code.conflict,
                    f"Version {standing.version} of the list stands; the next one exceeds it.",
                    members={"version": standing.version},
                )
            age = self._clock() // 1000 - who.auth_time
            if body.account_key != standing.account_key and age >= FRESH_LOGIN:
                raise Problem(Code.forbidden, "To replace the account key, log in again first.")

        self._publish_change(await self._lists.replace(who.user_id, body, rule))

    # reading

    async def status(self, who: Identity) -> KeyStatus:
        """The ids and counts of the asking device's keys, by which it knows what to publish next."""
        device = await self._keys.device(who.device_id)
        if device is None:
            device = DeviceKeys(user_id=who.user_id, device_id=who.device_id)
        created_at = device.signed_prekey_created_at
        ids = (device.signed_prekey_id, device.highest_one_time_id, device.highest_kem_id)
        return KeyStatus(
            identity_key=device.identity_key,
            signed_prekey_id=device.signed_prekey_id,
            signed_prekey_created_at=None if created_at is None else moment_text(created_at),
            one_time_prekeys=device.one_time_prekeys,
            kem_prekeys=device.kem_prekeys,
            highest_key_id=max((one for one in ids if one is not None), default=None),
        )

    async def identities(self, user_id: str, asker_id: str | None = None) -> Identities:
        """A user's device list and published devices; takes nothing. `pending` is for the user's own eyes."""
        found = await self._lists.identities(user_id)
        if found is None:
            raise not_found("There is no such user.")
        return found if asker_id == user_id else msgspec.structs.replace(found, pending=msgspec.UNSET)

    async def claim(self, who: Identity, body: Claim) -> list[Bundle]:
        """Bundles, each with a one-time prekey that nobody else ever gets, as far as there are any."""
        if (body.user_id is None) == (body.devices is None):
            raise Problem(Code.bad_request, "Name either a user or devices.")
        claimed = await self._claims.claim(
            ClaimRequest(
                asker_id=who.user_id,
                asker_device_id=who.device_id,
                user_id=body.user_id,
                device_ids=list(dict.fromkeys(body.devices or ())),
                by_asker=self._by_asker,
                of_device=self._of_device,
                low=self._low,
            )
        )
        if claimed.retry_after is not None:
            raise Problem(
                Code.rate_limited,
                f"One user gets {self._by_asker} one-time prekeys of a device an hour.",
                retry_after=claimed.retry_after,
            )
        self._publish(claimed.events)
        asked = body.user_id
        if asked is not None and not claimed.bundles and not await self._lists.user_exists(asked):
            raise not_found("There is no such user.")
        return claimed.bundles

    async def _alter(self, who: Identity, rule: Callable[[DeviceKeys], Change]) -> None:
        self._publish_change(await self._keys.alter(who.user_id, who.device_id, rule))

    def _publish_change(self, events: list[Outgoing] | None) -> None:
        """Publish what a change gave; Problem `unauthorized` where who made it is gone."""
        if events is None:
            raise Problem(Code.unauthorized, "The device was removed.")
        self._publish(events)

    def _room(self, standing: int, more: Sequence[object]) -> int:
        if standing + len(more) > self._stored:
            raise Problem(Code.unprocessable, f"A device has at most {self._stored}; {standing} are stored.")
        return standing + len(more)


def list_bytes(user_id: str, given: DeviceList) -> bytes:
    """The bytes that an account key signs to say which devices are its user's."""
    devices = sorted((UUID(one.device_id).bytes, bytes(one.identity_key)) for one in given.devices)
    head = LIST_CONTEXT + UUID(user_id).bytes + given.version.to_bytes(8, "big")
    return head + b"".join(device_id + key for device_id, key in devices)


def _publishing(device: DeviceKeys, change: Change) -> Change:
    """`change`, which tells who has to know if it makes the device a published one, or one that waits."""
    after = replace(
        device,
        identity_key=change.identity_key or device.identity_key,
        signed_prekey_id=change.signed_prekey.key_id if change.signed_prekey else device.signed_prekey_id,
    )
    return replace(
        change,
        publishes=after.published and not device.published,
        waits=after.waiting and not device.waiting,
    )


def _check(what: str, flaw: str | None) -> None:
    if flaw is not None:
        raise Problem(Code.unprocessable, f"{what} {flaw}.")


def _check_signature(device: DeviceKeys, prekey: SignedPrekey | KemPrekey) -> None:
    if device.identity_key is None:
        raise Problem(Code.unprocessable, "There is no identity key yet that could have signed this.")
    if not signature_holds(device.identity_key, prekey.signature, prekey.public_key):
        raise Problem(Code.unprocessable, f"The signature of prekey {prekey.key_id} does not hold.")


def signature_holds(key: bytes, signature: bytes, text: bytes) -> bool:
    """Whether an Ed25519 signature (RFC 8032) of any length is the key's over the text."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _check_rising(ids: Sequence[int], highest: int | None) -> None:
    before = -1 if highest is None else highest
    for key_id in ids:
        if key_id <= before:
            raise _not_rising()
        before = key_id


def _not_rising() -> Problem:
    return Problem(Code.conflict, "Key ids rise: one does not exceed all earlier ones of this device.")
