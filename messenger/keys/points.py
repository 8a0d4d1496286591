"""The checks that make a public key one that can be worked with safely.

Curve 25519 (RFC 7748, RFC 8032): a key is refused that is not the canonical encoding of a point, or whose
point has a small order (then a shared secret or a signature says nothing), or, for Ed25519, one outside the
subgroup of prime order L (it would pass as several identities). ML-KEM-1024 (FIPS 203 section 7.2): a key is
refused whose coefficients are not reduced.

Whether an Ed25519 key is good is libsodium's word (`crypto_core_ed25519_is_valid_point`, by PyNaCl, some 100
µs); what is here tells why one is not, for whoever has made it.
"""

from nacl.bindings import crypto_core_ed25519_add, crypto_core_ed25519_is_valid_point

PRIME = 2**255 - 19

# The u coordinates of all points of order 1, 2, 4 and 8, on the curve and on its twist (RFC 7748 section 6.1
# speaks of the all-zero result that they lead to).
_SMALL_ORDER_U = frozenset(
    {
        0,
        1,
        PRIME - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)

# The y coordinates of all points of order 1, 2, 4 and 8. Those of the first two have x = 0, which has no
# sign.
_NO_X_Y = frozenset({1, PRIME - 1})
_SMALL_ORDER_Y = _NO_X_Y | {
    0,
    2707385501144840649318225287225658788936804267575313519463743609750303402022,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
}
_BASE_POINT = bytes.fromhex("58" + "66" * 31)

KEM_PUBLIC_BYTES = 1568
_KEM_PRIME = 3329
_KEM_VECTOR_BYTES = 1536  # four polynomials of 256 coefficients of 12 bits; a seed of 32 bytes follows


def x25519_flaw(key: bytes) -> str | None:
    """The flaw of an X25519 public key in words, None if it has none."""
    if len(key) != 32:
        return "is not 32 bytes"
    u = int.from_bytes(key, "little")
    if u >= PRIME:
        return "is not canonical"
    if u in _SMALL_ORDER_U:
        return "is of small order"
    return None


def ed25519_flaw(key: bytes) -> str | None:
    """The flaw of an Ed25519 public key in words, None if it has none."""
    if len(key) != 32:
        return "is not 32 bytes"
    if crypto_core_ed25519_is_valid_point(key):
        return None
    encoded = int.from_bytes(key, "little")
    sign, y = encoded >> 255, encoded & (2**255 - 1)
    if y >= PRIME or (y in _NO_X_Y and sign):
        return "is not canonical"
    if y in _SMALL_ORDER_Y:
        return "is of small order"
    return "is outside the prime-order subgroup" if _is_on_curve(key) else "is no point of the curve"


def _is_on_curve(key: bytes) -> bool:
    """Whether a canonical encoding is a point's; libsodium adds no others."""
    try:
        crypto_core_ed25519_add(key, _BASE_POINT)
    except RuntimeError:
        return False
    return True


def kem_flaw(key: bytes) -> str | None:
    """The flaw of an ML-KEM-1024 encapsulation key in words, None if it has none (FIPS 203 section 7.2)."""
    if len(key) != KEM_PUBLIC_BYTES:
        return f"is not {KEM_PUBLIC_BYTES:,} bytes"
    for first, second, third in zip(*(key[start:_KEM_VECTOR_BYTES:3] for start in range(3)), strict=True):
        if first | (second & 15) << 8 >= _KEM_PRIME or second >> 4 | third << 4 >= _KEM_PRIME:
            return "is not canonical"
    return None
