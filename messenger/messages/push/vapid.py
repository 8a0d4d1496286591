"""Who wakes: the server's key, and the signature by which push services know it (RFC 8292)."""

import binascii
from collections import OrderedDict
from collections.abc import Callable

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from messenger.wire.codec import base64url_text

LIFETIME = 43_200  # seconds; RFC 8292 allows 24 hours
RENEWED = 3_600  # this long before its end a token is made anew
REMEMBERED = 1_000
# The order of P-256's base point (NIST SP 800-186): a private key is below it.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Vapid:
    """Signs for push services.

    `secret` is the private key: 32 random bytes in base64, as `openssl rand -base64 32` makes them, in either
    alphabet; ValueError for anything else. `contact` is a `mailto:` or `https:` URI that push services may
    turn to, or empty. `clock` gives seconds since 1970.
    """

    def __init__(self, secret: str, contact: str, clock: Callable[[], float]) -> None:
        try:
            text = secret.strip().rstrip("=").replace("-", "+").replace("_", "/")
            raw = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
        except (binascii.Error, ValueError):
            raise ValueError("not base64") from None
        number = int.from_bytes(raw, "big")
        if len(raw) != 32 or not 0 < number < _ORDER:
            raise ValueError("not 32 random bytes")
        if contact and not contact.startswith(("mailto:", "https://")):
            raise ValueError("a contact is a mailto: or an https: URI")
        self._key = derive_private_key(number, SECP256R1())
        self._contact = contact
        self._clock = clock
        self._made: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self.public_key = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def authorization(self, origin: str) -> str:
        """The `Authorization` header for the push service at this origin; the same for hours."""
        now = int(self._clock())
        ends, header = self._made.get(origin, (0, ""))
        if ends - now < RENEWED:
            ends = now + LIFETIME
            claims: dict[str, object] = {"aud": origin, "exp": ends}
            if self._contact:
                claims["sub"] = self._contact
            token = jwt.encode(claims, self._key, algorithm="ES256")
            header = f"vapid t={token}, k={base64url_text(self.public_key)}"
            self._made[origin] = (ends, header)
            if len(self._made) > REMEMBERED:
                self._made.popitem(last=False)
        return header
