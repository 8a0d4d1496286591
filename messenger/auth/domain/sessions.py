"""The rules of sessions: how one begins, goes on and ends.

A device is one login and has at most one live session. A session gives out one refresh token after the
other, each good once. A user with a second factor logs in with two calls: a password that holds is answered
by a challenge, and a code to that opens the session. Whatever ends a session is stored together with the
event that tells the other services, and the event is sent once that is committed.

No answer says whether a name or a password was wrong, and both cost the same.
"""

import hmac
import secrets
from hashlib import sha256

from messenger.auth.domain.rules import checked_device_name, folded_username, password_bytes
from messenger.auth.factor_ports import (
    Answered,
    Challenge,
    ChallengeState,
    FactorStore,
    NewChallenge,
    Passed,
    SecretSeal,
)
from messenger.auth.ports import (
    AccessTokens,
    Around,
    Credentials,
    Guesser,
    Guesses,
    LoginState,
    NewSession,
    Passwords,
    Policy,
    Spending,
    Store,
    Verdict,
)
from messenger.auth.refresh import RefreshTokens, judge_refresh
from messenger.auth.totp import recovery_hash, step_of
from messenger.core.identity import Identity
from messenger.wire.auth import Login, Refresh, SecondFactor, Session, Ticket, User
from messenger.wire.errors import Code, Problem, not_found

TICKET_SECONDS = 30
CHALLENGE_SECONDS = 300
CHALLENGE_TRIES = 5


class _SecondFactorNeeded(Exception):
    """The password held, and the user has a second factor."""


