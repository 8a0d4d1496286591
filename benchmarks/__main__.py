"""Run benchmarks and write docs/performance.md.

    python -m benchmarks                 all of them
    python -m benchmarks messages auth   these
    python -m benchmarks --list          their names

Each benchmark is a module with `run() -> list[Row]`. Figures are CPU time per unit of work and ratios within
one run: wall-clock figures depend on what else the machine does. The page is written when all have run, or
with --write; rows of benchmarks that did not run are kept from the page as it stands.
"""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.report import Row, page, rows_of, table

NAMES = (
    "messages",
    "fanout",
    "backlog",
    "sockets",
    "gateway",
    "auth",
    "keys",
    "files",
    "encryption",
    "messenger_client",
)
ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "docs" / "performance.json"


def main() -> None:
    """The command line."""
    there = [name for name in NAMES if (Path(__file__).parent / f"{name}.py").exists()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    parser.add_argument("--write", action="store_true", help="write the page, also after a part of them")
    chosen = parser.parse_args()
    if chosen.list:
        sys.stdout.write("\n".join(there) + "\n")
        return
    unknown = sorted(set(chosen.names) - set(there))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(there)}")
    kept: dict[str, list[Row]] = {}
    if KEPT.exists():
        kept = {name: [Row(*row) for row in rows] for name, rows in json.loads(KEPT.read_text()).items()}
    # Each in a process of its own: what one has used is not in the next one's memory.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in chosen.names or there:
            rows = pool.submit(rows_of, name).result()
            sys.stdout.write(table(name, rows) + "\n")
            sys.stdout.flush()
            kept[name] = rows
    if chosen.write or not chosen.names:
        PAGE.write_text(page({name: kept[name] for name in there if name in kept}))
        KEPT.write_text(
            json.dumps({name: list(map(list, kept[name])) for name in there if name in kept}, indent=1) + "\n"
        )
        sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
