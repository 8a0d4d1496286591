"""What makes a public key one that can be worked with safely.

Curve 25519 (RFC 7748, RFC 8032): a key is refused that is not the canonical encoding of a point, or whose
point has a small order (then a shared secret or a signature says nothing), or, for Ed25519, one outside the
subgroup of prime order L (it would pass as several identities). ML-KEM-1024 (FIPS 203 section 7.2): a key is
refused whose coefficients are not reduced.

Pure Python on integers, and not in constant time: these keys are public. The check of the subgroup takes
about a millisecond and runs when an identity or account key is published, nowhere else.
"""

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493  # L, of the prime-order subgroup
_D = -121665 * pow(121666, -1, PRIME) % PRIME
_ROOT_OF_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)

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

KEM_PUBLIC_BYTES = 1568
_KEM_PRIME = 3329
_KEM_VECTOR_BYTES = 1536  # four polynomials of 256 coefficients of 12 bits; a seed of 32 bytes follows

# A point (X : Y : Z : T) with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 section 5.1.4).
_Point = tuple[int, int, int, int]
_IDENTITY: _Point = (0, 1, 1, 0)


def x25519_flaw(key: bytes) -> str | None:
    """What is wrong with an X25519 public key, None if nothing is."""
    if len(key) != 32:
        return "is not 32 bytes"
    u = int.from_bytes(key, "little")
    if u >= PRIME:
        return "is not canonical"
    if u in _SMALL_ORDER_U:
        return "is of small order"
    return None


def ed25519_flaw(key: bytes) -> str | None:
    """What is wrong with an Ed25519 public key, None if nothing is."""
    if len(key) != 32:
        return "is not 32 bytes"
    point = _decoded(key)
    if isinstance(point, str):
        return point
    if _is_identity(_double(_double(_double(point)))):
        return "is of small order"
    if not _is_identity(_times(ORDER, point)):
        return "is outside the prime-order subgroup"
    return None


def _decoded(key: bytes) -> _Point | str:
    """The point that 32 bytes stand for, or why they stand for none (RFC 8032 section 5.1.3)."""
    encoded = int.from_bytes(key, "little")
    sign, y = encoded >> 255, encoded & (2**255 - 1)
    if y >= PRIME:
        return "is not canonical"
    x = _x_of(y)
    if x is None:
        return "is no point of the curve"
    if x == 0 and sign:
        return "is not canonical"
    if x & 1 != sign:
        x = PRIME - x
    return x, y, 1, x * y % PRIME


def kem_flaw(key: bytes) -> str | None:
    """What is wrong with an ML-KEM-1024 encapsulation key, None if nothing is (FIPS 203 section 7.2)."""
    if len(key) != KEM_PUBLIC_BYTES:
        return f"is not {KEM_PUBLIC_BYTES:,} bytes"
    for first, second, third in zip(*(key[start:_KEM_VECTOR_BYTES:3] for start in range(3)), strict=True):
        if first | (second & 15) << 8 >= _KEM_PRIME or second >> 4 | third << 4 >= _KEM_PRIME:
            return "is not canonical"
    return None


def _x_of(y: int) -> int | None:
    """A root of x^2 = (y^2 - 1) / (d y^2 + 1), None where there is none (RFC 8032 section 5.1.3)."""
    u, v = (y * y - 1) % PRIME, (_D * y * y + 1) % PRIME
    x = u * pow(v, 3, PRIME) * pow(u * pow(v, 7, PRIME), (PRIME - 5) // 8, PRIME) % PRIME
    square = v * x * x % PRIME
    if square == u:
        return x
    if square == PRIME - u:
        return x * _ROOT_OF_MINUS_ONE % PRIME
    return None


def _is_identity(point: _Point) -> bool:
    return point[0] % PRIME == 0 and (point[1] - point[2]) % PRIME == 0


def _add(one: _Point, other: _Point) -> _Point:
    """RFC 8032 section 5.1.4; complete on this curve, so that no case is special."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c = 2 * one[3] * other[3] * _D % PRIME
    d = 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _double(point: _Point) -> _Point:
    a = point[0] * point[0] % PRIME
    b = point[1] * point[1] % PRIME
    c = 2 * point[2] * point[2] % PRIME
    h = a + b
    e = h - (point[0] + point[1]) ** 2 % PRIME
    g = a - b
    f = c + g
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _times(scalar: int, point: _Point) -> _Point:
    result = _IDENTITY
    for bit in bin(scalar)[2:]:
        result = _double(result)
        if bit == "1":
            result = _add(result, point)
    return result
