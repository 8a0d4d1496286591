"""Names, passwords, refresh tokens and what keys are sealed with."""

from base64 import urlsafe_b64decode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from messenger.auth.domain.rules import checked_device_name, checked_password, folded_username, password_bytes
from messenger.auth.passwords import BcryptPasswords
from messenger.auth.refresh import RefreshTokens
from messenger.auth.signing import Seal, SigningKeys, new_key, thumbprint
from messenger.core.identity import Identity
from messenger.core.ids import new_id
from messenger.core.lifecycle import StartError
from messenger.wire.errors import Code, Problem
from tests.auth.auth_memory import MemorySigningKeys
from tests.fakes import run


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("abc", "abc"),
        ("A.b-c_9", "a.b-c_9"),
        ("a" * 32, "a" * 32),
        ("ab", None),
        ("a" * 33, None),
        ("1abc", None),
        (".abc", None),
        ("ab c", None),
        ("abc\n", None),
        ("abc\0", None),
        ("\u212aelvin", None),  # KELVIN SIGN, whose lower case is an ASCII k
        ("ab\u0131", None),
        ("ab\u0661", None),  # a digit, but not an ASCII one
        ("", None),
    ],
)
def test_usernames(text: str, name: str | None) -> None:
    assert folded_username(text) == name


@pytest.mark.parametrize("text", ["x" * 9, "x" * 1025, "é" * 513, "\ud800" * 10, ""])
def test_refused_passwords(text: str) -> None:
    with pytest.raises(Problem) as caught:
        checked_password(text)
    assert caught.value.code is Code.unprocessable


@pytest.mark.parametrize("text", ["any tenner", "éàîßø", "\0\1 \2 \3 \4\5\6", "x" * 1024, "  a   b    "])
def test_accepted_passwords(text: str) -> None:
    assert checked_password(text) == text.encode()


def test_a_login_with_what_is_no_text_only_fails_to_match() -> None:
    assert password_bytes("\ud800") != password_bytes("?")


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\x9b31m", "\ud800"])
def test_refused_device_names(text: str) -> None:
    with pytest.raises(Problem):
        checked_device_name(text)


def test_device_names() -> None:
    for name in ("Ännes Telefon", "iPhone\u00a0de Zoé", "\U0001f469\u200d\U0001f4bb", ""):
        assert checked_device_name(name) == name
    assert checked_device_name(None) is None


class Here:
    """Threads that run a call where they stand."""

    async def run(self, function, *arguments):
        return function(*arguments)


def test_every_byte_of_a_password_counts() -> None:
    passwords = BcryptPasswords(Here(), 4)  # type: ignore[arg-type]
    long = b"x" * 1023
    stored = run(passwords.hash(long + b"a"))
    assert run(passwords.matches(long + b"a", stored))
    assert not run(passwords.matches(long + b"b", stored))
    zero = run(passwords.hash(b"before\0after"))
    assert not run(passwords.matches(b"before\0other", zero))
    assert not run(passwords.matches(b"", None))


def test_a_pepper_is_needed_from_then_on() -> None:
    plain, peppered = (BcryptPasswords(Here(), 4, pepper) for pepper in ("", "pepper"))  # type: ignore[arg-type]
    old, new = run(plain.hash(b"password")), run(peppered.hash(b"password"))
    assert run(peppered.matches(b"password", old))
    assert run(peppered.matches(b"password", new))
    assert not run(plain.matches(b"password", new))
    assert peppered.outdated(old)
    assert not peppered.outdated(new)
    assert BcryptPasswords(Here(), 5).outdated(old)  # type: ignore[arg-type]


def test_refresh_tokens_follow_from_each_other_and_from_the_key() -> None:
    one, other = RefreshTokens(lambda: b"1" * 32), RefreshTokens(lambda: b"2" * 32)
    session_id = new_id()
    text, token_hash = one.first(session_id)
    presented = one.read(text)
    assert presented is not None
    assert (presented.session_id, presented.token_hash) == (session_id, token_hash)
    again = one.read(presented.successor)
    assert again is not None
    assert again.token_hash == presented.successor_hash
    assert again.successor != presented.successor
    assert one.read(text) == presented
    assert other.read(text) is None
    assert one.first(session_id)[0] != text


def test_any_changed_character_makes_a_refresh_token_void() -> None:
    tokens = RefreshTokens(lambda: b"1" * 32)
    text, _ = tokens.first(new_id())
    for place, character in enumerate(text):
        other = "A" if character != "A" else "B"
        assert tokens.read(text[:place] + other + text[place + 1 :]) is None


def test_sealed_keys_open_with_the_same_secret_only() -> None:
    seal = Seal("s" * 32)
    stored = seal.close(b"private", "name")
    assert b"private" not in stored
    assert Seal("s" * 32).open(stored, "name") == b"private"
    for other, name in ((Seal("t" * 32), "name"), (Seal(""), "name"), (seal, "other")):
        with pytest.raises(StartError):
            other.open(stored, name)
    assert seal.open(Seal("").close(b"private", "name"), "name") == b"private"
    with pytest.raises(StartError):
        Seal("too short")


def test_access_tokens_bear_the_contracts_claims() -> None:
    from twisted.internet.task import Clock

    store, clock = MemorySigningKeys(), Clock()
    keys = [SigningKeys(clock, store, Seal("s" * 32), issuer="us", audience="them") for _ in range(2)]
    for one in keys:
        run(one.start())
    assert keys[0].refresh_key == keys[1].refresh_key
    assert len(keys[0].refresh_key) == 32
    assert keys[0].salt_key == keys[1].salt_key
    assert len(keys[0].salt_key) == 32
    identity = Identity(new_id(), new_id(), new_id(), 1_000, 4_000_000_000)
    tokens = [one.access_token(identity, 1_001) for one in keys]
    assert store.key is not None
    public = Ed25519PublicKey.from_public_bytes(store.key.public_key)
    for text in tokens:
        assert jwt.get_unverified_header(text) == {"alg": "EdDSA", "typ": "JWT", "kid": store.key.kid}
        claims = jwt.decode(text, public, algorithms=["EdDSA"], audience="them", issuer="us")
        assert claims.pop("jti")
        assert claims == {
            "iss": "us",
            "aud": "them",
            "sub": identity.user_id,
            "did": identity.device_id,
            "sid": identity.session_id,
            "auth_time": 1_000,
            "iat": 1_001,
            "exp": 4_000_000_000,
        }
    # A newer key is taken up while running.
    newer = new_key(Seal("s" * 32))
    store.key = newer
    clock.advance(5)
    assert jwt.get_unverified_header(keys[0].access_token(identity, 1))["kid"] == newer.kid
    for one in keys:
        run(one.stop())


def test_the_thumbprint_is_rfc_8037s_example() -> None:
    public = urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
