"""What a username, a password and a device's name may be."""

import re
from unicodedata import category

from messenger.auth.domain.common import is_common
from messenger.wire.errors import Code, Problem

MIN_PASSWORD = 10
MAX_PASSWORD = 1024

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
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        raise Problem(Code.unprocessable, "The password is not Unicode text.") from None
    if not MIN_PASSWORD <= len(raw) <= MAX_PASSWORD:
        raise Problem(
            Code.unprocessable, f"A password has {MIN_PASSWORD} to {MAX_PASSWORD:,} bytes of UTF-8."
        )
    if is_common(text, username):
        raise Problem(Code.unprocessable, "This password is among the first that anyone would try.")
    return raw


def checked_device_name(text: str | None) -> str | None:
    """The name; Problem `unprocessable` where it holds control characters (PostgreSQL has no NUL)."""
    if text is not None and any(category(character) in {"Cc", "Cs"} for character in text):
        raise Problem(Code.unprocessable, "A device's name holds no control characters.")
    return text
