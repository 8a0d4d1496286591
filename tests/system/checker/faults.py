"""What goes wrong, one thing after the other, by a seeded generator.

A fault begins when its signal is sent and ends when all services say that they are ready again. Now and then
two come at once, and now and then there is peace for long enough that live delivery can be held to its
promise fault by fault, not only at the end.
"""

import asyncio
import logging
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.system.checker.history import History
from tests.system.checker.verdict import LIVE_SECONDS
from tests.system.stack import Stack
from tests.system.waiting import until

WHOLE_SECONDS = 90.0
FROZEN = (0.5, 6.0)  # seconds
DEAD = (0.1, 3.0)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fault:
    """What is done to whom, and for how many seconds where that is a matter of choice."""

    what: str  # kill, freeze, wipe, cut or restart
    whom: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.what} {self.whom}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


ENGINES = ("nats", "postgres", "valkey")


class Nemesis:
    """Breaks `stack`. `cut` aborts some of the clients' connections, `synced` says whether all are synced."""

    def __init__(
        self,
        stack: Stack,
        history: History,
        randomness: random.Random,
        cut: Callable[[], object],
        synced: Callable[[], bool],
    ) -> None:
        self._stack = stack
        self._history = history
        self._random = randomness
        self._cut = cut
        self._synced = synced
        if stack.form == "one":
            self._services = ["messenger"]
        else:
            self._services = [name for name in stack.processes if name not in ("engines", "file-1")]

    def choose(self) -> Fault:
        """Some fault: a third each for services, engines, and what needs no process."""
        between = self._random.uniform
        match self._random.randrange(6):
            case 0 | 1:
                return Fault("kill", self._random.choice(self._services), between(*DEAD))
            case 2:
                return Fault("freeze", self._random.choice(self._services), between(*FROZEN))
            case 3:
                return Fault("kill", self._random.choice(ENGINES))
            case 4:
                return Fault("freeze", self._random.choice(ENGINES), between(*FROZEN))
            case _:
                return self._random.choice([Fault("wipe", "nats"), Fault("cut", "connections")])

    def plan(self, count: int) -> list[list[Fault]]:
        """What comes together, `count` faults in all."""
        found: list[list[Fault]] = []
        while count > 0:
            together = [self.choose()]
            if count > 1 and self._random.random() < 0.15:
                other = self.choose()
                if other.whom != together[0].whom:
                    together.append(other)
            found.append(together)
            count -= len(together)
        return found

    async def run(self, plan: list[list[Fault]], every: float) -> None:
        """Do all that, `every` seconds apart on average, with peace after each sixth."""
        for number, together in enumerate(plan):
            peace = LIVE_SECONDS + 3.0 if number % 6 == 5 else self._random.uniform(0.3, 1.7) * every
            await asyncio.sleep(peace)
            begin = time.time()
            log.info("fault %d of %d: %s", number + 1, len(plan), " and ".join(map(str, together)))
            await asyncio.gather(*(asyncio.to_thread(self._do, fault) for fault in together))
            await asyncio.to_thread(self.heal)
            self._history.note("fault", begin=begin, end=time.time(), faults=[str(one) for one in together])

    def _do(self, fault: Fault) -> None:
        stack, whom = self._stack, fault.whom
        match fault.what, whom in ENGINES:
            case "kill", True:
                with suppress(psutil.NoSuchProcess):
                    stack.engine(whom).kill()
            case "kill", False:
                with suppress(ProcessLookupError):
                    stack.kill(whom)
                time.sleep(fault.seconds)
                stack.restart(whom)
            case "freeze", True:
                thaw = stack.freeze_engine(whom)
                time.sleep(fault.seconds)
                thaw()
            case "freeze", False:
                stack.kill(whom, signal.SIGSTOP)
                time.sleep(fault.seconds)
                stack.kill(whom, signal.SIGCONT)
            case "wipe", _:
                stack.wipe_engine(whom)
            case "cut", _:
                self._cut()
            case "restart", _:
                stack.processes[whom].terminate()
                stack.processes[whom].ended()
                until(self._synced, WHOLE_SECONDS)
                stack.restart(whom)

    def heal(self) -> None:
        """Return once everything is ready; a service that gave up is started again, as a supervisor would."""
        urls = [*self._stack.urls]
        if self._stack.form == "apart":
            urls += [
                self._stack.service_url(name) for name in self._stack.ports if name.startswith("message-")
            ]

        def whole() -> bool:
            for name in self._services:
                if not self._stack.processes[name].running():
                    log.info("%s has ended by itself and is started again", name)
                    self._stack.restart(name)
            try:
                return all(httpx.get(f"{url}/ready", timeout=5).status_code == 200 for url in urls)
            except httpx.TransportError:
                return False

        until(whole, WHOLE_SECONDS, 0.1)


def keep(history: History, folder: Path, seed: int) -> Path:
    """Where the history of a failed run has been written."""
    path = folder / f"history-{seed}.jsonl"
    history.save(path)
    return path
