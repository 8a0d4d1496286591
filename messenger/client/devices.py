"""Trust, as an application sees it: safety numbers, marks, and the devices of the own account."""

import hmac
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from messenger.client.account import Code, start_session
from messenger.client.e2e import (
    AccountKey,
    DeviceCode,
    Verified,
    contact_link,
    grant,
    match_code,
    read_contact_link,
    safety_number,
)
from messenger.client.e2e.errors import BadContactCode, CodeError
from messenger.client.engine import approval
from messenger.client.engine.batch import Batch
from messenger.client.engine.handing import hand_groups
from messenger.client.engine.queueing import queue
from messenger.client.engine.vault import Store
from messenger.client.errors import (
    BadLink,
    ContactConflict,
    NoIdentity,
    NotApproved,
    NotFound,
    UnknownUser,
    WrongCode,
    WrongSafetyNumber,
)
from messenger.client.net.tokens import tokens_of
from messenger.client.passwords import known_kdf
from messenger.client.records import Contact, Device, Person, SafetyNumber
from messenger.client.store.outbox import Target

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

    async def contact_link(self) -> str:
        """The link by which others have this account as a verified contact at once. NotApproved."""

        def read(store: Store) -> str:
            own = store.known(store.user_id)
            if own.account_key is None:
                raise NotApproved()
            return contact_link(self.engine.server, self.username, store.user_id, own.account_key)

        return await self.engine.vault.run(read)

    async def add_contact(self, link: str) -> Person:
        """Take whom a contact link names, verified; for a contact that is known, compare.

        BadLink, UnknownUser, NoIdentity, ContactConflict where the server names another user under this name,
        WrongSafetyNumber where the account key is not the link's: then nothing is marked.
        """
        try:
            code = read_contact_link(link)
        except BadContactCode as error:
            raise BadLink(str(error)) from None
        if code.server != self.engine.server:
            raise BadLink(
                f"The link is for the server {code.server}; this profile is at {self.engine.server}."
            )
        # Compared before anything is pinned: what the server says of a stranger is not to stay.
        found = await self.engine.api.user_named(code.username)
        if found is None or found.username != code.username:
            raise UnknownUser(f"There is no user {code.username}.")
        if found.user_id != code.user_id:
            raise ContactConflict(f"The server names another user {code.username} than the link does.")
        known = await self.engine.vault.run(lambda store: store.known(code.user_id).account_key)
        said = await self.engine.api.identities(code.user_id) if known is None else None
        given = None if said is None else said.device_list
        if given is not None and not code.fits(code.user_id, bytes(given.account_key)):
            raise WrongSafetyNumber(f"The server gives out another identity of {code.username}.")
        person = await self.user(code.username)
        await self.set_verified(code.username, link)
        return person

    async def contacts(self) -> list[Contact]:
        """The users that were met and have an identity, by name."""

        def read(store: Store) -> list[Contact]:
            found = []
            for user_id, username in store.conversations.people():
                known = store.known(user_id)
                if user_id != store.user_id and known.account_key is not None:
                    verified = known.verified and not known.refused
                    found.append(
                        Contact(user_id=user_id, username=username, verified=verified, changed=known.refused)
                    )
            return found

        return await self.engine.vault.run(read)

    async def safety_number(self, username: str) -> SafetyNumber:
        """Sixty digits to be compared with the other side, over another way. NoIdentity, UnknownUser."""
        person = await self.user(username)
        await self.engine.asking.learn(person.user_id)
        return await self.engine.vault.run(lambda store: _safety_number(store, person))

    async def set_verified(self, username: str, proof: str | None) -> None:
        """Mark a contact as verified by what was compared: the 60 digits, or its contact link; None takes the
        mark away. One's own other devices hear of it.

        An identity that has changed and was not accepted is accepted if the proof fits it. WrongSafetyNumber
        where the proof does not fit: nothing is marked. NoIdentity, UnknownUser.
        """
        person = await self.user(username)
        await self.engine.asking.learn(person.user_id)
        own = await self.engine.own_conversation() if proof is not None else None

        def put(store: Store) -> None:
            known = store.known(person.user_id)
            shown = known.refused_key if known.refused else known.account_key
            if shown is None:
                raise NoIdentity(f"{person.username} has not published an account key yet.")
            if proof is None:
                known.set_verified(False)
            else:
                if not _fits(store, person, shown, proof):
                    raise WrongSafetyNumber(f"That is not what this device sees of {person.username}.")
                if known.refused:
                    known.accept_account_key(shown)
                known.set_verified(True)
            store.states.save(person.user_id, known)
            if own is not None:
                queue(store, Batch.begin(), own, Verified(user_id=person.user_id, account_key=shown), [])

        await self.engine.vault.run(put)
        await self.engine.asking.learn(person.user_id)
        if own is not None:
            self.engine.sending.wake(own)

    async def accept_identity(self, username: str) -> None:
        """Go on with a user whose changed identity was refused. NoIdentity."""
        person = await self.user(username)

        def put(store: Store) -> None:
            known = store.known(person.user_id)
            if known.refused and known.refused_key is None:
                raise NoIdentity(f"{person.username} has no account key any more.")
            if known.refused_key is not None:
                known.accept_account_key(known.refused_key)
                store.states.save(person.user_id, known)

        await self.engine.vault.run(put)
        await self.engine.asking.learn(person.user_id)

    # own devices

    async def devices(self) -> list[Device]:
        """The account's devices; the signed list names the `approved` ones."""
        found = await self.engine.api.devices()
        if self.engine.approved:
            await self.engine.asking.learn(self.engine.user_id)
        approved = await self.engine.vault.run(
            lambda store: {one for one, known in store.known(store.user_id).devices.items() if known.listed}
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
        """Remove a device, by its id or the beginning of it: it leaves the list, its session and keys end.

        The list goes first: what the server does about the rest changes nothing for who may read. A device
        that was lost or stolen still holds the account key's seed: `reset_identity` makes another. NotFound.
        """
        found = [one for one in await self.engine.api.devices() if one.device_id.startswith(device_id)]
        if len(found) != 1:
            raise NotFound(404, "not_found", f"{len(found)} devices of yours begin with {device_id}.")
        account = await self.engine.vault.run(lambda store: store.states.get(AccountKey, "own"))
        if account is not None:
            await self.engine.publishing.publish_list(account, remove=frozenset((found[0].device_id,)))
        await self.engine.api.remove_device(found[0].device_id)
        self.engine.asking.forget_views()
        await self.engine.asking.learn(self.engine.user_id)

    async def device_code(self) -> str:
        """On a new device, or one that a new account key has put out: the code that an approved one is to be
        given, once the server has its keys. WrongCode where none is needed.

        It is good for ten minutes; then this gives another one.
        """

        if self.engine.approved:
            await self.engine.asking.learn(self.engine.user_id)

        def read(store: Store) -> str:
            code = store.states.get(DeviceCode, "own")
            if code is None and approval.judges_own(store):
                raise WrongCode("This device needs no code: it is approved.")
            if code is None or code.expired(time.time()):
                code = DeviceCode.create(store.keys(), now=time.time())
                store.states.save("own", code)
            return str(code)

        code = await self.engine.vault.run(read)
        await self.engine.publishing.refresh()
        return code

    async def approve_device(
        self, code: str, confirm: Callable[[Device], Awaitable[bool]] | None = None
    ) -> Device:
        """On an approved device: put the new one that shows this code into the list, and give it the account.

        `confirm` is shown the device, with its name and when it logged in, and asked. WrongCode, NotApproved.
        The server names the devices that wait, and can't make one fit the code; what is sent goes to the
        identity key that the code proves, whatever the server says later.
        """
        account = await self.engine.vault.run(lambda store: store.states.get(AccountKey, "own"))
        if account is None:
            raise NotApproved()
        user_id = self.engine.user_id
        said = await self.engine.api.identities(user_id)
        waiting = said.pending if isinstance(said.pending, list) else []
        try:
            found = match_code(code, user_id, waiting)
        except CodeError as error:
            raise WrongCode(str(error)) from None
        device = Device(
            device_id=found.device_id,
            name=found.device_name,
            created_at=found.created_at,
            last_seen_at=found.created_at,
            current=False,
            approved=True,
        )
        if confirm is not None and not await confirm(device):
            raise WrongCode("The device was not approved.", code="not_confirmed")
        own = await self.engine.own_conversation()
        await self.engine.publishing.publish_list(account, add={found.device_id: found.identity_key})
        self.engine.asking.forget_views()
        body = grant(account, code, user_id, found)
        target = Target(user_id=user_id, device_id=found.device_id, identity_key=found.identity_key)
        granted = await self.engine.vault.run(lambda store: queue(store, Batch.begin(), own, body, [target]))
        self.engine.sending.wake(own)
        await self.engine.taken(granted)
        batch = Batch.begin()
        await self.engine.vault.run(lambda store: hand_groups(store, batch, target))
        for conversation_id in batch.wake:
            self.engine.sending.wake(conversation_id)
        return device

    async def reset_identity(self, password: str, second_factor: Code | None = None) -> None:
        """A new account key: where no approved device is left, or one is in other hands.

        Every peer is warned, verified marks end there, and all other devices are out until approved again.

        BadCredentials, SecondFactorRequired.
        """
        running = self.engine.running
        await self.engine.stop()  # the session that it goes by ends with the login
        try:
            session = await start_session(
                self.engine.http,
                self.username,
                password,
                self.engine.device_id,
                second_factor,
                known=await self.engine.vault.run(known_kdf),
            )
            await self.engine.tokens.replace(tokens_of(session, time.time()))

            def put(store: Store) -> None:
                approval.adopt(store, AccountKey.create())
                store.states.drop(DeviceCode, "own")

            await self.engine.vault.run(put)
            await self.engine.publishing.refresh()
            self.engine.now_approved()
        finally:
            if running:
                self.engine.start()


def _safety_number(store: Store, person: Person) -> SafetyNumber:
    own, other = store.known(store.user_id), store.known(person.user_id)
    shown = other.refused_key if other.refused else other.account_key
    if own.account_key is None:
        raise NotApproved()
    if shown is None:
        raise NoIdentity(f"{person.username} has not published an account key yet.")
    return SafetyNumber(
        username=person.username,
        digits=safety_number(store.user_id, own.account_key, person.user_id, shown),
        verified=other.verified and not other.refused,
        changed=other.refused,
    )


def _fits(store: Store, person: Person, account_key: bytes, proof: str) -> bool:
    """Whether what was compared is of this account key: a contact link, or the digits as typed."""
    try:
        return read_contact_link(proof).fits(person.user_id, account_key)
    except BadContactCode:
        digits = "".join(proof.split())
        expected = "".join(_safety_number(store, person).digits.split())
        return hmac.compare_digest(digits.encode(), expected.encode())
