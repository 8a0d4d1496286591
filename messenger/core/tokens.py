"""Access tokens: JWTs (RFC 7519) signed with Ed25519 (`EdDSA`, RFC 8037), and who may still use one.

Every service verifies for itself with the public keys that auth publishes in the view
`auth.verification_keys`; only auth signs. A verified token is remembered, so that a request costs no
signature check twice. An ended session is refused before its tokens expire: the bus tells at once, the view
`auth.ended_sessions` at the start, after a gap, and twice a second while the bus is away.

The algorithm is ours, never the token's; `kid` only chooses among known keys; other headers are not looked at
and `crit` is refused (RFC 7515 section 4.1.11). PyJWT checks the signature; the claims (RFC 7519 section 4.1)
are decoded here, into the types that auth gave them, and judged by the reactor's clock. Nothing is added to
`exp`; `iat`, `nbf` and `auth_time` may lie SKEW_SECONDS ahead, since machines' clocks differ.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated, Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta, Struct
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from messenger.core.bus.connection import Bus
from messenger.core.database.pool import Database
from messenger.core.identity import Identity
from messenger.wire import events
from messenger.wire.codec import Decoder, Uuid
from messenger.wire.errors import Code, Problem, unavailable

MAX_TOKEN = 4_096
REMEMBERED = 20_000
POLL_SECONDS = 0.5  # while the bus is away
KEYS_SECONDS = 5.0  # how long an unknown `kid` waits before the keys are read again
SKEW_SECONDS = 5.0  # how far the auth service's clock may be ahead; nothing is added to the expiry

_KEYS = "select kid, public_key from auth.verification_keys"
_ENDED = "select session_id, user_id, device_id from auth.ended_sessions"

# The compact form (RFC 7515 section 3.1) in its only spelling. A signature does not cover itself: what else
# decodes to the same 64 bytes would be one more token to check and to remember.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]", re.ASCII)

log = Logger()
_jws = jwt.PyJWS(algorithms=["EdDSA"])
_ended_event = Decoder[events.SessionEnded](events.SessionEnded)

EndedListener = Callable[[events.SessionEnded], object]

Time = Annotated[int, Meta(ge=0, le=2**53)]  # seconds since 1970


class Claims(Struct, frozen=True, kw_only=True):
    """The claims of an access token, all of which must be there but `nbf`."""

    iss: str
    aud: str | list[str]
    sub: Uuid
    did: Uuid
    sid: Uuid
    auth_time: Time
    iat: Time
    exp: Time
    jti: str
    nbf: Time = 0


_claims = Decoder[Claims](Claims)


class Tokens:
    """Verifies access tokens (an Authenticator) and knows which sessions have ended.

    `lifetime` is an access token's, in seconds: an ended session is remembered for as long.
    """

    def __init__(
        self, reactor: Any, database: Database, bus: Bus, *, issuer: str, audience: str, lifetime: float
    ) -> None:
        self._reactor = reactor
        self._database = database
        self._bus = bus
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._keys_read = float("-inf")
        self._reading = False
        self._asking: list[Deferred[None]] = []
        self._remembered: OrderedDict[str, Identity] = OrderedDict()
        self._ended: OrderedDict[str, float] = OrderedDict()  # session -> when its last token has expired
        self._listeners: list[EndedListener] = []
        self._stale = False
        self._polling = LoopingCall(self._poll)
        self._polling.clock = reactor
        self._started = False
        bus.on(events.SESSION_ENDED, self._hear)
        bus.on_gap(self._doubt)
        bus.on_away(self._begin_polling)

    def has_ended(self, session_id: str) -> bool:
        """Whether the session is known to have ended."""
        return session_id in self._ended

    def on_ended(self, listener: EndedListener) -> None:
        """Call `listener(event)` once for each session that ends from now on."""
        self._listeners.append(listener)

    def start_anew(self) -> None:
        """Another history of the database has begun: what the former one said of keys and sessions is asked
        for again. A session that is known to have ended stays refused."""
        self._remembered.clear()
        self._keys.clear()
        self._keys_read = float("-inf")
        self._stale = True

    async def start(self) -> None:
        await self._read_keys()
        await self._read_ended()
        self._started = True
        if self._stale or not self._bus.connected:
            self._begin_polling()

    async def stop(self) -> None:
        self._started = False
        if self._polling.running:
            self._polling.stop()

    async def identify(self, token: str) -> Identity:
        """The bearer of `token`; Problem `unauthorized` or `token_expired`."""
        identity = self._remembered.get(token)
        if identity is None:
            identity = self._verify(token, await self._key_of(token))
            self._remembered[token] = identity
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        if identity.expires_at <= self._reactor.seconds():
            self._remembered.pop(token, None)
            raise Problem(Code.token_expired)
        if identity.session_id in self._ended:
            raise Problem(Code.unauthorized, "The session has ended.")
        return identity

    async def _key_of(self, token: str) -> Ed25519PublicKey:
        if len(token) > MAX_TOKEN or not _COMPACT.fullmatch(token):
            raise Problem(Code.unauthorized, "The access token is not one of ours.")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Problem(Code.unauthorized, "The access token is not one of ours.") from None
        kid = header.get("kid")
        if header.get("alg") != "EdDSA" or "crit" in header or not isinstance(kid, str):
            raise Problem(Code.unauthorized, "The access token is not one of ours.")
        if kid not in self._keys:
            await self._look_for_keys()
        if kid not in self._keys:
            raise Problem(Code.unauthorized, "The access token is not one of ours.")
        return self._keys[kid]

    def _verify(self, token: str, key: Ed25519PublicKey) -> Identity:
        try:
            claims = _claims.decode(_jws.decode(token, key, algorithms=["EdDSA"]))
        except (jwt.PyJWTError, Problem, ValueError, TypeError, RecursionError):
            raise Problem(Code.unauthorized, "The access token is not one of ours.") from None
        now = self._reactor.seconds()
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        begins = max(claims.iat, claims.nbf, claims.auth_time)
        if claims.iss != self._issuer or self._audience not in audience or begins > now + SKEW_SECONDS:
            raise Problem(Code.unauthorized, "The access token is not one of ours.")
        if claims.exp <= now:
            raise Problem(Code.token_expired)
        return Identity(str(claims.sub), str(claims.did), str(claims.sid), claims.auth_time, claims.exp)

    async def _look_for_keys(self) -> None:
        """Read the keys again unless that was just done. Who comes meanwhile waits for the same read."""
        # Without any key the auth service has never run: it may make the first one at any moment.
        waited = self._reactor.seconds() - self._keys_read
        if not self._reading and self._keys and waited <= KEYS_SECONDS:
            return
        waiting: Deferred[None] = Deferred()
        self._asking.append(waiting)
        if not self._reading:
            self._reading = True
            ensureDeferred(self._read_keys()).addBoth(self._tell_asking)
        await waiting

    def _tell_asking(self, result: object) -> None:
        self._reading = False
        asking, self._asking = self._asking, []
        if isinstance(result, Failure) and not result.check(Problem):
            log.failure("the verification keys can't be read", result)
        for waiting in asking:
            # Nobody can tell now: 503, where 401 would make a client log its user out.
            if isinstance(result, Failure):
                waiting.errback(unavailable("Access tokens can't be verified at the moment."))
            else:
                waiting.callback(None)

    async def _read_keys(self) -> None:
        asked = self._reactor.seconds()
        keys = {}
        for kid, raw in await self._database.read(_KEYS):
            try:
                keys[kid] = Ed25519PublicKey.from_public_bytes(raw)
            except (ValueError, UnsupportedAlgorithm):
                log.error("verification key {kid} is no Ed25519 key", kid=kid)
        self._keys, self._keys_read = keys, asked

    # ended sessions

    def _hear(self, subject: str, payload: bytes) -> None:
        self.end(_ended_event.decode(payload))

    def _doubt(self) -> None:
        self._stale = True
        self._begin_polling()

    def _begin_polling(self) -> None:
        if self._started and not self._polling.running:
            polling = self._polling.start(POLL_SECONDS, now=False)
            polling.addErrback(
                lambda why: log.failure("ended sessions are no longer polled; restart this instance", why)
            )

    def _poll(self) -> Deferred[None] | None:
        if self._bus.connected and not self._stale:
            self._polling.stop()
            return None
        return ensureDeferred(self._poll_view())

    async def _poll_view(self) -> None:
        self._stale = False  # a gap from now on asks for another read
        try:
            await self._read_ended()
        except Problem as problem:
            self._stale = True
            log.debug("ended sessions can't be read: {detail}", detail=problem.detail)
        except Exception:
            # The polling must go on: sessions would live on for as long as NATS is away.
            self._stale = True
            log.failure("ended sessions can't be read")

    async def _read_ended(self) -> None:
        for session_id, user_id, device_id in await self._database.read(_ENDED):
            self.end(events.SessionEnded(session_id=session_id, user_id=user_id, device_id=device_id))

    def end(self, event: events.SessionEnded) -> None:
        """Refuse this session's tokens from now on."""
        if event.session_id in self._ended:
            return
        now = self._reactor.seconds()
        while self._ended and next(iter(self._ended.values())) <= now:
            self._ended.popitem(last=False)
        self._ended[event.session_id] = now + self._lifetime
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                log.failure("the end of session {session} was not heard by all", session=event.session_id)
