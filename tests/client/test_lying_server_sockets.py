"""The honest story over sockets only, with threads, encrypted stores and each password derived."""

from tests.client.lying.judging import check_honest
from tests.client.lying.theatre import opened


def test_no_shortcut_is_needed() -> None:
    with opened(quick=False) as theatre:
        check_honest(theatre.play())
