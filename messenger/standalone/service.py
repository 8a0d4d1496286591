"""`twist messenger`: the gateway and the four services in one process, on engines that it runs itself.

The engines are real (PostgreSQL, NATS JetStream, Valkey, SeaweedFS's S3) and keep their data below `--data`.
They start first and stop last. The services listen on their own ports as they do when they run apart; the
gateway hands requests to them within the process, without a hop.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.logger import Logger
from twisted.python.usage import UsageError

from messenger.core.bus.connection import Bus
from messenger.core.config import load
from messenger.core.database.versions import versions
from messenger.core.http.server import HttpServer
from messenger.core.lifecycle import Lifecycle, Ordered, Part, StartError, say
from messenger.core.room import Floor
from messenger.core.schemas import SCHEMAS, newest
from messenger.core.service import Built, Context, ServiceOptions, leave, shared_parts, spans_of
from messenger.core.settings import Settings
from messenger.standalone.engines.credentials import EngineSecrets
from messenger.standalone.engines.engines import EngineAddresses, Engines
from messenger.standalone.preflight import HIGHEST, LISTENERS, PORT, endpoints, in_the_way
from messenger.standalone.server import announce
from messenger.standalone.welcome import ready_lines

log = Logger()


class Options(ServiceOptions):
    """The command line of `twist messenger`."""

    synopsis = "[options]"
    longdesc = (
        "Runs everything in one process, on embedded engines with their data below --data. The first start "
        "makes its own secrets. It listens on this machine alone, on port 8080 and some above: --port moves "
        "all that the settings don't name, [gateway] listen lets others in."
    )
    optParameters = [  # noqa: RUF012 - usage.Options reads it from the class
        ["data", "d", "var", "The directory that keeps all data, made where it is missing."],
        [
            "port",
            "p",
            str(PORT),
            f"The gateway's port; the services' are 1 to 4 above it, its metrics 10. 1 to {HIGHEST}.",
        ],
    ]

    def postOptions(self) -> None:
        if not self["port"].isdecimal() or not 1 <= int(self["port"]) <= HIGHEST:
            raise UsageError(f"--port is a number from 1 to {HIGHEST}, not {self['port']!r}")
        super().postOptions()
        # Told in the first second, before engines start and schemas change.
        listens = {
            (section, key): getattr(getattr(self.settings, section), key) for section, key, *_ in LISTENERS
        }
        why = in_the_way(listens, self["data"], "--port 18080 --data DIR")
        if why:
            leave(StartError(why))

    def load(self) -> Settings:
        return load(self["config"], os.environ, self.over)

    @property
    def over(self) -> dict[str, dict[str, Any]]:
        """Settings that hold where neither the file nor the environment says otherwise."""
        return {section: dict(keys) for section, keys in endpoints(int(self["port"])).items()}


class Standalone(Ordered):
    """The engines, then the services on them. `environ` is where settings are read from again."""

    def __init__(self, reactor: Any, options: Options, environ: dict[str, str]) -> None:
        super().__init__(reactor)
        self._config: str | None = options["config"]
        self._environ = environ
        self._over = options.over
        self._data = Path(options["data"])
        self._engines = Engines(reactor, self._data)
        self.settings: Settings = options.settings
        self.servers: list[HttpServer] = []

    async def build(self) -> Sequence[Part]:
        """The services' parts, once the engines have started and the schemas are up to date."""
        await self._start(self._engines)
        over = embedded_settings(self._engines.addresses, self._engines.secrets)
        for section, values in self._over.items():
            over.setdefault(section, {}).update(values)
        self.settings = settings = load(self._config, self._environ, over)
        await _migrate(self._reactor, settings)
        bus = Bus(self._reactor, settings.nats, "messenger")
        floor = Floor(self._reactor.seconds, self._data)
        context = Context(self._reactor, settings, bus, spans_of(settings, "messenger"), floor, alone=True)
        services = _services(context)
        parts = shared_parts(context)
        for service in services:
            parts += service.parts
        parts += _gateway(context, services).parts
        self.servers = [part for part in parts if isinstance(part, HttpServer)]
        return parts


def embedded_settings(addresses: EngineAddresses, secrets: EngineSecrets) -> dict[str, dict[str, Any]]:
    """Settings that hold where the file and the environment say nothing: the embedded engines."""
    redis = addresses.redis_url.rpartition("@")[2]
    over: dict[str, dict[str, Any]] = {
        "database": {
            "host": addresses.postgres_host,
            "port": addresses.postgres_port,
            "name": addresses.postgres_database,
            "sslmode": "disable",
            "admin_user": addresses.postgres_superuser,
            "admin_password": secrets.postgres_password,
        },
        "nats": {
            "url": "nats://" + addresses.nats_url.rpartition("@")[2],
            "user": secrets.nats_user,
            "password": secrets.nats_password,
        },
        "redis": {"url": f"redis://{redis}", "password": secrets.valkey_password},
        "s3": {
            "endpoint": addresses.s3_endpoint,
            "region": addresses.s3_region,
            "access_key": addresses.s3_access_key,
            "secret_key": addresses.s3_secret_key,
        },
    }
    for schema, password in secrets.database_passwords.items():
        over[schema] = {"database_password": password}
    over["auth"]["signing_secret"] = secrets.token_secret
    over["push"] = {"vapid_key": secrets.vapid_key}
    return over


async def _migrate(reactor: Any, settings: Settings) -> None:
    """Bring the schemas up to date, in a child process: alembic is not needed again after that."""
    found = await deferToThread(versions, settings.database, list(SCHEMAS))
    if all(version is not None and version >= newest(schema) for schema, version in found.items()):
        return
    environ = {
        "MESSENGER_DATABASE__HOST": settings.database.host,
        "MESSENGER_DATABASE__PORT": str(settings.database.port),
        "MESSENGER_DATABASE__NAME": settings.database.name,
        "MESSENGER_DATABASE__SSLMODE": settings.database.sslmode,
        "MESSENGER_DATABASE__ADMIN_USER": settings.database.admin_user,
        "MESSENGER_DATABASE__ADMIN_PASSWORD": settings.database.admin_password,
    }
    for schema in SCHEMAS:
        password = getattr(settings, schema).database_password
        environ[f"MESSENGER_{schema.upper()}__DATABASE_PASSWORD"] = password
    output, errors, status = await getProcessOutputAndValue(
        sys.executable, ["-m", "messenger.admin.main", "migrate"], environ, reactor=reactor
    )
    if status != 0:
        lines = errors.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise StartError(f"the schemas could not be brought up to date: {lines[-1]}")
    for line in output.decode().splitlines():
        log.info("migrated {step}", event="migrated", step=line)


def _services(context: Context) -> list[Built]:
    from messenger.auth import service as auth
    from messenger.files import service as files
    from messenger.keys import service as keys
    from messenger.messages import service as messages

    return [module.build(context) for module in (auth, keys, messages, files)]


def _gateway(context: Context, services: list[Built]) -> Built:
    from messenger.gateway import service as gateway

    return gateway.build(context, {service.name: service for service in services})


def makeService(options: Options) -> Lifecycle:
    """For `twist`."""
    from twisted.internet import reactor

    standalone = Standalone(reactor, options, dict(os.environ))

    def ready() -> None:
        data = Path(options["data"])
        announce(data, standalone.servers)
        (gateway,) = [server for server in standalone.servers if server.name == "gateway"]
        log.info("ready at {url}", event="ready", url=gateway.urls[0])
        for line in ready_lines(gateway.urls, gateway.hosts, standalone.settings.auth.registration, data):
            say(line)

    return Lifecycle(reactor, standalone, ready)
