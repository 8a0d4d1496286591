"""Can a server start here? Asked before anything is installed, made or migrated.

    python3 messenger/standalone/preflight.py [--port PORT] [--data DIR]

`make run` runs this file by the system's own Python, which has none of our packages and may be an old one; so
this knows the standard library alone. `twist messenger` asks again, with all of its settings. It ends with 0,
or with 1 and a line that says what is in the way and what to do.

Also here: which ports there are. All follow from one, the gateway's: `--port 18080` moves them all.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence

OLDEST, NEWER = (3, 11), (3, 14)
PORT = 8080
HIGHEST = 65525

# Section and key of each endpoint, how far its port is above the gateway's, and what it is to people.
LISTENERS = (
    ("gateway", "listen", 0, "the gateway"),
    ("auth", "listen", 1, "the auth service"),
    ("message", "listen", 2, "the message service"),
    ("file", "listen", 3, "the file service"),
    ("key", "listen", 4, "the key service"),
    ("gateway", "metrics_listen", 10, "the gateway's metrics"),
)


def endpoints(port: int) -> dict[str, dict[str, str]]:
    """Each section's keys with the endpoints that follow from `port`, all of them on this machine alone."""
    found: dict[str, dict[str, str]] = {}
    for section, key, above, _ in LISTENERS:
        found.setdefault(section, {})[key] = f"tcp:{port + above}:interface=127.0.0.1"
    return found


def in_the_way(listens: Mapping[tuple[str, str], str | Sequence[str]], data: str, how: str) -> str:
    """Why no server can start on the data in `data` with these endpoints, by section and key; empty where it
    can.

    `how` says how other ports are chosen.
    """
    for section, key, _, what in LISTENERS:
        texts = listens[section, key]
        for text in [texts] if isinstance(texts, str) else texts:
            where, why = _taken(text)
            if not why:
                continue
            holder = running(data)
            if holder:
                return f"{data} is in use by {holder}; another server has data and ports of its own: {how}"
            whose = f"for {what} ([{section}] {key})"
            return f"{where} {why}, {whose}: end what listens there, or choose other ports: {how}"
    return ""


def running(data: str) -> str:
    """Which process works on the data in `data`, in words; empty where none does."""
    try:
        descriptor = os.open(os.path.join(data, "lock"), os.O_RDWR)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return ""
    except OSError:
        words = "process " + (os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "?")
    finally:
        os.close(descriptor)
    try:
        with open(os.path.join(data, "run", "server.json"), "rb") as file:
            url = json.loads(file.read())["urls"]["gateway"][0]
        return f"{words}, which serves at {url}"
    except (OSError, ValueError, LookupError, TypeError):
        return words


def _taken(text: str) -> tuple[str, str]:
    """Where an endpoint listens, in words, and why it can't; empty where it can, or where that can't be
    told."""
    kind, *parts = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", text)]
    fields = {name: value for name, is_named, value in (part.partition("=") for part in parts) if is_named}
    if parts and "=" not in parts[0]:
        fields["port"] = parts[0]
    port = fields.get("port", "")
    if kind not in ("tcp", "ssl") or not port.isdigit() or fields.get("reusePort") == "yes":
        return "", ""
    address = fields.get("interface", "")
    where = f"port {port} on {address}" if address else f"port {port}"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            # As the server does it: connections that are only being forgotten (TIME_WAIT) are not in the way.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((address, int(port)))
            trial.listen(1)
    except OSError as error:
        return where, "is taken" if error.errno == errno.EADDRINUSE else f"can't be had ({error.strerror})"
    except OverflowError:  # a number that is no port's: the endpoint itself says so
        return "", ""
    return "", ""


def _configured(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Read the configuration file as far as it can be read: what is wrong with it is told later."""
    try:
        import tomllib

        with open(environ["MESSENGER_CONFIG"], "rb") as file:
            return {
                name: section for name, section in tomllib.load(file).items() if isinstance(section, dict)
            }
    except (ImportError, KeyError, OSError, ValueError):
        return {}


def wrong(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Say what is in the way of `make run` with these arguments; empty where nothing is."""
    given = dict(_pairs(arguments))
    if not OLDEST <= sys.version_info[:2] < NEWER:
        has = ".".join(map(str, sys.version_info[:2]))
        return f"Python 3.11 to 3.13 is needed, and {sys.executable} is {has}: make run PYTHON=python3.12"
    port = given.get("--port", str(PORT))
    if not port.isdigit() or not 1 <= int(port) <= HIGHEST:
        return f"PORT is a number from 1 to {HIGHEST}, not {port!r}"
    file = _configured(environ)
    listens: dict[tuple[str, str], str | Sequence[str]] = {}
    for section, keys in endpoints(int(port)).items():
        for key, text in keys.items():
            said = environ.get(f"MESSENGER_{section}__{key}".upper())
            listens[section, key] = said.split(",") if said else file.get(section, {}).get(key, text)
    return in_the_way(listens, given.get("--data", "var"), "make run PORT=18080 DATA=var2")


def _pairs(arguments: Sequence[str]) -> Iterable[tuple[str, str]]:
    for number in range(0, len(arguments) - 1, 2):
        yield arguments[number], arguments[number + 1]


if __name__ == "__main__":
    sys.exit(f"messenger: {why}" if (why := wrong(sys.argv[1:], os.environ)) else 0)
