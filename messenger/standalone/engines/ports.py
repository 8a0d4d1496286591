"""Gives every engine a port on loopback: the one that was asked for, the one it had last time, or a free one.

The ports are remembered in the data directory, so clients of a restarted server find it where it was. A port
that was asked for and is taken is an error; a remembered one that is taken is replaced without a word.

A free port is looked for below the range from which the kernel takes the near ends of outgoing connections.
Inside it, a client that keeps dialling an engine which is just restarting may be given the engine's own port
and be connected to itself (TCP's simultaneous open), and the engine then finds its port taken.
"""

import json
import random
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from messenger.core.lifecycle import StartError
from messenger.standalone.engines.credentials import write_private

HOST = "127.0.0.1"
LOWEST = 12000
HIGHEST = 55535
GRPC_OFFSET = 10000
"""SeaweedFS answers gRPC that far above each of its ports, and its parts count on it of one another."""

ATTEMPTS = 200


@dataclass(frozen=True)
class EnginePorts:
    """The ports that were asked for, 1 to 65535; 0 leaves the choice to us. SeaweedFS's: 1 to 55535."""

    postgres: int = 0
    nats: int = 0
    valkey: int = 0
    s3: int = 0


NAMES = (*(entry.name for entry in fields(EnginePorts)), "master", "volume", "filer")
"""Everything that needs a port; the last three are SeaweedFS's own."""

SEAWEEDFS = frozenset(("s3", "master", "volume", "filer"))


def assign(wanted: EnginePorts, memory: Path) -> dict[str, int]:
    """A free port for each of NAMES, remembered in the file `memory`; StartError if a wanted one is taken."""
    remembered = recall(memory)
    ports: dict[str, int] = {}
    for name in NAMES:
        asked = getattr(wanted, name, 0)
        if asked:
            if name in SEAWEEDFS and asked > HIGHEST:
                raise StartError(f"port {asked} can't be {name}'s: SeaweedFS takes ports up to {HIGHEST}")
            if not _free(name, asked, _used(ports)):
                raise StartError(f"port {asked} on {HOST}, wanted for {name}, is taken: choose another")
            ports[name] = asked
    for name in NAMES:
        if name not in ports:
            known = remembered.get(name, 0)
            used = _used(ports)
            ports[name] = known if known and _free(name, known, used) else _choose(name, used)
    if ports != remembered:
        write_private(memory, json.dumps(ports, indent=2) + "\n")
    return ports


def recall(memory: Path) -> dict[str, int]:
    """The ports of last time; none if the file can't be read, for nothing depends on them."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        return {name: port for name, port in known.items() if isinstance(port, int) and 0 < port <= 65535}
    except (OSError, ValueError, AttributeError):
        return {}


def _used(ports: Mapping[str, int]) -> set[int]:
    return {port for name, first in ports.items() for port in _span(name, first)}


def _span(name: str, port: int) -> tuple[int, ...]:
    return (port, port + GRPC_OFFSET) if name in SEAWEEDFS else (port,)


def _free(name: str, port: int, used: Collection[int]) -> bool:
    return all(each not in used and _can_bind(each) for each in _span(name, port))


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As the engines do it: connections that are only being forgotten (TIME_WAIT) are not in the way.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
            trial.listen(1)
        except OSError:
            return False
    return True


def _choose(name: str, used: Collection[int]) -> int:
    top = min(_first_outgoing(), HIGHEST + 1) - 1
    if name in SEAWEEDFS:
        top -= GRPC_OFFSET
    if top - LOWEST < 1000:
        top = HIGHEST  # outgoing connections may come from anywhere here, so there is no better place
    for _ in range(ATTEMPTS):
        port = random.randint(LOWEST, top)  # noqa: S311 -- guessing it gains nothing
        if _free(name, port, used):
            return port
    raise StartError(f"no free port was found on {HOST} for {name}")


def _first_outgoing() -> int:
    """The lowest port that the kernel gives to outgoing connections."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32768
