"""One-time codes: TOTP (RFC 6238) as authenticator apps have it, and recovery codes.

TOTP is HOTP (RFC 4226) over the number of 30-second steps since 1970: HMAC-SHA-1, 6 digits, a secret of 20
random bytes (RFC 4226 section 4 recommends 160 bits). A code is good in its own step and in the one before
and after (RFC 6238 section 5.2), once: no code of a step that is not later than the last one served is taken.

A recovery code is 16 characters of base32 (80 bits) in groups of four, in either case. So many random bits
need no slow hash: what is stored is SHA-256 of the user's id and the code.

Everything here is a function of its arguments; what is stored when is the store's.
"""

import hmac
import re
import secrets
from base64 import b32encode
from hashlib import sha256
from struct import unpack_from
from urllib.parse import quote, urlencode
from uuid import UUID

STEP = 30_000  # milliseconds
DIGITS = 6
WINDOW = 1  # steps before and after the current one
SECRET_BYTES = 20
RECOVERY_CODES = 10
_RECOVERY_BYTES = 10

_SEPARATORS = str.maketrans("", "", " -")
_TOTP = re.compile(r"[0-9]{6}", re.ASCII)
_RECOVERY = re.compile(r"[a-z2-7]{16}", re.ASCII)


def new_secret() -> bytes:
    """A fresh TOTP secret."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """The secret as people type it into an app: base32 without padding (RFC 4648 section 6)."""
    return b32encode(secret).decode("ascii").rstrip("=")


def enrolment_uri(secret: bytes, issuer: str, username: str) -> str:
    """The `otpauth` URI that apps read from a QR code."""
    label = f"{quote(issuer, safe='')}:{quote(username, safe='')}"
    query = {
        "secret": secret_text(secret),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP // 1000,
    }
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"


def code_at(secret: bytes, step: int) -> str:
    """The code of a step (RFC 4226 section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    (number,) = unpack_from(">I", digest, digest[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}d}"


def step_of(secret: bytes, code: str, now: int, last_step: int) -> int | None:
    """The step that `code` is of, at `now` (milliseconds since 1970), if it is later than `last_step`.

    Every step of the window costs the same, whichever fits.
    """
    text = code.translate(_SEPARATORS)
    if not _TOTP.fullmatch(text):
        return None
    current = now // STEP
    found = None
    for step in range(current + WINDOW, current - WINDOW - 1, -1):
        if hmac.compare_digest(code_at(secret, step), text) and step > last_step:
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten fresh recovery codes."""
    codes = [b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode("ascii") for _ in range(RECOVERY_CODES)]
    return ["-".join(text.lower()[start : start + 4] for start in range(0, 16, 4)) for text in codes]


def recovery_hash(user_id: str, code: str) -> bytes | None:
    """The hash under which a user's recovery code is stored; None for what does not look like one."""
    text = code.translate(_SEPARATORS)
    if not text.isascii() or not _RECOVERY.fullmatch(text.lower()):
        return None
    return sha256(UUID(user_id).bytes + text.lower().encode("ascii")).digest()
