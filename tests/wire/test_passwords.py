"""Passwords that anyone would try first are refused, and nobody else's."""

import secrets
import string
import time

import pytest

from messenger.auth.domain.rules import checked_password
from messenger.wire.errors import Code, Problem
from messenger.wire.passwords import fault, is_common, words


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword", "Password123!", "P@ssw0rd2024", "p4$$w0rd1234", "pass word 1234", "1234567890",
        "0987654321", "qwertyuiop", "QWERTYUIOP[]", "1qaz2wsx3edc", "!QAZ@WSX#EDC", "qwerty123456",
        "asdfghjkl;'", "abcdefghij", "zyxwvutsrq", "aaaaaaaaaaaa", "abcabcabcabc", "1231231231", "1112223333",
        "121212121212", "iloveyou2023", "ILoveYou!!!!", "sunshine1999", "dragonmonkey", "Summer2024!!",
        "letmein.letmein", "welcome-welcome", "hunter2hunter2", "trustno1trustno1", "adminadmin123",
        "liverpool1892", "ｐａｓｓｗｏｒｄ１２３", "qqwweerrttyy", "football#1football", "fussball2024",
        "!!!!!!!!!!!!",
        "motdepasse123", "superman-batman", "x" * 32, "starwars77!", "monkey monkey",
    ],
)  # fmt: skip
def test_what_anyone_would_try(password: str) -> None:
    assert is_common(password)
    if len(password.encode()) >= 10:
        with pytest.raises(Problem) as caught:
            checked_password(password)
        assert caught.value.code == Code.unprocessable
        assert caught.value.detail == fault(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "a new password", "another password", "wrong password of mine",
        "tr0ub4dor&3x", "my voice is my passport", "Kx9#mQ2$vL", "umbrella kettle ninety", "zwölf Boxkämpfer",
        "8374619205", "паролечка моя", "密码密码甲乙丙丁", "\N{GRINNING FACE}\N{DOG FACE}\N{CAT FACE}",
        "love83710264", "x" * 1024, "a" * 72 + "b", "x1" + "y" * 3 + "q7-unlike", "nineteen84 ministries",
    ],
)  # fmt: skip
def test_what_few_would_try(password: str) -> None:
    assert not is_common(password)
    checked_password(password)
    assert fault(password) is None


@pytest.mark.parametrize(
    "password", ["quillfeather", "Quillfeather1", "rehtaeflliuq!", "quillfeather2024", "qu1llf3ather"]
)
def test_a_users_own_name(password: str) -> None:
    assert is_common(password, "quillfeather")
    assert not is_common(password, "somebody")


def test_random_passwords_pass() -> None:
    letters = string.ascii_letters + string.digits + string.punctuation
    for _ in range(300):
        assert not is_common("".join(secrets.choice(letters) for _ in range(12)), "alice")


def test_the_list_is_in_order_and_of_use() -> None:
    listed = sorted(words())
    assert len(listed) > 2_000
    assert all(word == word.casefold() and len(word) >= 3 and " " not in word for word in listed)


def test_no_password_takes_long_to_judge() -> None:
    for password in (
        "ab" * 40,
        "love" * 20,
        "a" * 1024,
        "1a2b" * 256,
        "".join(map(chr, range(0x4E00, 0x5200))),
    ):
        began = time.process_time()
        is_common(password, "alice")
        assert time.process_time() - began < 0.25
