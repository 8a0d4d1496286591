"""Ed25519's arithmetic on Python's integers (RFC 8032 section 5.1): a second word on what libsodium says."""

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493  # L, of the prime-order subgroup
_D = -121665 * pow(121666, -1, PRIME) % PRIME
_ROOT_OF_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)

# A point (X : Y : Z : T) with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 section 5.1.4).
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def ed25519_flaw(key: bytes) -> str | None:
    """What is wrong with an Ed25519 public key, None if nothing is."""
    if len(key) != 32:
        return "is not 32 bytes"
    point = decoded(key)
    if isinstance(point, str):
        return point
    if _is_identity(_double(_double(_double(point)))):
        return "is of small order"
    if not _is_identity(times(ORDER, point)):
        return "is outside the prime-order subgroup"
    return None


def decoded(key: bytes) -> Point | str:
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


def _is_identity(point: Point) -> bool:
    return point[0] % PRIME == 0 and (point[1] - point[2]) % PRIME == 0


def add(one: Point, other: Point) -> Point:
    """RFC 8032 section 5.1.4; complete on this curve, so that no case is special."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c = 2 * one[3] * other[3] * _D % PRIME
    d = 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _double(point: Point) -> Point:
    a = point[0] * point[0] % PRIME
    b = point[1] * point[1] % PRIME
    c = 2 * point[2] * point[2] % PRIME
    h = a + b
    e = h - (point[0] + point[1]) ** 2 % PRIME
    g = a - b
    f = c + g
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def times(scalar: int, point: Point) -> Point:
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = _double(result)
        if bit == "1":
            result = add(result, point)
    return result


def encoded(point: Point) -> bytes:
    """The 32 bytes that stand for a point."""
    inverse = pow(point[2], -1, PRIME)
    x, y = point[0] * inverse % PRIME, point[1] * inverse % PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")
