"""NATS JetStream: wakes whoever must know. Its streams may be lost; its directory is kept all the same.

Loopback only, a password for everyone, no monitoring port. The configuration comes by standard input.
"""

import json
import signal
from pathlib import Path
from typing import Any

from messenger.standalone.engines import probes
from messenger.standalone.engines.account import HERE
from messenger.standalone.engines.leftovers import Ladder
from messenger.standalone.engines.ports import HOST
from messenger.standalone.engines.process import HALF_THE_CORES, Command, Traces

MEMORY_STORE = 64 << 20  # bytes for streams in memory: ours are in files, so this only bounds a mistake

FILE_STORE = 8 << 30
"""The most that streams may promise themselves in all; nothing is set aside. Ours are 320 MiB, and several
times that while services start side by side. Left alone it is three quarters of the room that the disk has at
the start, so that NATS on a small disk refuses its own streams."""


class Nats:
    """The engine, with its streams in the directory `home`."""

    title = "NATS"
    ladder: Ladder = ((signal.SIGTERM, 3.0),)

    def __init__(
        self, reactor: Any, program: Path, home: Path, traces: Traces, port: int, user: str, password: str
    ) -> None:
        self._reactor = reactor
        self._program = program
        self._home = home
        self.traces = traces
        self._port = port
        self._user = user
        self._password = password

    async def prepare(self) -> None:
        """It makes what it needs by itself."""

    def command(self) -> Command:
        # JSON is a subset of NATS's own format, and quotes whatever a password may hold.
        configuration = {
            "listen": f"{HOST}:{self._port}",
            "server_name": "messenger",
            "authorization": {"user": self._user, "password": self._password},
            "jetstream": {
                "store_dir": HERE,
                "max_memory_store": MEMORY_STORE,
                "max_file_store": FILE_STORE,
            },
        }
        content = json.dumps(configuration, indent=1).encode()
        return Command(
            (str(self._program), "-c", "/dev/stdin"),
            cwd=self._home,
            environment=HALF_THE_CORES,
            input=content,
        )

    async def serves(self) -> bool:
        return await probes.ask(self._reactor, probes.nats(self._port, self._user, self._password))

    def tidy(self) -> None:
        """It leaves nothing outside its directory."""