class Sessions:
    """Logins, refreshes, tickets. Where a method takes an `address`, it is the client's."""

    def __init__(
        self,
        store: Store,
        factors: FactorStore,
        seal: SecretSeal,
        passwords: Passwords,
        access_tokens: AccessTokens,
        refresh_tokens: RefreshTokens,
        guesses: Guesses,
        policy: Policy,
        around: Around,
    ) -> None:
        self._store = store
        self._factors = factors
        self._seal = seal
        self._passwords = passwords
        self._access_tokens = access_tokens
        self._refresh_tokens = refresh_tokens
        self._guesses = guesses
        self._policy = policy
        self._around = around

    async def login(self, body: Login, address: str = "") -> Session:
        """A session of a new device, or of `device_id`, whose older session ends.

        Problem `second_factor_required` with `challenge` where the user has a second factor.
        """
        device_name = checked_device_name(body.device_name)
        username = folded_username(body.username)
        password = password_bytes(body.password)
        found: Credentials | None = None

        async def compare() -> bool:
            nonlocal found
            found = None if username is None else await self._store.credentials(username)
            return await self._passwords.matches(password, found.password_hash if found else None)

        if not await self._guesses.judge(Guesser(username or body.username, address), compare):
            self._around.note("login_failed", user_id=found.user.user_id if found else "")
            raise _wrong_credentials()
        assert found is not None
        found = await self._with_fresh_hash(found, password)
        session, refresh_token = self.begin(body.device_id or self._around.new_id())

        def rule(state: LoginState) -> bool:
            if state.password_hash != found.password_hash:
                raise _wrong_credentials()
            if state.second_factor:
                raise _SecondFactorNeeded
            return self._is_new_device(state, body.device_id)

        try:
            events = await self._store.open_session(found.user.user_id, session, device_name, rule)
        except _SecondFactorNeeded:
            raise await self._challenge(found, body.device_id, device_name) from None
        self._around.tell(events)
        return self.opened(found.user, session, refresh_token)

    async def answer(self, body: SecondFactor, address: str = "") -> Session:
        """The session that a login waits for, by a code of the authenticator app or a recovery code."""
        challenge_hash = sha256(body.challenge.encode("utf-8", "surrogatepass")).digest()
        challenge = await self._factors.challenge(challenge_hash)
        if challenge is None:
            raise _no_challenge()
        user = challenge.user
        answered: Answered | None = None
        session, refresh_token = self.begin(challenge.device_id or self._around.new_id())

        async def compare() -> bool:
            nonlocal answered
            answered = await self._factors.answer_challenge(
                challenge_hash, lambda state: self._judge(state, body.code, session)
            )
            if answered is None:
                raise _no_challenge()
            return answered.passed is not None

        # Who knows the password may ask for any number of challenges: the account bounds the codes, apart
        # from its passwords. No username has a space.
        held = await self._guesses.judge(Guesser(f"{user.username} second-factor", address), compare)
        assert answered is not None
        if not held or answered.passed is None:
            self._around.note("second_factor_failed", user_id=user.user_id)
            raise Problem(
                Code.unauthorized, "The code is wrong.", members={"tries_left": answered.tries_left}
            )
        if answered.passed.recovery_hash is not None:
            self._around.note("recovery_code_used", user_id=user.user_id)
        self._around.tell(answered.events)
        return self.opened(user, session, refresh_token)

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
        if done.verdict is Verdict.removed:
            raise Problem(Code.unauthorized, "The device was removed.", members={"reason": "removed"})
        if done.verdict is Verdict.reused:
            if done.events:
                self._around.note(
                    "refresh_reused", user_id=done.user.user_id, session_id=presented.session_id
                )
            self._around.tell(done.events)
            raise Problem(Code.refresh_reused)
        await self._guesses.trust(done.user.username, address)
        return self._session(
            done.user, done.device_id, presented.session_id, done.auth_time, presented.successor
        )

    async def logout(self, who: Identity) -> None:
        """End the bearer's session; its device stays."""
        self._around.tell(await self._store.end_session(who.session_id))

    async def ticket(self, who: Identity) -> Ticket:
        """A ticket that opens one WebSocket for as long as the bearer's access token lives."""
        text = secrets.token_urlsafe(32)
        if not await self._store.add_ticket(sha256(text.encode("ascii")).digest(), who, TICKET_SECONDS):
            raise Problem(Code.unauthorized, "The session has ended.")
        return Ticket(ticket=text, expires_in=TICKET_SECONDS)

    # what a session is made of

    def begin(self, device_id: str) -> tuple[NewSession, str]:
        """A session to be stored, and its first refresh token."""
        session_id = self._around.new_id()
        text, token_hash = self._refresh_tokens.first(session_id)
        session = NewSession(
            session_id,
            device_id,
            int(self._around.clock()),
            token_hash,
            self._policy.refresh_token,
            self._policy.access_token,
        )
        return session, text

    def opened(self, user: User, session: NewSession, refresh_token: str) -> Session:
        """The answer for a session that has just been stored."""
        return self._session(user, session.device_id, session.session_id, session.auth_time, refresh_token)

    def _session(
        self, user: User, device_id: str, session_id: str, auth_time: int, refresh_token: str
    ) -> Session:
        now = int(self._around.clock())
        identity = Identity(user.user_id, device_id, session_id, auth_time, now + self._policy.access_token)
        return Session(
            user=user,
            device_id=device_id,
            access_token=self._access_tokens.access_token(identity, now),
            expires_in=self._policy.access_token,
            refresh_token=refresh_token,
        )

    def _is_new_device(self, state: LoginState, device_id: str | None) -> bool:
        if device_id is not None:
            if device_id not in state.device_ids:
                raise not_found("The user has no such device.")
            return False
        if len(state.device_ids) >= self._policy.devices:
            raise Problem(Code.device_limit)
        return True

    async def _challenge(self, found: Credentials, device_id: str | None, device_name: str | None) -> Problem:
        text = secrets.token_urlsafe(32)
        await self._factors.add_challenge(
            NewChallenge(
                sha256(text.encode("ascii")).digest(),
                found.user.user_id,
                _credential(found.password_hash),
                device_id,
                device_name,
                CHALLENGE_TRIES,
                CHALLENGE_SECONDS,
            )
        )
        return Problem(Code.second_factor_required, members={"challenge": text})

    def _judge(self, state: ChallengeState, code: str, session: NewSession) -> Passed | None:
        """The rule of an answered challenge."""
        challenge, login = state.challenge, state.login
        if not _still_holds(challenge, login):
            raise _no_challenge()
        step = used = None
        if state.totp is not None:
            name = factor_name(challenge.user.user_id)
            secret = self._seal.open(state.totp.secret, name)
            step = step_of(secret, code, self._around.clock(), state.totp.last_step)
        if step is None:
            used = recovery_hash(challenge.user.user_id, code)
            if used not in state.recovery_hashes:
                return None
        return Passed(session, self._is_new_device(login, challenge.device_id), step, used)

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


def factor_name(user_id: str) -> str:
    """The name that a user's TOTP secret is sealed under."""
    return f"totp {user_id}"


def _credential(password_hash: str) -> bytes:
    return sha256(password_hash.encode("ascii")).digest()


def _still_holds(challenge: Challenge, login: LoginState) -> bool:
    """Whether the login could still be made: its user can log in, with the same password, by two factors."""
    if login.password_hash is None or not login.second_factor:
        return False
    return hmac.compare_digest(challenge.credential, _credential(login.password_hash))


def _wrong_credentials() -> Problem:
    return Problem(Code.unauthorized, "The username or the password is wrong.")


def _no_challenge() -> Problem:
    return Problem(Code.unauthorized, "The challenge is not good (any more): log in again.")
