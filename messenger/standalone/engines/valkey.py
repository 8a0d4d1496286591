"""Valkey: limits and short-lived facts, which outlive a restart but nothing worse.

Loopback only, a password for everyone, every write in the append-only file within a second. The configuration
comes by standard input.

It looks after itself twice a second, not ten times: reading its own size from /proc took a third of what the
whole idle server did. What has expired is forgotten when it is asked for; the rest of it goes half a second
later at most, and what it takes for that at a time is an eighth of a second, in the worst case.
"""

import signal
from pathlib import Path
from typing import Any

from messenger.standalone.engines import probes
from messenger.standalone.engines.leftovers import Ladder
from messenger.standalone.engines.ports import HOST
from messenger.standalone.engines.process import Command, Traces

CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir ./
appendonly yes
appendfsync everysec
save ""
maxmemory 128mb
maxmemory-policy volatile-ttl
hz 2
daemonize no
"""


class Valkey:
    """The engine, with its append-only file in the directory `home`."""

    title = "Valkey"
    ladder: Ladder = ((signal.SIGTERM, 3.0),)

    def __init__(
        self, reactor: Any, program: Path, home: Path, traces: Traces, port: int, password: str
    ) -> None:
        self._reactor = reactor
        self._program = program
        self._home = home
        self.traces = traces
        self._port = port
        self._password = password

    async def prepare(self) -> None:
        """It makes what it needs by itself."""

    def command(self) -> Command:
        content = CONFIGURATION.format(host=HOST, port=self._port, password=self._password).encode()
        return Command((str(self._program), "-"), cwd=self._home, input=content)

    async def serves(self) -> bool:
        return await probes.ask(self._reactor, probes.valkey(self._port, self._password))

    def tidy(self) -> None:
        """It leaves nothing outside its directory."""
