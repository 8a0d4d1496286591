"""Runs the engines alone, for tests and for whoever works on one service at a time.

    python -m messenger.standalone.engines --data DIR

When all serve, one line of JSON comes on standard output:

    {"addresses": {...}, "secrets": "DIR/secrets.json", "pids": {"postgres": 4711, ...}}

They end on SIGTERM, SIGINT, or when standard input ends. A start that fails says why in one line on standard
error, with a non-zero status. The process ids change when an engine is started again: DIR/run/NAME.pid holds
the present one.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import STDLibLogObserver, globalLogBeginner
from twisted.python.failure import Failure

from messenger.core.lifecycle import StartError
from messenger.core.reactor import install_reactor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to end; the process's exit status."""
    options = _options(arguments)
    install_reactor()
    from twisted.internet import reactor

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("twisted").setLevel(logging.INFO if options.verbose else logging.WARNING)
    globalLogBeginner.beginLoggingTo([STDLibLogObserver()], redirectStandardIO=False)
    return _Runner(reactor, options.data, options.ports).run()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    from messenger.standalone.engines.ports import EnginePorts

    parser = argparse.ArgumentParser(
        prog="python -m messenger.standalone.engines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where the data is, or goes")
    for name in ("postgres", "nats", "valkey", "s3"):
        parser.add_argument(f"--{name}-port", type=int, default=0, metavar="PORT", help="default: a free one")
    parser.add_argument("--verbose", action="store_true", help="say what is going on")
    options = parser.parse_args(arguments)
    options.ports = EnginePorts(
        postgres=options.postgres_port,
        nats=options.nats_port,
        valkey=options.valkey_port,
        s3=options.s3_port,
    )
    return options


class _Runner:
    def __init__(self, reactor: Any, data: Path, ports: Any) -> None:
        from messenger.standalone.engines.engines import Engines

        self._reactor = reactor
        self._engines = Engines(reactor, data, ports)
        self._status = 0

    def run(self) -> int:
        self._reactor.callWhenRunning(lambda: ensureDeferred(self._start()))
        self._reactor.addSystemEventTrigger(
            "before", "shutdown", lambda: ensureDeferred(self._engines.stop())
        )
        self._reactor.run()
        return self._status

    async def _start(self) -> None:
        StandardIO(_UntilEnd(self._end), reactor=self._reactor)
        try:
            await self._engines.start()
        except StartError as error:
            print(f"messenger: {error}", file=sys.stderr)
            self._status = error.status
            self._end()
            return
        ready = {
            "addresses": asdict(self._engines.addresses),
            "secrets": str(self._engines.secrets_file),
            "pids": self._engines.pids(),
        }
        print(json.dumps(ready), flush=True)

    def _end(self) -> None:
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            return


class _UntilEnd(Protocol):
    """Calls `end` when standard input has ended; what comes there is of no interest."""

    def __init__(self, end: Any) -> None:
        self._end = end

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()


if __name__ == "__main__":
    sys.exit(main())
