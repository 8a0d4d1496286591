"""The parts of every subcommand of `twist`: Options, reactor, and the parts that all services have.

A service's own `service.py` has `build(context)`, which says top to bottom what it consists of: first
`foundation`, at the end `serve`; and `makeService`, which `twist` calls. `twist messenger` calls all the
builds with one context.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from prometheus_client import CollectorRegistry
from twisted.logger import LogLevel
from twisted.python.usage import Options

from messenger.core.bus.connection import Bus
from messenger.core.config import load, require, trusted_networks
from messenger.core.database.pool import Database
from messenger.core.descriptors import DescriptorLimit
from messenger.core.http.admission import RouteLimits
from messenger.core.http.fairness import Fairness
from messenger.core.http.metrics import HttpMetrics
from messenger.core.http.router import STREAM_LIMIT, Router
from messenger.core.http.server import HttpServer
from messenger.core.http.system import Check, SystemEndpoints
from messenger.core.lifecycle import Lifecycle, Ordered, Part, StartError, say
from messenger.core.limits.limits import Limits
from messenger.core.limits.metrics import LimitsMetrics
from messenger.core.log import lines
from messenger.core.metrics import ServiceMetrics
from messenger.core.outbox import Outbox
from messenger.core.reactor import install_reactor
from messenger.core.room import Floor, Room
from messenger.core.schemas import newest
from messenger.core.settings import Settings
from messenger.core.threads import Threads
from messenger.core.tokens import Tokens

if TYPE_CHECKING:
    from messenger.core.spans import Spans


class ServiceOptions(Options):
    """The command line of a service: `--config`, and whatever the service adds."""

    optParameters = [  # noqa: RUF012 - usage.Options reads it from the class
        ["config", "c", None, "The TOML file with the settings (or the environment's MESSENGER_CONFIG)."]
    ]
    settings: Settings
    service = "messenger"  # the name in log lines

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        install_reactor()

    def postOptions(self) -> None:
        try:
            self.settings = self.load()
        except StartError as error:
            leave(error)
        if self.parent is not None and "--log-format" not in " ".join(sys.argv):
            self.parent["fileLogObserverFactory"] = lines(self.service)
            self.parent["logLevel"] = LogLevel.levelWithName(self.settings.log.level)

    def load(self) -> Settings:
        """The settings that this command line asks for."""
        return load(self["config"], os.environ)


def leave(error: StartError) -> NoReturn:
    """End the process before its reactor runs, with the error's one line and status."""
    say(str(error))
    raise SystemExit(error.status)


@dataclass
class Context:
    """The settings and parts that the services of one process share; bus and limits start before them.

    `floor` is that of the engines' disk, where that is this machine's; `alone`: there are no other instances,
    nor will be.
    """

    reactor: Any
    settings: Settings
    bus: Bus
    spans: "Spans | None" = None
    floor: Floor | None = None
    alone: bool = False
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        cache = None
        if self.settings.redis.url:
            from messenger.core.cache import Cache

            cache = Cache(self.reactor, self.settings.redis)
        self.limits = Limits(self.settings.limits, time.monotonic, cache)


@dataclass
class Foundation:
    """The parts that each service has for itself, before all others of it."""

    name: str
    database: Database
    tokens: Tokens
    outbox: Outbox
    registry: CollectorRegistry
    admission: RouteLimits

    @property
    def parts(self) -> list[Part]:
        """Database, tokens and outbox."""
        return [self.database, self.tokens, self.outbox]


def spans_of(settings: Settings, service: str) -> "Spans | None":
    """The exporter of this process's spans, where the configuration names a collector."""
    if not settings.otel.endpoint:
        return None
    from messenger.core.spans import Spans  # it knows OpenTelemetry, which is an extra

    return Spans(settings.otel, service)


def shared_parts(context: Context) -> list[Part]:
    """The parts that the services of one process share, in the order of their start."""
    return [context.bus, context.limits, *([context.spans] if context.spans else [])]


def route_limits(context: Context, section: str, registry: CollectorRegistry) -> RouteLimits:
    """The admission of the service that `section` configures; the limits' metrics go to `registry`."""
    LimitsMetrics(registry, context.limits)
    return RouteLimits(context.limits, f"[{section}] trusted_proxies")


@dataclass
class Built:
    """A service as built: what to start, in order, what answers its requests, and whether it can."""

    name: str
    parts: list[Part]
    router: Router
    check: Check


def foundation(context: Context, name: str) -> Foundation:
    """The database pool, token verification and outbox of the service whose schema and section are `name`."""
    settings = context.settings
    database = Database(
        context.reactor,
        settings.database,
        name,
        require(getattr(settings, name).database_password, name, "database_password"),
        newest(name),
        context.floor,
    )
    tokens = Tokens(
        context.reactor,
        database,
        context.bus,
        issuer=settings.auth.issuer,
        audience=settings.auth.audience,
        lifetime=settings.auth.access_token,
    )
    outbox = Outbox(context.reactor, database, context.bus, name, context.alone)
    database.on_epoch(tokens.start_anew)
    database.on_epoch(context.bus.doubt)
    registry = CollectorRegistry()
    return Foundation(name, database, tokens, outbox, registry, route_limits(context, name, registry))


def serve(
    context: Context,
    base: Foundation,
    endpoints: Sequence[object],
    parts: Sequence[Part],
    *,
    threads: Mapping[str, Threads] | None = None,
    rooms: Iterable[Room] = (),
    checks: Mapping[str, Check] | None = None,
    stream_limit: int = STREAM_LIMIT,
) -> Built:
    """The service that answers by these `endpoints`, and by those that all have (/health, /ready, /metrics).

    It listens once all `parts` are started. `threads` are its pools by name, `rooms` what it stores
    something in besides the database, `checks` what /ready asks besides database and bus; `stream_limit` is
    in bytes.
    """
    section = getattr(context.settings, base.name)
    ServiceMetrics(base.registry, base.database, context.bus, base.outbox, threads, rooms)
    system = SystemEndpoints(
        context.reactor,
        {"postgresql": base.database.check, "nats": context.bus.check, **(checks or {})},
        base.registry,
        lambda: base.database.schemas,
    )
    router = Router(
        [*endpoints, system],
        authenticator=base.tokens,
        admission=base.admission,
        body_limit=context.settings.http.body,
        stream_limit=stream_limit,
        fairness=Fairness(context.reactor),
    )
    server = HttpServer(
        context.reactor,
        base.name,
        section.listen,
        router,
        setting=f"[{base.name}] listen",
        draining=system.drain,
        metrics=HttpMetrics(base.registry),
        trusted_proxies=trusted_networks(section.trusted_proxies, base.name),
        spans=context.spans,
    )
    return Built(base.name, [*parts, server], router, system.check)


def make_service(options: ServiceOptions, name: str, build: Callable[[Context], Built]) -> Lifecycle:
    """The one service of this process, for `twist`."""
    from twisted.internet import reactor

    try:
        settings = options.settings
        bus = Bus(reactor, settings.nats, f"messenger-{name}")
        context = Context(reactor, settings, bus, spans_of(settings, name))
        parts = [*shared_parts(context), *build(context).parts]
        if name == "message":
            parts.insert(0, DescriptorLimit(settings.message.sockets, "[message] sockets"))
        return Lifecycle(reactor, Ordered(reactor, parts))
    except StartError as error:
        leave(error)
