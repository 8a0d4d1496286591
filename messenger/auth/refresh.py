"""Refresh tokens: what they are made of, and which one follows which.

A token is base64url, without padding, of the session's id (16 bytes), a secret (32) and a MAC (32) over both.
The first secret is random; each further one is an HMAC of the one before under the server's key. So:

- The store keeps SHA-256 of the current and of the previous token and nothing that opens a session: who reads
  it can't compute a token without the server's key.
- A client that lost an answer and presents the spent token again is answered the very same successor, by any
  instance, though no instance has kept it.
- Whatever bears a good MAC was issued here. So any spent token is recognised, however old, and nobody can end
  a session by making tokens up.

HMAC-SHA-256 is RFC 2104's, used as the key derivation of RFC 5869's second step.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from messenger.wire.codec import base64url_text

_LENGTH = 16 + 32 + 32
_TEXT = 107  # characters of 80 bytes in base64url, without the one `=`


@dataclass(frozen=True, slots=True)
class Presented:
    """A genuine token: its session, its hash, and the token that follows it."""

    session_id: str
    token_hash: bytes
    successor: str
    successor_hash: bytes


class RefreshTokens:
    """Makes and reads refresh tokens; `key` gives the server's key, 32 bytes, the same on all instances."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def first(self, session_id: str) -> tuple[str, bytes]:
        """A new session's first token, and its hash for the store."""
        return self._sealed(UUID(session_id).bytes, secrets.token_bytes(32))

    def read(self, text: str) -> Presented | None:
        """The token that `text` is, or None where it was not issued here."""
        if len(text) != _TEXT or not text.isascii():
            return None
        try:
            raw = urlsafe_b64decode(text + "=")
        except (Base64Error, ValueError):
            return None
        if len(raw) != _LENGTH or base64url_text(raw) != text:
            return None
        session, secret, mac = raw[:16], raw[16:48], raw[48:]
        if not hmac.compare_digest(mac, self._mac(b"token", session, secret)):
            return None
        successor, successor_hash = self._sealed(session, self._mac(b"next", session, secret))
        return Presented(str(UUID(bytes=session)), sha256(raw).digest(), successor, successor_hash)

    def _sealed(self, session: bytes, secret: bytes) -> tuple[str, bytes]:
        raw = session + secret + self._mac(b"token", session, secret)
        return base64url_text(raw), sha256(raw).digest()

    def _mac(self, purpose: bytes, session: bytes, secret: bytes) -> bytes:
        return hmac.digest(self._key(), purpose + b"\0" + session + secret, "sha256")
