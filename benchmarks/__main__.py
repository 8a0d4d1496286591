"""Run benchmarks and write docs/performance.md.

    python -m benchmarks                 all of them
    python -m benchmarks messages auth   these
    python -m benchmarks --list          their names
    python -m benchmarks peers --write   ours beside other servers, which Debian's packages bring

Each benchmark is a module with `run() -> list[Row]`. Figures are CPU time per unit of work and ratios within
one run: wall-clock figures depend on what else the machine does. The page is written when all have run, or
with --write; rows of benchmarks that did not run are kept from the page as it stands.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.peers import summary
from benchmarks.report import Missing, Row, page, rows_of, table

NAMES = (
    "messages",
    "fanout",
    "listening",
    "shards",
    "backlog",
    "sockets",
    "human",
    "bystanders",
    "instance_stop",
    "gateway",
    "auth",
    "keys",
    "files",
    "small",
    "encryption",
    "messenger_client",
    "web",
)
ASKED_FOR = ("peers",)  # these run only where they are named: they need what isn't installed with us
ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
KEPT = ROOT / "docs" / "performance.json"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    parser.add_argument("--write", action="store_true", help="write the page, also after a part of them")
    parser.add_argument("--seconds", type=float, help="how long `small` takes (3600)")
    chosen = parser.parse_args()
    known = NAMES + ASKED_FOR
    if chosen.seconds:
        os.environ["MESSENGER_SMALL_SECONDS"] = str(chosen.seconds)
    if chosen.list:
        sys.stdout.write("\n".join(known) + "\n")
        return
    unknown = sorted(set(chosen.names) - set(known))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    kept: dict[str, list[Row]] = {}
    if KEPT.exists():
        kept = {name: [Row(*row) for row in rows] for name, rows in json.loads(KEPT.read_text()).items()}
    # Each in a process of its own: what one has used is not in the next one's memory.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in chosen.names or NAMES:
            try:
                rows = pool.submit(rows_of, name).result()
            except Missing as missing:
                sys.exit(str(missing))
            sys.stdout.write(table(name, rows) + "\n")
            sys.stdout.flush()
            kept[name] = rows
    if chosen.write or not chosen.names:
        _write({name: kept[name] for name in known if name in kept})


def _write(results: dict[str, list[Row]]) -> None:
    """The page, its figures, and the README's table of other servers."""
    PAGE.write_text(page(results, {"peers": summary.ABOUT}))
    KEPT.write_text(
        json.dumps({name: list(map(list, rows)) for name, rows in results.items()}, indent=1) + "\n"
    )
    if "peers" in results:
        README.write_text(summary.readme(README.read_text(), results["peers"]))
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
