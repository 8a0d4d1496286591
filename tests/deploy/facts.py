"""What the code has, so that what deploys it can be held to it: settings, commands, ports, paths, arrows.

Compose, Kubernetes and systemd say the same things in three languages: a command line, an environment, files
with secrets, and what to ask whether all is well. Each is turned into a `Process` and checked by `check`.
"""

import configparser
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

from messenger.core.config import load, require
from messenger.core.http.routing import MARK
from messenger.core.http.system import SystemEndpoints
from messenger.core.lifecycle import STOP_SECONDS
from messenger.core.settings import Settings
from messenger.gateway.endpoints import GatewayEndpoints

ROOT = Path(__file__).parents[2]
SERVICES = ("auth", "key", "message", "file")
ENGINES = {"postgres": 5432, "nats": 4222, "redis": 6379, "minio": 9000}

# Who speaks to whom: the picture in docs/architecture.md, and nothing else.
ARROWS = frozenset(
    {("gateway", service) for service in SERVICES}
    | {(service, engine) for service in SERVICES for engine in ("postgres", "nats", "redis")}
    | {("gateway", "redis"), ("file", "minio"), ("migrate", "postgres")}
)

# What each process can't do without, beside its own database_password; and what nobody else gets.
SECRETS = {
    "gateway": {"redis.password"},
    "auth": {
        "auth.database_password",
        "auth.signing_secret",
        "auth.pepper",
        "nats.password",
        "redis.password",
    },
    "key": {"key.database_password", "nats.password", "redis.password"},
    "message": {"message.database_password", "nats.password", "redis.password"},
    "file": {
        "file.database_password",
        "nats.password",
        "redis.password",
        "s3.access_key",
        "s3.secret_key",
    },
    "migrate": {"database.admin_password", *(f"{service}.database_password" for service in SERVICES)},
}


@dataclass
class Process:
    """One process as a deployment describes it. `files` are what it finds where, by path: the real file's."""

    name: str
    command: list[str]
    environment: dict[str, str]
    files: dict[str, Path]
    probes: list[tuple[int, str]] = field(default_factory=list)
    stop_seconds: float | None = None
    readiness: str = "/ready"


def check(process: Process) -> Settings:
    """The process's settings; AssertionError where it names a thing that is not there."""
    check_command(process.name, process.command)
    settings = settings_of(process)
    assert secrets_of(process) == SECRETS[process.name], process.name
    for section, key in (one.split(".") for one in SECRETS[process.name]):
        require(getattr(getattr(settings, section), key), section, key)
    if process.name != "migrate":
        ports = ports_of(process.name, settings)
        for port, path in process.probes:
            assert port in ports.values(), f"{process.name} does not listen on {port}"
            assert path in probe_paths(process.name), f"{process.name} has no {path}"
        assert process.probes, f"nobody asks how {process.name} is"
    if process.stop_seconds is not None:
        assert process.stop_seconds > STOP_SECONDS + settings.gateway.drain, process.name
    return settings


def check_command(name: str, command: list[str]) -> None:
    """`command` is what starts `name`, by programs that the package installs."""
    program, *arguments = command
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    scripts = metadata["options.entry_points"]["console_scripts"].split()[::3]
    assert Path(program).name in (*scripts, "twist"), program
    wanted = {"migrate": ["migrate"]}.get(name, [f"messenger-{name}"])
    assert arguments == wanted, command
    if name != "migrate":
        assert arguments[0] in {maker.tapname for maker in getPlugins(IServiceMaker)}


def settings_of(process: Process) -> Settings:
    """What the code makes of its environment, with the files where this test has them."""
    with tempfile.TemporaryDirectory() as folder:
        environ = dict(process.environment)
        for variable, value in environ.items():
            if is_file(variable) or variable == "MESSENGER_CONFIG":
                assert value in process.files, f"{process.name}: {variable} names {value}, which is not there"
                there = process.files[value]
                if not there.exists():
                    there = Path(folder) / variable
                    there.write_text(f"m{variable.lower()}")
                environ[variable] = str(there)
        return load(None, environ)


def is_file(variable: str) -> bool:
    """Whether a variable names a file. MESSENGER_GATEWAY__FILE does not: it says where that service is."""
    return variable.endswith("__FILE") and variable.count("__") == 2


def secrets_of(process: Process) -> set[str]:
    """The settings that come from files, as `section.key`; each file serves one of them."""
    found = {
        variable.removeprefix("MESSENGER_").removesuffix("__FILE").lower().replace("__", "."): value
        for variable, value in process.environment.items()
        if is_file(variable)
    }
    given = {path for path in process.files if not path.endswith((".toml", ".conf", ".crt"))}
    assert set(found.values()) == given, f"{process.name}: {given ^ set(found.values())}"
    return set(found)


def port_of(endpoint: str) -> int | None:
    """The port of an endpoint string; None for one that has none."""
    found = re.match(r"(?:tcp|ssl):(?:port=)?(\d+)", endpoint)
    return int(found[1]) if found else None


def ports_of(name: str, settings: Settings) -> dict[str, int]:
    """Where the process listens, by the setting's name."""
    section = getattr(settings, name)
    listens = [section.listen] if isinstance(section.listen, str) else section.listen
    found = {f"listen{number or ''}": port_of(one) for number, one in enumerate(listens)}
    if name == "gateway":
        found["metrics_listen"] = port_of(section.metrics_listen)
    return {key: port for key, port in found.items() if port is not None}


@cache
def probe_paths(name: str) -> frozenset[str]:
    """The paths that can be asked without a token."""
    classes = [SystemEndpoints, GatewayEndpoints] if name == "gateway" else [SystemEndpoints]
    routes = [route for one in classes for part in vars(one).values() for route in getattr(part, MARK, ())]
    return frozenset(route.path for route in routes if route.open)


def probe(url: str) -> tuple[int, str]:
    """The port and path of a health check's URL."""
    parts = urlsplit(url)
    assert parts.hostname in ("127.0.0.1", "localhost"), url
    assert parts.port is not None
    return parts.port, parts.path


def destinations(name: str, settings: Settings, environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Where the process's settings send it: host and port. Only what its environment says is meant."""
    if name == "gateway":
        for service in SERVICES:
            (entry,) = getattr(settings.gateway, service)
            host, _, port = entry.rpartition(":")
            yield host, int(port)
    if "MESSENGER_DATABASE__HOST" in environment:
        yield settings.database.host, settings.database.port
    for variable, url in (
        *(("MESSENGER_NATS__URL", url) for url in settings.nats.urls),
        ("MESSENGER_REDIS__URL", settings.redis.url),
        ("MESSENGER_S3__ENDPOINT", settings.s3.endpoint),
    ):
        if variable in environment:
            parts = urlsplit(url)
            yield str(parts.hostname), parts.port or 443
