"""Rows of `python -m benchmarks web` that need screens, told in `tests/web/screens/measures.ts`."""

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.report import Row

Tell = Callable[[str, int], Any]

SLOWER = 4
TYPED = 150
WAITING = 1_000
STARTS = 5


def rows(tell: Tell) -> list[Row]:
    """All of them."""
    return [*_cold(tell), *_first(tell), *_typed(tell), *_backlog(tell), *_stored(tell)]


def _cold(tell: Tell) -> list[Row]:
    found = []
    for rate, slow, bar in ((1, "", 0.5), (SLOWER, f", the page {SLOWER} times slower", 1.5)):
        took = sorted(tell("cold", rate)["shown"] / 1e3 for _ in range(STARTS))
        note = f"goal: {bar}; median of {STARTS} browsers that were never here, up to the form's frame"
        found.append(Row(f"a first visit, to a form that can be filled in{slow}", median(took), "s", note))
    return found


def _first(tell: Tell) -> list[Row]:
    found = []
    for rate, slow, bar in ((1, "", 2), (SLOWER, f", the page {SLOWER} times slower", 4)):
        said = tell("first", rate)
        note = f"goal: {bar}; from the press to the tick; {said['registered'] / 1e3:.2f} s of it"
        what = f"account made, somebody found, the first message committed{slow}"
        found.append(Row(what, said["committed"] / 1e3, "s", f"{note} until the list"))
    return found


def _typed(tell: Tell) -> list[Row]:
    took = sorted(tell("typed", TYPED)["took"])
    note = f"{TYPED} messages, ten a second: from Enter to the frame with the bubble"
    return [
        Row("typed here, seen there, p50", took[len(took) // 2], "ms", note),
        Row("typed here, seen there, p95", took[len(took) * 95 // 100], "ms", "goal: 150"),
    ]


def _backlog(tell: Tell) -> list[Row]:
    found = tell("backlog", WAITING)
    since = f"goal: 3; {(found['last'] - found['first']) / 1e3:.2f} s from the first to the last"
    return [
        Row(
            f"a backlog of {WAITING:,} while its conversation is shown, from the page's start",
            found["last"] / 1e3,
            "s",
            since,
        ),
        Row(
            "the longest task of that page meanwhile",
            found["longest"],
            "ms",
            "goal: 50; 0: none took as long",
        ),
    ]


def _stored(tell: Tell) -> list[Row]:
    found = tell("stored", STARTS)
    frames = sorted(found["frames"])
    through = f"goal: 17; {len(frames):,} frames, by the wheel up to the first message and down again"
    return [
        Row(
            "a start with 10,000 messages, to a shown conversation",
            median(found["warm"]) / 1e3,
            "s",
            f"goal: 0.7; median of {STARTS} starts of the browser, its link pressed at once",
        ),
        Row("10,000 messages scrolled, p95 of a frame", frames[len(frames) * 95 // 100], "ms", through),
        Row("10,000 messages scrolled, the longest frame", frames[-1], "ms", "goal: 50"),
        Row("10,000 messages scrolled, nodes of the page at most", found["nodes"], "", "goal: 1,500"),
        Row(
            "10,000 messages scrolled, heap of the page",
            found["heap"] / 2**20,
            "MB",
            "goal: 60; after it, with all of them loaded",
        ),
    ]
