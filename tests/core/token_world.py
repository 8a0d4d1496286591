"""Tokens, forged ones too, and what a service reads and hears of them."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from messenger.core.identity import Identity
from messenger.core.tokens import Tokens
from messenger.wire.codec import encode
from messenger.wire.errors import Code, Problem
from messenger.wire.events import SESSION_ENDED, SessionEnded

NOW = 1_800_000_000
USER = "0190b5c2-7e1a-7c3d-8f21-000000000001"
DEVICE = "0190b5c2-7e1a-7c3d-8f21-000000000002"
SESSION = "0190b5c2-7e1a-7c3d-8f21-000000000003"
OTHER = "0190b5c2-7e1a-7c3d-8f21-000000000004"
KID = "key-1"

OURS = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
NEXT = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
THEIRS = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
CURVE = generate_private_key(SECP256R1())

CLAIMS = {
    "iss": "secure-messenger",
    "aud": "messenger",
    "sub": USER,
    "did": DEVICE,
    "sid": SESSION,
    "auth_time": NOW - 100,
    "iat": NOW - 10,
    "exp": NOW + 890,
    "jti": "j",
}
HEADER = {"alg": "EdDSA", "kid": KID, "typ": "JWT"}


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def pem_public(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def part(value: Any) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=")


def token(
    claims: Any = CLAIMS, header: Any = HEADER, sign: Callable[[bytes], bytes] = OURS.sign, **changes: Any
) -> str:
    """A compact JWS (RFC 7515 section 3.1). Our own key signs, unless told otherwise."""
    if changes:
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not ...}
    signed = part(header) + b"." + part(claims)
    return (signed + b"." + part(sign(signed))).decode()


def headed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**HEADER, **changes}.items() if value is not ...}


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.new(secret, signed, sha256).digest()


def unsigned(alg: Any, tail: str = "") -> str:
    return ".".join(token(header=headed(alg=alg)).split(".")[:2]) + "." + tail


def jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": part(raw_public(key)).decode(), "kid": KID}


def es256(signed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    r, s = decode_dss_signature(CURVE.sign(signed, ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")


class Bus:
    """A bus that a test speaks on."""

    def __init__(self) -> None:
        self._connected = True
        self.listeners: dict[str, Callable[[str, bytes], object]] = {}
        self.gap: list[Callable[[], object]] = []
        self.away: list[Callable[[], object]] = []

    @property
    def connected(self) -> bool:
        return self._connected

    @connected.setter
    def connected(self, now: bool) -> None:
        went, self._connected = self._connected and not now, now
        if went:
            for listener in self.away:
                listener()

    def on(self, subject: str, listener: Callable[[str, bytes], object]) -> None:
        self.listeners[subject] = listener

    def on_gap(self, listener: Callable[[], object]) -> None:
        self.gap.append(listener)

    def on_away(self, listener: Callable[[], object]) -> None:
        self.away.append(listener)

    def ended(self, session: str) -> None:
        event = SessionEnded(session_id=session, user_id=USER, device_id=DEVICE)
        self.listeners[SESSION_ENDED](SESSION_ENDED, encode(event))


class Views:
    """The two views of auth that every service reads."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, bytes]] = [(KID, raw_public(OURS))]
        self.ended: list[tuple[str, str, str]] = []
        self.key_reads = 0
        self.ended_reads = 0
        self.error: Exception | None = None
        self.hold: Deferred[None] | None = None

    async def read(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        if "verification_keys" in sql:
            self.key_reads += 1
            found: list[Any] = self.keys
        else:
            assert "ended_sessions" in sql
            self.ended_reads += 1
            found = self.ended
        found = list(found)
        if self.hold is not None:
            await self.hold
        if self.error is not None:
            raise self.error
        return found


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = float(NOW)
        self.bus = Bus()
        self.views = Views()
        self.tokens = Tokens(
            self.clock,
            self.views,  # type: ignore[arg-type]
            self.bus,  # type: ignore[arg-type]
            issuer="secure-messenger",
            audience="messenger",
            lifetime=900,
        )
        self.heard: list[str] = []
        self.tokens.on_ended(lambda event: self.heard.append(event.session_id))

    def start(self) -> "World":
        answer: list[object] = []
        ensureDeferred(self.tokens.start()).addBoth(answer.append)
        assert answer == [None]
        return self

    def identify(self, text: str) -> Identity:
        answer: list[Any] = []
        ensureDeferred(self.tokens.identify(text)).addBoth(answer.append)
        [found] = answer
        if isinstance(found, Identity):
            return found
        raise found.value

    def refusal(self, text: str) -> Code:
        with pytest.raises(Problem) as caught:
            self.identify(text)
        return caught.value.code
