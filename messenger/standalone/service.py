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

from messenger.core.bus import Bus
from messenger.core.config import load
from messenger.core.database import versions
from messenger.core.lifecycle import Lifecycle, Ordered, Part, StartError, say
from messenger.core.schemas import SCHEMAS, newest
from messenger.core.service import Built, Context, ServiceOptions, shared_parts, spans_of
from messenger.core.settings import Settings
from messenger.standalone.engines import EngineAddresses, Engines, EngineSecrets

log = Logger()


class Options(ServiceOptions):
    """The command line of `twist messenger`."""

    synopsis = "[options]"
    longdesc = (
        "Runs everything in one process, on embedded engines with their data below --data. The first start "
        "makes its own secrets. The gateway listens on port 8080: see [gateway] listen in the settings."
    )
    optParameters = [  # noqa: RUF012 - usage.Options reads it from the class
        ["data", "d", "var", "The directory that keeps all data, made where it is missing."]
    ]


class Standalone(Ordered):
    """The engines, then the services on them. `environ` is where settings are read from again."""

    def __init__(self, reactor: Any, options: Options, environ: dict[str, str]) -> None:
        super().__init__(reactor)
        self._config: str | None = options["config"]
        self._environ = environ
        self._engines = Engines(reactor, Path(options["data"]))
        self.settings: Settings = options.settings

    async def build(self) -> Sequence[Part]:
        """The services' parts, once the engines have started and the schemas are up to date."""
        await self._start(self._engines)
        over = embedded_settings(self._engines.addresses, self._engines.secrets)
        self.settings = settings = load(self._config, self._environ, over)
        await _migrate(self._reactor, settings)
        bus = Bus(self._reactor, settings.nats, "messenger")
        context = Context(self._reactor, settings, bus, spans_of(settings, "messenger"))
        services = _services(context)
        parts = shared_parts(context)
        for service in services:
            parts += service.parts
        return [*parts, *_gateway(context, services).parts]


def embedded_settings(addresses: EngineAddresses, secrets: EngineSecrets) -> dict[str, dict[str, Any]]:
    """What the settings say where the file and the environment say nothing: the embedded engines."""
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
        listen = standalone.settings.gateway.listen
        where = listen if isinstance(listen, str) else listen[0]
        log.info("ready on {listen}", event="ready", listen=where)
        say(f"ready at {_url(where)}, with its data in {Path(options['data']).resolve()}")
        say("README.md leads through a first conversation; stop with Ctrl-C")

    return Lifecycle(reactor, standalone, ready)


def _url(endpoint: str) -> str:
    kind, _, rest = endpoint.partition(":")
    if kind not in ("tcp", "ssl"):
        return endpoint
    fields = rest.split(":")
    host = next((part.removeprefix("interface=") for part in fields if part.startswith("interface=")), "")
    port = next((part.removeprefix("port=") for part in fields if part.removeprefix("port=").isdigit()), "?")
    return f"{'https' if kind == 'ssl' else 'http'}://{host or '127.0.0.1'}:{port}/"
