"""Passwords that an administrator makes: derived as every client derives them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from messenger.admin.passwords import new_kdf, new_password, sent_as
from messenger.auth.domain.rules import checked_kdf
from messenger.client.e2e.password import Kdf as ClientKdf
from messenger.client.e2e.password import judge
from messenger.wire.auth import Kdf
from messenger.wire.codec import Binary
from messenger.wire.passwords import fault

VECTORS = json.loads((Path(__file__).parents[2] / "docs" / "vectors" / "password.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["derived"], ids=lambda one: one["password"])
def test_they_are_derived_as_the_vectors_say(vector: dict[str, Any]) -> None:
    said = vector["kdf"]
    kdf = Kdf(**{**said, "salt": Binary(base64.b64decode(said["salt"]))})
    assert sent_as(vector["password"], kdf) == vector["login"]


def test_a_client_takes_how_they_are_derived() -> None:
    first = new_kdf()
    strong = Kdf(algorithm="argon2id", memory_kib=131_072, passes=4, lanes=2, salt=first.salt)
    excessive = Kdf(algorithm="argon2id", memory_kib=65_536, passes=64, lanes=1, salt=first.salt)
    for known in (None, first, strong):
        made = new_kdf(known)
        assert checked_kdf(made) is made
        before = None if known is None else as_client(known)
        assert judge(as_client(made), known=before) == as_client(made)
        assert made.salt != first.salt
    assert judge(as_client(new_kdf(excessive))) is not None


def as_client(kdf: Kdf) -> ClientKdf:
    return ClientKdf(**{name: getattr(kdf, name) for name in ClientKdf.__struct_fields__})


def test_they_are_random_and_may_be_typed() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    for one in made:
        assert fault(one) is None
        assert one.isascii()
        assert not set(one) & set("lo01 ")
