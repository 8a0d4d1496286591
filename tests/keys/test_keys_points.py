"""Which public keys are refused: lengths, encodings, small orders, subgroups."""

import secrets
from hashlib import sha512

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from messenger.keys.points import PRIME, ed25519_flaw, kem_flaw, x25519_flaw
from tests.keys import plain_points
from tests.keys.plain_points import ORDER, Point, add, decoded, encoded, times

# The eight points of small order in their canonical encodings, and the other encodings that decoders which
# don't look take for them or for others.
SMALL_ED25519 = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
]
ODD_ED25519 = [
    "0100000000000000000000000000000000000000000000000000000000000080",  # x = 0 with a sign
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",  # x = 0 with a sign
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # y = p
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # y = p + 1
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ff" * 32,
]


def ed25519_key() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw()


def point_of(key: bytes) -> Point:
    point = decoded(key)
    assert not isinstance(point, str)
    return point


def test_real_keys_have_no_flaw() -> None:
    for _ in range(20):
        assert ed25519_flaw(ed25519_key()) is None
        assert x25519_flaw(X25519PrivateKey.generate().public_key().public_bytes_raw()) is None


@pytest.mark.parametrize("text", SMALL_ED25519)
def test_ed25519_points_of_small_order(text: str) -> None:
    assert ed25519_flaw(bytes.fromhex(text)) == "is of small order"


@pytest.mark.parametrize("text", ODD_ED25519)
def test_ed25519_encodings_that_are_not_canonical(text: str) -> None:
    assert ed25519_flaw(bytes.fromhex(text)) == "is not canonical"


@pytest.mark.parametrize("text", SMALL_ED25519[1:])
def test_a_good_point_plus_one_of_small_order_is_outside_the_subgroup(text: str) -> None:
    mixed = encoded(add(point_of(ed25519_key()), point_of(bytes.fromhex(text))))
    # The library takes it as a key: nobody else would notice.
    Ed25519PublicKey.from_public_bytes(mixed)
    assert ed25519_flaw(mixed) == "is outside the prime-order subgroup"


def test_about_half_of_all_strings_are_no_point() -> None:
    flaws = [ed25519_flaw(bytes([number]) + bytes(31)) for number in range(2, 100)]
    assert 25 < flaws.count("is no point of the curve") < 75


@given(key=st.binary(min_size=32, max_size=32), small=st.sampled_from(SMALL_ED25519), how=st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_each_reason_is_what_plain_arithmetic_finds(key: bytes, small: str, how: int) -> None:
    raw = key
    if how:
        hashed = int.from_bytes(sha512(key).digest(), "little") % ORDER or 1
        point = times(hashed, point_of(bytes.fromhex("58" + "66" * 31)))
        raw = encoded(point if how == 1 else add(point, point_of(bytes.fromhex(small))))
    assert ed25519_flaw(raw) == plain_points.ed25519_flaw(raw)


def test_the_arithmetic_is_the_librarys() -> None:
    """A public key is the clamped hash of the private one times the base point (RFC 8032 section 5.1.5)."""
    base = point_of(bytes.fromhex("58" + "66" * 31))
    private = Ed25519PrivateKey.generate()
    half = int.from_bytes(sha512(private.private_bytes_raw()).digest()[:32], "little")
    scalar = half & (1 << 254) - 8 | 1 << 254
    assert encoded(times(scalar, base)) == private.public_key().public_bytes_raw()
    assert encoded(times(ORDER + 1, base)) == encoded(base)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_lengths(length: int) -> None:
    raw = secrets.token_bytes(length)
    assert ed25519_flaw(raw) == x25519_flaw(raw) == "is not 32 bytes"
    assert kem_flaw(raw) == "is not 1,568 bytes"


def test_x25519_small_orders_are_those_that_the_library_finds_no_secret_with() -> None:
    private = X25519PrivateKey.generate()
    known = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]
    for text in known:
        raw = bytes.fromhex(text)
        assert x25519_flaw(raw) == "is of small order"
        with pytest.raises(ValueError, match=r"shared|computing"):
            private.exchange(X25519PublicKey.from_public_bytes(raw))


@pytest.mark.parametrize("value", [PRIME, PRIME + 1, 2**255 - 1, 2**255, 2**255 + 9, 2**256 - 1])
def test_x25519_encodings_that_are_not_canonical(value: int) -> None:
    assert x25519_flaw(value.to_bytes(32, "little")) == "is not canonical"


def test_x25519_below_the_prime() -> None:
    assert x25519_flaw((PRIME - 2).to_bytes(32, "little")) is None
    assert x25519_flaw((9).to_bytes(32, "little")) is None


def kem(first: int, second: int, at: int = 0) -> bytes:
    raw = bytearray(1568)
    raw[at : at + 3] = bytes([first & 255, first >> 8 | (second & 15) << 4, second >> 4])
    return bytes(raw)


def test_kem_coefficients_are_reduced() -> None:
    assert kem_flaw(kem(3328, 3328)) is None
    assert kem_flaw(kem(3328, 3328, at=1533)) is None
    for raw in (kem(3329, 0), kem(0, 3329), kem(4095, 0, at=1533), kem(0, 4095, at=1533)):
        assert kem_flaw(raw) == "is not canonical"
    # The seed behind the coefficients is any 32 bytes.
    assert kem_flaw(bytes(1536) + b"\xff" * 32) is None
