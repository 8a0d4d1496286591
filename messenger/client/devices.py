"""Trust, as an application sees it: safety numbers, marks, and the devices of the own account."""

import time
from typing import TYPE_CHECKING
from uuid import uuid4

from messenger.client.account import start_session
from messenger.client.e2e import (
    AccountKey,
    DeviceCode,
    Verified,
    grant,
    match_code,
    safety_number,
)
from messenger.client.e2e.errors import CodeError
from messenger.client.engine import controls
from messenger.client.engine.receiving import Batch
from messenger.client.engine.vault import Shelf
from messenger.client.errors import NoIdentity, NotApproved, NotFound, WrongCode
from messenger.client.net.tokens import tokens_of
from messenger.client.records import Device, Person, SafetyNumber
from messenger.wire.times import rfc3339

if TYPE_CHECKING:
    from messenger.client.engine.core import Engine


class Devices:
    """The part of `Client` that is about whom to believe."""

    engine: "Engine"
    username: str

    async def user(self, username: str) -> Person:
        """A user by name. UnknownUser."""
        raise NotImplementedError

    # peers

    async def safety_number(self, username: str) -> SafetyNumber:
        """Sixty digits to be compared with the other side, over another way. NoIdentity, UnknownUser."""
        person = await self.user(username)
        await self.engine.asking.learn(person.user_id)

        def read(shelf: Shelf) -> SafetyNumber:
            own, other = shelf.known(shelf.user_id), shelf.known(person.user_id)
            theirs = other.refused_key if other.refused else other.account_key
            if own.account_key is None:
                raise NotApproved()
            if theirs is None:
                raise NoIdentity(f"{person.username} has not published an account key yet.")
            digits = safety_number(shelf.user_id, own.account_key, person.user_id, theirs)
            return SafetyNumber(username=person.username, digits=digits, verified=other.verified)

        return await self.engine.vault.run(read)

    async def set_verified(self, username: str, verified: bool = True) -> None:
        """The safety number was compared, or is to be compared again; own other devices hear of it."""
        person = await self.user(username)
        own_group = await self._own_group() if verified else None

        def put(shelf: Shelf) -> None:
            known = shelf.known(person.user_id)
            if known.account_key is None:
                raise NoIdentity(f"{person.username} has not published an account key yet.")
            if known.refused and known.refused_key is not None:
                known.accept_account_key(known.refused_key)
            known.set_verified(verified)
            shelf.states.save(person.user_id, known)
            if own_group is not None:
                body = Verified(user_id=person.user_id, account_key=known.account_key)
                controls.queue(shelf, _batch(), own_group, body, [])

        await self.engine.vault.run(put)
        await self.engine.asking.learn(person.user_id)
        if own_group is not None:
            self.engine.sending.wake(own_group)

    async def accept_identity(self, username: str) -> None:
        """Go on with a user whose changed identity was refused. NoIdentity."""
        person = await self.user(username)

        def put(shelf: Shelf) -> None:
            known = shelf.known(person.user_id)
            if known.refused and known.refused_key is None:
                raise NoIdentity(f"{person.username} has no account key any more.")
            if known.refused_key is not None:
                known.accept_account_key(known.refused_key)
                shelf.states.save(person.user_id, known)

        await self.engine.vault.run(put)
        await self.engine.asking.learn(person.user_id)

    # own devices

    async def devices(self) -> list[Device]:
        """The account's devices; `approved` ones are vouched for."""
        found = await self.engine.api.devices()
        if self.engine.approved:
            await self.engine.asking.learn(self.engine.user_id)
        approved = await self.engine.vault.run(
            lambda shelf: {one for one, known in shelf.known(shelf.user_id).devices.items() if known.listed}
        )
        return [
            Device(
                device_id=one.device_id,
                name=one.device_name,
                created_at=one.created_at,
                last_seen_at=one.last_seen_at,
                current=one.device_id == self.engine.device_id,
                approved=one.device_id in approved,
            )
            for one in found
        ]

    async def remove_device(self, device_id: str) -> None:
        """Remove a device, by its id or the beginning of it: its session ends, its keys go. NotFound."""
        found = [one for one in await self.engine.api.devices() if one.device_id.startswith(device_id)]
        if len(found) != 1:
            raise NotFound(404, "not_found", f"{len(found)} devices of yours begin with {device_id}.")
        await self.engine.api.remove_device(found[0].device_id)
        self.engine.asking.forget_views()
        await self.engine.asking.learn(self.engine.user_id)

    async def device_code(self) -> str:
        """On a new device: the code that an approved one is to be given, once the server has its keys."""

        def read(shelf: Shelf) -> str:
            code = shelf.states.get(DeviceCode, "own")
            if code is None:
                raise WrongCode("This device needs no code: it is approved.")
            return str(code)

        code = await self.engine.vault.run(read)
        await self.engine.publishing.refresh()
        return code

    async def approve_device(self, code: str) -> Device:
        """On an approved device: vouch for the new one that shows this code. WrongCode, NotApproved.

        The server names the devices that wait, and can't make one fit the code.
        """
        account = await self.engine.vault.run(lambda shelf: shelf.states.get(AccountKey, "own"))
        if account is None:
            raise NotApproved()
        user_id = self.engine.user_id
        said = await self.engine.api.identities(user_id)
        waiting = said.pending if isinstance(said.pending, list) else []
        try:
            found = match_code(code, user_id, waiting)
        except CodeError as error:
            raise WrongCode(str(error)) from None
        signature = account.certify(user_id, found.device_id, found.identity_key)
        await self.engine.api.put_certificate(found.device_id, signature)
        await self.engine.asking.learn(user_id)
        group = await self._own_group()
        self.engine.asking.forget_views()
        body = grant(account, code, user_id, found)
        await self.engine.vault.run(
            lambda shelf: controls.queue(shelf, _batch(), group, body, [found.device_id])
        )
        self.engine.sending.wake(group)
        return next(one for one in await self.devices() if one.device_id == found.device_id)

    async def _own_group(self) -> str:
        """A group with nobody but this user's devices, made once."""
        known = await self.engine.vault.run(lambda shelf: shelf.account.get("own_group"))
        if known is not None:
            return known
        said = await self.engine.api.create_conversation("group", [], None, str(uuid4()))
        await self.engine.vault.run(lambda shelf: shelf.account.set("own_group", said.conversation_id))
        await self.engine.asking.take(said)
        return said.conversation_id

    async def reset_identity(self, password: str, second_factor: str | None = None) -> None:
        """Where no approved device is left: a new account key. Every peer is warned, all old devices are out.

        BadCredentials, SecondFactorRequired.
        """
        session = await start_session(
            self.engine.http, self.username, password, self.engine.device_id, second_factor
        )
        await self.engine.tokens.replace(tokens_of(session, time.time()))

        def put(shelf: Shelf) -> None:
            controls.adopt(shelf, AccountKey.create())
            shelf.states.drop(DeviceCode, "own")

        await self.engine.vault.run(put)
        await self.engine.publishing.refresh()
        self.engine.now_approved()


def _batch() -> Batch:
    now = time.time()
    return Batch(now, rfc3339(int(now * 1000)))
