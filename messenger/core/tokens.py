"""Access tokens: JWTs (RFC 7519) signed with Ed25519 (`EdDSA`, RFC 8037), and who may still use one.

Every service verifies for itself with the public keys that auth publishes in the view
`auth.verification_keys`; only auth signs. A verified token is remembered, so that a request costs no
signature check twice. An ended session is refused before its tokens expire: the bus tells at once, the view
`auth.ended_sessions` at the start, after a gap, and each second while the bus is away.

The algorithm is ours, never the token's; `kid` only chooses among known keys; other headers are not looked at
and `crit` is refused (RFC 7515 section 4.1.11).
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.core.bus import Bus
from messenger.core.database import Database
from messenger.core.identity import Identity
from messenger.wire import events
from messenger.wire.codec import Decoder, uuid_text
from messenger.wire.errors import Code, Problem

MAX_TOKEN = 4_096
REMEMBERED = 20_000
KEYS_SECONDS = 5.0  # how long an unknown `kid` waits before the keys are read again
SKEW_SECONDS = 5.0  # how far the auth service's clock may be ahead; `identify` itself judges the expiry
CLAIMS = ["iss", "aud", "sub", "did", "sid", "auth_time", "iat", "exp", "jti"]

_KEYS = "select kid, public_key from auth.verification_keys"
_ENDED = "select session_id, user_id, device_id from auth.ended_sessions"

log = Logger()
_ended_event = Decoder[events.SessionEnded](events.SessionEnded)

EndedListener = Callable[[events.SessionEnded], object]


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
        self._remembered: OrderedDict[str, Identity] = OrderedDict()
        self._ended: OrderedDict[str, float] = OrderedDict()  # session -> when its last token has expired
        self._listeners: list[EndedListener] = []
        self._stale = False
        self._polling = LoopingCall(self._poll)
        self._polling.clock = reactor
        bus.on(events.SESSION_ENDED, self._hear)
        bus.on_gap(self._doubt)

    def on_ended(self, listener: EndedListener) -> None:
        """Call `listener(event)` once for each session that ends from now on."""
        self._listeners.append(listener)

    async def start(self) -> None:
        await self._read_keys()
        await self._read_ended()
        self._polling.start(1.0, now=False).addErrback(lambda why: log.failure("polling ended", why))

    async def stop(self) -> None:
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
        if len(token) > MAX_TOKEN:
            raise Problem(Code.unauthorized, "The access token is not one of ours.")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Problem(Code.unauthorized, "The access token is not one of ours.") from None
        kid = header.get("kid")
        if header.get("alg") != "EdDSA" or "crit" in header or not isinstance(kid, str):
            raise Problem(Code.unauthorized, "The access token is not one of ours.")
        # Without any key the auth service has never run: it may make the first one at any moment.
        waited = self._reactor.seconds() - self._keys_read
        if kid not in self._keys and (not self._keys or waited > KEYS_SECONDS):
            await self._read_keys()
        if kid not in self._keys:
            raise Problem(Code.unauthorized, "The access token is not one of ours.")
        return self._keys[kid]

    def _verify(self, token: str, key: Ed25519PublicKey) -> Identity:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": CLAIMS},
                leeway=SKEW_SECONDS,
            )
            user_id, device_id, session_id = (uuid_text(claims[name]) for name in ("sub", "did", "sid"))
            if user_id is None or device_id is None or session_id is None:
                raise ValueError("an id is no UUID")
            return Identity(user_id, device_id, session_id, int(claims["auth_time"]), int(claims["exp"]))
        except jwt.ExpiredSignatureError:
            raise Problem(Code.token_expired) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Problem(Code.unauthorized, "The access token is not one of ours.") from None

    async def _read_keys(self) -> None:
        self._keys_read = self._reactor.seconds()
        keys = {}
        for kid, raw in await self._database.read(_KEYS):
            try:
                keys[kid] = Ed25519PublicKey.from_public_bytes(raw)
            except (ValueError, UnsupportedAlgorithm):
                log.error("verification key {kid} is no Ed25519 key", kid=kid)
        self._keys = keys

    # ended sessions

    def _hear(self, subject: str, payload: bytes) -> None:
        self.end(_ended_event.decode(payload))

    def _doubt(self) -> None:
        self._stale = True

    def _poll(self) -> Deferred[None] | None:
        now = self._reactor.seconds()
        while self._ended and next(iter(self._ended.values())) <= now:
            self._ended.popitem(last=False)
        if self._bus.connected and not self._stale:
            return None
        return ensureDeferred(self._poll_view())

    async def _poll_view(self) -> None:
        try:
            await self._read_ended()
            self._stale = False
        except Problem as problem:
            log.debug("ended sessions can't be read: {detail}", detail=problem.detail)

    async def _read_ended(self) -> None:
        for session_id, user_id, device_id in await self._database.read(_ENDED):
            self.end(events.SessionEnded(session_id=session_id, user_id=user_id, device_id=device_id))

    def end(self, event: events.SessionEnded) -> None:
        """Refuse this session's tokens from now on."""
        if event.session_id in self._ended:
            return
        self._ended[event.session_id] = self._reactor.seconds() + self._lifetime
        for listener in self._listeners:
            listener(event)
