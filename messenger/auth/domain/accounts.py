"""The rules of accounts and devices.

Whatever ends a session, removes a device or deletes an account is stored together with the event that tells
the other services, and the event is sent once that is committed.
"""

from hashlib import sha256

from messenger.auth.domain.held import StatedPasswords, wrong_password
from messenger.auth.domain.rules import (
    checked_device_name,
    checked_kdf,
    checked_password,
    checked_username,
    folded_username,
)
from messenger.auth.domain.sessions import Sessions
from messenger.auth.ports import (
    AccessTokens,
    Around,
    Guesses,
    InviteRefused,
    NewAccount,
    Passwords,
    Policy,
    Store,
)
from messenger.core.identity import Identity
from messenger.wire.auth import (
    AccountDeletion,
    Device,
    PasswordChange,
    Register,
    Session,
    User,
    VerificationKeys,
)
from messenger.wire.errors import Code, Problem, not_found


class Accounts:
    """Registration, the account itself, its devices, and what others see of users.

    Where a method takes an `address`, it is the client's.
    """

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        stated: StatedPasswords,
        sessions: Sessions,
        access_tokens: AccessTokens,
        guesses: Guesses,
        policy: Policy,
        around: Around,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._stated = stated
        self._sessions = sessions
        self._access_tokens = access_tokens
        self._guesses = guesses
        self._policy = policy
        self._around = around

    async def register(self, body: Register, address: str = "") -> Session:
        """A new account, its first device and session."""
        invite = await self._invite(body.invite)
        username = checked_username(body.username)
        password = checked_password(body.password, username)
        device_name = checked_device_name(body.device_name)
        kdf = checked_kdf(body.kdf)
        # Before the costly hash; the store judges for good.
        if await self._store.name_taken(username):
            raise Problem(Code.username_taken)
        password_hash = await self._passwords.hash(password)
        account = NewAccount(self._around.new_id(), username, password_hash, device_name, invite, kdf)
        session, refresh_token = self._sessions.begin(self._around.new_id())
        try:
            user = await self._store.add_account(account, session)
        except InviteRefused:
            raise _bad_invite() from None
        if user is None:
            raise Problem(Code.username_taken)
        await self._guesses.trust(username, address)
        return self._sessions.opened(user, session, refresh_token)

    # the account

    async def me(self, who: Identity) -> User:
        """The bearer."""
        found = await self._store.users([who.user_id])
        if not found:
            raise Problem(Code.unauthorized, "The account was deleted.")
        return found[0]

    async def change_password(self, who: Identity, body: PasswordChange, address: str = "") -> None:
        """Set a new password and end all of the user's other sessions. Without `kdf` it is a bare one."""
        checked_password(body.new_password)
        kdf = checked_kdf(body.kdf)
        held = await self._stated.held(who, body.current_password, address)
        new = checked_password(body.new_password, held.user.username)
        events = await self._store.set_password(
            who.user_id, held.password_hash, await self._passwords.hash(new), kdf, who.session_id
        )
        if events is None:
            raise wrong_password()
        self._around.tell(events)

    async def delete(self, who: Identity, body: AccountDeletion, address: str = "") -> None:
        """Delete the bearer's account; its name stays taken."""
        held = await self._stated.held(who, body.password, address)
        events = await self._store.delete_account(who.user_id, held.password_hash)
        if events is None:
            raise wrong_password()
        self._around.note("account_deleted", user_id=who.user_id)
        self._around.tell(events)

    async def devices(self, who: Identity) -> list[Device]:
        """The bearer's devices."""
        return await self._store.devices(who.user_id, who.device_id)

    async def remove_device(self, who: Identity, device_id: str) -> None:
        """Remove one of the bearer's devices, this one too if it says so."""
        events = await self._store.remove_device(who.user_id, device_id)
        if events is None:
            raise not_found("You have no such device.")
        self._around.tell(events)

    # users

    async def user(self, user_id: str) -> User:
        """The user of this id."""
        found = await self._store.users([user_id])
        if not found:
            raise not_found("There is no such user.")
        return found[0]

    async def lookup(self, user_ids: list[str]) -> list[User]:
        """Those of these that exist, each once."""
        return await self._store.users(list(dict.fromkeys(user_ids)))

    async def named(self, username: str) -> list[User]:
        """The user of exactly this name, or nobody."""
        name = folded_username(username)
        found = None if name is None else await self._store.user_named(name)
        return [] if found is None else [found]

    async def verification_keys(self) -> VerificationKeys:
        """The public keys that sign access tokens."""
        return VerificationKeys(await self._access_tokens.verification_keys())

    # upkeep

    async def sweep(self) -> None:
        """Remove devices that were not seen for long, and what has expired."""
        self._around.tell(await self._store.sweep(self._policy.device_unseen))

    async def _invite(self, text: str | None) -> bytes | None:
        """The invite's hash. One that is not good gets no further: which names are taken is not for all."""
        if self._policy.registration == "open":
            return None
        if self._policy.registration == "closed":
            raise Problem(Code.forbidden, "Registration is closed.")
        if not text:
            raise Problem(Code.forbidden, "Registration is by invite.")
        invite = sha256(text.encode("utf-8", "surrogatepass")).digest()
        if not await self._store.invite_good(invite):
            raise _bad_invite()
        return invite


def _bad_invite() -> Problem:
    return Problem(Code.forbidden, "The invite is not good (any more).")
