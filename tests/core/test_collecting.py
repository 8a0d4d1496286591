"""What has started is taken out of the garbage collector's sight."""

import gc
from collections.abc import Iterator

import pytest

from messenger.core.collecting import THRESHOLDS, settle


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_a_full_collection_does_not_look_at_what_was_there_before() -> None:
    there = [[] for _ in range(1_000)]  # type: list[list[object]]
    settle()
    later: list[object] = []
    seen = {id(one) for one in gc.get_objects()}
    assert not seen & {id(one) for one in there}
    assert id(later) in seen
    assert gc.get_threshold() == THRESHOLDS
