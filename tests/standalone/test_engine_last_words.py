"""Why an engine ended is what it calls fatal itself, which is mostly not the last that it says."""

from pathlib import Path

import pytest

from messenger.standalone.engines.process import Traces

POSTGRES = """\
2026-01-31 09:30:00.123 UTC [12] LOG:  starting PostgreSQL 18.1
2026-01-31 09:30:00.125 UTC [14] FATAL:  the database system is starting up
2026-01-31 09:30:00.130 UTC [12] FATAL:  could not map anonymous shared memory: Cannot allocate memory
2026-01-31 09:30:00.131 UTC [12] HINT:  This error usually means that PostgreSQL's request exceeded memory
2026-01-31 09:30:00.140 UTC [12] LOG:  database system is shut down
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (POSTGRES, "could not map anonymous shared memory"),
        (
            "[1] 2026/01/31 [FTL] Address already in use\n[1] 2026/01/31 [INF] Server Exiting..\n",
            "[FTL] Address",
        ),
        ("1:M # FATAL CONFIG FILE ERROR\n1:M * bye\n", "FATAL CONFIG"),
        (
            "F0131 09:30:00 main.go:12 volume directory is not writable\ngoroutine 1 [running]:\n",
            "not writable",
        ),
        ("initdb: error: could not create directory\ninitdb: removing contents\n", "could not create"),
        ("09:30 FATAL:  the database system is starting up\n09:31 LOG:  gone\n", "LOG:  gone"),
        ("one\n\ntwo\n\n", "two"),
        ("", ""),
    ],
)
def test_the_fatal_line_is_quoted(tmp_path: Path, text: str, words: str) -> None:
    traces = Traces(tmp_path / "x.log", tmp_path / "x.pid")
    before = "FATAL:  from an earlier start\n"
    traces.log.write_text(before + text)
    found = traces.error_line(len(before))
    assert words in found
    assert bool(found) == bool(text.strip())
