"""Ids: UUID version 7 (RFC 9562 section 5.7), sorted by the millisecond in which they were made."""

import time
import uuid

import pytest

from messenger.core import ids
from messenger.core.ids import new_id
from messenger.wire.codec import uuid_text


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> "Moment":
    return Moment(monkeypatch)


class Moment:
    """Sets the clock and the dice that ids are made from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, milliseconds: int, dice: bytes | None = None) -> str:
        self._monkeypatch.setattr(ids.time, "time_ns", lambda: milliseconds * 1_000_000 + 999_999)
        if dice is not None:
            self._monkeypatch.setattr(ids.os, "urandom", lambda count: dice[:count])
        return new_id()


def test_form() -> None:
    for _ in range(200):
        made = new_id()
        assert uuid_text(made) == made
        value = uuid.UUID(made)
        assert (value.version, value.variant) == (7, uuid.RFC_4122)
        assert str(value) == made


def test_the_time_is_the_first_48_bits() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id()).int >> 80
    assert before <= made <= time.time_ns() // 1_000_000


def test_every_other_bit_is_random(at: Moment) -> None:
    nothing, everything = at(0, bytes(10)), at(2**48 - 1, b"\xff" * 10)
    assert nothing == "00000000-0000-7000-8000-000000000000"
    assert everything == "ffffffff-ffff-7fff-bfff-ffffffffffff"


def test_rfc_example(at: Moment) -> None:
    """RFC 9562 appendix A.6."""
    dice = bytes.fromhex("0cc318c4dc0c0c07398f")
    assert at(0x017F22E279B0, dice) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_they_sort_by_their_millisecond(at: Moment) -> None:
    moments = [0, 1, 255, 256, 65_535, 65_536, 1_769_851_800_123, 1_769_851_800_124, 2**47, 2**48 - 1]
    made = [at(moment) for moment in moments]
    assert sorted(made) == made


def test_none_comes_twice() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000
