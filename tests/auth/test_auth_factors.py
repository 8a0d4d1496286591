"""Second factors: codes of authenticator apps, recovery codes, and the logins that ask for them."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from messenger.auth import totp
from messenger.wire.auth import (
    AccountDeletion,
    PasswordChange,
    PasswordOnceMore,
    SecondFactor,
    Session,
    TotpCode,
)
from messenger.wire.errors import Code
from tests.auth.auth_fakes import House
from tests.auth.test_auth_domain import PASSWORD, login, refused, register
from tests.fakes import run

# RFC 6238 appendix B, SHA-1, the last six of eight digits.
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


@pytest.mark.parametrize(("now", "code"), VECTORS)
def test_codes_are_those_of_the_standard(now: int, code: str) -> None:
    assert totp.code_at(b"12345678901234567890", now // 30) == code[-6:]


def test_a_code_is_good_in_its_step_and_its_neighbours_and_never_twice() -> None:
    secret = totp.new_secret()
    step = 60_000_000
    code, now = totp.code_at(secret, step), step * totp.STEP
    for offset, good in (
        (-31, False),
        (-30, True),
        (-1, True),
        (0, True),
        (29, True),
        (59, True),
        (60, False),
    ):
        assert (totp.step_of(secret, code, now + offset * 1000, -1) == step) is good, offset
    assert totp.step_of(secret, f" {code[:3]} {code[3:]} ", now, step - 1) == step
    assert totp.step_of(secret, code, now, step) is None
    for odd in ("", code[:5], code + "0", "１２３４５６", "-" * 6, "abcdef"):
        assert totp.step_of(secret, odd, now, -1) is None


def test_recovery_codes_are_forgiving_to_the_hand_and_bound_to_their_user() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == 10
    one, other = ("0" * 8 + "-0000-7000-8000-" + "0" * 11 + digit for digit in "12")
    stored = totp.recovery_hash(one, codes[0])
    assert stored == totp.recovery_hash(one, codes[0].upper().replace("-", " "))
    assert stored != totp.recovery_hash(other, codes[0])
    damaged = [codes[0][:-1], codes[0] + "a", codes[0].replace("-", "1")]
    for odd in ("", "123456", *damaged, "\u212a" * 16, "ſ" * 16):
        assert totp.recovery_hash(one, odd) is None, odd


ONCE_MORE = PasswordOnceMore(password=PASSWORD)


class Owner:
    """A user with a second factor."""

    def __init__(self, house: House | None = None) -> None:
        self.house = house or House(devices=20)
        self.session = register(self.house)
        self.who = self.house.who(self.session)
        made = run(self.house.factors.enrol(self.who, ONCE_MORE))
        self.secret = base64.b32decode(made.secret)
        self.uri = made.uri
        self.codes = self.confirm(self.code())
        self.house.clock.seconds += 30

    def code(self, steps: int = 0) -> str:
        return totp.code_at(self.secret, int(self.house.clock.seconds) // 30 + steps)

    def confirm(self, code: str) -> list[str]:
        return run(self.house.factors.confirm(self.who, TotpCode(code=code))).recovery_codes

    def challenge(self, **more: str) -> str:
        problem = refused(Code.second_factor_required, login, self.house, **more)
        return problem.members["challenge"]

    def answer(self, challenge: str, code: str) -> Session:
        return run(self.house.sessions.answer(SecondFactor(challenge=challenge, code=code)))


def test_the_secret_is_given_for_an_app_and_kept_sealed() -> None:
    owner = Owner()
    assert len(owner.secret) == 20
    assert owner.secret not in owner.house.tables.totp[owner.who.user_id].secret
    uri = urlsplit(owner.uri)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/a%20house:alice")
    assert "issuer=a%20house" in uri.query
    assert parse_qs(uri.query)["period"] == ["30"]


def test_a_session_alone_sets_up_nothing() -> None:
    house = House()
    who = house.who(register(house))
    refused(
        Code.forbidden, lambda: run(house.factors.enrol(who, PasswordOnceMore(password="wrong password")))
    )
    assert who.user_id not in house.tables.totp


def test_an_unconfirmed_secret_is_asked_of_nobody() -> None:
    house = House()
    who = house.who(register(house))
    first = run(house.factors.enrol(who, ONCE_MORE))
    assert first != run(house.factors.enrol(who, ONCE_MORE))
    login(house)
    refused(Code.forbidden, lambda: run(house.factors.confirm(who, TotpCode(code="000000"))))


def test_a_login_needs_both() -> None:
    owner = Owner()
    challenge = owner.challenge(device_name="phone")
    session = owner.answer(challenge, owner.code())
    assert session.user == owner.session.user
    names = [one.device_name for one in run(owner.house.accounts.devices(owner.house.who(session)))]
    assert names == [None, "phone"]
    refused(Code.unauthorized, owner.answer, challenge, owner.code(1))
    refused(Code.unauthorized, login, owner.house, "wrong password")
    refused(Code.conflict, lambda: run(owner.house.factors.enrol(owner.who, ONCE_MORE)))
    refused(Code.conflict, owner.confirm, owner.code())


def test_a_code_serves_once() -> None:
    owner = Owner()
    one, other = owner.challenge(), owner.challenge()
    owner.answer(one, owner.code())
    problem = refused(Code.unauthorized, owner.answer, other, owner.code())
    assert problem.members == {"tries_left": 4}
    refused(Code.unauthorized, owner.answer, other, owner.code(-1))
    owner.answer(other, owner.code(1))


def test_the_code_that_confirmed_is_served() -> None:
    owner = Owner()
    refused(Code.unauthorized, owner.answer, owner.challenge(), owner.code(-1))


def test_a_recovery_code_serves_once() -> None:
    owner = Owner()
    for code in owner.codes:
        owner.answer(owner.challenge(), code.upper())
        refused(Code.unauthorized, owner.answer, owner.challenge(), code)
        owner.house.clock.seconds += 400
    assert owner.house.security.count("recovery_code_used") == 10


def test_a_challenge_has_five_tries_and_five_minutes() -> None:
    owner = Owner()
    challenge = owner.challenge()
    left = []
    for _ in range(5):
        problem = refused(Code.unauthorized, owner.answer, challenge, "000000")
        left.append(problem.members["tries_left"])
        owner.house.clock.seconds += 5
    assert left == [4, 3, 2, 1, 0]
    refused(Code.unauthorized, owner.answer, challenge, owner.code())
    challenge = owner.challenge()
    owner.house.clock.seconds += 300
    refused(Code.unauthorized, owner.answer, challenge, owner.code())
    for odd in ("", "x", challenge[:-1], "é" * 43):
        refused(Code.unauthorized, owner.answer, odd, owner.code())


def test_codes_are_bounded_by_account_whatever_the_challenges() -> None:
    owner = Owner(House(devices=20, limits={"guess": "10/h", "login": "off"}))
    wrong = 0
    for _ in range(200):
        challenge = owner.challenge()
        try:
            owner.answer(challenge, "000000")
        except Exception as problem:
            wrong += problem.code == Code.unauthorized
        owner.house.clock.seconds += 10
    assert 10 <= wrong <= 10 + 200 * 10 // 360 + 1
    login_of_a_friend = register(owner.house, "bob")
    assert login_of_a_friend.device_id


def test_a_device_is_judged_after_the_code_and_leaves_it_good() -> None:
    owner = Owner()
    other = register(owner.house, "bob")
    challenge = owner.challenge(device_id=other.device_id)
    refused(Code.not_found, owner.answer, challenge, owner.code())
    back = owner.answer(owner.challenge(device_id=owner.session.device_id), owner.code())
    assert back.device_id == owner.session.device_id


def test_what_ends_a_challenge() -> None:
    owner = Owner()
    challenge = owner.challenge()
    change = PasswordChange(current_password=PASSWORD, new_password="a new password")
    run(owner.house.accounts.change_password(owner.who, change))
    refused(Code.unauthorized, owner.answer, challenge, owner.code())
    owner = Owner()
    challenge = owner.challenge()
    owner.house.tables.accounts[owner.who.user_id].disabled = True
    refused(Code.unauthorized, owner.answer, challenge, owner.code())
    owner = Owner()
    challenge = owner.challenge()
    run(owner.house.accounts.delete(owner.who, AccountDeletion(password=PASSWORD)))
    refused(Code.unauthorized, owner.answer, challenge, owner.code())


def test_it_is_removed_by_the_password() -> None:
    owner = Owner()
    challenge = owner.challenge()
    refused(
        Code.forbidden,
        lambda: run(owner.house.factors.remove(owner.who, PasswordOnceMore(password="wrong password"))),
    )
    run(owner.house.factors.remove(owner.who, PasswordOnceMore(password=PASSWORD)))
    refused(Code.unauthorized, owner.answer, challenge, owner.code())
    refused(Code.unauthorized, owner.answer, challenge, owner.codes[0])
    login(owner.house)
    refused(
        Code.not_found,
        lambda: run(owner.house.factors.remove(owner.who, PasswordOnceMore(password=PASSWORD))),
    )
    assert owner.house.security == [
        "second_factor_added",
        "password_wrong",
        "second_factor_removed",
    ]
