"""Keeping out of memory what a library imports and we never use: megabytes in each process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without(name: str, **stand_ins: object) -> Iterator[None]:
    """Import others as if the module `name` were not installed, or held nothing but `stand_ins`.

    Whoever imports it later, or has done so before, gets the whole of it.
    """
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)
    vars(stand_in).update(stand_ins)
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules[name] = stand_in if stand_ins else None  # None is how Python notes what can't be imported
    try:
        yield
    finally:
        del modules[name]
