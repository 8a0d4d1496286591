"""This device's own keys: made, published, topped up and renewed.

Keys are written down before they are published. Publishing can stop anywhere, and what is missing is found
by asking the server (GET /keys/status) and published the next time; the signed prekey goes last, as it makes
the device visible.
"""

import asyncio
import time

from messenger.client import events
from messenger.client.e2e import AccountKey, DeviceCode, DeviceKeys, Policy
from messenger.client.engine import approval, directory
from messenger.client.engine.vault import Store, Vault
from messenger.client.errors import ServerRefused
from messenger.client.net.api import Api
from messenger.wire import keys as wire
from messenger.wire.keys import DeviceList, Identities

ONE_TIME = 100  # topped up to this many
KEM = 100
LIST_TRIES = 5
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
        own = await self._vault.run(lambda store: store.keys().identity_key)
        if status.identity_key is None:
            await self._api.put_identity(own)
        elif status.identity_key != own:
            await self._vault.run(_tell_foreign)
            return
        await self._one_time(status)
        due = await self._vault.run(lambda store: store.keys().signed_prekey_due(time.time()))
        await self._kem(status, due)
        await self._account()
        await self._signed(status, due)

    async def _one_time(self, status: wire.KeyStatus) -> None:
        if status.one_time_prekeys >= LOW:
            return
        count = ONE_TIME - status.one_time_prekeys
        prekeys = await self._vault.run(lambda store: _changed(store).new_one_time_prekeys(count))
        await self._api.post_one_time_prekeys(prekeys)

    async def _kem(self, status: wire.KeyStatus, due: bool) -> None:
        has_kem = await self._vault.run(lambda store: store.keys().has_kem)
        last_resort = due or not has_kem or status.signed_prekey_id is None
        if status.kem_prekeys >= LOW and not last_resort:
            return
        count = max(0, KEM - status.kem_prekeys) if status.kem_prekeys < LOW else 0
        prekeys = await self._vault.run(
            lambda store: _changed(store).new_kem_prekeys(count, last_resort=last_resort, now=time.time())
        )
        await self._api.post_kem_prekeys(prekeys)

    async def _account(self) -> None:
        """The signed device list, where this device has the account key and the list does not name it, or the
        server has an older one than this device: it was restored from a backup."""
        account = await self._vault.run(lambda store: store.states.get(AccountKey, "own"))
        if account is None:
            return

        def missing(store: Store) -> bool:
            known = store.known(store.user_id)
            return known.list_version == 0 or known.listed(store.device_id) is None

        said = await self._api.identities(await self._vault.run(lambda store: store.user_id))
        await self._vault.run(lambda store: directory.learn(store, store.user_id, said, Policy.REFUSE))
        given = said.device_list
        known = await self._vault.run(lambda store: store.known(store.user_id).list_version)
        older = given is not None and given.account_key == account.public and given.version < known
        if older or await self._vault.run(missing):
            await self.publish_list(account, add=await self._vault.run(_own_device))

    async def publish_list(
        self,
        account: AccountKey,
        *,
        add: dict[str, bytes] | None = None,
        remove: frozenset[str] = frozenset(),
    ) -> None:
        """Publish the next device list: the known one with `add` (identity keys by device_id), less `remove`.

        Another device of one's own may do so at the same time: then its list is read first. ServerRefused
        where that does not come to an end, or the account key may not be replaced.
        """
        above = 0
        for attempt in range(LIST_TRIES):
            given: DeviceList = await self._vault.run(
                lambda store, above=above: approval.next_list(  # type: ignore[misc]
                    store, account, above, add=add or {}, remove=remove
                )
            )
            try:
                await self._api.put_device_list(given)
            except ServerRefused as error:
                if error.status != 409 or attempt == LIST_TRIES - 1:
                    raise
                standing = error.members.get("version")
                above = standing if isinstance(standing, int) else 0
                said = await self._api.identities(await self._vault.run(lambda store: store.user_id))
                if said.device_list is not None and said.device_list.account_key == account.public:
                    await self._vault.run(
                        lambda store, said=said: directory.learn(  # type: ignore[misc]
                            store, store.user_id, said, Policy.REFUSE
                        )
                    )
                continue
            await self._vault.run(lambda store, given=given: _learn_own(store, given))  # type: ignore[misc]
            return

    async def _signed(self, status: wire.KeyStatus, due: bool) -> None:
        def current(store: Store) -> wire.SignedPrekey | None:
            if due:
                return _changed(store).rotate_signed_prekey(now=time.time())
            prekey = store.keys().signed_prekey()
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
                lambda store: _changed(store).rotate_signed_prekey(now=time.time())
            )
            await self._api.put_signed_prekey(prekey)


def _learn_own(store: Store, given: DeviceList) -> None:
    said = Identities(device_list=given, items=[])
    directory.learn(store, store.user_id, said, Policy.REFUSE)


def _own_device(store: Store) -> dict[str, bytes]:
    return {store.device_id: store.keys().identity_key}


def _changed(store: Store) -> DeviceKeys:
    keys = store.keys()
    store.states.save("own", keys)
    return keys


def _tell_foreign(store: Store) -> None:
    store.tell(
        events.KeysRefused(
            user_id=store.user_id,
            username=store.conversations.name(store.user_id),
            device_id=store.device_id,
            reason="identity_key_changed",
            detail="The server says that this device has another identity key than it has.",
        )
    )


def make_keys(store: Store, *, first: bool) -> None:
    """The keys of a new device; with `first` also the account key, else the code that asks for it."""
    keys = DeviceKeys.create(store.user_id, store.device_id, now=time.time())
    store.states.save("own", keys)
    if first:
        approval.adopt(store, AccountKey.create())
    else:
        store.states.save("own", DeviceCode.create(keys, now=time.time()))
