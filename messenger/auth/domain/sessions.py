"""The rules of sessions: how one begins, goes on and ends.

A device is one login and has at most one live session. A session gives out one refresh token after the
other, each good once. A user with a second factor logs in with two calls: a password that holds is answered
by a challenge, and a code to that opens the session. Whatever ends a session is stored together with the
event that tells the other services, and the event is sent once that is committed.

No answer says whether a name or a password was wrong, and both cost the same.
"""

import secrets
from hashlib import sha256
from typing import TYPE_CHECKING

from messenger.auth.domain.rules import checked_device_name, folded_username, password_bytes
from messenger.auth.domain.verdicts import credential, judge_device, judge_login, judge_refresh, still_holds
from messenger.auth.model import (
    Answer,
    ChallengeState,
    Credentials,
    Guesser,
    LoginVerdict,
    NewChallenge,
    NewSession,
    Policy,
    RefreshVerdict,
    Spending,
)
from messenger.auth.refresh import RefreshTokens
from messenger.auth.totp import recovery_hash, step_of
from messenger.core.clock import Clock
from messenger.core.identity import Identity
from messenger.core.ids import new_id
from messenger.core.outgoing import Publish
from messenger.wire.auth import Login, Refresh, SecondFactor, Session, Ticket, User
from messenger.wire.errors import Code, Problem, not_found

if TYPE_CHECKING:
    from messenger.auth.guesses import PasswordGuesses
    from messenger.auth.passwords import BcryptPasswords
    from messenger.auth.security_log import SecurityLog
    from messenger.auth.signing import Seal, SigningKeys
    from messenger.auth.store.accounts import AccountStore
    from messenger.auth.store.factors import FactorStore
    from messenger.auth.store.sessions import SessionStore

TICKET_SECONDS = 30
CHALLENGE_SECONDS = 300
CHALLENGE_TRIES = 5


