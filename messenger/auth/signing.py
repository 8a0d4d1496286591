"""The keys that only auth holds.

Those that sign access tokens, the one that makes refresh tokens, and the one that makes salts for names that
nobody has.

Access tokens are JWTs (RFC 7519) signed with Ed25519 (RFC 8037); `kid` is the key's thumbprint (RFC 7638).
The first start makes the keys; all instances read the same from the database, and look for newer ones every
`LOOK_SECONDS`. A new key is published before it signs, so that every service knows it by then.

At rest private keys are sealed: AES-256-GCM with the name as associated data, under a key that HKDF-SHA-256
(RFC 5869) makes of [auth] signing_secret. Without one they are stored as they are, and the database's rights
alone protect them. The key of the salts is always stored so: who reads the database sees which names exist
anyway, and it has to outlast a restored backup and a lost secret.
"""

import json
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from messenger.auth.model import NewKey
from messenger.core.identity import Identity
from messenger.core.lifecycle import EX_CONFIG, StartError
from messenger.wire.auth import VerificationKey
from messenger.wire.codec import base64url_text
from messenger.wire.errors import Problem

if TYPE_CHECKING:
    from messenger.auth.store.signing_keys import SigningKeyStore

LOOK_SECONDS = 5.0
MIN_SECRET = 32
REFRESH = "refresh"
_PLAIN, _SEALED = b"\x00", b"\x01"
_NONCE = 12

log = Logger()


class Seal:
    """Encrypts and decrypts what is stored; with an empty `secret` it only frames it.

    StartError where `secret` has fewer than 32 characters: it is a key, to be made at random.
    """

    def __init__(self, secret: str) -> None:
        self._cipher: AESGCM | None = None
        if secret:
            if len(secret) < MIN_SECRET:
                raise StartError(
                    f"[auth] signing_secret has fewer than {MIN_SECRET} characters: make a random one",
                    EX_CONFIG,
                )
            derive = HKDF(SHA256(), length=32, salt=None, info=b"secure-messenger auth keys")
            self._cipher = AESGCM(derive.derive(secret.encode("utf-8")))

    def close(self, raw: bytes, name: str) -> bytes:
        """`raw` as it is stored under `name`."""
        if self._cipher is None:
            return _PLAIN + raw
        nonce = secrets.token_bytes(_NONCE)
        return _SEALED + nonce + self._cipher.encrypt(nonce, raw, name.encode("utf-8"))

    def open(self, stored: bytes, name: str) -> bytes:
        """Open what `close` gave, under the same name; StartError where this secret does not open it."""
        if stored[:1] == _PLAIN:
            return stored[1:]
        if self._cipher is None:
            raise StartError("the signing keys are sealed and [auth] signing_secret is not set", EX_CONFIG)
        nonce, text = stored[1 : 1 + _NONCE], stored[1 + _NONCE :]
        try:
            return self._cipher.decrypt(nonce, text, name.encode("utf-8"))
        except InvalidTag:
            raise StartError(
                "[auth] signing_secret is not the one that the signing keys are sealed with", EX_CONFIG
            ) from None


def new_key(seal: Seal) -> NewKey:
    """A fresh Ed25519 key."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    kid = thumbprint(public)
    return NewKey(kid, public, seal.close(key.private_bytes_raw(), kid))


def thumbprint(public_key: bytes) -> str:
    """RFC 7638's thumbprint of an Ed25519 key: the id it goes by."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": base64url_text(public_key)}
    return base64url_text(sha256(json.dumps(members, separators=(",", ":")).encode("ascii")).digest())


class SigningKeys:
    """Signs access tokens for `audience` in the name of `issuer`."""

    def __init__(
        self, reactor: Any, store: "SigningKeyStore", seal: Seal, *, issuer: str, audience: str
    ) -> None:
        self._store = store
        self._seal = seal
        self._claims: dict[str, Any] = {"iss": issuer, "aud": audience}
        self._kid = ""
        self._private: Ed25519PrivateKey | None = None
        self._refresh = b""
        self._salt_key = b""
        self._looking = LoopingCall(self.look)
        self._looking.clock = reactor

    async def start(self) -> None:
        """Read the keys; make them where there are none yet."""
        refresh = self._seal.close(secrets.token_bytes(32), REFRESH)
        await self._store.add_first(new_key(self._seal), refresh, secrets.token_bytes(32))
        self._refresh = self._seal.open(await self._store.refresh_secret(), REFRESH)
        self._salt_key = await self._store.salt_key()
        await self._read()
        self._looking.start(LOOK_SECONDS, now=False).addErrback(
            lambda why: log.failure("newer signing keys are no longer looked for; restart this instance", why)
        )

    async def stop(self) -> None:
        self._looking.stop()

    @property
    def refresh_key(self) -> bytes:
        """The key that refresh tokens are made with; 32 bytes, once started."""
        return self._refresh

    @property
    def salt_key(self) -> bytes:
        """The key that the salts of names that nobody has are made with; 32 bytes, once started."""
        return self._salt_key

    def access_token(self, identity: Identity, issued_at: int) -> str:
        """A token for `identity`, good until its `expires_at`."""
        assert self._private is not None
        claims = self._claims | {
            "sub": identity.user_id,
            "did": identity.device_id,
            "sid": identity.session_id,
            "auth_time": identity.auth_time,
            "iat": issued_at,
            "exp": identity.expires_at,
            "jti": secrets.token_urlsafe(12),
        }
        return jwt.encode(claims, self._private, algorithm="EdDSA", headers={"kid": self._kid})

    async def verification_keys(self) -> list[VerificationKey]:
        """The public keys whose tokens are good."""
        return await self._store.verification_keys()

    def look(self) -> Deferred[None]:
        """Look for newer keys now."""
        return ensureDeferred(self._look_again())

    async def _look_again(self) -> None:
        try:
            await self._read()
        except (Problem, StartError) as error:
            log.error("the signing keys can't be read: {error}", error=str(error))
        except Exception:
            # The next look comes by: rotation must not end.
            log.failure("the signing keys can't be read")

    async def _read(self) -> None:
        kid, sealed = await self._store.signing_key()
        if kid != self._kid:
            self._private = Ed25519PrivateKey.from_private_bytes(self._seal.open(sealed, kid))
            self._kid = kid
            log.info("access tokens are signed with key {kid}", kid=kid)
