"""The rules of accounts, devices and sessions.

A device is one login and has at most one live session. A session gives out one refresh token after the
other, each good once. Whatever ends a session, removes a device or deletes an account is stored together with
the event that tells the other services, and the event is sent once that is committed.

No answer says whether a name or a password was wrong, and both cost the same.
"""

import secrets
from collections.abc import Callable
from hashlib import sha256

from messenger.auth.ports import (
    AccessTokens,
    Credentials,
    Guesser,
    Guesses,
    InviteRefused,
    LoginState,
    NewAccount,
    NewSession,
    Note,
    Outgoing,
    Passwords,
    Policy,
    Spending,
    Store,
    Verdict,
)
from messenger.auth.refresh import RefreshTokens, judge_refresh
from messenger.auth.rules import (
    checked_device_name,
    checked_password,
    checked_username,
    folded_username,
    password_bytes,
)
from messenger.core.identity import Identity
from messenger.wire.auth import (
    AccountDeletion,
    Device,
    Login,
    PasswordChange,
    Refresh,
    Register,
    Session,
    Ticket,
    User,
    VerificationKeys,
)
from messenger.wire.errors import Code, Problem, not_found

TICKET_SECONDS = 30


class Accounts:
    """All that the auth service does.

    `tell` sends committed events, `clock` gives seconds since 1970, `new_id` a fresh UUID. Where a method
    takes an `address`, it is the client's.
    """

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        access_tokens: AccessTokens,
        refresh_tokens: RefreshTokens,
        guesses: Guesses,
        policy: Policy,
        *,
        tell: Callable[[list[Outgoing]], None],
        note: Note,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._access_tokens = access_tokens
        self._refresh_tokens = refresh_tokens
        self._guesses = guesses
        self._policy = policy
        self._tell = tell
        self._note = note
        self._clock = clock
        self._new_id = new_id

    # sessions

    async def register(self, body: Register, address: str = "") -> Session:
        """A new account, its first device and session."""
        invite = self._invite(body.invite)
        username = checked_username(body.username)
        password = checked_password(body.password)
        device_name = checked_device_name(body.device_name)
        # Before the costly hash; the store judges for good.
        if await self._store.name_taken(username):
            raise Problem(Code.username_taken)
        password_hash = await self._passwords.hash(password)
        account = NewAccount(self._new_id(), username, password_hash, device_name, invite)
        session, refresh_token = self._new_session(self._new_id())
        try:
            user = await self._store.add_account(account, session)
        except InviteRefused:
            raise Problem(Code.forbidden, "The invite is not good (any more).") from None
        if user is None:
            raise Problem(Code.username_taken)
        await self._guesses.trust(username, address)
        return self._session(user, session.device_id, session.session_id, session.auth_time, refresh_token)

    async def login(self, body: Login, address: str = "") -> Session:
        """A session of a new device, or of `device_id`, whose older session ends."""
        device_name = checked_device_name(body.device_name)
        username = folded_username(body.username)
        password = password_bytes(body.password)
        found: Credentials | None = None

        async def compare() -> bool:
            nonlocal found
            found = None if username is None else await self._store.credentials(username)
            return await self._passwords.matches(password, found.password_hash if found else None)

        if not await self._guesses.judge(Guesser(username or body.username, address), compare):
            self._note("login_failed", user_id=found.user.user_id if found else "")
            raise _wrong_credentials()
        assert found is not None
        found = await self._with_fresh_hash(found, password)
        session, refresh_token = self._new_session(body.device_id or self._new_id())

        def rule(state: LoginState) -> bool:
            if state.password_hash != found.password_hash:
                raise _wrong_credentials()
            if body.device_id is not None:
                if body.device_id not in state.device_ids:
                    raise not_found("The user has no such device.")
                return False
            if len(state.device_ids) >= self._policy.devices:
                raise Problem(Code.device_limit)
            return True

        self._tell(await self._store.open_session(found.user.user_id, session, device_name, rule))
        return self._session(
            found.user, session.device_id, session.session_id, session.auth_time, refresh_token
        )

    async def refresh(self, body: Refresh, address: str = "") -> Session:
        """The session goes on with a new refresh token; the given one is spent."""
        presented = self._refresh_tokens.read(body.refresh_token)
        if presented is None:
            raise Problem(Code.unauthorized, "The refresh token is not one of ours.")
        spending = Spending(
            presented.session_id,
            presented.token_hash,
            presented.successor_hash,
            self._policy.refresh_token,
            self._policy.access_token,
        )
        done = await self._store.refresh(spending, lambda state: judge_refresh(state, presented.token_hash))
        if done is None or done.verdict is Verdict.ended:
            raise Problem(Code.unauthorized, "The session has ended.")
        if done.verdict is Verdict.reused:
            if done.events:
                self._note("refresh_reused", user_id=done.user.user_id, session_id=presented.session_id)
            self._tell(done.events)
            raise Problem(Code.refresh_reused)
        await self._guesses.trust(done.user.username, address)
        return self._session(
            done.user, done.device_id, presented.session_id, done.auth_time, presented.successor
        )

    async def logout(self, who: Identity) -> None:
        """End the bearer's session; its device stays."""
        self._tell(await self._store.end_session(who.session_id))

    async def ticket(self, who: Identity) -> Ticket:
        """A ticket that opens one WebSocket for as long as the bearer's access token lives."""
        text = secrets.token_urlsafe(32)
        if not await self._store.add_ticket(sha256(text.encode("ascii")).digest(), who, TICKET_SECONDS):
            raise Problem(Code.unauthorized, "The session has ended.")
        return Ticket(ticket=text, expires_in=TICKET_SECONDS)

    # the account

    async def me(self, who: Identity) -> User:
        """The bearer."""
        found = await self._store.users([who.user_id])
        if not found:
            raise Problem(Code.unauthorized, "The account was deleted.")
        return found[0]

    async def change_password(self, who: Identity, body: PasswordChange, address: str = "") -> None:
        """Set a new password and end all of the user's other sessions."""
        new = checked_password(body.new_password)
        held = await self._held(who, body.current_password, address)
        events = await self._store.set_password(
            who.user_id, held.password_hash, await self._passwords.hash(new), who.session_id
        )
        if events is None:
            raise _wrong_password()
        self._tell(events)

    async def delete(self, who: Identity, body: AccountDeletion, address: str = "") -> None:
        """Delete the bearer's account; its name stays taken."""
        held = await self._held(who, body.password, address)
        events = await self._store.delete_account(who.user_id, held.password_hash)
        if events is None:
            raise _wrong_password()
        self._note("account_deleted", user_id=who.user_id)
        self._tell(events)

    async def devices(self, who: Identity) -> list[Device]:
        """The bearer's devices."""
        return await self._store.devices(who.user_id, who.device_id)

    async def remove_device(self, who: Identity, device_id: str) -> None:
        """Remove one of the bearer's devices, this one too if it says so."""
        events = await self._store.remove_device(who.user_id, device_id)
        if events is None:
            raise not_found("You have no such device.")
        self._tell(events)

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
        self._tell(await self._store.sweep(self._policy.device_unseen))

    def _invite(self, text: str | None) -> bytes | None:
        if self._policy.registration == "open":
            return None
        if self._policy.registration == "closed":
            raise Problem(Code.forbidden, "Registration is closed.")
        if not text:
            raise Problem(Code.forbidden, "Registration is by invite.")
        return sha256(text.encode("utf-8", "surrogatepass")).digest()

    async def _held(self, who: Identity, password: str, address: str) -> Credentials:
        """The bearer's credentials, once the password has held; Problem `forbidden`."""
        found = await self._store.credentials_of(who.user_id)
        guesser = Guesser(found.user.username if found else who.user_id, address, who.device_id)
        stored = found.password_hash if found else None
        if not await self._guesses.judge(
            guesser, lambda: self._passwords.matches(password_bytes(password), stored)
        ):
            self._note("password_wrong", user_id=who.user_id)
            raise _wrong_password()
        assert found is not None
        return found

    async def _with_fresh_hash(self, found: Credentials, password: bytes) -> Credentials:
        if not self._passwords.outdated(found.password_hash):
            return found
        fresh = await self._passwords.hash(password)
        if await self._store.rehash(found.user.user_id, found.password_hash, fresh):
            return Credentials(found.user, fresh)
        # Another login was quicker, or the password was changed.
        again = await self._store.credentials_of(found.user.user_id)
        if not await self._passwords.matches(password, again.password_hash if again else None):
            raise _wrong_credentials()
        assert again is not None
        return again

    def _new_session(self, device_id: str) -> tuple[NewSession, str]:
        session_id = self._new_id()
        text, token_hash = self._refresh_tokens.first(session_id)
        session = NewSession(
            session_id,
            device_id,
            int(self._clock()),
            token_hash,
            self._policy.refresh_token,
            self._policy.access_token,
        )
        return session, text

    def _session(
        self, user: User, device_id: str, session_id: str, auth_time: int, refresh_token: str
    ) -> Session:
        now = int(self._clock())
        identity = Identity(user.user_id, device_id, session_id, auth_time, now + self._policy.access_token)
        return Session(
            user=user,
            device_id=device_id,
            access_token=self._access_tokens.access_token(identity, now),
            expires_in=self._policy.access_token,
            refresh_token=refresh_token,
        )


def _wrong_credentials() -> Problem:
    return Problem(Code.unauthorized, "The username or the password is wrong.")


def _wrong_password() -> Problem:
    return Problem(Code.forbidden, "The password is wrong.")
