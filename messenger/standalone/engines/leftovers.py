"""Ends what an earlier server left running on the same data, and nothing else.

An engine is known by its pid file, which holds besides its number the time of its start and the boot: a
process that was given the same number later isn't taken for it. It is held by a descriptor from before it is
checked until it is gone, so the one that is signalled is the one that was checked.

Called with the data directory's lock held: whoever started these engines is gone.
"""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from messenger.core.lifecycle import StartError
from messenger.core.waits import within
from messenger.standalone.engines.launch import identify
from messenger.standalone.engines.pidfd import ProcessHandle

Ladder = Sequence[tuple[int, float]]
"""Signals to send one after the other, each with the seconds to wait for the end before the next."""

log = Logger()


async def end_leftover(reactor: Any, title: str, pid_file: Path, ladder: Ladder) -> None:
    """End the process of which `pid_file` tells, if it still runs; StartError if it outlives every signal."""
    known = _read(pid_file)
    if known is None:
        return
    pid = known["pid"]
    try:
        process = ProcessHandle(reactor, pid)
    except ProcessLookupError:
        return
    try:
        if identify(pid) == known:
            log.info("{title} is still there from before (process {pid}): ending it", title=title, pid=pid)
            for number, seconds in (*ladder, (signal.SIGKILL, 1.0)):
                process.send(number)
                if await _ends(reactor, process, seconds):
                    break
            else:
                raise StartError(f"{title} is left from an earlier start and won't end: kill process {pid}")
    finally:
        process.close()


def _read(pid_file: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(pid_file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):  # a file we didn't write names no process of ours
        return None
    return known if isinstance(known, dict) and isinstance(known.get("pid"), int) else None


async def _ends(reactor: Any, process: ProcessHandle, seconds: float) -> bool:
    try:
        await within(reactor, seconds, process.ended())
    except TimeoutError:
        return False
    return True
