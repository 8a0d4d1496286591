"""Full disks: what is said, how often, and that the log itself survives its own."""

import io
import json
import os
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher

from messenger.core import room
from messenger.core.database.connection import Lost
from messenger.core.database.pool import Database
from messenger.core.database.refusals import gone, refused
from messenger.core.http.system import readiness, why_not
from messenger.core.log import LogState, _Lines, line_of
from messenger.core.room import NO_SPACE, RETRY_AFTER, SAY_SECONDS, TRY_SECONDS, DiskFull, Floor, Room
from messenger.wire.errors import Code, Problem
from tests.core.test_leases import Fake, Pool


@pytest.fixture
def lines() -> Any:
    found: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(found.append)
    yield found
    globalLogPublisher.removeObserver(found.append)


def test_it_is_said_once_a_minute_and_when_there_is_room(lines: list[dict[str, Any]]) -> None:
    clock = Clock()
    here = Room(clock.seconds, "PostgreSQL")
    here.check()
    for _ in range(int(SAY_SECONDS) + 1):
        problem = here.lost("could not extend file")
        clock.advance(1)
    assert (problem.code, problem.retry_after) == (Code.unavailable, RETRY_AFTER)
    assert [line["event"] for line in lines] == ["disk_full"] * 2
    here.found()
    here.found()
    assert [line["event"] for line in lines[2:]] == ["disk_room"]


def test_it_is_tried_now_and_then_only_while_it_is_full() -> None:
    clock = Clock()
    here = Room(clock.seconds, "S3")
    clock.advance(100)
    assert not here.due
    here.lost("507")
    assert not here.due
    clock.advance(TRY_SECONDS)
    assert (here.due, here.due) == (True, False)
    here.found()
    clock.advance(TRY_SECONDS)
    assert not here.due


def test_the_last_bytes_are_the_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, left = Clock(), 1 << 30
    monkeypatch.setattr(room, "free_bytes", lambda _path: left)
    here = Room(clock.seconds, "PostgreSQL", Floor(clock.seconds, tmp_path))
    here.check()
    left = 1 << 20
    here.check()  # looked a moment ago
    clock.advance(1)
    with pytest.raises(DiskFull):
        here.check()


@pytest.mark.parametrize(
    ("sure", "state"), [(True, "disk full"), (False, "disk full, or it fails otherwise")]
)
def test_ready_says_which_disk(sure: bool, state: str) -> None:
    clock = Clock()
    here = Room(clock.seconds, "S3")

    async def check() -> None:
        if here.full:
            raise here.problem()

    async def away() -> None:
        raise ConnectionError

    def ask() -> Any:
        answer: list[Any] = []
        ensureDeferred(readiness(clock, {"s3": check, "nats": away})).addCallback(answer.append)  # type: ignore[arg-type]
        return answer[0]

    assert ask().checks["s3"] == "ready"
    here.lost("no", sure=sure)
    assert ask().checks == {"s3": state, "nats": "ConnectionError"}
    assert why_not(ask()) == f"not ready: s3 ({state}), nats"


def refusal(code: str, text: str) -> psycopg2.OperationalError:
    """As psycopg2 raises it; `pgcode` can't be set on one."""

    class Refusal(psycopg2.OperationalError):
        pgcode = code  # type: ignore[assignment]

    return Refusal(text)


def test_what_postgresql_s_refusals_become() -> None:
    here = Room(Clock().seconds, "PostgreSQL")
    busy = refused(here, refusal("53300", "too many clients"))
    assert isinstance(busy, Problem)
    assert busy.code is Code.unavailable
    fault = refused(here, refusal("58030", "could not read block"))
    assert isinstance(fault, Problem)
    other = refusal("42P01", "no such table")
    assert refused(here, other) is other
    assert not isinstance(gone(here, Lost("server closed the connection")), DiskFull)
    assert not here.full
    assert isinstance(refused(here, refusal("53100", "could not extend file")), DiskFull)
    assert here.full
    here.found()
    assert isinstance(gone(here, Lost(f"PANIC: could not write to file: {NO_SPACE}")), DiskFull)
    assert here.full


def as_json(one: dict[str, Any]) -> str:
    return line_of(one, "here").decode()


def event(text: str, at: float, **more: Any) -> dict[str, Any]:
    return {"log_format": text, "log_time": at, "log_level": LogLevel.warn, "log_namespace": "here", **more}


def test_a_log_without_room_loses_lines_and_says_how_many() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    read, write = os.pipe()
    state = LogState()
    with open(write, "w") as out, open(read) as back:
        observer = _Lines(out, as_json, state)
        observer(event("one", 1.0))
        kept = os.dup(write)
        os.dup2(full, write)
        for number in range(3):
            observer(event(f"lost {number}", 2.0))
        assert (state.full, state.lost) == (True, 3)
        os.dup2(kept, write)
        observer(event("two", 3.0))
        os.close(kept)
        out.close()
        found = [json.loads(line)["message"] for line in back]
    os.close(full)
    assert found == ["one", "disk full: 3 lines are missing here, the log had no room", "two"]
    assert (state.full, state.lost) == (False, 3)


def test_a_line_that_was_torn_ends_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    with open(write, "w") as out, open(read) as back:
        observer = _Lines(out, as_json, LogState())
        real, calls = os.write, 0

        def short(descriptor: int, data: bytes) -> int:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise OSError(28, NO_SPACE)
            return real(descriptor, data[:10] if calls == 1 else data)

        monkeypatch.setattr(os, "write", short)
        observer(event("torn", 1.0))
        observer(event("whole", 2.0))
        monkeypatch.undo()
        out.close()
        torn, gap, whole = list(back)
    assert len(torn) == 11
    assert json.loads(gap)["event"] == "log_lines_lost"
    assert json.loads(whole)["message"] == "whole"


def test_what_many_meet_is_told_once_a_minute_by_each() -> None:
    problem = Room(Clock().seconds, "PostgreSQL").lost("no")
    out = io.StringIO()
    observer = _Lines(out, as_json, LogState())
    for second in range(120):
        observer(event("places have to wait: {detail}", float(second), detail=problem.detail))
        observer(event("presence has to wait: {detail}", float(second), detail=problem.detail))
        observer(event("a backlog has to wait: {detail}", float(second), detail="The database is away."))
    told = [json.loads(line)["message"] for line in out.getvalue().splitlines()]
    assert sum("places" in line for line in told) == 2
    assert sum("presence" in line for line in told) == 2
    assert sum("backlog" in line for line in told) == 120


def test_a_database_on_a_full_disk_is_asked_for_room_until_it_has_some() -> None:
    pool = Pool(1)
    database: Database = pool.database
    connection: Fake = pool.connections[0]

    def answer(error: Exception | None = None) -> None:
        waiting: Deferred[None] | None = connection.under_way
        assert waiting is not None
        if error is None:
            waiting.callback(None)
        else:
            waiting.errback(error)

    seen: list[Any] = []
    ensureDeferred(database.write("insert")).addErrback(lambda why: seen.append(why.value))
    answer(refusal("53100", "could not extend file"))
    assert isinstance(seen[0], DiskFull)
    database._end_stuck()
    assert connection.under_way is None  # just noted
    pool.clock.advance(TRY_SECONDS)
    database._end_stuck()
    answer()  # begin
    answer(refusal("53100", "could not extend file"))
    answer()  # rollback
    assert database.room.full
    pool.clock.advance(TRY_SECONDS)
    database._end_stuck()
    for _ in ("begin", "insert", "rollback"):
        answer()
    assert not database.room.full
    assert (database.idle, database.open) == (1, 1)
