"""All that the doctor looks at, in order: what comes first explains what comes later."""

import resource
import shutil
import sys
from pathlib import Path

from messenger.admin.doctor.configuration import look_at_certificates, look_at_settings
from messenger.admin.doctor.engines import look_at_engines
from messenger.admin.doctor.postgresql import look_at_postgresql
from messenger.admin.doctor.services import look_at_services
from messenger.admin.doctor.telling import Telling
from messenger.admin.running import run_reactor
from messenger.core.settings import Settings

ROOM = 0.1  # of a disk
DESCRIPTORS = 65_536


def doctor(settings: Settings, data: Path | None, *, services: bool) -> int:
    """How much is wrong. `data` is the data directory of `twist messenger`, if it is one; without `services`
    the processes are left out."""
    telling = Telling()
    look_at_settings(settings, telling)
    look_at_certificates(settings, telling)
    _look_at_machine(data, telling)
    look_at_postgresql(settings, telling)
    run_reactor(lambda reactor: look_at_engines(reactor, settings, telling))
    if services:
        look_at_services(settings, telling, together=data is not None)
    sys.stdout.write(f"wrong: {telling.wrong}, warnings: {telling.warned}\n")
    return telling.wrong


def _look_at_machine(data: Path | None, telling: Telling) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        telling.warn(
            "descriptors",
            f"a process started from here may have {hard}",
            f"{DESCRIPTORS} hold as many sockets as the settings allow: see ulimit -Hn, LimitNOFILE",
        )
    else:
        telling.ok("descriptors", "a process started from here may have enough")
    if data is not None:
        disk = shutil.disk_usage(data)
        words = f"{disk.free / 2**30:.1f} of {disk.total / 2**30:.1f} GiB are free"
        if disk.free < ROOM * disk.total:
            telling.warn(f"disk of {data}", words, "make room: PostgreSQL stops on a full disk")
        else:
            telling.ok(f"disk of {data}", words)
