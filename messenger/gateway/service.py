"""`twist messenger-gateway`: the one entry, for HTTP and WebSocket, to all services."""

from collections.abc import Mapping
from importlib.resources import files
from math import ceil

from prometheus_client import CollectorRegistry
from twisted.internet.interfaces import IReactorTime

from messenger import __version__
from messenger.core.certificates import trust_root
from messenger.core.config import trusted_networks
from messenger.core.descriptors import DescriptorLimit
from messenger.core.http.metrics import HttpMetrics
from messenger.core.http.router import Router
from messenger.core.http.routing import Route
from messenger.core.http.server import HttpServer
from messenger.core.http.system import SystemEndpoints
from messenger.core.lifecycle import EX_CONFIG, Lifecycle, Ordered, StartError
from messenger.core.schemas import SCHEMAS, newest
from messenger.core.service import (
    Built,
    Context,
    ServiceOptions,
    leave,
    route_limits,
    shared_parts,
    spans_of,
)
from messenger.core.settings import Settings
from messenger.gateway.app import Gateway, Mount
from messenger.gateway.cors import Origins
from messenger.gateway.metrics import GatewayMetrics
from messenger.gateway.routes import SERVICES
from messenger.gateway.upstream import Upstream
from messenger.web import assets
from messenger.wire.system import Info


class Options(ServiceOptions):
    """The command line of `twist messenger-gateway`."""

    service = "gateway"
    synopsis = "[options]"
    longdesc = (
        "Takes all requests and WebSockets, on port 8080 unless [gateway] listen says otherwise, and hands "
        "them to the services at [gateway] auth, message, file and key. Needs no database; answers 502 for "
        "a service that is away. Settings: --config FILE, or MESSENGER_CONFIG, with MESSENGER_SECTION__KEY "
        "in the environment on top."
    )


REFUSED_SECONDS = 0.1  # who goes on regardless of refusals has ten a second on each connection


def info_of(settings: Settings) -> Info:
    """The answer to `/api/v1/info` by this configuration: sizes in bytes, times in seconds, the rest
    counts."""
    return Info(
        version=__version__,
        schema={name: newest(name) for name in SCHEMAS},
        reconnect_spread=ceil(settings.gateway.reconnect_spread),
        protocols=["messenger.v1"],
        registration=settings.auth.registration,
        limits={
            "body": settings.http.body,
            "content": settings.message.content,
            "page": settings.message.page,
            "conversations": settings.message.conversations,
            "blocks": settings.message.blocks,
            "push_targets": settings.push.targets,
            "file": settings.file.size,
            "quota": settings.file.quota,
            "devices": settings.auth.devices,
            "device_unseen": int(settings.auth.device_unseen),
            "members": settings.message.members,
            "receipt_members": settings.message.receipt_members,
            "one_time_prekeys": settings.key.one_time_prekeys,
            "low_prekeys": settings.key.low_prekeys,
            "claims_by_asker": settings.key.claims_by_asker,
            "claims_of_device": settings.key.claims_of_device,
        },
        features=[
            "websocket",
            "files",
            "resumable_files",
            "totp",
            "kdf",
            "kem_prekeys",
            "device_lists",
            "vault",
            "push",
        ],
    )


def openapi() -> bytes:
    """The API's description, made by `python -m messenger.admin.openapi`."""
    return files("messenger.gateway").joinpath("openapi.json").read_bytes()


def _services(
    reactor: IReactorTime, settings: Settings, mounted: Mapping[str, Built]
) -> dict[str, Upstream | Mount]:
    found: dict[str, Upstream | Mount] = {}
    trust = trust_root(settings.gateway.upstream_ca, "[gateway] upstream_ca")
    for name in SERVICES:
        built = mounted.get(name)
        if built is not None:
            found[name] = Mount(built.router, built.check)
            continue
        try:
            found[name] = Upstream(reactor, name, getattr(settings.gateway, name), trust=trust)
        except ValueError as error:
            raise StartError(f"[gateway] {name}: {error}", EX_CONFIG) from None
    return found


def _origins(settings: Settings) -> Origins:
    try:
        return Origins(settings.gateway.origins)
    except ValueError as error:
        raise StartError(f"[gateway] origins: {error}", EX_CONFIG) from None


def _web(settings: Settings) -> list[Route]:
    """The web client's routes, if it is served."""
    if not settings.gateway.web:
        return []
    try:
        return assets.routes(assets.load())
    except assets.Damaged as error:
        raise StartError(f"{error}; or set [gateway] web = false", EX_CONFIG) from None


def build(context: Context, mounted: Mapping[str, Built] | None = None) -> Built:
    """The gateway, top to bottom. The services in `mounted` live in this process."""
    reactor, settings = context.reactor, context.settings
    registry = CollectorRegistry()
    services = _services(reactor, settings, mounted or {})
    gateway = Gateway(
        reactor,
        services,
        info=info_of(settings),
        openapi=openapi(),
        web=_web(settings),
        origins=_origins(settings),
        admission=route_limits(context, "gateway", registry),
        max_sockets=settings.gateway.connections,
    )
    server = HttpServer(
        reactor,
        "gateway",
        settings.gateway.listen,
        gateway,
        setting="[gateway] listen",
        draining=gateway.drain,
        drain_seconds=settings.gateway.drain,
        metrics=HttpMetrics(registry),
        max_connections=settings.gateway.connections,
        max_by_address=settings.gateway.connections_by_address,
        refused_seconds=REFUSED_SECONDS,
        trusted_proxies=trusted_networks(settings.gateway.trusted_proxies, "gateway"),
        spans=context.spans,
        chooses_traces=True,
    )
    system = SystemEndpoints(reactor, gateway.endpoints.checks, registry, lambda: gateway.endpoints.schema)
    metrics = HttpServer(
        reactor,
        "gateway-metrics",
        settings.gateway.metrics_listen,
        Router([system]),
        setting="[gateway] metrics_listen",
    )
    GatewayMetrics(registry, gateway, services, server.site)
    # A WebSocket that is relayed takes two: the client's, and the one to the message service.
    sockets = settings.gateway.connections * (1 if mounted else 2)
    limit = DescriptorLimit(sockets, "[gateway] connections")
    return Built(
        "gateway", [limit, gateway, metrics, server], Router([gateway.endpoints], prefix=""), system.check
    )


def makeService(options: Options) -> Lifecycle:
    """The service, for `twist`. The gateway needs no bus: it hears of nothing but requests."""
    from twisted.internet import reactor

    from messenger.core.bus.connection import Bus

    try:
        settings = options.settings
        bus = Bus(reactor, settings.nats, "messenger-gateway")
        context = Context(reactor, settings, bus, spans_of(settings, "gateway"))
        return Lifecycle(reactor, Ordered(reactor, [*shared_parts(context)[1:], *build(context).parts]))
    except StartError as error:
        leave(error)
