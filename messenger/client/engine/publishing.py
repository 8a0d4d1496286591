"""This device's own keys: made, published, topped up and renewed.

Keys are written down before they are published. Publishing can stop anywhere, and what is missing is found
by asking the server (GET /keys/status) and published the next time; the signed prekey goes last, as it makes
the device visible.
"""

import asyncio
import time

from messenger.client import events
from messenger.client.e2e import AccountKey, DeviceCode, DeviceKeys
from messenger.client.engine import controls
from messenger.client.engine.vault import Shelf, Vault
from messenger.client.errors import ServerRefused
from messenger.client.net.api import Api
from messenger.wire import keys as wire

ONE_TIME = 100  # topped up to this many
KEM = 100
LOW = 50  # below so many there are topped up


class Publishing:
    """Keeps the server's copy of this device's public keys as it should be."""

    def __init__(self, vault: Vault, api: Api) -> None:
        self._vault = vault
        self._api = api
        self._busy = asyncio.Lock()

    async def refresh(self) -> None:
        """Publish what is missing, top up, renew what is due."""
        async with self._busy:
            await self._refresh()

    async def _refresh(self) -> None:
        status = await self._api.key_status()
        own = await self._vault.run(lambda shelf: shelf.keys().identity_key)
        if status.identity_key is None:
            await self._api.put_identity(own)
        elif status.identity_key != own:
            await self._vault.run(_tell_foreign)
            return
        await self._one_time(status)
        due = await self._vault.run(lambda shelf: shelf.keys().signed_prekey_due(time.time()))
        await self._kem(status, due)
        await self._account()
        await self._signed(status, due)

    async def _one_time(self, status: wire.KeyStatus) -> None:
        if status.one_time_prekeys >= LOW:
            return
        count = ONE_TIME - status.one_time_prekeys
        prekeys = await self._vault.run(lambda shelf: _changed(shelf).new_one_time_prekeys(count))
        await self._api.post_one_time_prekeys(prekeys)

    async def _kem(self, status: wire.KeyStatus, due: bool) -> None:
        has_kem = await self._vault.run(lambda shelf: shelf.keys().has_kem)
        last_resort = due or not has_kem or status.signed_prekey_id is None
        if status.kem_prekeys >= LOW and not last_resort:
            return
        count = max(0, KEM - status.kem_prekeys) if status.kem_prekeys < LOW else 0
        prekeys = await self._vault.run(
            lambda shelf: _changed(shelf).new_kem_prekeys(count, last_resort=last_resort, now=time.time())
        )
        await self._api.post_kem_prekeys(prekeys)

    async def _account(self) -> None:
        """The account key and this device's certificate, where this device has the account key."""

        def certified(shelf: Shelf) -> tuple[bytes, str, bytes] | None:
            account = shelf.states.get(AccountKey, "own")
            if account is None or shelf.account.get("certified") == account.public.hex():
                return None
            keys = shelf.keys()
            signature = account.certify(keys.user_id, keys.device_id, keys.identity_key)
            return account.public, keys.device_id, signature

        found = await self._vault.run(certified)
        if found is None:
            return
        public, device_id, signature = found
        said = await self._api.identities(await self._vault.run(lambda shelf: shelf.user_id))
        if said.account_key != public:
            await self._api.put_account_key(public)
        await self._api.put_certificate(device_id, signature)
        await self._vault.run(lambda shelf: shelf.account.set("certified", public.hex()))

    async def _signed(self, status: wire.KeyStatus, due: bool) -> None:
        def current(shelf: Shelf) -> wire.SignedPrekey | None:
            if due:
                return _changed(shelf).rotate_signed_prekey(now=time.time())
            prekey = shelf.keys().signed_prekey()
            return None if prekey.key_id == status.signed_prekey_id else prekey

        prekey = await self._vault.run(current)
        if prekey is None:
            return
        try:
            await self._api.put_signed_prekey(prekey)
        except ServerRefused as error:
            if error.status != 409:
                raise
            # An upload whose answer was lost: the server has it, or a later one of this device.
            prekey = await self._vault.run(
                lambda shelf: _changed(shelf).rotate_signed_prekey(now=time.time())
            )
            await self._api.put_signed_prekey(prekey)


def _changed(shelf: Shelf) -> DeviceKeys:
    keys = shelf.keys()
    shelf.states.save("own", keys)
    return keys


def _tell_foreign(shelf: Shelf) -> None:
    shelf.tell(
        events.KeysRefused(
            user_id=shelf.user_id,
            username=shelf.conversations.name(shelf.user_id),
            device_id=shelf.device_id,
            reason="identity_key_changed",
            detail="The server says that this device has another identity key than it has.",
        )
    )


def make_keys(shelf: Shelf, *, first: bool) -> None:
    """The keys of a new device; with `first` also the account key, else the code that asks for it."""
    keys = DeviceKeys.create(shelf.user_id, shelf.device_id, now=time.time())
    shelf.states.save("own", keys)
    if first:
        controls.adopt(shelf, AccountKey.create())
    else:
        shelf.states.save("own", DeviceCode.create(keys))
