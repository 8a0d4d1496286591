"""Says in the data directory which server runs on it and where it listens, for who looks after it.

`DIR/run/server.json` is there while the server is ready. Its `instance` is what the server's own ports answer
at `/health`: whoever else listens at those addresses by now is told from it.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from messenger import __version__
from messenger.core.http.server import HttpServer
from messenger.core.http.system import INSTANCE
from messenger.standalone.engines.credentials import write_private
from messenger.standalone.engines.datadir import DataDirectory


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is ready. `listens` are its endpoints as they were set, `urls` where they are reached
    from the same machine, both by name: gateway, gateway-metrics, auth, message, file, key."""

    instance: str
    pid: int
    version: str
    listens: dict[str, list[str]]
    urls: dict[str, list[str]]


def announce(data: Path, servers: Iterable[HttpServer]) -> None:
    """Say that this process serves there by `servers`, which listen."""
    listening = {server.name: server for server in servers}
    found = Server(
        instance=INSTANCE,
        pid=os.getpid(),
        version=__version__,
        listens={name: list(server.endpoints) for name, server in listening.items()},
        urls={name: list(server.urls) for name, server in listening.items()},
    )
    place = DataDirectory(data)
    write_private(place.server, msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    place.settle()


def server_of(data: Path) -> Server | None:
    """The server that is ready on the data in `data`, None where none is. OSError where it can't be read."""
    try:
        raw = DataDirectory(data).server.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(raw, type=Server)
    except msgspec.MsgspecError:
        return None
