"""The form of usernames, passwords, their derivation, and device names."""

import re
from unicodedata import category

from messenger.wire.auth import Kdf
from messenger.wire.errors import Code, Problem
from messenger.wire.passwords import fault

SALT_BYTES = range(16, 65)
KIB_PER_LANE = 8

_USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{2,31}", re.ASCII)


def folded_username(text: str) -> str | None:
    """The name in lower case, or None where it breaks the rule.

    The rule comes before the folding: some letters outside ASCII have ASCII lower case forms.
    """
    return text.lower() if _USERNAME.fullmatch(text) else None


def checked_username(text: str) -> str:
    """The name in lower case; Problem `unprocessable` where it breaks the rule."""
    name = folded_username(text)
    if name is None:
        raise Problem(Code.unprocessable, "A username is 3 to 32 of a-z 0-9 . _ - and starts with a letter.")
    return name


def password_bytes(text: str) -> bytes:
    """The password as it is hashed: UTF-8, also for what no UTF-8 is, which then matches nothing."""
    return text.encode("utf-8", "surrogatepass")


def checked_password(text: str, username: str = "") -> bytes:
    """The password as it is hashed; Problem `unprocessable` where it is too short, too long, or one of those
    that anyone would try first."""
    wrong = fault(text, username)
    if wrong is not None:
        raise Problem(Code.unprocessable, wrong)
    return text.encode("utf-8")


def checked_kdf(kdf: Kdf | None) -> Kdf | None:
    """How a client derives what it sends as password; Problem `unprocessable` for what Argon2id does not
    take (RFC 9106 section 3.1), or a salt that is too short to be one."""
    if kdf is None:
        return None
    if len(kdf.salt) not in SALT_BYTES:
        raise Problem(Code.unprocessable, "The salt has 16 to 64 bytes.")
    if kdf.memory_kib < KIB_PER_LANE * kdf.lanes:
        raise Problem(Code.unprocessable, "Argon2id takes at least 8 KiB for each lane.")
    return kdf


def checked_device_name(text: str | None) -> str | None:
    """The name; Problem `unprocessable` where it holds control characters (PostgreSQL has no NUL)."""
    if text is not None and any(category(character) in {"Cc", "Cs"} for character in text):
        raise Problem(Code.unprocessable, "A device's name holds no control characters.")
    return text
