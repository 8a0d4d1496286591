"""How a password may be derived."""

from collections.abc import Iterator
from typing import Any

from tests.client.scenarios.script import Script


def stories() -> Iterator[Script]:
    yield passwords()


def passwords() -> Script:
    s = Script("deriving the password", "What the server may ask for; password.json has what comes of it.")
    good: dict[str, Any] = {"algorithm": "argon2id", "memory_kib": 65_536, "passes": 3, "lanes": 1}
    good["salt"] = "00" * 16

    def judge(error: str, kdf: Any, *, known: Any = None, allow_bare: bool = False) -> None:
        arguments = {"kdf": kdf, "known": known, "allow_bare": allow_bare}
        if error:
            s.refused(error, "judge_kdf", **arguments)
        else:
            s.do("judge_kdf", **arguments)

    judge("", good)
    judge("BareKdf", None)
    judge("", None, allow_bare=True)
    judge("BareKdf", None, known=good, allow_bare=True)
    judge("UnknownKdf", {**good, "algorithm": "scrypt"})
    judge("", {**good, "memory_kib": 1_048_576, "passes": 16, "lanes": 16, "salt": "00" * 64})
    excessive = {"memory_kib": 1_048_577, "passes": 17, "lanes": 17, "salt": "00" * 65}
    for name, value in excessive.items():
        judge("ExcessiveKdf", {**good, name: value})
    judge("ExcessiveKdf", {**good, "lanes": 0})
    judge("ExcessiveKdf", {**good, "salt": "00" * 15})
    judge("WeakKdf", {**good, "memory_kib": 65_535})
    judge("WeakKdf", {**good, "passes": 2})
    stronger = {**good, "memory_kib": 131_072, "passes": 4}
    judge("WeakKdf", {**stronger, "memory_kib": 131_071}, known=stronger)
    judge("WeakKdf", {**stronger, "passes": 3}, known=stronger)
    judge("", {**stronger, "salt": "11" * 32, "lanes": 2}, known=stronger)
    return s
