"""The whole system under everything that goes wrong on three machines, judged by the checker.

`CLUSTER_SEED` repeats a plan, `CLUSTER_KILLS` and `CLUSTER_MESSAGES` make a run shorter or longer;
`CLUSTER_REST` is how many of the 16 hangs and bad cables are among the faults.
"""

import logging
import os
import random
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cluster.machines import ClusterNemesis, Machines
from tests.cluster.network import network, why_not
from tests.system.checker.history import History
from tests.system.checker.trial import SETTINGS, Size, Trial
from tests.system.stack import running

pytestmark = [pytest.mark.system, pytest.mark.long]

KILLS = int(os.environ.get("CLUSTER_KILLS", "180"))
MESSAGES = int(os.environ.get("CLUSTER_MESSAGES", "50000"))
SHOWN = 20


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    """On namespaces where they can be made."""
    with ExitStack() as stack:
        found = [] if why_not() else stack.enter_context(network(3))
        yield stack.enter_context(running(Machines(folder, SETTINGS, found)))


def test_kills_hangs_cuts_and_bad_cables_lose_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seed = int(os.environ.get("CLUSTER_SEED", secrets.randbelow(1_000_000)))
    if why_not():
        print(f"without cables: {why_not()}")
    with machines(tmp_path) as stack:
        plans = ClusterNemesis(stack, History(), random.Random(seed), lambda: None, lambda: True)
        order = random.Random(seed)
        rest = [*plans.freezes(), *plans.cables()]
        order.shuffle(rest)
        count = int(os.environ.get("CLUSTER_REST", max(3, len(rest) * KILLS // 180)))
        plan = [*plans.kills(KILLS), *rest[:count]]
        order.shuffle(plan)
        print(f"seed {seed}, {sum(map(len, plan))} faults, logs in {tmp_path}")
        size = Size(messages=MESSAGES, users=8, groups=8, rate=60.0, every=1.5)
        trial = Trial(stack, seed, size, plan=plan, nemesis=ClusterNemesis)
        try:
            violations = trial.run()
        finally:
            trial.history.save(tmp_path / f"history-{seed}.jsonl")
        print(trial.summary())
        print(*violations[:SHOWN], sep="\n")
        unexpected = [line for line in stack.log_text().splitlines() if "Traceback" in line]
        assert not violations
        assert not unexpected, unexpected[:3]
