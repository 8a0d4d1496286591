"""How a check walks through a table, tells what it found, and mends."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from messenger.admin.progress import Progress
from messenger.core.administrator import Administrator, Busy, Row

PAGE = 500
SHOWN = 20
SETTLE_SECONDS = 6.0
TRIES = 5
TRY_SECONDS = 0.5

Mend = Callable[[Administrator, Row], str]


class NotMended(Exception):
    """Why something is not mended after all."""


def page_of(table: str, key: str) -> str:
    """The query for the next page of a table's ids."""
    return f"select {key} from {table} where {key} > %(after)s order by 1 limit {PAGE}"  # noqa: S608


def distinct_page_of(table: str, key: str) -> str:
    """The same where many rows have one id: each step jumps to the next id by the index."""
    first = f"(select {key} from {table} where {key} > %(after)s order by 1 limit 1)"  # noqa: S608
    jump = f"(select t.{key} from {table} t where t.{key} > ids.id order by 1 limit 1)"  # noqa: S608
    return (
        f"with recursive ids (id) as ({first} union all select {jump} from ids where ids.id is not null)"  # noqa: S608
        f" select id from ids where id is not null limit {PAGE}"
    )


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to be looked at.

    `walk` gives pages of ids (none: there is but one question), `find` the rows that are wrong among the ids
    `%(ids)s`, `say` what is wrong with one. `mend` mends a row in a transaction and gives what it did, or
    nothing where all was well by then, or raises NotMended; `left` is why nothing is done where there is no
    `mend`. With `twice` only what is wrong at a second look counts.
    """

    title: str
    find: str
    say: Callable[[Row], str]
    walk: str = ""
    mend: Mend | None = None
    left: str = ""
    twice: bool = False


class Report:
    """Tells what was found, to `out`: at most SHOWN lines of a check, and its sum."""

    def __init__(self, progress: Progress, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self._progress = progress
        self._title = ""
        self._seen = self._found = self._mended = 0
        self.left = 0
        self.mended: dict[str, int] = {}

    def begin(self, title: str) -> None:
        """A check begins."""
        self._title = title
        self._seen = self._found = self._mended = 0

    def seen(self, count: int) -> None:
        """So many more were looked at."""
        self._seen += count
        self._progress.at(f"{self._title}: {self._seen:,}")

    def found(self, what: str, mended: str, left: str) -> None:
        """Something is wrong; `mended` is what was done about it, `left` why nothing was."""
        self._found += 1
        if mended:
            self._mended += 1
        if self._found <= SHOWN:
            self._say(f"WRONG {self._title}: {what}; {f'mended: {mended}' if mended else f'left: {left}'}")

    def end(self) -> None:
        """The check has come to its end."""
        if self._found > SHOWN:
            self._say(f"WRONG {self._title}: ... and {self._found - SHOWN:,} more")
        if not self._found:
            self._say(f"ok    {self._title}" + (f": {self._seen:,}" if self._seen else ""))
        if self._mended:
            self.mended[self._title] = self._mended
        self.left += self._found - self._mended

    def _say(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


def run_check(check: Check, database: Administrator, report: Report, *, repair: bool) -> None:
    """Look at all of it."""
    report.begin(check.title)
    for ids in pages(check.walk, database):
        report.seen(len(ids))
        rows = database.rows(check.find, {"ids": ids})
        if rows and check.twice:
            time.sleep(SETTLE_SECONDS)
            again = database.rows(check.find, {"ids": ids})
            rows = [row for row in rows if row in again]
        for row in rows:
            _judge(check, row, database, report, repair=repair)
    report.end()


def pages(walk: str, database: Administrator) -> Iterator[Sequence[str]]:
    """The ids of a walk, a page at a time; one page without any where there is no walk."""
    if not walk:
        yield []
        return
    after = "00000000-0000-0000-0000-000000000000"
    while ids := [one for (one,) in database.rows(walk, {"after": after})]:
        yield ids
        after = ids[-1]


def _judge(check: Check, row: Row, database: Administrator, report: Report, *, repair: bool) -> None:
    what = check.say(row)
    if check.mend is None:
        report.found(what, "", check.left)
        return
    if not repair:
        report.found(what, "", "--repair mends it")
        return
    try:
        mended = mend(check.mend, row, database)
    except NotMended as why:
        report.found(what, "", str(why))
        return
    except Busy:
        report.found(what, "", "its row was locked by others all the time; try again")
        return
    if mended:
        report.found(what, mended, "")


def mend(how: Mend, row: Row, database: Administrator) -> str:
    """Mend, and say what was done, in a transaction that is tried again where others hold the row; Busy."""
    for number in range(TRIES):
        try:
            with database.transaction():
                return how(database, row)
        except Busy:
            if number + 1 == TRIES:
                raise
            time.sleep(TRY_SECONDS)
    raise AssertionError
