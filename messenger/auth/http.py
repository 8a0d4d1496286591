"""The calls under /auth and /users, and the public keys at /.well-known/jwks.json (RFC 7517)."""

from messenger.auth.domain.accounts import Accounts
from messenger.auth.domain.derivations import Derivations
from messenger.auth.domain.factors import Factors
from messenger.auth.domain.sessions import Sessions
from messenger.auth.signing import SigningKeys
from messenger.core.http.answers import Answer
from messenger.core.http.call import Call
from messenger.core.http.routing import route
from messenger.wire.auth import (
    AccountDeletion,
    Device,
    KdfAnswer,
    KdfQuery,
    Login,
    PasswordChange,
    PasswordOnceMore,
    RecoveryCodes,
    Refresh,
    Register,
    SecondFactor,
    Session,
    Ticket,
    TotpCode,
    TotpSecret,
    User,
    UserLookup,
    UserQuery,
    VerificationKeys,
)
from messenger.wire.errors import Code
from messenger.wire.paging import Items


class AuthEndpoints:
    """One method for each call; the rules are the domain's."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        factors: Factors,
        derivations: Derivations,
        signing_keys: SigningKeys,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._factors = factors
        self._derivations = derivations
        self._signing_keys = signing_keys

    @route(
        "POST",
        "/auth/register",
        body=Register,
        answer=Session,
        status=201,
        open=True,
        class_="register",
        errors=(Code.username_taken, Code.unprocessable, Code.forbidden),
    )
    async def register(self, call: Call, body: Register) -> Session:
        """Create an account and its first device."""
        return await self._accounts.register(body, call.address)

    @route("GET", "/auth/kdf", query=KdfQuery, answer=KdfAnswer, open=True, class_="login")
    async def kdf(self, _call: Call, query: KdfQuery) -> KdfAnswer:
        """How the password of this name is derived; also for names that nobody has."""
        return await self._derivations.of(query.username)

    @route(
        "POST",
        "/auth/login",
        body=Login,
        answer=Session,
        open=True,
        class_="login",
        errors=(
            Code.unauthorized,
            Code.second_factor_required,
            Code.not_found,
            Code.device_limit,
            Code.unprocessable,
        ),
    )
    async def login(self, call: Call, body: Login) -> Session:
        """Log in as a new device, or go on as an old one."""
        return await self._sessions.login(body, call.address)

    @route(
        "POST",
        "/auth/second-factor",
        body=SecondFactor,
        answer=Session,
        open=True,
        class_="login",
        errors=(Code.unauthorized, Code.not_found, Code.device_limit),
    )
    async def second_factor(self, call: Call, body: SecondFactor) -> Session:
        """Complete a login that asked for a second factor, by a code."""
        return await self._sessions.answer(body, call.address)

    @route(
        "POST",
        "/auth/refresh",
        body=Refresh,
        answer=Session,
        open=True,
        errors=(Code.unauthorized, Code.refresh_reused),
    )
    async def refresh(self, call: Call, body: Refresh) -> Session:
        """Spend a refresh token for a new one and an access token (401 for a removed device has `reason`)."""
        return await self._sessions.refresh(body, call.address)

    @route("POST", "/auth/logout")
    async def logout(self, call: Call) -> None:
        """End this session; the device stays."""
        await self._sessions.logout(call.identity)

    @route("GET", "/auth/me", answer=User)
    async def me(self, call: Call) -> User:
        """The user who asks."""
        return await self._accounts.me(call.identity)

    @route("DELETE", "/auth/me", body=AccountDeletion, errors=(Code.forbidden,))
    async def delete_me(self, call: Call, body: AccountDeletion) -> None:
        """Delete the account for good."""
        await self._accounts.delete(call.identity, body, call.address)

    @route("POST", "/auth/password", body=PasswordChange, errors=(Code.forbidden, Code.unprocessable))
    async def change_password(self, call: Call, body: PasswordChange) -> None:
        """Change the password and end all other sessions."""
        await self._accounts.change_password(call.identity, body, call.address)

    @route(
        "POST",
        "/auth/totp",
        body=PasswordOnceMore,
        answer=TotpSecret,
        status=201,
        errors=(Code.conflict, Code.forbidden),
    )
    async def enrol_totp(self, call: Call, body: PasswordOnceMore) -> TotpSecret:
        """A secret for an authenticator app, which is asked for once it is confirmed."""
        return await self._factors.enrol(call.identity, body, call.address)

    @route(
        "POST",
        "/auth/totp/confirm",
        body=TotpCode,
        answer=RecoveryCodes,
        errors=(Code.conflict, Code.forbidden),
    )
    async def confirm_totp(self, call: Call, body: TotpCode) -> RecoveryCodes:
        """Ask for codes at each login from now on; gives ten recovery codes."""
        return await self._factors.confirm(call.identity, body)

    @route("DELETE", "/auth/totp", body=PasswordOnceMore, errors=(Code.forbidden, Code.not_found))
    async def remove_totp(self, call: Call, body: PasswordOnceMore) -> None:
        """Ask for no codes any more."""
        await self._factors.remove(call.identity, body, call.address)

    @route("GET", "/auth/devices", answer=Items[Device])
    async def devices(self, call: Call) -> Items[Device]:
        """The asking user's devices."""
        return Items(await self._accounts.devices(call.identity))

    @route("DELETE", "/auth/devices/{device_id}", errors=(Code.not_found,))
    async def remove_device(self, call: Call) -> None:
        """Remove a device: its session ends and its keys go."""
        await self._accounts.remove_device(call.identity, call.params["device_id"])

    @route("POST", "/auth/ticket", answer=Ticket, status=201)
    async def ticket(self, call: Call) -> Ticket:
        """A ticket that opens one WebSocket, once."""
        return await self._sessions.ticket(call.identity)

    @route("GET", "/auth/validate")
    async def validate(self, call: Call) -> Answer:
        """Whether the access token is good, and whose it is, in headers (forward auth)."""
        who = call.identity
        return Answer(204, None, {"X-User-Id": who.user_id, "X-Device-Id": who.device_id})

    @route("GET", "/users", query=UserQuery, answer=Items[User])
    async def users(self, _call: Call, query: UserQuery) -> Items[User]:
        """The user of exactly this name, or nobody."""
        return Items(await self._accounts.named(query.username))

    @route("POST", "/users/lookup", body=UserLookup, answer=Items[User])
    async def lookup(self, _call: Call, body: UserLookup) -> Items[User]:
        """Many users at once: those that exist."""
        return Items(await self._accounts.lookup(list(body.user_ids)))

    @route("GET", "/users/{user_id}", answer=User, errors=(Code.not_found,))
    async def user(self, call: Call) -> User:
        """A user."""
        return await self._accounts.user(call.params["user_id"])

    @route("GET", "/.well-known/jwks.json", answer=VerificationKeys, open=True, at_root=True)
    async def keys(self, _call: Call) -> VerificationKeys:
        """The public keys that sign access tokens."""
        return VerificationKeys(await self._signing_keys.verification_keys())
