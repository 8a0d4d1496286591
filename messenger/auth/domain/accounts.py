"""The rules of accounts and devices.

Whatever ends a session, removes a device or deletes an account is stored together with the event that tells
the other services, and the event is sent once that is committed.
"""

from hashlib import sha256
from typing import TYPE_CHECKING

from messenger.auth.domain.reauthentication import Reauthentication, wrong_password
from messenger.auth.domain.rules import (
    checked_device_name,
    checked_kdf,
    checked_password,
    checked_username,
    folded_username,
)
from messenger.auth.domain.sessions import Sessions
from messenger.auth.model import NewAccount, NotAdded, Policy
from messenger.core.identity import Identity
from messenger.core.ids import new_id
from messenger.core.outgoing import Publish
from messenger.wire.auth import (
    AccountDeletion,
    Device,
    PasswordChange,
    Register,
    Session,
    User,
)
from messenger.wire.errors import Code, Problem, not_found

if TYPE_CHECKING:
    from messenger.auth.guesses import PasswordGuesses
    from messenger.auth.passwords import BcryptPasswords
    from messenger.auth.security_log import SecurityLog
    from messenger.auth.store.accounts import AccountStore
    from messenger.auth.store.devices import DeviceStore


class Accounts:
    """Registration, the account itself, its devices, and what others see of users.

    Where a method takes an `address`, it is the client's.
    """

    def __init__(
        self,
        accounts: "AccountStore",
        devices: "DeviceStore",
        passwords: "BcryptPasswords",
        reauthentication: Reauthentication,
        sessions: Sessions,
        guesses: "PasswordGuesses",
        policy: Policy,
        publish: Publish,
        security_log: "SecurityLog",
    ) -> None:
        self._accounts = accounts
        self._devices = devices
        self._passwords = passwords
        self._reauthentication = reauthentication
        self._sessions = sessions
        self._guesses = guesses
        self._policy = policy
        self._publish = publish
        self._security_log = security_log

    async def register(self, body: Register, address: str = "") -> Session:
        """A new account, its first device and session."""
        invite = await self._invite(body.invite)
        username = checked_username(body.username)
        password = checked_password(body.password, username)
        device_name = checked_device_name(body.device_name)
        kdf = checked_kdf(body.kdf)
        # Before the costly hash; the store judges for good.
        if await self._accounts.name_taken(username):
            raise Problem(Code.username_taken)
        password_hash = await self._passwords.hash(password)
        account = NewAccount(new_id(), username, password_hash, device_name, invite, kdf)
        session, refresh_token = self._sessions.begin(new_id())
        added = await self._accounts.add(account, session)
        if added is NotAdded.invite_refused:
            raise _bad_invite()
        if added is NotAdded.username_taken:
            raise Problem(Code.username_taken)
        await self._guesses.trust(username, address)
        return self._sessions.opened(added, session, refresh_token)

    # the account

    async def me(self, who: Identity) -> User:
        """The bearer."""
        found = await self._accounts.users([who.user_id])
        if not found:
            raise Problem(Code.unauthorized, "The account was deleted.")
        return found[0]

    async def change_password(self, who: Identity, body: PasswordChange, address: str = "") -> None:
        """Set a new password and end all of the user's other sessions. Without `kdf` it is a bare one."""
        checked_password(body.new_password)
        kdf = checked_kdf(body.kdf)
        found = await self._reauthentication.check(who, body.current_password, address)
        new = checked_password(body.new_password, found.user.username)
        events = await self._accounts.set_password(
            who.user_id, found.password_hash, await self._passwords.hash(new), kdf, who.session_id
        )
        if events is None:
            raise wrong_password()
        self._publish(events)

    async def delete(self, who: Identity, body: AccountDeletion, address: str = "") -> None:
        """Delete the bearer's account; its name stays taken."""
        found = await self._reauthentication.check(who, body.password, address)
        events = await self._accounts.delete(who.user_id, found.password_hash)
        if events is None:
            raise wrong_password()
        self._security_log.write("account_deleted", user_id=who.user_id)
        self._publish(events)

    async def devices(self, who: Identity) -> list[Device]:
        """The bearer's devices."""
        return await self._devices.of(who.user_id, who.device_id)

    async def remove_device(self, who: Identity, device_id: str) -> None:
        """Remove one of the bearer's devices, this one too if it says so."""
        events = await self._devices.remove(who.user_id, device_id)
        if events is None:
            raise not_found("You have no such device.")
        self._publish(events)

    # users

    async def user(self, user_id: str) -> User:
        """The user of this id."""
        found = await self._accounts.users([user_id])
        if not found:
            raise not_found("There is no such user.")
        return found[0]

    async def lookup(self, user_ids: list[str]) -> list[User]:
        """Those of these that exist, each once."""
        return await self._accounts.users(list(dict.fromkeys(user_ids)))

    async def named(self, username: str) -> list[User]:
        """The user of exactly this name, or nobody."""
        name = folded_username(username)
        found = None if name is None else await self._accounts.user_named(name)
        return [] if found is None else [found]

    # upkeep

    async def sweep(self) -> None:
        """Remove devices that were not seen for long, and what has expired."""
        self._publish(await self._devices.remove_unseen(self._policy.device_unseen))
        await self._devices.forget_expired()

    async def _invite(self, text: str | None) -> bytes | None:
        """The invite's hash. One that is not good gets no further: which names are taken is not for all."""
        if self._policy.registration == "open":
            return None
        if self._policy.registration == "closed":
            raise Problem(Code.forbidden, "Registration is closed.")
        if not text:
            raise Problem(Code.forbidden, "Registration is by invite.")
        invite = sha256(text.encode("utf-8", "surrogatepass")).digest()
        if not await self._accounts.invite_good(invite):
            raise _bad_invite()
        return invite


def _bad_invite() -> Problem:
    return Problem(Code.forbidden, "The invite is not good (any more).")
