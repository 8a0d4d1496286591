"""`messenger-admin --data DIR`: the same commands for `twist messenger`, whose engines are its own.

If a server runs on DIR its engines are used, else they are started for as long as the command takes.
"""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from messenger.core.config import load
from messenger.core.lifecycle import StartError
from messenger.core.settings import Settings

STOP_SECONDS = 15.0


@contextmanager
def embedded(data: Path, config: str | None, environ: Mapping[str, str], *, make: bool) -> Iterator[Settings]:
    """The settings for the engines below `data`, which serve meanwhile.

    StartError where there is no such data, unless `make` says to begin a new one.
    """
    from messenger.standalone.engines.engines import EngineAddresses, known_secrets, remembered_addresses
    from messenger.standalone.service import embedded_settings

    if not make and not (data / "secrets.json").exists():
        raise StartError(f"{data} holds no data of `twist messenger`")
    if _in_use(data):
        addresses, secrets = remembered_addresses(data)
        yield load(config, environ, embedded_settings(addresses, secrets))
        return
    with _engines(data) as started:
        addresses = EngineAddresses(**started["addresses"])
        yield load(config, environ, embedded_settings(addresses, known_secrets(data)))


def _in_use(data: Path) -> bool:
    """Whether a server runs there."""
    try:
        descriptor = os.open(data / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StartError(f"{data} can't be read: {error.strerror}; be who the server runs as") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _engines(data: Path) -> Iterator[dict[str, Any]]:
    """Run the engines; they end when their standard input does, so also if this process is killed."""
    arguments = [sys.executable, "-m", "messenger.standalone.engines", "--data", str(data)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as engines:
        assert engines.stdin is not None
        assert engines.stdout is not None
        try:
            line = engines.stdout.readline()
            if not line:
                raise StartError("the engines did not start; the line above says why", engines.wait())
            yield json.loads(line)
        finally:
            engines.stdin.close()
            try:
                engines.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                engines.kill()
