"""The password stays here: what logs in is derived of it, and so is a key that the server never hears of.

    key   = Argon2id(password as UTF-8, salt, memory_kib, passes, lanes; 32 bytes)        RFC 9106
    login = base64(HKDF-SHA-256(key, info "messenger-login-1", 32 bytes))                 RFC 5869
    wrap  = HKDF-SHA-256(key, info "messenger-wrap-1", 32 bytes)

`login` is sent as `password`; nobody finds `wrap` from it, nor the password except by guessing at Argon2id's
price for each guess. `wrap` is for a recovery copy. This client's store keeps a passphrase of its own
instead, with a salt of its own: it opens off line, and stays what it is when the password changes.

The parameters come from the server, which may lie. It could answer that the password is sent bare, or derived
by almost no work, and so get it after all; `judge` refuses both. The salt is the server's to say: another one
is what a change of the password on another device looks like, and guessing costs as much with any.
"""

from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Struct

from messenger.client.e2e.errors import BareKdf, ExcessiveKdf, UnknownKdf, WeakKdf
from messenger.client.e2e.primitives import Random, hkdf
from messenger.wire.codec import base64_text

ALGORITHM: Final = "argon2id"
MEMORY_KIB: Final = 65_536  # RFC 9106's second recommended option, but for one lane: browsers have one thread
PASSES: Final = 3
LANES: Final = 1
SALT_BYTES: Final = 16
MOST_MEMORY_KIB: Final = 1_048_576
MOST_PASSES: Final = 16
MOST_LANES: Final = 16
MOST_SALT_BYTES: Final = 64
KEY_BYTES: Final = 32


class Kdf(Struct, frozen=True, kw_only=True):
    """How a password is derived, by a server's word or a profile's; `judge` says whether it will do."""

    algorithm: str
    memory_kib: int
    passes: int
    lanes: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class Derived:
    """The two halves: `login` (base64) is sent as the password, `wrap` (32 bytes) never leaves the device."""

    login: str = field(repr=False)
    wrap: bytes = field(repr=False)


def new_kdf(known: Kdf | None = None, random: Random = token_bytes) -> Kdf:
    """Parameters for a new password, with a fresh salt: today's, or the stronger ones of the one before."""
    return Kdf(
        algorithm=ALGORITHM,
        memory_kib=max(MEMORY_KIB, known.memory_kib if known else 0),
        passes=max(PASSES, known.passes if known else 0),
        lanes=known.lanes if known else LANES,
        salt=random(SALT_BYTES),
    )


def judge(kdf: Kdf | None, *, known: Kdf | None = None, allow_bare: bool = False) -> Kdf | None:
    """What the server says, where the password may be derived, or with `allow_bare` sent, in that way.

    `known` is what this profile used last: nothing weaker is taken, and no bare password, allowed or not.
    BareKdf, UnknownKdf, WeakKdf, ExcessiveKdf.
    """
    if kdf is None:
        if known is not None:
            raise BareKdf(
                "The server asks for the password itself, and had it derived before: that is how a server "
                "would steal it. Nothing was sent; ask whoever runs the server."
            )
        if not allow_bare:
            raise BareKdf(
                "The server asks for the password itself: this account is older than derived passwords, or "
                "the server would steal it. Change the password on a device that is logged in, and it is "
                "derived from then on; or, if you trust the server this once, say --allow-bare-password."
            )
        return None
    if kdf.algorithm != ALGORITHM:
        raise UnknownKdf("The server wants the password derived in a way that this client does not know.")
    if (
        kdf.memory_kib > MOST_MEMORY_KIB
        or kdf.passes > MOST_PASSES
        or not 1 <= kdf.lanes <= MOST_LANES
        or not SALT_BYTES <= len(kdf.salt) <= MOST_SALT_BYTES
    ):
        raise ExcessiveKdf(
            f"The server wants the password derived with {kdf.memory_kib} KiB, {kdf.passes} passes, "
            f"{kdf.lanes} lanes and a salt of {len(kdf.salt)} bytes, which no client asks for."
        )
    if kdf.memory_kib < MEMORY_KIB or kdf.passes < PASSES:
        raise WeakKdf(
            f"The server wants the password derived with {kdf.memory_kib} KiB and {kdf.passes} passes, which "
            f"would make it easy to guess; {MEMORY_KIB} KiB and {PASSES} passes are the least."
        )
    if known is not None and (kdf.memory_kib < known.memory_kib or kdf.passes < known.passes):
        raise WeakKdf("The server wants the password derived with less work than before.")
    return kdf


def derive(password: str, kdf: Kdf) -> Derived:
    """The two halves of a password: some tenths of a second of work, and `memory_kib` of memory.

    `kdf` was judged before. One at a time (OpenSSL's threads), and never in an event loop.
    """
    argon2id = Argon2id(
        salt=kdf.salt,
        length=KEY_BYTES,
        iterations=kdf.passes,
        lanes=kdf.lanes,
        memory_cost=kdf.memory_kib,
    )
    key = argon2id.derive(password.encode("utf-8"))
    return Derived(
        login=base64_text(hkdf(key, b"messenger-login-1", KEY_BYTES)),
        wrap=hkdf(key, b"messenger-wrap-1", KEY_BYTES),
    )
