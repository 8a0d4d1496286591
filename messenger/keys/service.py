"""`twist messenger-key`: identity keys, prekeys and bundles."""

import time

from prometheus_client import CollectorRegistry

from messenger.core.config import trusted_networks
from messenger.core.http import Fairness, HttpMetrics, HttpServer, Router, SystemEndpoints
from messenger.core.lifecycle import Lifecycle
from messenger.core.metrics import ServiceMetrics
from messenger.core.periodic import Periodic
from messenger.core.schemas import newest
from messenger.core.service import Built, Context, ServiceOptions, common, make_service, route_limits
from messenger.core.work import Work
from messenger.keys.departures import Departures
from messenger.keys.domain import Keys
from messenger.keys.http import Endpoints
from messenger.keys.ports import Outgoing
from messenger.keys.store import KeyStore
from messenger.keys.vault.domain import Vault
from messenger.keys.vault.http import VaultEndpoints
from messenger.keys.vault.store import Store as VaultStore
from messenger.wire.codec import encode
from messenger.wire.events import REMOVE_USER, UserRemoval

SWEEP_SECONDS = 3600.0
CLAIMS_SECONDS = 60.0


class Options(ServiceOptions):
    """The command line of `twist messenger-key`."""

    service = "key"
    synopsis = "[options]"
    longdesc = (
        "Keeps the public keys that end-to-end encryption starts from, and hands out each one-time prekey "
        "once. Needs PostgreSQL (schema key, made by `messenger-admin migrate`) and NATS; listens where "
        "[key] listen says, for the gateway. Settings: --config FILE, or MESSENGER_CONFIG, with "
        "MESSENGER_SECTION__KEY in the environment on top; [key] database_password is a must."
    )


def build(context: Context) -> Built:
    """The key service, top to bottom."""
    reactor, settings = context.reactor, context.settings.key
    core = common(context, "key", settings.database_password, newest("key"))
    registry = CollectorRegistry()
    ServiceMetrics(registry, core.database, context.bus, core.outbox)

    def tell(events: list[Outgoing]) -> None:
        for one in events:
            core.outbox.send(one.event_id, one.subject, encode(one.event))

    keys = Keys(
        KeyStore(core.database),
        stored=settings.one_time_prekeys,
        low=settings.low_prekeys,
        by_asker=settings.claims_by_asker,
        of_device=settings.claims_of_device,
        tell=tell,
        clock=time.time,
    )
    Departures(context.bus, keys.forget_devices)
    removals = Work(
        reactor,
        context.bus,
        "key-remove-user",
        REMOVE_USER,
        UserRemoval,
        keys.forget_user,
        keys.forget_deleted,
    )
    system = SystemEndpoints(
        reactor,
        {"postgresql": core.database.check, "nats": context.bus.check},
        registry,
        lambda: core.database.schemas,
    )
    admission = route_limits(context, "key", registry)
    router = Router(
        [Endpoints(keys), VaultEndpoints(Vault(VaultStore(core.database))), system],
        authenticator=core.tokens,
        body_limit=context.settings.http.body,
        admission=admission,
        fairness=Fairness(reactor),
    )
    server = HttpServer(
        reactor,
        "key",
        settings.listen,
        router,
        setting="[key] listen",
        draining=system.drain,
        metrics=HttpMetrics(registry),
        trusted_proxies=trusted_networks(settings.trusted_proxies, "key"),
        spans=context.spans,
    )
    sweep = Periodic(reactor, SWEEP_SECONDS, "removal of departed devices' keys", keys.sweep)
    claims = Periodic(reactor, CLAIMS_SECONDS, "removal of old claims", keys.sweep_claims)
    return Built("key", [*core.parts, removals, sweep, claims, server], router, system.check)


def makeService(options: Options) -> Lifecycle:
    """What `twist` calls."""
    return make_service(options, "key", build)
