"""A new device of one's own that asks to be approved is told of, once."""

import asyncio
from pathlib import Path

import msgspec

from messenger.client import events
from messenger.client.e2e import Policy
from messenger.client.engine import directory
from messenger.client.engine.vault import Store, Vault
from messenger.client.store.unlock import Passphrase
from messenger.wire.keys import PendingDevice
from tests.client.e2e_world import User

UNLOCK = Passphrase("of the tests", memory_kib=64)


def test_a_waiting_device_is_told_of_once(tmp_path: Path) -> None:
    user = User()
    own = user.device()

    async def told() -> None:
        vault = await Vault.open(tmp_path / "p", UNLOCK, create=True)
        known = own.knows(user)

        def begin(store: Store) -> None:
            store.account.set("user_id", user.user_id)
            store.account.set("device_id", own.device_id)
            store.states.save(user.user_id, known)

        await vault.run(begin)
        second, third = User().device(), User().device()
        for answer in [user.pending(*one) for one in ((second,), (second,), (second, third), (), (own,))]:
            await vault.run(lambda store, a=answer: directory.learn(store, user.user_id, a, Policy.REFUSE))  # type: ignore[misc]
        found = await vault.run(lambda store: store.journal.after(0, 100))
        await vault.close()
        waiting = [one.device_id for one in found if isinstance(one, events.DeviceWaiting)]
        assert waiting == [second.device_id, third.device_id]

    asyncio.run(told())


def test_a_server_that_names_any_number_of_waiting_devices_is_bounded(tmp_path: Path) -> None:
    user = User()
    own = user.device()
    pending = [
        PendingDevice(
            device_id=str(number), identity_key=own.keys.identity_key, device_name=None, created_at=""
        )
        for number in range(1_000)
    ]

    async def told() -> int:
        vault = await Vault.open(tmp_path / "p", UNLOCK, create=True)

        def take(store: Store) -> None:
            store.account.set("user_id", user.user_id)
            store.states.save(user.user_id, own.knows(user))
            answer = msgspec.structs.replace(user.identities(), pending=pending)
            directory.learn(store, user.user_id, answer, Policy.REFUSE)

        await vault.run(take)
        found = await vault.run(lambda store: store.journal.after(0, 2_000))
        await vault.close()
        return sum(isinstance(one, events.DeviceWaiting) for one in found)

    assert asyncio.run(told()) == directory.MOST_WAITING
