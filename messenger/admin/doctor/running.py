"""All that the doctor looks at, in order: what comes first explains what comes later."""

import resource
import shutil
import sys
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from messenger.admin.doctor.configuration import look_at_certificates, look_at_settings
from messenger.admin.doctor.engines import look_at_engines
from messenger.admin.doctor.findings import Findings
from messenger.admin.doctor.postgresql import look_at_postgresql
from messenger.admin.doctor.requests import HttpAsker
from messenger.admin.doctor.services import look_at_server, look_at_services
from messenger.admin.running import run_reactor
from messenger.core.lifecycle import StartError
from messenger.core.room import FLOOR
from messenger.core.schemas import SCHEMAS
from messenger.core.settings import Settings
from messenger.standalone.server import Server, server_of

ROOM = 0.1  # of a disk
DESCRIPTORS = 65_536


def doctor(settings: Settings, data: Path | None, *, services: bool) -> int:
    """How much is wrong. `data` is the data directory of `twist messenger`, if it is one; without `services`
    the processes are left out."""
    findings = Findings()
    server = None if data is None else _server(data)
    if server is not None:
        settings = _as_it_listens(settings, server)
    look_at_settings(settings, findings)
    look_at_certificates(settings, findings)
    _look_at_machine(data, findings)
    look_at_postgresql(settings, findings)

    async def look(reactor: Any) -> None:
        await look_at_engines(reactor, settings, findings)
        ask = HttpAsker(reactor, settings)
        if services and data is not None:
            await look_at_server(server, data, ask, findings)
        elif services:
            await look_at_services(settings, ask, findings)

    run_reactor(look)
    sys.stdout.write(f"wrong: {findings.wrong}, warnings: {findings.warned}\n")
    return findings.wrong


def _server(data: Path) -> Server | None:
    try:
        return server_of(data)
    except OSError as error:
        raise StartError(f"{data} can't be read: {error.strerror}; be who the server runs as") from None


def _as_it_listens(settings: Settings, server: Server) -> Settings:
    """The settings with the endpoints that the running server has, wherever it was told of them."""
    sections = {
        name: replace(getattr(settings, name), listen=listens if name == "gateway" else listens[0])
        for name, listens in server.listens.items()
        if name in ("gateway", *SCHEMAS)
    }
    return replace(settings, **sections)


def _look_at_machine(data: Path | None, findings: Findings) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        findings.warn(
            "descriptors",
            f"a process started from here may have {hard}",
            f"{DESCRIPTORS} hold as many sockets as the settings allow: see ulimit -Hn, LimitNOFILE",
        )
    else:
        findings.ok("descriptors", "a process started from here may have enough")
    if data is not None:
        disk = shutil.disk_usage(data)
        words = f"{disk.free / 2**30:.1f} of {disk.total / 2**30:.1f} GiB are free"
        if disk.free < FLOOR:
            advice = f"nothing new is stored below {FLOOR >> 20} MiB: make room, and all goes on by itself"
            findings.bad(f"disk of {data} is full", words, advice)
        elif disk.free < ROOM * disk.total:
            findings.warn(f"disk of {data}", words, "make room: PostgreSQL stops on a full disk")
        else:
            findings.ok(f"disk of {data}", words)
