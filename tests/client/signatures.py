"""Signatures on which implementations of Ed25519 are known to differ, for docs/vectors/signatures.json.

RFC 8032 leaves open whether the equation is checked with the cofactor, and libraries differ on keys of small
order and on encodings that are not canonical (Chalkias, Garillot, Nikolaenko, Taming the many EdDSAs, 2020).
Nobody but their author can make such signatures; but where one client takes what another refuses, members of
a group see different conversations. So docs/encryption.md says which rule holds; these tell the rules apart.
"""

import hashlib
from typing import Any

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
NEUTRAL: Point = (0, 1)


def _x_of(y: int, sign: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    assert (x * x - square) % P == 0, "no point has this y"
    return -x % P if x % 2 != sign else x


def add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    t = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def times(number: int, point: Point) -> Point:
    found = NEUTRAL
    while number:
        if number & 1:
            found = add(found, point)
        point, number = add(point, point), number >> 1
    return found


def encoded(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


BASE: Point = (_x_of(4 * pow(5, -1, P) % P, 0), 4 * pow(5, -1, P) % P)
EIGHTH_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022
EIGHTH: Point = (_x_of(EIGHTH_Y, 0), EIGHTH_Y)  # of order 8


def challenge(r: bytes, key: bytes, text: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + key + text).digest(), "little") % L


def _signed(r: bytes, s: int) -> bytes:
    return r + s.to_bytes(32, "little")


def _secret(name: str) -> int:
    return int.from_bytes(hashlib.sha512(name.encode()).digest(), "little") % L


def _text(name: str, fits: Any) -> bytes:
    """The first of the texts of a name that fits: what depends on the challenge is found by trying."""
    return next(text for number in range(1_000) if fits(text := f"{name} {number}".encode()))


def signature_vectors() -> dict[str, Any]:
    """Keys, signatures and texts, and whether each holds."""
    a, r = _secret("key"), _secret("nonce")
    key, nonce = encoded(times(a, BASE)), encoded(times(r, BASE))
    text = b"text"
    good = (r + challenge(nonce, key, text) * a) % L
    found = []

    def case(name: str, key: bytes, signature: bytes, text: bytes, holds: bool) -> None:
        one = {"key": key.hex(), "signature": signature.hex(), "text": text.hex(), "holds": holds}
        found.append({"case": name, **one})

    case("as RFC 8032 makes it", key, _signed(nonce, good), text, True)
    case("another text", key, _signed(nonce, good), b"other", False)
    case("S not below the order", key, _signed(nonce, good + L), text, False)
    case("S is 0, R of small order", key, _signed(encoded(NEUTRAL), 0), text, False)

    # R of small order is nothing that a verifier has to look for
    neutral = encoded(NEUTRAL)
    case("R is the neutral point", key, _signed(neutral, challenge(neutral, key, text) * a % L), text, True)
    odd = (P + 1).to_bytes(32, "little")
    case("R is no canonical encoding", key, _signed(odd, challenge(odd, key, text) * a % L), text, False)
    minus = (1 | 1 << 255).to_bytes(32, "little")
    case("R has x = 0 with a sign", key, _signed(minus, challenge(minus, key, text) * a % L), text, False)

    mixed = encoded(add(times(r, BASE), EIGHTH))
    s = (r + challenge(mixed, key, text) * a) % L
    case("holds with the cofactor alone, by R", key, _signed(mixed, s), text, False)

    tainted = encoded(add(times(a, BASE), EIGHTH))
    unlike = _text("mixed", lambda one: challenge(nonce, tainted, one) % 8)
    s = (r + challenge(nonce, tainted, unlike) * a) % L
    case("holds with the cofactor alone, by the key", tainted, _signed(nonce, s), unlike, False)
    alike = _text("mixed", lambda one: challenge(nonce, tainted, one) % 8 == 0)
    s = (r + challenge(nonce, tainted, alike) * a) % L
    case("a key of mixed order, holds either way", tainted, _signed(nonce, s), alike, True)

    for name, small in (
        ("the neutral point", neutral),
        ("a point of order 2", encoded((0, P - 1))),
        ("a point of order 4", encoded((_x_of(0, 0), 0))),
        ("a point of order 8", encoded(EIGHTH)),
        ("the neutral point, not canonical", odd),
        ("the neutral point, x = 0 with a sign", minus),
        ("a point of order 2, x = 0 with a sign", ((P - 1) | 1 << 255).to_bytes(32, "little")),
        ("a point of order 4, not canonical", P.to_bytes(32, "little")),
    ):
        fits = _text(name, lambda one, key=small: challenge(nonce, key, one) % 8 == 0)
        case(f"the key is {name}", small, _signed(nonce, r), fits, False)
    case("the key is no point", (2).to_bytes(32, "little"), _signed(nonce, good), text, False)
    return {"signatures": found}
