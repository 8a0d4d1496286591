"""PostgreSQL's hosts, as `[database] host` names them: one, or several between commas, with ports or without.

    db.example.org                        one host, with `[database] port`
    db1:5432,db2:5433                     two, each with a port of its own
    10.0.0.1,[fd00::2]:5433,fd00::3       addresses; an IPv6 one with a port stands in brackets
    /run/postgresql, /run/postgresql:5433 the directory of a Unix socket

The words are libpq's, but for the port, which libpq wants in a list of its own.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import NamedTuple

MOST = 16
HEAD_START = 0.5
"""Seconds that the first host has before the next one is tried beside it."""

_BRACKETED = re.compile(r"\[([^\[\]]*:[^\[\]]*)\](?::([0-9]+))?")
_WITH_PORT = re.compile(r"([^:]*):([0-9]+)")


class Host(NamedTuple):
    """Where a server is; for a Unix socket `name` is its directory."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


class Recent:
    """Which host of a list was the primary last: the one to try first. Any thread may ask."""

    def __init__(self) -> None:
        self._found: dict[tuple[Host, ...], Host] = {}

    def order(self, hosts: Sequence[Host]) -> list[Host]:
        """The hosts in the order in which to try them."""
        first = self._found.get(tuple(hosts))
        return list(hosts) if first is None else [first, *(one for one in hosts if one != first)]

    def found(self, hosts: Sequence[Host], primary: Host) -> None:
        """This one of them is the primary."""
        if len(self._found) >= MOST:  # a process has one list, a test has many
            self._found.clear()
        self._found[tuple(hosts)] = primary


RECENT = Recent()
"""The hosts that this process has found: each of its pools, and each command's next connection, profits from
it."""


def hosts_of(text: str, port: int) -> tuple[Host, ...]:
    """The hosts that `text` names, in its order, at least one; `port` is that of those without.

    ValueError, which says what is wrong, for what is no such list.
    """
    found = tuple(dict.fromkeys(_host(one.strip(), port) for one in text.split(",")))
    if len(found) > MOST:
        raise ValueError(f"at most {MOST} hosts")
    return found


def _host(text: str, port: int) -> Host:
    bracketed = _BRACKETED.fullmatch(text)
    with_port = _WITH_PORT.fullmatch(text)
    if bracketed is not None:
        name, own = bracketed[1], bracketed[2]
    elif with_port is not None:
        name, own = with_port[1], with_port[2]
    else:
        name, own = text, None
    if not name:
        raise ValueError("a host has no name")
    if not _is_name(name):
        raise ValueError(f"`{name}` is no host")
    number = port if own is None else int(own[:6])
    if not 1 <= number <= 65_535:
        raise ValueError(f"{own} is no port")
    return Host(name, number)


def _is_name(text: str) -> bool:
    if text[0] in "/@":
        return True
    if ":" not in text:
        return re.fullmatch(r"[^\s\[\]/]+", text) is not None
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
