"""Token verification without a process around it: real keys, no database, no bus."""

import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from messenger.auth.signing import thumbprint
from messenger.core.identity import Identity
from messenger.core.tokens import Tokens


class _Silence:
    """A database with one key, and a bus on which nothing is ever said."""

    connected = True

    def __init__(self, kid: str, public: bytes) -> None:
        self._key = (kid, public)

    def on(self, *_: Any) -> None:
        """Nothing is ever said."""

    def on_gap(self, *_: Any) -> None:
        """Nothing is ever missed."""

    def on_away(self, *_: Any) -> None:
        """It is never away."""

    async def read(self, sql: str, _parameters: Any = None) -> list[tuple[Any, ...]]:
        return [self._key] if "verification_keys" in sql else []


class _Clock:
    def seconds(self) -> float:
        return time.time()


class Here:
    """A Tokens that knows one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        public = key.public_key().public_bytes_raw()
        silence: Any = _Silence(thumbprint(public), public)
        clock: Any = _Clock()
        self._tokens = Tokens(
            clock, silence, silence, issuer="secure-messenger", audience="messenger", lifetime=900
        )

    async def check(self, text: str) -> Identity:
        """The bearer."""
        return await self._tokens.identify(text)


def signing(key: Ed25519PrivateKey) -> Callable[[Identity, int], str]:
    """What signs as the auth service does."""
    kid = thumbprint(key.public_key().public_bytes_raw())

    def sign(who: Identity, now: int) -> str:
        claims = {
            "iss": "secure-messenger",
            "aud": "messenger",
            "sub": who.user_id,
            "did": who.device_id,
            "sid": who.session_id,
            "auth_time": who.auth_time,
            "iat": now,
            "exp": who.expires_at,
            "jti": who.session_id,
        }
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid})

    return sign
