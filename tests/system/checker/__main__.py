"""A long run, or a kept history judged again.

python -m tests.system.checker --messages 20000 --faults 60 --seed 1
python -m tests.system.checker --judge FOLDER/history-1.jsonl
"""

import argparse
import logging
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.system.checker.history import History
from tests.system.checker.trial import SETTINGS, Size, Trial
from tests.system.checker.verdict import Violation, judge
from tests.system.stack import Stack, running

SHOWN = 50


def main() -> int:
    """The exit status: 1 where something was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.checker", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=None, help="default: any")
    parser.add_argument("--rate", type=float, default=60.0, help="messages a second, at most")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between faults, on average")
    parser.add_argument("--form", choices=["apart", "one"], default="apart")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="judge a kept history instead")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if options.judge:
        return report(judge(History.load(options.judge)))
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="checker-"))
    print(f"seed {seed}, logs in {folder}", flush=True)
    began = time.monotonic()
    size = Size(messages=options.messages, users=8, groups=8, rate=options.rate, every=options.every)
    with running(Stack(folder, options.form, SETTINGS)) as stack:
        trial = Trial(stack, seed, size, options.faults)
        try:
            violations = trial.run()
        except BaseException:
            trial.history.save(folder / f"history-{seed}.jsonl")
            raise
    print(f"{trial.summary()}, {time.monotonic() - began:.0f} s")
    if violations:
        trial.history.save(folder / f"history-{seed}.jsonl")
        print(f"history in {folder / f'history-{seed}.jsonl'}")
    return report(violations)


def report(violations: list[Violation]) -> int:
    """Print what was violated; the exit status."""
    for violation in violations[:SHOWN]:
        print(violation)
    print(f"{len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
