"""How a password is derived: kept, told to anyone, and no sign of which names exist."""

from typing import Any

import pytest

from messenger.auth.domain.derivations import LANES, MEMORY_KIB, PASSES, SALT_BYTES, Derivations
from messenger.auth.domain.rules import checked_kdf
from messenger.wire.auth import AccountDeletion, Kdf, Login, PasswordChange, Register, Session
from messenger.wire.codec import Binary, Decoder, encode
from messenger.wire.errors import Code, Problem
from tests.auth.auth_fakes import House
from tests.auth.auth_memory import MemoryAccounts
from tests.fakes import run

PASSWORD = "correct horse battery"
DERIVED = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
KDF = Kdf(algorithm="argon2id", memory_kib=65_536, passes=3, lanes=1, salt=Binary(b"s" * 16))


def register(house: House, username: str = "alice", kdf: Kdf | None = KDF) -> Session:
    body = Register(username=username, password=DERIVED if kdf else PASSWORD, kdf=kdf)
    return run(house.accounts.register(body))


def asked(house: House, username: str = "alice") -> Kdf | None:
    return run(house.derivations.of(username)).kdf


def test_what_was_registered_is_told_to_anyone() -> None:
    house = House()
    register(house)
    register(house, "bob", None)
    assert asked(house) == asked(house, "ALICE") == KDF
    assert asked(house, "bob") is None
    assert run(house.sessions.login(Login(username="alice", password=DERIVED)))


def test_a_password_change_changes_it_too() -> None:
    house = House()
    session = register(house, kdf=None)
    other = Kdf(algorithm="argon2id", memory_kib=131_072, passes=4, lanes=2, salt=Binary(b"t" * 32))
    for current, new, kdf in ((PASSWORD, DERIVED, other), (DERIVED, PASSWORD, None)):
        body = PasswordChange(current_password=current, new_password=new, kdf=kdf)
        run(house.accounts.change_password(house.who(session), body))
        assert asked(house) == kdf
    # A change that is refused changes nothing.
    body = PasswordChange(current_password="wrong password", new_password=DERIVED, kdf=other)
    with pytest.raises(Problem):
        run(house.accounts.change_password(house.who(session), body))
    assert asked(house) is None


def test_names_that_nobody_has_look_like_names_of_today() -> None:
    house = House()
    register(house)
    nobodys = asked(house, "nobody")
    assert nobodys is not None
    assert (nobodys.memory_kib, nobodys.passes, nobodys.lanes) == (MEMORY_KIB, PASSES, LANES)
    assert len(nobodys.salt) == SALT_BYTES
    assert asked(house, "NoBody") == nobodys  # folded, as at login
    assert asked(house, "nobody2") != nobodys
    # What is no username is answered too, whatever it is.
    odd = [
        asked(house, text) for text in ("", "ab", "a b c", "x" * 5_000, "nobody\0", "\ud800", "\u212aelvin")
    ]
    assert all(one is not None and len(one.salt) == SALT_BYTES for one in odd)
    assert len({one.salt for one in odd if one is not None}) == len(odd)


def test_the_salt_is_the_same_on_all_instances_and_another_one_elsewhere() -> None:
    house = House()
    again, elsewhere = (
        Derivations(MemoryAccounts(house.tables), lambda key=key: key * 32) for key in (b"k", b"l")
    )
    assert run(again.of("nobody")).kdf == asked(house, "nobody")
    assert run(elsewhere.of("nobody")).kdf != asked(house, "nobody")


def test_a_deleted_name_is_as_one_that_was_never_taken() -> None:
    house = House()
    before = asked(house)
    session = register(house)
    assert asked(house) == KDF != before
    run(house.accounts.delete(house.who(session), AccountDeletion(password=DERIVED)))
    assert asked(house) == before


@pytest.mark.parametrize(
    "change",
    [{"salt": Binary(b"s" * 15)}, {"salt": Binary(b"s" * 65)}, {"memory_kib": 31, "lanes": 4}],
)
def test_what_argon2id_does_not_take_is_refused(change: dict[str, Any]) -> None:
    house = House()
    fields = {
        "algorithm": "argon2id",
        "memory_kib": 65_536,
        "passes": 3,
        "lanes": 1,
        "salt": Binary(b"s" * 16),
    }
    bad = Kdf(**{**fields, **change})
    session = register(house, "bob")
    for call in (
        lambda: run(house.accounts.register(Register(username="carl", password=DERIVED, kdf=bad))),
        lambda: run(
            house.accounts.change_password(
                house.who(session), PasswordChange(current_password=DERIVED, new_password=DERIVED, kdf=bad)
            )
        ),
    ):
        with pytest.raises(Problem) as caught:
            call()
        assert caught.value.code == Code.unprocessable
    assert asked(house, "bob") == KDF


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "pbkdf2"}, {"memory_kib": 7}, {"memory_kib": 1_048_577}, {"passes": 0}, {"passes": 65},
        {"lanes": 0}, {"lanes": 17}, {"salt": "no base64"}, {"salt": None}, {"memory_kib": "65536"},
    ],
)  # fmt: skip
def test_the_wires_bounds(change: dict[str, Any]) -> None:
    decoder: Decoder[Kdf] = Decoder(Kdf)
    good = {
        "algorithm": "argon2id",
        "memory_kib": 8,
        "passes": 1,
        "lanes": 1,
        "salt": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert checked_kdf(decoder.decode(encode(good))) is not None
    with pytest.raises(Problem) as caught:
        decoder.decode(encode(good | change))
    assert caught.value.code == Code.bad_request