class Sessions:
    """Logins, refreshes, tickets. Where a method takes an `address`, it is the client's."""

    def __init__(
        self,
        accounts: "AccountStore",
        sessions: "SessionStore",
        factors: "FactorStore",
        seal: "Seal",
        passwords: "BcryptPasswords",
        signing_keys: "SigningKeys",
        refresh_tokens: RefreshTokens,
        guesses: "PasswordGuesses",
        policy: Policy,
        clock: Clock,
        publish: Publish,
        security_log: "SecurityLog",
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._factors = factors
        self._seal = seal
        self._passwords = passwords
        self._signing_keys = signing_keys
        self._refresh_tokens = refresh_tokens
        self._guesses = guesses
        self._policy = policy
        self._clock = clock
        self._publish = publish
        self._security_log = security_log

    async def login(self, body: Login, address: str = "") -> Session:
        """A session of a new device, or of `device_id`, whose older session ends.

        Problem `second_factor_required` with `challenge` where the user has a second factor.
        """
        device_name = checked_device_name(body.device_name)
        found = await self._check_password(body, address)
        session, refresh_token = self.begin(body.device_id or new_id())
        verdict, events = await self._sessions.open(
            found.user.user_id,
            session,
            device_name,
            lambda state: judge_login(state, found.password_hash, body.device_id, self._policy.devices),
        )
        if verdict is LoginVerdict.second_factor:
            raise await self._challenge(found, body.device_id, device_name)
        _check_opens(verdict, _wrong_credentials())
        self._publish(events)
        return self.opened(found.user, session, refresh_token)

    async def _check_password(self, body: Login, address: str) -> Credentials:
        """The user who logs in, if the password is right; Problem `unauthorized` or `rate_limited`."""
        username = folded_username(body.username)
        password = password_bytes(body.password)
        async with self._guesses.reserve(Guesser(username or body.username, address)) as guess:
            found = None if username is None else await self._accounts.credentials(username)
            right = await self._passwords.matches(password, found.password_hash if found else None)
            await self._guesses.settle(guess, right=right)
        if not right or found is None:
            self._security_log.write("login_failed", user_id=found.user.user_id if found else "")
            raise _wrong_credentials()
        return await self._with_fresh_hash(found, password)

    async def answer(self, body: SecondFactor, address: str = "") -> Session:
        """The session that a login waits for, by a code of the authenticator app or a recovery code."""
        challenge_hash = sha256(body.challenge.encode("utf-8", "surrogatepass")).digest()
        challenge = await self._factors.challenge(challenge_hash)
        if challenge is None:
            raise _no_challenge()
        user = challenge.user
        session, refresh_token = self.begin(challenge.device_id or new_id())
        # Who knows the password may ask for any number of challenges: the account bounds the codes, apart
        # from its passwords. No username has a space.
        async with self._guesses.reserve(Guesser(f"{user.username} second-factor", address)) as guess:
            answered = await self._factors.answer(
                challenge_hash, session, lambda state: self._judge(state, body.code)
            )
            if answered is None:
                raise _no_challenge()
            verdict = answered.answer.verdict
            if verdict is not LoginVerdict.wrong_code:
                _check_opens(verdict, _no_challenge())
            await self._guesses.settle(guess, right=verdict.opens)
        if not verdict.opens:
            self._security_log.write("second_factor_failed", user_id=user.user_id)
            raise Problem(
                Code.unauthorized, "The code is wrong.", members={"tries_left": answered.tries_left}
            )
        if answered.answer.recovery_hash is not None:
            self._security_log.write("recovery_code_used", user_id=user.user_id)
        self._publish(answered.events)
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
        done = await self._sessions.refresh(
            spending, lambda state: judge_refresh(state, presented.token_hash)
        )
        if done is None or done.verdict is RefreshVerdict.ended:
            raise Problem(Code.unauthorized, "The session has ended.")
        if done.verdict is RefreshVerdict.removed:
            raise Problem(Code.unauthorized, "The device was removed.", members={"reason": "removed"})
        if done.verdict is RefreshVerdict.reused:
            if done.events:
                self._security_log.write(
                    "refresh_reused", user_id=done.user.user_id, session_id=presented.session_id
                )
            self._publish(done.events)
            raise Problem(Code.refresh_reused)
        await self._guesses.trust(done.user.username, address)
        return self._session(
            done.user, done.device_id, presented.session_id, done.auth_time, presented.successor
        )

    async def logout(self, who: Identity) -> None:
        """End the bearer's session; its device stays."""
        self._publish(await self._sessions.end(who.session_id))

    async def ticket(self, who: Identity) -> Ticket:
        """A ticket that opens one WebSocket for as long as the bearer's access token lives."""
        text = secrets.token_urlsafe(32)
        if not await self._sessions.add_ticket(sha256(text.encode("ascii")).digest(), who, TICKET_SECONDS):
            raise Problem(Code.unauthorized, "The session has ended.")
        return Ticket(ticket=text, expires_in=TICKET_SECONDS)

    # what a session is made of

    def begin(self, device_id: str) -> tuple[NewSession, str]:
        """A session to be stored, and its first refresh token."""
        session_id = new_id()
        text, token_hash = self._refresh_tokens.first(session_id)
        session = NewSession(
            session_id,
            device_id,
            self._clock() // 1000,
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
        now = self._clock() // 1000
        identity = Identity(user.user_id, device_id, session_id, auth_time, now + self._policy.access_token)
        return Session(
            user=user,
            device_id=device_id,
            access_token=self._signing_keys.access_token(identity, now),
            expires_in=self._policy.access_token,
            refresh_token=refresh_token,
        )

    async def _challenge(self, found: Credentials, device_id: str | None, device_name: str | None) -> Problem:
        text = secrets.token_urlsafe(32)
        await self._factors.add_challenge(
            NewChallenge(
                sha256(text.encode("ascii")).digest(),
                found.user.user_id,
                credential(found.password_hash),
                device_id,
                device_name,
                CHALLENGE_TRIES,
                CHALLENGE_SECONDS,
            )
        )
        return Problem(Code.second_factor_required, members={"challenge": text})

    def _judge(self, state: ChallengeState, code: str) -> Answer:
        """The rule of an answered challenge."""
        challenge, login = state.challenge, state.login
        if not still_holds(challenge, login):
            return Answer(LoginVerdict.void)
        step = used = None
        if state.totp is not None:
            name = factor_name(challenge.user.user_id)
            secret = self._seal.open(state.totp.secret, name)
            step = step_of(secret, code, self._clock(), state.totp.last_step)
        if step is None:
            used = recovery_hash(challenge.user.user_id, code)
            if used not in state.recovery_hashes:
                return Answer(LoginVerdict.wrong_code)
        return Answer(judge_device(login, challenge.device_id, self._policy.devices), step, used)

    async def _with_fresh_hash(self, found: Credentials, password: bytes) -> Credentials:
        if not self._passwords.outdated(found.password_hash):
            return found
        fresh = await self._passwords.hash(password)
        if await self._accounts.rehash(found.user.user_id, found.password_hash, fresh):
            return Credentials(found.user, fresh)
        # Another login was quicker, or the password was changed.
        again = await self._accounts.credentials_of(found.user.user_id)
        if not await self._passwords.matches(password, again.password_hash if again else None):
            raise _wrong_credentials()
        assert again is not None
        return again


def factor_name(user_id: str) -> str:
    """The name that a user's TOTP secret is sealed under."""
    return f"totp {user_id}"


def _check_opens(verdict: LoginVerdict, void: Problem) -> None:
    """Return where the login opens its session; raise the Problem of one that does not, `void` itself."""
    if verdict is LoginVerdict.void:
        raise void
    if verdict is LoginVerdict.no_such_device:
        raise not_found("The user has no such device.")
    if verdict is LoginVerdict.device_limit:
        raise Problem(Code.device_limit)


def _wrong_credentials() -> Problem:
    return Problem(Code.unauthorized, "The username or the password is wrong.")


def _no_challenge() -> Problem:
    return Problem(Code.unauthorized, "The challenge is not good (any more): log in again.")
